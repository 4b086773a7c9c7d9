"""A generator that chooses among prompts: what is compared, what is said of it, the embedded painter as one."""

from __future__ import annotations

import json
import math

import pytest
import torch
from painters import random_painter
from PIL import Image

from pez_core import PezError, Target, choose
from pez_core.choosing import choose_painted
from pez_core.models.generator import Noises
from pez_core.models.painter import load_painter, read
from pez_core.models.painter_generator import PainterGenerator

NORMAL, STUDENT = 1.96, 2.365  # two-sided 95 %: of a normal distribution, of Student's with 7 degrees of freedom


class Toy:
    """Losses that are told: for each prompt a share of the loss without one, with a spread from pair to pair."""

    name = "toy"

    def __init__(self, shares: dict[str, float], spread: float = 0.0, scale: float = 1.0):
        self.shares, self.spread, self.scale = {"": 1.0, **shares}, spread, scale
        self.asked: list[tuple] = []

    def losses(self, prompts, picture, noises, on_pass):
        self.asked.append((tuple(prompts), picture, noises))
        hard = torch.tensor([[10.0 ** (self.scale * time)] for time in noises.times])  # of a pair, for every prompt
        shares = torch.tensor([[self.shares[prompt] for prompt in prompts]])
        swing = torch.tensor([[self.spread * (-1) ** i] for i in range(noises.count)])
        own = torch.tensor([[float(bool(prompt)) * (1 + i % 2) for i, prompt in enumerate(prompts)]])
        on_pass(noises.count * len(prompts), noises.count * len(prompts))
        return (hard * (shares + swing * own)).double()


def test_the_prompt_that_takes_away_most_of_the_loss_is_chosen():
    choice = choose(Toy({"a": 0.9, "b": 0.7, "c": 1.1}), ["a", "b", "c"], [None])
    assert [each.prompt for each in choice.ranked] == ["b", "a", "c"]
    assert [each.gain for each in choice.ranked] == pytest.approx([0.3, 0.1, -0.1])
    assert [each.lag for each in choice.ranked] == pytest.approx([0, 0.2, 0.4])
    assert choice.first_given.prompt == "a"
    assert choice.second is choice.first_given


def test_transparent_parts_are_white_for_the_painter_too():
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (20, 20, 44, 44))
    white = Image.new("RGB", (64, 64), "white")
    white.paste(picture, mask=picture)
    painter = PainterGenerator(load_painter())
    seen = [choose(painter, ["a", "b"], [each], 2).to_json()["candidates"] for each in (picture, white)]
    assert seen[0] == seen[1]


def test_what_all_prompts_share_is_no_error_of_their_difference():
    """Losses that differ a hundredfold from pair to pair leave no error where every prompt takes the same share of each."""
    choice = choose(Toy({"a": 0.9, "b": 0.899}, scale=2.0), ["a", "b"], [None])
    assert choice.best.prompt == "b"
    assert choice.second
    assert choice.second.resolved
    assert choice.second.lag_error < 1e-6


def test_a_difference_smaller_than_its_error_is_not_resolved():
    choice = choose(Toy({"a": 0.8, "b": 0.79}, spread=0.3), ["a", "b"], [None])
    assert choice.second
    assert not choice.second.resolved
    assert "not resolved" in choice.table()
    d = torch.tensor([0.01 + 0.3 * (-1) ** i for i in range(8)])
    assert choice.second.lag_error == pytest.approx((d.std() / 8**0.5).item(), rel=1e-5)


@pytest.mark.parametrize(("noises", "margin"), [(8, STUDENT), (1000, NORMAL)])
def test_resolved_means_beyond_what_chance_explains(noises, margin):
    """Two prompts: Student's quantile. Just below it, then just above."""
    error = 0.3 * math.sqrt(noises / (noises - 1)) / math.sqrt(noises)
    for factor, resolved in ((0.98, False), (1.02, True)):
        share = 0.9 - factor * margin * error
        second = choose(Toy({"a": 0.9, "b": share}, spread=0.3), ["a", "b"], [None], noises).second
        assert second
        assert second.resolved is resolved


def test_among_many_prompts_a_difference_must_be_larger():
    names = [f"p{i}" for i in range(30)]
    shares = dict.fromkeys(names, 0.9) | {"p1": 0.9 - 1.02 * STUDENT * 0.3 / math.sqrt(7)}
    two = choose(Toy(shares, spread=0.3), names[:2], [None])
    many = choose(Toy(shares, spread=0.3), names, [None])
    assert two.second
    assert two.second.resolved
    assert not next(each for each in many.ranked if each.prompt == "p0").resolved


def test_every_prompt_gets_the_same_noises_and_every_picture_its_own():
    toy = Toy({"a": 0.9})
    choice = choose(toy, ["a", "a"], ["one", "two"], noises=3, seed=2**64 - 2)
    assert [asked[:2] for asked in toy.asked] == [(("", "a"), "one"), (("", "a"), "two")]
    seeds = [asked[2].seeds for asked in toy.asked]
    assert seeds == [[2**64 - 2, 2**64 - 1, 0], [1, 2, 3]]
    assert (choice.passes, choice.pictures, len(choice.ranked)) == (2 * 2 * 3, 2, 1)
    assert Noises(4, 0).times == [0.125, 0.375, 0.625, 0.875]


def test_passes_are_counted_over_all_pictures():
    told = []
    choose(Toy({"a": 0.9}), ["a"], [None, None], noises=2, on_pass=lambda *each: told.append(each))
    assert told == [(4, 8), (8, 8)]


def test_no_prompt_may_be_a_candidate_and_win():
    choice = choose(Toy({"a": 1.2}), ["a", ""], [None])
    assert (choice.best.prompt, choice.best.gain) == ("", 0)
    assert "No prompt helps" in choice.table()


def test_the_table_and_plain_values_say_the_same():
    choice = choose(Toy({"a (red) fox": 0.9, "b": 0.7}), ["a (red) fox", "b"], [None])
    told = json.loads(json.dumps(choice.to_json()))
    assert told["best"] == "b"
    assert [each["prompt"] for each in told["candidates"]] == ["b", "a (red) fox"]
    first, second = choice.table().splitlines()[1:3]
    assert first.startswith("+30.00 %")
    assert first.endswith("b")
    assert second.startswith("+10.00 %")
    assert second.endswith("1.     a (red) fox")
    assert "yes" in second


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompts": []}, "no prompt"),
        ({"prompts": "a"}, "list of prompts, not 'a'"),
        ({"prompts": ["a", 5]}, "list of prompts, not 5 in it"),
        ({"pictures": []}, "no picture"),
        ({"noises": 1}, "from 2 to 1000, not 1"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_what_cannot_be_compared_is_said(given, said):
    with pytest.raises(PezError, match=said):
        choose(**{"generator": Toy({"a": 0.9}), "prompts": ["a"], "pictures": [None], **given})


def test_a_generator_in_too_low_a_precision_is_said():
    with pytest.raises(PezError, match="toy predicted values that are not numbers"):
        choose(Toy({"a": float("nan")}), ["a"], [None])


def test_what_a_report_raises_passes_through():
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose(Toy({"a": 0.9}), ["a"], [None], on_pass=stop)


@pytest.fixture(scope="module")
def painter(model, tmp_path_factory):
    return load_painter(random_painter(tmp_path_factory.mktemp("painter"), model), model=model)


def test_the_painter_s_losses_are_those_of_its_velocity(painter, penguin):
    """Against the plain definition, one text and one pair after the other."""
    texts, noises = ["", "a penguin", "a red apple"], Noises(2, 5)
    picture = Image.open(penguin)
    found = PainterGenerator(painter).losses(texts, picture, noises, lambda *_: None)
    small = torch.tensor(list(picture.convert("RGB").resize((64, 64), Image.Resampling.LANCZOS).tobytes()))
    clean = (small.float() / 127.5 - 1).reshape(64, 64, 3).permute(2, 0, 1)
    for i, (seed, time) in enumerate(zip(noises.seeds, noises.times, strict=True)):
        noise = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(seed))
        for j, text in enumerate(texts):
            reading = read(painter.tower, painter.rows([text]))
            reading = reading if text else reading.without(torch.tensor([True]))
            with torch.no_grad():
                noisy = (1 - time) * clean + time * noise
                velocity = painter.net(noisy[None], torch.tensor([time]), reading)[0]
            assert found[i, j].item() == pytest.approx((velocity - (noise - clean)).square().mean().item(), rel=1e-4)


def test_the_same_seed_chooses_the_same(painter, penguin):
    def chosen(seed: int) -> list:
        return choose(PainterGenerator(painter), ["a penguin", "a fox"], [Image.open(penguin)], 2, seed).to_json()[
            "candidates"
        ]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_paintings_are_compared_seed_by_seed(model, penguin):
    picture = Image.open(penguin).convert("RGB")
    other = Image.open(penguin.parent / "pizza.png").convert("RGB")
    turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    ranked = choose_painted(model, Target.from_images(model, picture), ["far", "near"], [[other] * 3, [picture] * 3])
    assert [each.prompt for each in ranked] == ["near", "far"]
    assert ranked[0].gain == pytest.approx(1, abs=1e-4)
    assert ranked[1].resolved
    same = [[picture, turned, other], [picture, turned, other]]
    assert [each.lag for each in choose_painted(model, Target.from_images(model, picture), ["a", "b"], same)] == [0, 0]
    with pytest.raises(PezError, match="at least 2 paintings"):
        choose_painted(model, Target.from_images(model, picture), ["a"], [[picture]])

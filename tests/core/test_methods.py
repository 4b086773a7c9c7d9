"""Rules that every search follows, whatever its method."""

from __future__ import annotations

import random
import string
from dataclasses import replace

import pytest
import torch
from objectives import matching
from parameters import every_method, with_slow
from stand_ins import fits_best

from pez_core import InversionConfig, PezError, Target, invert
from pez_core.config import SEARCH_PRESETS, SETTINGS
from pez_core.objectives.match import MatchObjective
from pez_core.search import METHODS, starts
from pez_core.search.draws import BYTES, Draws
from pez_core.search.pez import PezSearch
from pez_core.search.swaps import SwapSearch

STEPS = {"pez+swaps": 30, "swaps": 6, "autoprompt": 6}


def config(method: str, **changes) -> InversionConfig:
    settings = {
        "length": 5,
        "restarts": 4,
        "steps": STEPS.get(method, 20),
        "explore": 16,
        "halving": 4,
        "patience": None,
    }
    return InversionConfig(**{**settings, "method": method, **changes})


def rescored(model, target, text: str) -> float:
    return target.similarity(model.encode_texts([text])).item()


class Watched(InversionConfig):
    """Remembers which of its fields were read."""

    def __getattribute__(self, name):
        object.__getattribute__(self, "__dict__").setdefault("read", set()).add(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_reads_the_settings_that_it_names(model, target, method):
    watched = Watched(method=method, length=3, restarts=4, steps=4, explore=2, halving=1)
    watched.__dict__["read"].clear()  # those that were checked
    invert(model, target, watched)
    of_methods = {name for each in METHODS.values() for name in each.settings}
    assert watched.__dict__["read"] & of_methods == set(METHODS[method].settings)


@every_method
def test_the_seed_decides_the_text(model, target, method):
    first, again, other = (invert(model, target, config(method, seed=seed)) for seed in (7, 7, 8))
    assert first.candidates == again.candidates
    assert first.trace == again.trace
    assert first.prompt != other.prompt


@every_method
def test_scores_are_those_of_the_texts_and_the_trace_rises_to_the_best(model, target, method):
    result = invert(model, target, config(method, prefix="a photo of", suffix="on a table"))
    for candidate in result.candidates:
        assert candidate.text.startswith("a photo of ")
        assert candidate.text.endswith(" on a table")
        assert candidate.similarity == pytest.approx(rescored(model, target, candidate.text), abs=1e-6)
    assert list(result.trace) == sorted(result.trace)
    assert len(result.trace) == result.steps
    assert result.trace[-1] == pytest.approx(result.similarity, abs=1e-5)


@every_method
def test_bans_and_the_vocabulary_are_kept(model, target, method):
    free = invert(model, target, config(method))
    banned = tuple(set(free.prompt.split()))
    result = invert(model, target, config(method, banned=banned))
    for candidate in result.candidates:
        words = candidate.text.split()
        assert not set(words) & set(banned)
        ids = model.vocabulary.encode(candidate.text)
        assert len(ids) == 5
        assert model.vocabulary.words[ids].all()


@every_method
def test_stopped_runs_return_what_longer_ones_had_met(model, target, method, monkeypatch):
    monkeypatch.setattr("pez_core.run.loop.LOOK_SECONDS", 0)  # a report after each step, however fast the steps are
    settings = config(method)
    whole = invert(model, target, settings)
    stopped = invert(model, target, settings, lambda progress: progress.step >= 4)
    assert (stopped.stopped, stopped.steps) == ("asked to", 4)
    assert stopped.trace == whole.trace[:4]


@every_method
def test_passes_are_those_that_went_through_the_encoder(model, target, method, monkeypatch):
    counted = []
    score, value = MatchObjective.value_and_gradient, MatchObjective.value

    def scored(self, ids, problem, drawn=None):
        counted.append(2 * len(ids))
        return score(self, ids, problem, drawn)

    def valued(self, ids, problem):
        counted.append(len(ids))
        return value(self, ids, problem)

    monkeypatch.setattr(MatchObjective, "value_and_gradient", scored)
    monkeypatch.setattr(MatchObjective, "value", valued)
    for start in ("random", "tokens"):
        counted.clear()
        assert invert(model, target, config(method, start=start)).passes == sum(counted)


@pytest.mark.parametrize(
    "method", with_slow([each for each in METHODS if each != "fluentprompt"], ("autoprompt",))
)  # fluentprompt's temperature depends on the number of steps
def test_more_budget_never_returns_worse(model, target, method):
    few, more, many = (invert(model, target, config(method, steps=steps)) for steps in (9, 19, 40))
    assert few.similarity <= more.similarity <= many.similarity
    assert many.trace[: more.steps] == more.trace
    assert more.trace[: few.steps] == few.trace


@every_method
def test_a_single_token_and_a_single_restart_are_enough(model, target, method):
    result = invert(model, target, config(method, length=1, restarts=1, steps=12))
    assert len(result.prompt.split()) == 1


def test_swaps_help_where_pez_has_stopped(model, penguin):
    target = Target.from_images(model, penguin.with_name("cat-and-ball.png"))
    before = invert(model, target, config("pez", steps=50, restarts=8))
    settings = config("pez+swaps", steps=88, explore=50, halving=8, restarts=8)
    among_found, among_any = (invert(model, target, replace(settings, swap_from=which)) for which in ("found", "any"))
    assert among_found.trace[:50] == among_any.trace[:50] == before.trace
    assert among_any.similarity > before.similarity + 0.005
    assert among_found.similarity > before.similarity
    met = {word for candidate in before.candidates for word in candidate.text.split()}
    assert {word for candidate in among_found.candidates for word in candidate.text.split()} <= met
    assert not set(among_any.prompt.split()) <= met


def test_restarts_are_halved_as_the_run_goes_on():
    plan = METHODS["pez+swaps"].stages
    stages = plan(config("pez+swaps", swap_from="found", restarts=8, steps=40, explore=16, halving=5))
    assert [(stage.search, stage.restarts, stage.steps) for stage in stages] == [
        (PezSearch, 8, 16), (SwapSearch, 4, 5), (SwapSearch, 2, 5), (SwapSearch, 1, 14),
    ]  # fmt: skip
    assert [stage.narrow for stage in stages] == [False, True, False, False]  # narrowed once
    for changes in ({"swap_from": "found", "restarts": 3}, {}):
        assert not any(stage.narrow for stage in plan(config("pez+swaps", **changes)))
    assert [stage.steps for stage in plan(config("pez+swaps", steps=10, explore=16))] == [10]


@pytest.mark.parametrize("method", ["swaps", "autoprompt"])
def test_no_swap_is_tried_again_nor_a_word_brought_in_twice(model, target, method, monkeypatch):
    settings = config(method, restarts=1, steps=25, length=3)
    met: list[tuple[int, ...]] = []
    plain = MatchObjective.value
    monkeypatch.setattr(
        MatchObjective,
        "value",
        lambda self, ids, problem: met.extend(map(tuple, ids.tolist())) or plain(self, ids, problem),
    )
    objective = matching(model, target, settings)
    generators = [torch.Generator().manual_seed(2)]
    (stage,) = METHODS[method].stages(settings)
    search = stage.search(objective, settings, settings.steps, generators)
    state = search.begin(starts([objective.space.of(0)], settings, (), (), generators)[0])
    tried: set[tuple[int, ...]] = set()  # from the present prompt
    stayed = 0
    for _ in range(settings.steps):
        at = state.best_ids[0].tolist()
        met.clear()
        state = search.step(state)
        assert len(set(met)) == len(met)
        assert not set(met) & tried
        assert all(sum(a != b for a, b in zip(prompt, at, strict=True)) == 1 for prompt in met)
        assert all(len(set(prompt) - set(at)) == 1 for prompt in met)
        if state.best_ids[0].tolist() == at:
            tried |= set(met)
            stayed += 1
        else:
            tried.clear()
    assert stayed > 2


def test_when_everything_was_tried_the_best_stays(model, target):
    """With fewer tokens than candidates, only real swaps are scored."""
    others = tuple(f"{first}*" for first in string.ascii_lowercase if first not in "qx")
    settings = config("swaps", length=2, restarts=2, steps=8, banned=others)
    result = invert(model, target, settings)
    assert {word[0] for word in result.prompt.split()} <= {"q", "x"}  # nine words begin so
    assert result.trace[-1] == pytest.approx(result.similarity, abs=1e-5)


def test_starting_from_words_keeps_what_is_good(model, target):
    words = "penguin on a blue background"
    result = invert(model, target, config("swaps", start="words", words=words, restarts=2, steps=1))
    assert result.similarity >= rescored(model, target, words) - 1e-6
    with pytest.raises(PezError, match="cannot start from the words '': there are none"):
        invert(model, target, config("pez", start="words"))
    with pytest.raises(PezError, match="it may use none of their tokens"):
        invert(model, target, config("pez", start="words", words="zebra", banned=("zebra",)))


def test_restarts_take_several_start_texts_in_turn():
    tokens, settings = torch.arange(100, 200), config("pez", length=3, restarts=5)
    ids, _ = starts([tokens], settings, (), [[1, 2, 3], [4, 5, 6, 7]], [torch.Generator().manual_seed(1)])
    assert ids[0].tolist() == [1, 2, 3]
    assert ids[1].tolist() == [4, 5, 6]
    for row, own in ((2, {1, 2, 3}), (3, {4, 5, 6}), (4, {1, 2, 3})):
        assert all(token in own or token >= 100 for token in ids[row].tolist())
    alone, _ = starts([tokens], settings, (), [[1, 2, 3]], [torch.Generator().manual_seed(1)])
    assert all(token in {1, 2, 3} or token >= 100 for token in alone.flatten().tolist())


def test_the_best_of_several_texts_is_no_worse_without_readability(model, target):
    words = "a bird in snow | penguin on a blue background | "
    found = invert(model, target, config("swaps", start="words", words=words, restarts=3, steps=1))
    assert found.similarity >= rescored(model, target, "penguin on a blue background") - 1e-6


def test_texts_without_a_restart_are_named(model, target):
    words = "a bird | a dog | a cat"
    settings = config("pez", start="words", words=words, length=3, steps=1, restarts=2)
    (warning,) = invert(model, target, settings).warnings
    assert warning == "Not started from, for each takes a restart: 'a cat'. Raise the restarts."
    assert invert(model, target, replace(settings, restarts=3)).warnings == ()
    again = replace(settings, words="a bird | a bird | | a dog |")
    assert invert(model, target, again).warnings == ()
    assert again.own_texts == ("a bird", "a dog")


def test_a_text_that_cannot_be_used_leaves_its_restart_to_the_next(model, target):
    settings = config("pez", start="words", words="zebra | a bird", length=3, steps=1, restarts=1, banned=("zebra",))
    (warning,) = invert(model, target, settings).warnings
    assert warning.startswith("The search cannot start from the words 'zebra': it may use none of their tokens.")
    with pytest.raises(PezError, match="cannot start from the words 'okapi'"):
        invert(model, target, replace(settings, words="zebra | okapi", banned=("zebra", "okapi")))


@pytest.mark.parametrize("readability", [0, 0.5])
@pytest.mark.parametrize("words", ["|", " | | "])
def test_nothing_between_separators_is_no_text(model, target, words, readability):
    settings = config("pez", start="words", words=words, length=3, steps=1, readability=readability)
    with pytest.raises(PezError, match=r"cannot start from the words '[| ]+': there are none"):
        invert(model, target, settings)


def test_start_words_that_are_not_used_are_named(model, target):
    words = "penguin, a zebra on blue"
    result = invert(model, target, config("pez", start="words", words=words, length=3, steps=1, banned=("zebra",)))
    assert result.warnings == (
        "Left out of the start words 'penguin, a zebra on blue': ',', 'zebra', which the search may not use.",
        "The start words have 4 tokens, the length is 3: 'blue' is cut off. Raise the length.",
    )
    quiet = config("pez", start="words", words="penguin a", length=3, steps=1)
    assert invert(model, target, quiet).warnings == ()


def test_starting_from_the_best_tokens_begins_higher(model, target):
    first = {
        start: invert(model, target, config("pez", start=start, steps=1, restarts=8)) for start in ("random", "tokens")
    }
    assert first["tokens"].trace[0] > first["random"].trace[0]


@pytest.mark.parametrize(
    "name",
    with_slow([each for each in SEARCH_PRESETS if each != "paper"], ("thorough",)),
)
def test_presets_are_whole_configurations(model, target, name):
    result = invert(model, target, InversionConfig.preset(name, length=4))
    assert fits_best(model, result.prompt) == "penguin"
    with pytest.raises(PezError, match="preset must be one of fast, balanced, thorough, paper, not 'best'"):
        InversionConfig.preset("best")


@pytest.mark.slow
def test_hundreds_of_prompts_of_random_settings_re_encode_to_what_was_scored(model):
    choose = random.Random(0)
    vocabulary, fixed_words = model.vocabulary, {"a", "photo", "of", "drawing", "by", "on", "table", "k"}
    words = [vocabulary.token_texts[i] for i in vocabulary.words.nonzero()[:, 0].tolist()]
    words = [word for word in words if word not in fixed_words]
    for seed in range(100):
        length = choose.randint(1, 5)
        settings = InversionConfig(
            method=choose.choice(list(METHODS)),
            length=length,
            restarts=choose.randint(1, 5),
            swap_from=choose.choice(SETTINGS["swap_from"].choices),
            keep=choose.choice(((), (), ("harbour",), ("red", "a (wet)"))) if length == 5 else (),
            steps=choose.randint(1, 4),
            explore=choose.randint(1, 2),
            halving=1,
            candidates=choose.randint(1, 8),
            top=choose.randint(1, 8),
            seed=seed,
            vocabulary=choose.choice(("words", "any")),
            prefix=choose.choice(("", "a photo of", "drawing, by")),
            suffix=choose.choice(("", "on a table", "! (4k)")),
            banned=tuple(choose.sample(words, 2)) if seed % 50 == 0 else (),  # their tables take most of the time
        )
        target = Target(
            torch.randn(1, model.text.features, generator=torch.Generator().manual_seed(seed)), torch.ones(1)
        )
        for candidate in invert(model, target, settings).candidates:
            ids = vocabulary.encode(candidate.text)
            before, after = (
                len(vocabulary.encode(fixed)) if fixed else 0 for fixed in (settings.prefix, settings.suffix)
            )
            assert len(ids) == before + length + after
            searched = ids[before : before + length]
            kept = [vocabulary.encode(phrase) for phrase in settings.keep]
            assert vocabulary.usable[[i for i in searched if not any(i in own for own in kept)]].all()
            assert settings.keep or vocabulary.decode(searched) in candidate.text
            for phrase, own in zip(settings.keep, kept, strict=True):
                assert f" {phrase} " in f" {candidate.text} "
                assert any(searched[i : i + len(own)] == own for i in range(length))
            assert not set(candidate.text.split()) & set(settings.banned)


@pytest.mark.parametrize("method", ["autoprompt-sgd", "fluentprompt"])
def test_methods_have_learning_rates_of_their_own(model, target, method):
    """AdamW's 0.1 is too small for a plain gradient step."""
    settings = InversionConfig(method=method, length=6, steps=60)
    own, borrowed = (invert(model, target, replace(settings, learning_rate=rate)) for rate in (None, 0.1))
    assert own.similarity > 0.5 > borrowed.similarity + 0.1


def test_draws_take_no_more_memory_for_more_steps(model, target):
    """At the widgets' own maxima, drawing all at once would take 61 GB."""
    settings = InversionConfig(method="random", steps=100_000, restarts=1024, length=75)
    objective = matching(model, target, replace(settings, length=75))
    (stage,) = METHODS["random"].stages(settings)
    search = stage.search(objective, settings, settings.steps, [torch.Generator().manual_seed(0)])
    buffers = [each._buffer for each in vars(search).values() if isinstance(each, Draws)]
    assert sum(buffer.numel() * buffer.element_size() for buffer in buffers) <= BYTES


def test_draws_in_blocks_are_those_of_one_draw():
    whole = torch.rand(200, 7, generator=torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    draws = Draws([lambda n: torch.rand(n, 7, generator=generator)], 7, 200, "cpu")
    for step in range(200):
        draws.prepare(step)
        assert torch.equal(draws.at(torch.tensor([step]))[0], whole[step])

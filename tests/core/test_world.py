"""The drawn world that the models are trained on, with drawings made here: colored shapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pez_core.models.loading import load_folder
from training import evaluation
from training.feed import Feed
from training.tokens import TOKENIZER, Rows
from training.train import Plan, Run, train
from training.world import STYLES, TRAINED_SETS, Group, Scene, World, caption, distractor, full_caption
from training.world.colors import COLORS
from training.world.things import plural

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def world(drawings: Path) -> World:
    return World(drawings)


def drawn(world: World, scenes: Sequence[Scene], seed: int = 0) -> torch.Tensor:
    return world.draw(world.lay_out(np.random.default_rng(seed), scenes))


def group(world: World, name: str, **more) -> Group:
    return Group(next(t for t in world.things if t.name == name), "noto", **more)


def shown(pictures: torch.Tensor, color: str) -> torch.Tensor:
    """Bool [n, S, S]: where a picture has about the color."""
    wanted = torch.tensor(COLORS[color]).view(1, 3, 1, 1)
    return ((pictures.float() - wanted).abs() < 60).all(1)


def test_same_seed_same_pictures(world):
    scenes = world.scenes(np.random.default_rng(1), 8)
    assert scenes == world.scenes(np.random.default_rng(1), 8)
    assert scenes != world.scenes(np.random.default_rng(2), 8)
    assert torch.equal(drawn(world, scenes), drawn(world, scenes))
    assert not torch.equal(drawn(world, scenes), drawn(world, scenes, seed=1))


def test_a_picture_does_not_depend_on_those_drawn_with_it(world):
    layouts = world.lay_out(np.random.default_rng(0), world.scenes(np.random.default_rng(3), 24))
    apart = torch.cat([world.draw(layouts[i : i + 8]) for i in range(0, 24, 8)])
    assert (world.draw(layouts).int() - apart.int()).abs().max() <= 1


def test_pictures_scale(drawings):
    scenes = World(drawings).scenes(np.random.default_rng(4), 12)
    small, large = (drawn(World(drawings, size=size), scenes).float() for size in (64, 128))
    plain = torch.tensor([scene.style != "pixel art" for scene in scenes])
    shrunk = torch.nn.functional.avg_pool2d(large, 2)
    assert large.shape == (12, 3, 128, 128)
    assert (shrunk - small).abs().mean((1, 2, 3))[plain].max() < 25


def test_full_captions_tell_everything(world):
    scene = Scene(
        (group(world, "red ball", count=2), group(world, "blue box", size="small")),
        "beside", ground="striped", color="green", style="watercolor",
    )  # fmt: skip
    told = full_caption(scene)
    assert told == "a watercolor of two red balls to the left of a small blue box on a striped green background"
    stacked = full_caption(replace(scene, order="stacked", ground="snow", style="plain"))
    assert stacked == "two red balls on top of a small blue box in the snow"


def test_captions_speak_of_what_is_drawn(world):
    rng = np.random.default_rng(5)
    for scene in world.scenes(rng, 300):
        words = {
            word
            for g in scene.groups
            for text in (g.thing.name, g.thing.plural, *g.thing.synonyms)
            for word in text.split()
        }
        assert all(g.thing.name in full_caption(scene) or g.thing.plural in full_caption(scene) for g in scene.groups)
        assert words & set(caption(rng, scene).replace(",", "").split())
        assert distractor(rng, scene, ["zebra"]) != full_caption(scene)


def test_order_in_the_picture_is_that_of_the_caption(world):
    pair = (group(world, "red ball"), group(world, "blue box"))
    across = torch.arange(64.0)
    for order, axis in (("beside", 1), ("stacked", 0)):
        pictures = drawn(world, [Scene(pair, order)] * 16)
        middles = []
        for color in ("red", "blue"):
            along = shown(pictures, color).float().sum(1 if axis else 2)
            middles.append((along * across).sum(1) / along.sum(1))
        assert (middles[0] < middles[1]).all()


@pytest.mark.parametrize("spot", ["left", "top right", "center"])
def test_a_thing_is_where_the_caption_says(world, spot):
    red = shown(drawn(world, [Scene((group(world, "red ball"),), spot=spot)] * 16), "red").float()
    where = torch.arange(64.0)
    x, y = ((red.sum(axis) * where).sum(1) / red.sum((1, 2)) for axis in (1, 2))
    wanted = {"left": (x < 28), "top right": (x > 36) & (y < 28), "center": ((x - 32).abs() < 6) & ((y - 32).abs() < 6)}
    assert wanted[spot].all()


def test_counts_and_sizes_are_drawn(world):
    area = {}
    for name, more in {"one": {"size": "small"}, "three": {"count": 3}, "large": {"size": "large"}}.items():
        layouts = world.lay_out(np.random.default_rng(0), [Scene((group(world, "red ball", **more),))] * 16)
        assert ((layouts.drawing >= 0).sum(1) == more.get("count", 1)).all()
        area[name] = shown(world.draw(layouts), "red").float().mean((1, 2))
    assert (area["one"] < area["three"]).all()
    assert (area["three"] < area["large"]).all()


def test_a_tint_is_the_color_that_the_caption_names(world):
    scene = Scene((group(world, "red ball", color="blue", tinted=True, size="large"),))
    pictures = drawn(world, [scene] * 8).float()
    middle = pictures[:, :, 28:36, 28:36].mean((2, 3))
    assert (middle[:, 2] > middle[:, 0] + 40).all()


def test_styles_look_like_their_names(world):
    scenes = {
        style: [Scene((group(world, "red ball", size="large"),), color="yellow", style=style)] * 8 for style in STYLES
    }
    pictures = {style: drawn(world, some).float() for style, some in scenes.items()}
    gray = pictures["black and white"]
    assert torch.equal(gray[:, 0], gray[:, 1])
    assert (pictures["sepia"][:, 0] > pictures["sepia"][:, 2]).all()
    assert pictures["neon"].mean() < 90 < pictures["pencil sketch"].mean()
    assert pictures["line drawing"].mean() > 180

    def sharpness(x):
        return (x[..., 1:] - x[..., :-1]).abs().amax((1, 2, 3)).mean()

    assert sharpness(pictures["blurry"]) < sharpness(pictures["plain"]) / 2
    runs = (pictures["pixel art"].diff(dim=-1) == 0).float().mean()
    assert runs > (pictures["plain"].diff(dim=-1) == 0).float().mean() - 0.2


def test_held_back_things_are_in_no_training_scene(drawings, world):
    held = World(drawings, held_out=True)
    names, trained = {t.name for t in held.things}, {t.name for t in world.things}
    assert names
    assert not names & trained
    assert {t.name for t in World(drawings, sets=("twemoji",), styles=("plain",), held_out=True).things} == names
    rng = np.random.default_rng(6)
    assert not names & {g.thing.name for scene in world.scenes(rng, 500) for g in scene.groups}
    assert {g.thing.name for scene in held.scenes(rng, 50) for g in scene.groups} <= names


def test_twemoji_is_never_trained_on(world):
    assert "twemoji" not in TRAINED_SETS
    assert all(
        g.drawn_by in TRAINED_SETS for scene in world.scenes(np.random.default_rng(7), 500) for g in scene.groups
    )


def test_limits_hold(world):
    limited = world.limited(("sepia", "neon"))
    assert {scene.style for scene in limited.scenes(np.random.default_rng(8), 60)} == {"sepia", "neon"}
    assert not {"watercolor", "pixel"} & set(limited.words())


def test_missing_drawings_say_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"training\.drawings"):
        World(tmp_path)


def test_plurals():
    told = [
        "fox",
        "cherry",
        "leaf",
        "person surfing",
        "face with tears of joy",
        "sheep",
        "scissors",
        "bus",
        "potted plant",
    ]
    made = [
        "foxes",
        "cherries",
        "leaves",
        "people surfing",
        "faces with tears of joy",
        "sheep",
        "scissors",
        "buses",
        "potted plants",
    ]
    assert [plural(name) for name in told] == made


def test_rows_are_those_of_the_tokenizer(world):
    rows, rng = Rows(world.words()), np.random.default_rng(9)
    texts = [caption(rng, scene) for scene in world.scenes(rng, 200)]
    made = rows(texts)
    for text, row in zip(texts, made, strict=True):
        ids = [rows.ids[r] for r in row[1 : int(row.argmax())]]
        assert ids == TOKENIZER.encode(text)[:75]


def test_a_batch_is_the_same_whichever_process_makes_it(world):
    feed = Feed(world.scenery(), Rows(world.words()), seed=1, batch=8)
    later = next(iter(Feed(world.scenery(), Rows(world.words()), seed=1, batch=8, first=3)))
    for ours, theirs in zip(feed.make(3), later, strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(feed.make(3)[0], feed.make(4)[0])


def test_training_resumes_where_it_stopped(drawings, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "CANDIDATES", 4)
    plan = Plan(seed=1, steps=4, minutes=1e9, batch=8, rate=1e-3, workers=0, save_seconds=0)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text(json.dumps(SMALL))
    train(tmp_path / "whole", drawings, None, plan, torch.device("cpu"), tmp_path / "work")

    learn = Run.learn

    def interrupted(run: Run, *args):
        if run.step == 2:
            raise KeyboardInterrupt
        return learn(run, *args)

    monkeypatch.setattr(Run, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", drawings, None, plan, torch.device("cpu"), tmp_path / "work")
    monkeypatch.setattr(Run, "learn", learn)
    run = train(tmp_path / "parts", drawings, None, plan, torch.device("cpu"), tmp_path / "work", resume=True)
    assert run.step == 4
    whole, parts = (load_folder(tmp_path / name, name) for name in ("whole", "parts"))
    texts = ["a red ball on a blue background", "a neon sign of two boxes"]
    assert torch.allclose(whole.encode_texts(texts), parts.encode_texts(texts), atol=1e-3)
    assert not torch.allclose(whole.encode_texts(texts[:1]), whole.encode_texts(texts[1:]), atol=1e-3)


def test_a_state_of_another_world_is_refused(drawings, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "CANDIDATES", 4)
    plan = Plan(seed=1, steps=1, minutes=1e9, batch=8, rate=1e-3, workers=0)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(json.dumps(SMALL))
    train(tmp_path / "model", drawings, ("plain",), plan, torch.device("cpu"), tmp_path)
    with pytest.raises(ValueError, match="without --resume"):
        train(tmp_path / "model", drawings, ("neon",), plan, torch.device("cpu"), tmp_path, resume=True)

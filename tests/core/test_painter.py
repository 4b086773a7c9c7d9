"""Painting: what a text's picture depends on, and painters that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from painters import random_painter
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.judges import known_styles
from benchmarks.judging import load_judges
from benchmarks.pictures import held_out_pictures
from pez_core import PezError, load_model, paint
from pez_core.models.eight_bits import packed, unpacked
from pez_core.models.painter import CONFIG, FOLDER, WEIGHTS, load_painter

TEXTS = ["a red apple", "two blue birds on a green background", "a fox"]


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory) -> Path:
    return random_painter(tmp_path_factory.mktemp("painter"), model)


@pytest.fixture(scope="module")
def painter(folder, model):
    return load_painter(folder, model=model)


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    """A copy of the painter's files, to damage."""
    for name in (CONFIG, WEIGHTS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


def pixels(pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def painted(painter, texts, **settings) -> np.ndarray:
    return pixels(paint(texts, painter=painter, **{"steps": 3, **settings}))


def test_a_picture_for_each_text(painter):
    pictures = paint(TEXTS, steps=2, painter=painter)
    assert [(picture.mode, picture.size) for picture in pictures] == [("RGB", (64, 64))] * 3
    assert paint([], painter=painter) == []


def test_the_same_seed_paints_the_same_and_another_does_not(painter):
    once, again, other = (painted(painter, TEXTS, seed=seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any(axis=(1, 2, 3)).all()


def test_a_picture_does_not_depend_on_what_is_painted_beside_it(painter):
    together = painted(painter, TEXTS)
    for i, text in enumerate(TEXTS):
        assert (painted(painter, [text])[0] == together[i]).all()
    assert (painted(painter, TEXTS[::-1])[::-1] == together).all()


def test_many_at_once_change_nothing_but_roundings(painter, monkeypatch):
    alone = painted(painter, TEXTS)
    monkeypatch.setattr(painter, "together", 8)
    assert abs(painted(painter, TEXTS) - alone).max() <= 1


def test_the_text_decides_unless_guidance_is_zero(painter):
    told, other = painted(painter, TEXTS[:1]), painted(painter, TEXTS[1:2])
    assert (told != other).any()
    free, others = painted(painter, TEXTS[:1], guidance=0), painted(painter, TEXTS[1:2], guidance=0)
    assert (free == others).all()


def test_each_step_is_reported_and_an_exception_of_the_report_passes_through(painter):
    steps: list[tuple[int, int]] = []
    paint(TEXTS[:2], steps=3, painter=painter, on_step=lambda *step: steps.append(step))
    assert steps == [(i, 6) for i in range(1, 7)]

    def stop(step: int, whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint(TEXTS, painter=painter, on_step=stop)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"texts": "a fox"}, "list of texts, not 'a fox'"),
        ({"texts": ["a fox", 3]}, "list of texts, not 3"),
        ({"texts": ["fox " * 80]}, "80 tokens, the painter reads 75"),
        ({"seed": -1}, "not -1"),
        ({"seed": 0.5}, "not 0.5"),
        ({"steps": 0}, "from 1 to 1000, not 0"),
        ({"guidance": float("nan")}, "not nan"),
        ({"guidance": -1.0}, "from 0 to 100, not -1.0"),
    ],
)
def test_what_cannot_be_painted_is_said(painter, wrong, told):
    with pytest.raises(PezError, match=told):
        paint(**{"texts": TEXTS, "painter": painter, **wrong})


def test_a_device_that_is_not_there():
    with pytest.raises(PezError, match="'nowhere' cannot be used"):
        load_painter(device="nowhere")


def truncated(folder: Path) -> None:
    file = folder / WEIGHTS
    file.write_bytes(file.read_bytes()[:-100])


def with_tensor(change):
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return damage


def with_config(**values):
    def damage(folder: Path) -> None:
        told = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps({**told, **values}))

    return damage


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), "a file is missing: install the pack again"),
        (lambda folder: (folder / CONFIG).write_text("{"), "is damaged"),
        (truncated, "is damaged"),
        (with_tensor(lambda tensors: tensors.pop("leave.bias")), "leave.bias is missing"),
        (with_tensor(lambda tensors: tensors.pop("leave.weight.scale")), "leave.weight is missing"),
        (with_tensor(lambda tensors: tensors.update({"leave.weight.scale": torch.ones(1)})), "scale does not belong"),
        (with_tensor(lambda tensors: tensors.update(more=torch.zeros(1))), "more does not belong"),
        (with_tensor(lambda tensors: tensors["leave.bias"].fill_(float("nan"))), "NaN"),
        (with_config(channels=[8, 16, 24]), "in the architecture"),
        (with_config(channels=None), "painter.json is no configuration"),
        (with_config(text_tower="0"), "trained with another text tower than that of embedded"),
    ],
)
def test_files_that_do_not_make_a_painter(copied, model, damage, told):
    damage(copied)
    with pytest.raises(PezError, match=told):
        load_painter(copied, model=model)


def test_another_text_tower_is_refused(copied):
    other = load_model()
    with torch.no_grad():
        other.text.module.ln_final.weight += 0.1
    with pytest.raises(PezError, match="another text tower"):
        load_painter(copied, model=other)


def test_eight_bits_hold_the_weights_to_half_a_step_of_each_row():
    torch.manual_seed(0)
    weights = {"matrix": torch.randn(5, 7) * torch.logspace(-3, 3, 5)[:, None], "kernel": torch.randn(3, 2, 3, 3)}
    weights |= {"nothing": torch.zeros(2, 4), "bias": torch.randn(6)}
    kept = packed(weights)
    assert {kept[name].dtype for name in ("matrix", "kernel", "nothing")} == {torch.int8}
    read = unpacked(kept)
    assert read.keys() == weights.keys()
    for name in ("matrix", "kernel", "nothing"):
        step = weights[name].flatten(1).abs().amax(1) / 127
        apart = (read[name] - weights[name]).flatten(1).abs().amax(1)
        assert (apart <= step * 0.5001).all(), name
    assert torch.equal(read["bias"], weights["bias"].half().float())


def test_the_embedded_painter_is_small_enough_to_ship():
    assert (FOLDER / WEIGHTS).stat().st_size <= 8_000_000


@pytest.mark.slow
def test_judges_see_what_the_embedded_painter_was_told_to_paint():
    """The thresholds leave room: both judges put the right caption first for all of these."""
    judges = load_judges()
    known = set.intersection(*(set(known_styles(judge.name)) for judge in judges))
    captions = [row.caption for row in held_out_pictures() if row.style in known]
    painted = paint(captions[:8])
    for judge in judges:
        seen = judge.encode_images(painted) @ judge.encode_texts(captions).T
        first = (seen.argmax(1) == torch.arange(8)).sum().item()
        assert first >= 5, judge.name

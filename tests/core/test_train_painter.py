"""The painter's training, on colored shapes: it learns, saves what can be loaded, and goes on where it stopped."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from painters import SMALL
from stand_ins import random_picture

from pez_core import paint
from pez_core.models.painter import load_painter, read
from training import train_painter
from training.likeness import Likeness
from training.painter_data import LENGTH, Pool, token_rows
from training.train_painter import Training, config_for, loss_of

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture
def pool(drawings, model) -> Iterator[Pool]:
    made = Pool(drawings, model.vocabulary, CPU, size=200, workers=0, seed=1)
    yield made
    made.close()


def test_the_pool_keeps_the_newest_pictures_with_their_captions(pool, model):
    pool.refill(least=200)
    assert pool.drawn >= 200
    pictures, rows = pool.batch(32)
    assert (pictures.shape, pictures.dtype) == ((32, 3, 64, 64), torch.uint8)
    assert rows.shape == (32, LENGTH)
    words = [word for row in rows for word in model.vocabulary.decode(row[1 : row.argmax()].tolist()).split()]
    assert {"ball", "box", "roof", "ring"} & set(words)


def test_a_caption_that_is_too_long_keeps_its_end(model):
    short, long = token_rows(model.vocabulary, ["a fox", "fox " * 80])
    assert long[-1] == model.vocabulary.end_ids[0] == short[3]
    assert short[4:].tolist() == [model.vocabulary.pad_id] * (LENGTH - 4)


def test_a_cut_caption_reads_as_at_full_length(model):
    tower, words = model.text.towers[0].module, model.vocabulary
    cut = torch.from_numpy(token_rows(words, ["a red ball", "a fox"])).long()
    reading = read(tower, cut)
    assert torch.allclose(reading.feature, model.encode_texts(["a red ball", "a fox"]), atol=1e-6)
    assert reading.read.sum(1).tolist() == [5, 4]


def test_it_learns(pool, model):
    torch.manual_seed(0)
    pool.refill(least=8)
    pictures, rows = pool.batch(8)
    reading = read(model.text.towers[0].module, rows)
    training = Training(config_for(model, **SMALL), 1e-2, CPU)

    def loss() -> torch.Tensor:
        torch.manual_seed(1)  # the same noise each time
        return loss_of(training.net, pictures, reading)

    before = loss().item()
    for _ in range(40):
        training.advance(loss(), 0.0)
    assert loss().item() < 0.9 * before


def test_the_likeness_to_the_picture_itself_is_whole_and_can_be_learned(pool, model):
    torch.manual_seed(0)
    pool.refill(least=8)
    pictures, rows = pool.batch(8)
    expected = model.encode_images([random_picture(1)])
    likeness, wanted = Likeness(model, CPU), pictures.float() / 127.5 - 1
    assert torch.equal(model.encode_images([random_picture(1)]), expected)  # it leaves the model as it is
    assert likeness(wanted, wanted).abs().max() < 1e-5
    blurred = F.avg_pool2d(wanted, 9, 1, 4, count_include_pad=False)
    assert (likeness(blurred, wanted) > 0.01).all()
    reading = read(model.text.towers[0].module, rows)
    training = Training(config_for(model, **SMALL), 1e-2, CPU)

    def loss(weight: float) -> torch.Tensor:
        torch.manual_seed(1)
        return loss_of(training.net, pictures, reading, likeness, weight)

    before = loss(10) - loss(0)
    for _ in range(20):
        training.advance(loss(10), 0.0)
    assert loss(10) - loss(0) < 0.95 * before


def test_a_run_ends_with_a_painter_and_a_resumed_one_goes_on(drawings, model, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(train_painter, "config_for", lambda model: config_for(model, **SMALL))
    monkeypatch.setattr(train_painter, "load_judges", lambda device: [])
    monkeypatch.setattr(train_painter, "STEPS", 1)
    monkeypatch.setattr(train_painter, "SHOWN", 4)
    seeds = []
    monkeypatch.setattr(train_painter, "Pool", lambda *given: seeds.append(given[-1]) or Pool(*given))
    given = {"drawings": drawings, "out": tmp_path / "painter", "state": tmp_path / "state", "device": "cpu", "seed": 1}
    given |= {"sheet": tmp_path / "sheet.png", "batch": 2, "pool": 32, "workers": 0, "rate": 1e-3, "compile": False}
    given |= {"likeness": 0.01, "refill": 8, "check": 4, "guidance": [1.0, 2.0], "resume": False, "minutes": 1e-9}
    train_painter.train(argparse.Namespace(**given))
    assert "from step 0" in capsys.readouterr().out
    (first,) = paint(["a ball"], painter=load_painter(tmp_path / "painter", model=model), steps=1)
    assert first.size == (64, 64)
    assert len(Path(tmp_path / "sheet.txt").read_text().splitlines()) == 4
    state = torch.load(tmp_path / "state" / "state.pt", weights_only=True)
    assert state["step"] == 1
    train_painter.train(argparse.Namespace(**{**given, "resume": True, "minutes": state["seconds"] / 60 + 1e-6}))
    assert "from step 1" in capsys.readouterr().out
    resumed = torch.load(tmp_path / "state" / "state.pt", weights_only=True)
    assert resumed["step"] > 1
    changed = [not np.array_equal(state["net"][name], value) for name, value in resumed["net"].items()]
    assert any(changed)
    assert seeds == [1, 2]  # other scenes than before

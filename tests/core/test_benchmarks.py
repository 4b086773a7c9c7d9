"""The benchmarks run and report what they should. No test here depends on a time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks import quality, speed
from benchmarks.measuring import extra_megabytes
from benchmarks.random_models import random_clip

CPU = torch.device("cpu")


@pytest.fixture
def shallow(monkeypatch):
    monkeypatch.setattr(speed, "random_clip", lambda name: random_clip(name, text_layers=2))
    monkeypatch.setattr(speed, "COMPARED", 4)


@pytest.mark.slow
def test_speed_compares_both_loops_step_by_step(shallow, monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        ["speed", "--models", "ViT-B-32", "--restarts", "1", "2", "--turns", "1", "--device", "cpu", "--json"],
    )
    speed.main()
    one, two = json.loads(capsys.readouterr().out)["rows"]
    assert one["same_steps"] == 4
    assert one["difference"] < 1e-4
    assert two["faster"] == pytest.approx(two["published_ms"] / two["ours_ms"] * 2)
    assert min(one[key] for key in ("published_ms", "ours_ms", "floor")) > 0


def test_a_loop_that_differs_is_seen(shallow, monkeypatch):
    plain = speed.PublishedLoop._similarity
    monkeypatch.setattr(speed.PublishedLoop, "_similarity", lambda *given: plain(*given) * 0.99 + 0.01)
    row = speed.measure("ViT-B-32", [1], CPU, "auto", 1)[0]
    assert row["difference"] > 1e-3


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_memory_of_a_large_tensor_is_noticed():
    assert extra_megabytes(lambda: torch.ones(64, 2**20), CPU) == pytest.approx(256, rel=0.2)


def _quality(capsys, monkeypatch, *options: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["quality", "--methods", "autoprompt", "--pictures", "6", "--json", *options])
    quality.main()
    return json.loads(capsys.readouterr().out)


def test_quality_can_exchange_the_searched_model_and_the_judge(monkeypatch, capsys):
    few = replace(quality.METHODS["autoprompt"], steps=8, restarts=2)
    monkeypatch.setitem(quality.METHODS, "autoprompt", few)
    plain, exchanged = _quality(capsys, monkeypatch), _quality(capsys, monkeypatch, "--exchange")
    assert (plain["model"], plain["judge"]) == ("embedded", "judge")
    assert (exchanged["model"], exchanged["judge"]) == ("judge", "embedded")
    for said in (plain, exchanged):  # the searched model likes the prompts better than the other one does
        assert said["rows"][0]["similarity"] > said["rows"][0]["judge"]


def test_the_exchange_is_for_the_two_own_models_only(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit):
        _quality(capsys, monkeypatch, "--exchange", "--images", str(tmp_path))
    assert "omit --model and --images" in capsys.readouterr().err

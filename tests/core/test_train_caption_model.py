"""Training of the caption model: it begins anew, goes on, or begins with weights that exist."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest
import torch

from pez_core.models.caption_model import CAPTIONS, embedded_caption_model, load_caption_model
from pez_core.objectives.fluency import nll_per_word
from training.caption_phrases import composed
from training.train_caption_model import main

pytestmark = pytest.mark.slow

SMALL = ("--width", "64", "--out-width", "16", "--layers", "1", "--positions", "512")
TEXTS = ["a penguin on a blue background", "two red apples beside a cat, oil painting"]


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    rng = Random(0)
    file = tmp_path / "phrases.txt"
    file.write_text("".join(f"{composed(rng)}\n" for _ in range(600)))
    return file


def run(monkeypatch: pytest.MonkeyPatch, texts: Path, minutes: float, *more: str, times: int = 1) -> Path:
    out = texts.with_name("captions.safetensors")
    given = [*[str(texts)] * times, "--out", str(out), "--minutes", str(minutes), *more]
    monkeypatch.setattr(sys, "argv", ["train_caption_model", *given])
    # It would hold for the tests after this one.
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda precision: None)
    main()
    return out


def test_a_run_that_was_interrupted_goes_on(monkeypatch, phrases):
    out = run(monkeypatch, phrases, 1e-9, *SMALL)
    first = torch.load(out.with_suffix(".state"), weights_only=True)
    assert first["step"] == 1
    run(monkeypatch, phrases, first["spent"] / 60 + 1e-9)  # its sizes are those it began with
    again = torch.load(out.with_suffix(".state"), weights_only=True)
    assert again["step"] == 2
    assert torch.equal(again["token_ids"], first["token_ids"])
    assert load_caption_model(out).net.config.width == 64


def test_a_run_begins_with_the_weights_it_is_given(monkeypatch, phrases):
    out = run(monkeypatch, phrases, 1e-9, "--begin", str(CAPTIONS))
    begun, shipped = load_caption_model(out), embedded_caption_model()
    assert begun.net.config == shipped.net.config
    assert torch.equal(begun.token_ids, shipped.token_ids)
    assert not torch.equal(begun.net.of_class.weight, shipped.net.of_class.weight)  # it has learned for a step
    assert nll_per_word(begun, TEXTS) == pytest.approx(nll_per_word(shipped, TEXTS), abs=0.01)


def test_a_file_that_is_named_twice_counts_twice(monkeypatch, capsys, phrases):
    texts = []
    for times in (1, 2):
        run(monkeypatch, phrases, 0, *SMALL, times=times)
        texts.append(int(capsys.readouterr().out.split()[0]))
    assert texts[1] == pytest.approx(2 * texts[0], abs=1)  # some are several captions, rounded down

"""The embedded model and its judge, on pictures that neither was trained on."""

from __future__ import annotations

import pytest
import torch

from benchmarks.pictures import JUDGE_FOLDER, held_out
from pez_core.models.loading import load_folder
from pez_core.models.presets import EMBEDDED_FOLDER


@pytest.mark.parametrize("folder", [EMBEDDED_FOLDER, JUDGE_FOLDER], ids=["embedded", "judge"])
def test_right_caption_first_among_256(folder):
    model = load_folder(folder, folder.name)
    pictures, captions = held_out()
    assert len(set(captions)) == len(pictures) == 256
    similarity = model.encode_images(pictures) @ model.encode_texts(captions).T
    right = (similarity.argmax(-1) == torch.arange(256)).float().mean().item()
    assert right >= 0.95


def test_small_enough_to_ship():
    assert (EMBEDDED_FOLDER / "model.safetensors").stat().st_size <= 8_000_000


def test_the_judge_is_another_model():
    embedded, judge = (load_folder(folder, folder.name) for folder in (EMBEDDED_FOLDER, JUDGE_FOLDER))
    assert embedded.text.width != judge.text.width
    assert embedded.encode_texts(["cat"]).shape != judge.encode_texts(["cat"]).shape

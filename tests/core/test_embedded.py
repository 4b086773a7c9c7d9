"""The embedded model and its judges, on pictures that none of them was trained on."""

from __future__ import annotations

import pytest
import torch

from benchmarks.judges import JUDGES, known_styles
from benchmarks.pictures import held_out, held_out_pictures, style_pictures
from pez_core.models.loading import load_folder
from pez_core.models.presets import EMBEDDED_FOLDER

LEAST_TOKENS = 2500


def right_first(model, pictures, captions) -> float:
    """The share of pictures whose own caption is the most similar of all."""
    similarity = model.encode_images(pictures) @ model.encode_texts(captions).T
    return similarity.argmax(-1).eq(torch.arange(len(pictures))).float().mean().item()


@pytest.mark.parametrize(("drawings", "least"), [("trained", 0.95), ("twemoji", 0.70), ("plain", 0.95)])
def test_right_caption_first_among_256(model, drawings, least):
    pictures, captions = held_out(drawings=drawings)
    assert len(set(captions)) == len(pictures) == 256
    assert right_first(model, pictures, captions) >= least


@pytest.mark.parametrize("name", JUDGES)
def test_judges_know_their_styles(name):
    known = [row for row in held_out_pictures() if row.style in known_styles(name)]
    judge = load_folder(JUDGES[name], name)
    assert right_first(judge, [row.picture for row in known], [row.caption for row in known]) >= 0.9


def test_judges_know_different_styles_and_together_all():
    first, second = (set(known_styles(name)) for name in JUDGES)
    assert first & second == {"plain"}
    assert first | second == set(style_pictures())


def test_halves_share_no_picture():
    both, choose, report = (held_out(half)[1] for half in (None, "choose", "report"))
    assert len(choose) == len(report) == 128
    assert set(choose) | set(report) == set(both)


def test_four_pictures_of_different_things_for_each_style():
    for pictures in style_pictures().values():
        assert len({row.thing for row in pictures}) == len(pictures) == 4


def test_small_enough_to_ship():
    assert (EMBEDDED_FOLDER / "model.safetensors").stat().st_size <= 8_000_000
    for folder in JUDGES.values():
        assert (folder / "model.safetensors").stat().st_size <= 6_000_000


def test_knows_enough_words(model):
    assert int(model.vocabulary.known.sum()) >= LEAST_TOKENS


def test_the_judges_are_other_models():
    models = [load_folder(folder, folder.name) for folder in (EMBEDDED_FOLDER, *JUDGES.values())]
    assert len({model.encode_texts(["cat"]).shape for model in models}) == 3
    assert len({type(model.image.module.visual) for model in models}) == 2

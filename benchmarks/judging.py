"""The judges, loaded, the words that they were trained on, and how often they find the right caption."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from benchmarks.judges import JUDGES
from pez_core import ClipModel
from pez_core.models.loading import load_folder


def load_judges(device: str | torch.device = "cpu") -> list[ClipModel]:
    """The judges that have been trained, by name."""
    trained = [name for name, folder in JUDGES.items() if (folder / "model.safetensors").is_file()]
    return [load_folder(JUDGES[name], name).to(device) for name in trained]


def with_words_of(model: ClipModel, judges: Sequence[ClipModel]) -> ClipModel:
    """The model, with searches that use only words that all the judges were trained on too.

    The words for styles that a judge has not seen are outside its vocabulary: to it a prompt that has one is no text.
    """
    vocabulary = model.vocabulary
    for judge in judges:
        vocabulary = vocabulary.known_to_both(judge.vocabulary)
    return ClipModel(model.image, model.text, vocabulary, model.name, model.parts)


def first_share(judge: ClipModel, pictures: Sequence[Image.Image], captions: Sequence[str]) -> float:
    """The share of pictures whose own caption the judge puts first among all the captions."""
    seen: Tensor = judge.encode_images(pictures) @ judge.encode_texts(captions).T
    return (seen.argmax(-1) == torch.arange(len(captions), device=seen.device)).float().mean().item()

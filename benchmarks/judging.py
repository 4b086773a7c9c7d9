"""The judges: models that no search uses, which say what a text or a painting shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pez_core import ClipModel
from pez_core.models.loading import load_folder

JUDGES = Path(__file__).parent / "judges"


def load_judges(device: str | torch.device = "cpu", folder: Path = JUDGES) -> list[ClipModel]:
    """Every judge, sorted by name; each is called by its folder."""
    return [
        load_folder(file.parent, file.parent.name).to(device) for file in sorted(folder.glob("*/model.safetensors"))
    ]


def first_share(judge: ClipModel, pictures: Sequence[Image.Image], captions: Sequence[str]) -> float:
    """The share of pictures whose own caption the judge puts first among all the captions."""
    seen: Tensor = judge.encode_images(pictures) @ judge.encode_texts(captions).T
    return (seen.argmax(-1) == torch.arange(len(captions), device=seen.device)).float().mean().item()

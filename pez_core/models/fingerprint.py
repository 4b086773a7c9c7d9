"""Tells models with different weights apart: files with the same name may hold different ones."""

from __future__ import annotations

import hashlib
from itertools import chain

from torch import Tensor

from .clip import ClipModel

SAMPLED = 16  # values of each tensor: training changes nearly all of them


def fingerprint(model: ClipModel) -> str:
    """16 hexadecimal digits, the same for the same weights on every device."""
    return hashlib.sha256(" ".join(fingerprints(model)).encode()).hexdigest()[:16]


def fingerprints(model: ClipModel) -> list[str]:
    """The same for each part of a model."""
    found = []
    for text, image in zip(model.text.towers, model.image.towers, strict=True):
        digest = hashlib.sha256()
        for tensor in chain.from_iterable(module.state_dict().values() for module in (text.module, image.module)):
            digest.update(_sampled(tensor))
        found.append(digest.hexdigest()[:16])
    return found


def _sampled(tensor: Tensor) -> bytes:
    flat = tensor.detach().flatten()
    return flat[:: max(1, len(flat) // SAMPLED)][:SAMPLED].float().cpu().numpy().tobytes()

"""Tells models with different weights apart: files with the same name may hold different ones."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from .clip import ClipModel

BLOCKS, BLOCK = 64, 2**16  # of a file that is looked at


def fingerprint(model: ClipModel) -> str:
    """16 hexadecimal digits, the same for the same weights on every device and the same shares of combined models."""
    parts = [f"{own} {part.share:.6g}" for own, part in zip(fingerprints(model), model.parts, strict=True)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """The same for a file of weights, by a part of its bytes: training changes nearly all of them. '' where it cannot be read."""
    digest = hashlib.sha256()
    with suppress(OSError), path.open("rb") as file:
        size = path.stat().st_size
        digest.update(str(size).encode())
        for start in range(0, size, max(1, size // BLOCKS)):
            file.seek(start)
            digest.update(file.read(BLOCK))
        return digest.hexdigest()[:16]
    return ""


def fingerprints(model: ClipModel) -> list[str]:
    """The same for each part of a model."""
    found = []
    for text, image in zip(model.text.towers, model.image.towers, strict=True):
        digest = hashlib.sha256()
        for tensor in chain.from_iterable(module.state_dict().values() for module in (text.module, image.module)):
            # ComfyUI may have quantized ones, which are of other kinds.
            if type(tensor) is Tensor and not tensor.is_meta:
                digest.update(f"{tuple(tensor.shape)} {_sum_of_bits(tensor)} ".encode())
        found.append(digest.hexdigest()[:16])
    return found


def _sum_of_bits(tensor: Tensor) -> int:
    """The sum of a tensor's bytes, eight at a time, as whole numbers: the same in every order of adding, so on every device."""
    values = tensor.detach().flatten().view(torch.uint8)
    if values.storage_offset() % 8:
        values = values.clone()
    eights = len(values) // 8 * 8
    return int(values[:eights].view(torch.int64).sum()) + int(values[eights:].sum())

"""Weights in eight bits, for files a quarter as large: whole numbers, and a scale for each row of a matrix."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"  # the end of a scale's name, after that of its tensor
_MOST = 127


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, those of two dimensions and more as int8 [N, ...] with a float32 scale [N]; others in float16.

    A number comes back within half of its row's largest one divided by 127.
    """
    made = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2:
            made[name] = tensor.half()
            continue
        rows = tensor.float().flatten(1)
        scale = rows.abs().amax(1) / _MOST
        whole = (rows / scale.clamp(min=torch.finfo().tiny)[:, None]).round().clamp(-_MOST, _MOST)
        made[name], made[name + SCALE] = whole.to(torch.int8).view(tensor.shape), scale
    return made


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` wrote, in float32.

    Whole numbers whose scale is missing or does not fit are left out, and such a scale is not: a file that lacks something shows.
    """
    made = {name: tensor.float() for name, tensor in tensors.items() if tensor.dtype != torch.int8}
    for name, tensor in tensors.items():
        scale = tensors.get(name + SCALE)
        if tensor.dtype == torch.int8 and scale is not None and scale.shape == tensor.shape[:1]:
            made[name] = tensor.float() * made.pop(name + SCALE).view(-1, *[1] * (tensor.ndim - 1))
    return made

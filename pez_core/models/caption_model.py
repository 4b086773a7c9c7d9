"""The embedded caption model."""

from __future__ import annotations

import torch
from torch import Tensor

from .caption_net import CaptionNet

RARE = -1  # the token id of the slot that stands for all tokens without one
_TABLES = ("words", "out_words")  # saved as bytes with a scale for each row


def pack(net: CaptionNet, token_ids: Tensor) -> dict[str, Tensor]:
    """The tensors of a file: tables as bytes with a scale for each row, the rest in half precision.

    token_ids: int32 [K], the token of each slot, RARE for the one that stands for all others.
    """
    tensors = {"token_ids": token_ids}
    for name, value in net.state_dict().items():
        if name in _TABLES:
            scale = (value.abs().amax(1) / 127).clamp_min(1e-6)
            tensors[f"{name}.scale"] = scale.half()
            tensors[name] = (value / scale.half().float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        else:
            tensors[name] = value.half()
    return tensors

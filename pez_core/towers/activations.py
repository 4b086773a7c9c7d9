"""The activations of CLIP's text towers, each with its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_QUICK = 1.702


class Activation(NamedTuple):
    """`forward`: from inputs to values; `backward`: from the gradient of the values and the inputs to that of the inputs."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


GELU = Activation(F.gelu, torch.ops.aten.gelu_backward)
QUICK_GELU = Activation(  # x * sigmoid(1.702 x), OpenAI's
    lambda x: F.silu(x * _QUICK) / _QUICK,
    lambda gradient, x: torch.ops.aten.silu_backward(gradient, x * _QUICK),
)


def of(module: nn.Module) -> Activation | None:
    """The activation that a module computes, or None if it is not one of these."""
    if isinstance(module, nn.GELU) and module.approximate == "none":
        return GELU
    return QUICK_GELU if type(module).__name__ == "QuickGELU" else None

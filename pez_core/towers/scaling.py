"""Gradients through half precision without underflow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LARGEST = 2.0**-4  # of the scaled gradient where it enters: float16 then has equal room above and below


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, backward: Any) -> Tensor:
        ctx.pass_back = backward
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return ctx.pass_back(gradient), None


class GradientScale:
    """Scales each row's gradient where it enters the half-precision layers, and undoes that where it leaves them.

    The names follow the gradient: in the forward pass, values go through `leave` first and `enter` last. In full
    precision both do nothing.
    """

    def __init__(self, dtype: torch.dtype):
        self._idle = torch.finfo(dtype).bits > 16
        self._factor: Tensor | None = None

    def enter(self, x: Tensor) -> Tensor:
        """`x` [R, D]; the largest number of each row of its gradient becomes LARGEST."""
        return x if self._idle else _Scaled.apply(x, self._multiply)

    def leave(self, x: Tensor) -> Tensor:
        """`x` [R, L, D]; the scaling of its gradient is undone."""
        return x if self._idle else _Scaled.apply(x, self._divide)

    def _multiply(self, gradient: Tensor) -> Tensor:
        largest = gradient.abs().amax(-1, keepdim=True)
        self._factor = LARGEST / largest.clamp(min=torch.finfo(largest.dtype).tiny)
        return gradient * self._factor

    def _divide(self, gradient: Tensor) -> Tensor:
        assert self._factor is not None
        return gradient / self._factor[:, None]

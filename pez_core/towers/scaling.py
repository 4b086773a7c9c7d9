"""Gradients through half precision without underflow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LARGEST = 2.0**-4  # of the scaled gradient where it enters: float16 then has as much room above as below


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
    """Scales each row's gradient on its way back into a stretch of half precision, and undoes it after.

    On the way forward values go through `leave` first and `enter` last (named for the gradient's way).
    Where nothing is halved both do nothing.
    """

    def __init__(self, dtype: torch.dtype):
        self._idle = torch.finfo(dtype).bits > 16
        self._factor: Tensor | None = None

    def enter(self, x: Tensor) -> Tensor:
        """`x` [R, D]; its gradient enters the stretch with LARGEST as the largest of each row."""
        return x if self._idle else _Scaled.apply(x, self._multiply)

    def leave(self, x: Tensor) -> Tensor:
        """`x` [R, L, D]; its gradient has passed the stretch."""
        return x if self._idle else _Scaled.apply(x, self._divide)

    def _multiply(self, gradient: Tensor) -> Tensor:
        largest = gradient.abs().amax(-1, keepdim=True)
        self._factor = LARGEST / largest.clamp(min=torch.finfo(largest.dtype).tiny)
        return gradient * self._factor

    def _divide(self, gradient: Tensor) -> Tensor:
        assert self._factor is not None
        return gradient / self._factor[:, None]

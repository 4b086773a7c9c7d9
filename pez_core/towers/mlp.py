"""The second half of a residual block: norm, MLP, residual; differentiated by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .activations import Activation
from .products import product
from .weights import Layer


class _Mlp(torch.autograd.Function):
    """Saves the input, the norm's statistics and the activation's input; autograd would save twice as much."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Layer, activation: Activation, eps: float) -> Tensor:
        normed, mean, rstd = torch.native_layer_norm(x, x.shape[-1:], *layer.norm_2, eps)
        hidden = product(normed, *layer.up)
        branch = product(activation.forward(hidden), *layer.down)
        ctx.layer, ctx.activation = layer, activation
        ctx.save_for_backward(x, mean, rstd)
        ctx.hidden = hidden if ctx.needs_input_grad[0] else None
        return x + (branch if layer.scale_2 is None else branch * layer.scale_2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = gradients
        layer, (x, mean, rstd) = ctx.layer, ctx.saved_tensors
        branch = gradient if layer.scale_2 is None else gradient * layer.scale_2
        hidden = ctx.activation.backward(branch @ layer.down[0], ctx.hidden.contiguous()) @ layer.up[0]
        return gradient + norm_gradient(hidden, x, mean, rstd, *layer.norm_2), None, None, None


def mlp(x: Tensor, layer: Layer, activation: Activation, eps: float) -> Tensor:
    """The residual stream [N, D] after the MLP of `layer`."""
    return _Mlp.apply(x, layer, activation, eps)


def norm_gradient(gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The gradient of a layer norm's input `x` [N, D], from that of its output."""
    wanted = (True, False, False)
    return torch.ops.aten.native_layer_norm_backward(gradient, x, x.shape[-1:], mean, rstd, weight, bias, wanted)[0]

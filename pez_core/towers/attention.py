"""The first half of a residual block: norm, attention, residual; differentiated by hand around fused attention."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .mlp import norm_gradient
from .products import linear, product
from .weights import Layer

KeysValues = tuple[Tensor, Tensor]
"""Keys and values [G, H, P, D/H] of the P positions before the computed ones: of all rows (G is 1), or of G groups of rows."""


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: Layer, heads: int, eps: float, before: KeysValues, mask: Tensor, count: int
    ) -> Tensor:
        normed, mean, rstd = torch.native_layer_norm(x, x.shape[-1:], *layer.norm_1, eps)
        q, k, v = split_heads(product(normed, *layer.qkv), x.shape[-1], count, heads)
        parts = [q.contiguous(), *prepended(before, k, v)]  # contiguous, for fused attention on CPUs
        if ctx.needs_input_grad[0]:
            with torch.enable_grad():
                parts = [part.requires_grad_() for part in parts]
                attended = F.scaled_dot_product_attention(*parts, attn_mask=mask)
            ctx.parts, ctx.attended = parts, attended
            ctx.layer, ctx.before = layer, before[0].shape[2]
            ctx.save_for_backward(x, mean, rstd)
        else:
            attended = F.scaled_dot_product_attention(*parts, attn_mask=mask)
        branch = product(join_heads(attended.detach()), *layer.out)
        return x + (branch if layer.scale_1 is None else branch * layer.scale_1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        layer, (x, mean, rstd) = ctx.layer, ctx.saved_tensors
        branch = gradient if layer.scale_1 is None else gradient * layer.scale_1
        count, heads, length, size = ctx.attended.shape
        attended = (branch @ layer.out[0]).view(count, length, heads, size).transpose(1, 2)
        q, k, v = torch.autograd.grad(ctx.attended, ctx.parts, attended)
        parts = torch.stack([part.transpose(1, 2) for part in (q, k[:, :, ctx.before :], v[:, :, ctx.before :])], dim=2)
        normed = parts.view(count * length, -1) @ layer.qkv[0]
        return gradient + norm_gradient(normed, x, mean, rstd, *layer.norm_1), *[None] * 6


def attention(x: Tensor, layer: Layer, heads: int, eps: float, before: KeysValues, mask: Tensor, count: int) -> Tensor:
    """The residual stream [R * T, D] after the attention of `layer`.

    `count`: R; `mask` [T, P + T] is added to the scores.
    """
    return _Attention.apply(x, layer, heads, eps, before, mask, count)


def attention_at_end(x: Tensor, layer: Layer, heads: int, eps: float, before: KeysValues, count: int) -> Tensor:
    """Like `attention`, but only at the last position of each of the R rows: [R, D]."""
    width = x.shape[-1]
    weight, bias = layer.qkv
    normed = F.layer_norm(x, (width,), *layer.norm_1, eps)
    last = normed.view(count, -1, width)[:, -1]
    (q,) = split_heads(linear(last, weight[:width], bias[:width]), width, count, heads)
    k, v = prepended(before, *split_heads(linear(normed, weight[width:], bias[width:]), width, count, heads))
    branch = linear(join_heads(F.scaled_dot_product_attention(q, k, v)), *layer.out)
    return x.view(count, -1, width)[:, -1] + (branch if layer.scale_1 is None else branch * layer.scale_1)


def split_heads(projected: Tensor, width: int, count: int, heads: int) -> tuple[Tensor, ...]:
    """[R * T, n * D] as n tensors [R, H, T, D/H]; `width` is D."""
    parts = projected.unflatten(0, (count, -1)).unflatten(-1, (-1, heads, width // heads))
    return parts.permute(2, 0, 3, 1, 4).unbind()


def join_heads(attended: Tensor) -> Tensor:
    """[R, H, T, D/H] as [R * T, D]."""
    return attended.transpose(1, 2).flatten(2).flatten(0, 1)


def prepended(before: KeysValues, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values [R, H, P + T, D/H]: those of the P positions before, then the new ones."""
    first, second = (torch.cat([_for_each(old, len(new)), new], dim=2) for old, new in zip(before, (k, v), strict=True))
    return first, second


def _for_each(groups: Tensor, rows: int) -> Tensor:
    """[R, ...]: what G groups of rows [G, ...] share, for each of the R rows."""
    return groups.expand(rows, -1, -1, -1) if len(groups) == 1 else groups.repeat_interleave(rows // len(groups), 0)

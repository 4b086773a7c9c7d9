"""The blocks of a causal text transformer in few launches, differentiated by hand, for CUDA in half precision."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..activations import QUICK_GELU, Activation
from ..attention import KeysValues
from ..weights import Layer
from . import kernels as _kernels
from .tiles import Tiles, divided, whole

kernels: Any = _kernels  # the options of a launch are not in Triton's types

MOST_ROWS = 512  # with more, the usual kernels are faster
HEADS = (16, 32, 64, 128)  # sizes of a head

Weight = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Saved:
    """What the gradient of one block needs: see kernels.py for the shapes."""

    x: Tensor
    statistics: Tensor
    qkv: Tensor
    middle: Tensor
    middle_statistics: Tensor
    hidden: Tensor


class FusedStack:
    """The residual stream after all `layers`, for prompts after P fixed positions with known keys and values.

    before: the fixed positions' keys and values in each layer, [1, H, P, E] with P >= 1.

    Raises ValueError for layers that the kernels do not cover.
    """

    def __init__(
        self, layers: Sequence[Layer], heads: int, activation: Activation, eps: float, before: Sequence[KeysValues]
    ):
        width = layers[0].out[0].shape[0]
        scaled = any(layer.scale_1 is not None or layer.scale_2 is not None for layer in layers)
        if scaled or width % 64 or width // heads not in HEADS:
            raise ValueError(f"no kernels for layers of width {width} with {heads} heads{' and scales' * scaled}")
        self._layers, self._heads, self._eps = tuple(layers), heads, eps
        self._quick = activation is QUICK_GELU
        self._fixed = [torch.cat(pair).contiguous() for pair in before]  # [2, H, P, E]

    def __call__(self, x: Tensor, count: int) -> Tensor:
        """`x` float32 [R * T, D] of R = `count` prompts; returns the same shape. Differentiable in `x`."""
        return _Stack.apply(x, self, count)

    def forward(self, x: Tensor, count: int, saved: list[_Saved] | None) -> Tensor:
        """The result; what the gradient needs is added to `saved`."""
        half = self._layers[0].out[0].dtype
        normed, statistics = self._norm(x, self._layers[0].norm_1, half)
        for number, layer in enumerate(self._layers):
            qkv = _product(normed, layer.qkv)
            attended = self._attend(qkv, number, count)
            middle, normed, middle_statistics = self._add(x, _parts(attended, layer.out[0]), layer.out[1], layer.norm_2)
            value, hidden = self._activate(normed, layer.up)
            if saved is not None:
                saved.append(_Saved(x, statistics, qkv, middle, middle_statistics, hidden))
            last = layer is self._layers[-1]
            following = None if last else self._layers[number + 1].norm_1
            x, normed, statistics = self._add(middle, _parts(value, layer.down[0]), layer.down[1], following)
        return x

    def backward(self, gradient: Tensor, count: int, saved: Sequence[_Saved]) -> Tensor:
        """The gradient of the input, from that of the result [R * T, D]."""
        half = gradient.to(self._layers[0].out[0].dtype)
        for number in reversed(range(len(self._layers))):
            layer, kept = self._layers[number], saved[number]
            hidden = self._derive(half, layer.down[0], kept.hidden)
            parts = _parts(hidden, layer.up[0], transposed=True)
            gradient, half = self._pass_norm(
                gradient, parts, kept.middle, kept.middle_statistics, layer.norm_2[0], half
            )
            attended = _product(half, (layer.out[0], None), transposed=True)
            qkv = self._attend_backward(kept.qkv, number, attended, count)
            parts = _parts(qkv, layer.qkv[0], transposed=True)
            gradient, half = self._pass_norm(gradient, parts, kept.x, kept.statistics, layer.norm_1[0], half)
        return gradient

    def _norm(self, x: Tensor, norm: Weight, half: torch.dtype) -> tuple[Tensor, Tensor]:
        normed, statistics = torch.empty_like(x, dtype=half), x.new_empty(2, len(x))
        self._launch_add(x, None, None, norm, x, normed, statistics)
        return normed, statistics

    def _add(self, x: Tensor, parts: Tensor, bias: Tensor, norm: Weight | None) -> tuple[Tensor, Tensor, Tensor]:
        """`x` plus a branch; and the norm of the result, with its statistics, if `norm` is given."""
        out, normed, statistics = torch.empty_like(x), torch.empty_like(x, dtype=bias.dtype), x.new_empty(2, len(x))
        self._launch_add(x, parts, bias, norm, out, normed, statistics)
        return out, normed, statistics

    def _launch_add(
        self,
        x: Tensor,
        parts: Tensor | None,
        bias: Tensor | None,
        norm: Weight | None,
        out: Tensor,
        normed: Tensor,
        statistics: Tensor,
    ) -> None:
        rows, width = x.shape
        gamma, beta = norm or (normed, normed)
        kernels.add_and_norm[(rows,)](
            x,
            x if parts is None else parts,
            x if bias is None else bias,
            gamma,
            beta,
            out,
            normed,
            statistics,
            rows,
            width,
            self._eps,
            S=0 if parts is None else len(parts),
            NORM=norm is not None,
            BD=_power(width),
            num_warps=4,
            **_early(x),
        )

    def _pass_norm(
        self, gradient: Tensor, parts: Tensor, x: Tensor, statistics: Tensor, gamma: Tensor, like: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows, width = x.shape
        out, half = torch.empty_like(gradient), torch.empty_like(like)
        sizes = {"S": len(parts), "BD": _power(width), "num_warps": 4, **_early(x)}
        kernels.norm_backward[(rows,)](gradient, parts, x, statistics, gamma, out, half, rows, width, **sizes)
        return out, half

    def _activate(self, x: Tensor, up: Weight) -> tuple[Tensor, Tensor]:
        """The activation's value and its input."""
        hidden = x.new_empty(len(x), len(up[0]))
        value = torch.empty_like(hidden)
        _launch(x, up[0], up[1], hidden, value, kernels.ACTIVATE, quick=self._quick)
        return value, hidden

    def _derive(self, gradient: Tensor, down: Tensor, hidden: Tensor) -> Tensor:
        """The gradient of the activation's input, from that of the branch."""
        out = torch.empty_like(hidden)
        _launch(gradient, down, None, hidden, out, kernels.DERIVE, quick=self._quick, transposed=True)
        return out

    def _attend(self, qkv: Tensor, number: int, count: int) -> Tensor:
        out = qkv.new_empty(len(qkv), qkv.shape[1] // 3)
        kernels.attend[(count, self._heads)](qkv, self._fixed[number], out, **self._sizes(qkv, number, count))
        return out

    def _attend_backward(self, qkv: Tensor, number: int, gradient: Tensor, count: int) -> Tensor:
        out, fixed = torch.empty_like(qkv), self._fixed[number]
        kernels.attend_backward[(count, self._heads)](qkv, fixed, gradient, out, **self._sizes(qkv, number, count))
        return out

    def _sizes(self, qkv: Tensor, number: int, count: int) -> dict[str, Any]:
        _, heads, before, size = self._fixed[number].shape
        length = len(qkv) // count
        return {
            "length": length,
            "before": before,
            "heads": heads,
            "scale": size**-0.5,
            "E": size,
            "BT": max(16, _power(length)),
            "BP": max(16, _power(before)),
            "num_warps": 4 if length <= 64 else 8,
            **_early(qkv),
        }


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stack: FusedStack, count: int) -> Tensor:
        saved: list[_Saved] | None = [] if ctx.needs_input_grad[0] else None
        ctx.stack, ctx.count, ctx.kept = stack, count, saved
        return stack.forward(x.contiguous(), count, saved)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return ctx.stack.backward(gradient.contiguous(), ctx.count, ctx.kept), None, None


def _product(x: Tensor, linear: tuple[Tensor, Tensor | None], transposed: bool = False) -> Tensor:
    """`x` [M, I] times a weight [O, I]; times a weight [I, O] if `transposed`."""
    weight, bias = linear
    out = x.new_empty(len(x), weight.shape[1] if transposed else weight.shape[0])
    _launch(x, weight, bias, out, out, kernels.ROUND, transposed=transposed)
    return out


def _parts(x: Tensor, weight: Tensor, transposed: bool = False) -> Tensor:
    """The product's sum in parts float32 [S, M, O], so that more processors share the work."""
    outputs = weight.shape[1] if transposed else weight.shape[0]
    tiles = divided(len(x), outputs, x.shape[1])
    out = x.new_empty(x.shape[1] // tiles.split, len(x), outputs, dtype=torch.float32)
    _launch(x, weight, None, out, out, kernels.PARTIAL, transposed=transposed, tiles=tiles)
    return out


def _launch(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    hidden: Tensor,
    out: Tensor,
    store: Any,
    quick: bool = False,
    transposed: bool = False,
    tiles: Tiles | None = None,
) -> None:
    rows, inputs = x.shape
    outputs = out.shape[-1]
    tiles = tiles or whole(rows, outputs, inputs)
    first, second = weight.stride()
    grid = (outputs // tiles.outputs, inputs // tiles.split, -(-rows // tiles.rows))
    kernels.matmul[grid](
        x,
        weight,
        x if bias is None else bias,
        hidden,
        out,
        rows,
        outputs,
        inputs,
        second if transposed else first,
        first if transposed else second,
        SPLIT=tiles.split,
        STORE=store,
        BIAS=bias is not None,
        QUICK=quick,
        BM=tiles.rows,
        BN=tiles.outputs,
        BK=tiles.inputs,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
        **_early(x),
    )


def _power(number: int) -> int:
    """The next power of 2."""
    return 1 << (number - 1).bit_length()


@functools.cache
def _can_start_early(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0) and torch.version.hip is None


def _early(x: Tensor) -> dict[str, bool]:
    """The options that let a kernel start before the previous one ends."""
    return {"EARLY": True, "launch_pdl": True} if _can_start_early(x.device) else {"EARLY": False}

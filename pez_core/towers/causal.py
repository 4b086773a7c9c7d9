"""The lean way through a causal text tower: computes only what the searched tokens change, once.

In a causal tower each position sees only those before it. So tokens after the end token do not affect the feature,
keys and values of the fixed beginning never change, and the last layer is needed only at the position where the
feature is read. This is exact; text_tower.py tests whether a tower works this way.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import KeysValues, attention, attention_at_end, split_heads
from .mlp import mlp
from .products import product
from .scaling import GradientScale
from .weights import CausalWeights, Layer


class CausalEncoder:
    """Unit features of searched tokens between fixed ones, differentiable in the searched ones.

    `before` [P, D], `after` [S, D]: embeddings of the fixed tokens, including start and end tokens; S >= 1,
    the feature is read at the last one. `dtype`: the format of the layers; the rest computes in the format of the weights.
    `fused`: whether few rows go through the kernels of `fused/`, which must cover these weights.

    Keys and values of `before` are computed once, in the constructor.
    """

    def __init__(self, weights: CausalWeights, before: Tensor, after: Tensor, dtype: torch.dtype, fused: bool = False):
        self._weights = weights
        self._layers = [layer.to(dtype) for layer in weights.layers]
        self._dtype = dtype
        self._after = after.detach()
        self._fixed = len(before)
        with torch.no_grad():
            self._keys_values_before = self._keys_values(before)
        self._most_fused, self._stack = 0, None
        if fused and len(before):
            from .fused.stack import MOST_ROWS, FusedStack  # needs Triton, which not every machine has

            self._stack = FusedStack(
                self._layers, weights.heads, weights.activation, weights.eps, self._keys_values_before
            )
            self._most_fused = MOST_ROWS

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Unit features [R, F] of the searched tokens' embeddings [R, L, D]."""
        w, scale, count = self._weights, GradientScale(self._dtype), len(embeddings)
        x = torch.cat([scale.leave(embeddings), self._after.expand(count, -1, -1)], dim=1)
        length = x.shape[1]
        x = (x + w.positions[self._fixed : self._fixed + length]).flatten(0, 1)
        x = self._fused(x, count) if len(x) <= self._most_fused else self._plain(x.to(self._dtype), count)
        return F.normalize(w.finish(scale.enter(x.to(embeddings.dtype))), dim=-1)

    def _plain(self, x: Tensor, count: int) -> Tensor:
        """The residual stream after all layers, at the last of the T positions: [R, D] from [R * T, D]."""
        w = self._weights
        mask = _causal_mask(self._fixed, len(x) // count, x)
        for layer, before in zip(self._layers[:-1], self._keys_values_before[:-1], strict=True):
            x = attention(x, layer, w.heads, w.eps, before, mask, count)
            x = mlp(x, layer, w.activation, w.eps)
        x = attention_at_end(x, self._layers[-1], w.heads, w.eps, self._keys_values_before[-1], count)
        return mlp(x, self._layers[-1], w.activation, w.eps)

    def _fused(self, x: Tensor, count: int) -> Tensor:
        """The same with fused kernels. The last layer computes every position: it must read its weights anyway."""
        assert self._stack is not None
        return self._stack(x.float(), count).view(count, -1, x.shape[-1])[:, -1]

    def _keys_values(self, before: Tensor) -> list[KeysValues]:
        """Keys and values of each layer for the fixed tokens `before` [P, D]."""
        w = self._weights
        nothing = before.new_empty((1, w.heads, 0, before.shape[1] // w.heads), dtype=self._dtype)
        x = (before + w.positions[: len(before)]).to(self._dtype)
        mask = _causal_mask(0, len(before), x)
        pairs = []
        for layer in self._layers:
            pairs.append(self._keys_values_at(layer, x) if len(before) else (nothing, nothing))
            if len(before) and layer is not self._layers[-1]:
                x = attention(x, layer, w.heads, w.eps, (nothing, nothing), mask, 1)
                x = mlp(x, layer, w.activation, w.eps)
        return pairs

    def _keys_values_at(self, layer: Layer, x: Tensor) -> KeysValues:
        w, width = self._weights, x.shape[-1]
        weight, bias = layer.qkv
        normed = F.layer_norm(x, (width,), *layer.norm_1, w.eps)
        k, v = split_heads(product(normed, weight[width:], bias[width:]), width, 1, w.heads)
        return k.contiguous(), v.contiguous()


def _causal_mask(before: int, length: int, like: Tensor) -> Tensor:
    """[T, P + T]: 0 where a position may attend, -inf elsewhere; P positions come before the first.

    Rows are a multiple of 16 numbers apart: otherwise fused attention on GPUs would copy the mask in every layer.
    """
    keys = before + length
    mask = like.new_full((length, -(-keys // 16) * 16), -torch.inf).triu_(before + 1)
    return mask[:, :keys]

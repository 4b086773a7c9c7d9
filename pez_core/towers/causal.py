"""The lean way through a causal text tower: computes only what the searched tokens change, once.

In a causal tower each position sees only those before it. So tokens after the end token do not affect the feature,
keys and values of the fixed beginning never change, and the last layer is needed only at the position where the
feature is read. This is exact; text_tower.py tests whether a tower works this way.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .alike import Alike
from .attention import KeysValues, attention, attention_at_end, prepended, split_heads
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
        with torch.no_grad():
            nothing = before.new_empty((1, weights.heads, 0, before.shape[1] // weights.heads), dtype=dtype)
            self._keys_values_before = self._keys_values(before[None], [(nothing, nothing)] * len(self._layers))
        self._most_fused, self._stack = 0, None
        if fused and len(before):
            from .fused.stack import MOST_ROWS, FusedStack  # needs Triton, which not every machine has

            self._stack = FusedStack(
                self._layers, weights.heads, weights.activation, weights.eps, self._keys_values_before
            )
            self._most_fused = MOST_ROWS

    def __call__(self, embeddings: Tensor, alike: Alike | None = None) -> Tensor:
        """Unit features [R, F] of the searched tokens' embeddings [R, L, D].

        alike: what the rows have in common is computed once. There are no gradients then.
        """
        before = self._keys_values_before
        if alike and len(embeddings) * (embeddings.shape[1] + len(self._after)) > self._most_fused:
            with torch.no_grad():
                before = self._keys_values(embeddings[:: alike.rows, : alike.tokens], before)
            embeddings = embeddings[:, alike.tokens :]
        w, scale, count, fixed = self._weights, GradientScale(self._dtype), len(embeddings), before[0][0].shape[2]
        x = torch.cat([scale.leave(embeddings), self._after.expand(count, -1, -1)], dim=1)
        x = (x + w.positions[fixed : fixed + x.shape[1]]).flatten(0, 1)
        few = len(x) <= self._most_fused and before is self._keys_values_before
        x = self._fused(x, count) if few else self._plain(x.to(self._dtype), count, before)
        return F.normalize(w.finish(scale.enter(x.to(embeddings.dtype))), dim=-1)

    def _plain(self, x: Tensor, count: int, before: list[KeysValues]) -> Tensor:
        """The residual stream after all layers, at the last of the T positions: [R, D] from [R * T, D]."""
        w = self._weights
        mask = _causal_mask(before[0][0].shape[2], len(x) // count, x)
        for layer, pair in zip(self._layers[:-1], before[:-1], strict=True):
            x = attention(x, layer, w.heads, w.eps, pair, mask, count)
            x = mlp(x, layer, w.activation, w.eps)
        x = attention_at_end(x, self._layers[-1], w.heads, w.eps, before[-1], count)
        return mlp(x, self._layers[-1], w.activation, w.eps)

    def _fused(self, x: Tensor, count: int) -> Tensor:
        """The same with fused kernels. The last layer computes every position: it must read its weights anyway."""
        assert self._stack is not None
        return self._stack(x.float(), count).view(count, -1, x.shape[-1])[:, -1]

    def _keys_values(self, tokens: Tensor, before: list[KeysValues]) -> list[KeysValues]:
        """Keys and values [G, H, P + T, D/H] of each layer: those of `before`, then those of G rows of tokens [G, T, D]."""
        w, (count, length, _), fixed = self._weights, tokens.shape, before[0][0].shape[2]
        if not length:
            return before
        x = (tokens + w.positions[fixed : fixed + length]).to(self._dtype).flatten(0, 1)
        mask = _causal_mask(fixed, length, x)
        pairs = []
        for layer, pair in zip(self._layers, before, strict=True):
            pairs.append(prepended(pair, *self._keys_values_at(layer, x, count)))
            if layer is not self._layers[-1]:
                x = attention(x, layer, w.heads, w.eps, pair, mask, count)
                x = mlp(x, layer, w.activation, w.eps)
        return pairs

    def _keys_values_at(self, layer: Layer, x: Tensor, count: int) -> tuple[Tensor, ...]:
        w, width = self._weights, x.shape[-1]
        weight, bias = layer.qkv
        normed = F.layer_norm(x, (width,), *layer.norm_1, w.eps)
        return split_heads(product(normed, weight[width:], bias[width:]), width, count, w.heads)


def _causal_mask(before: int, length: int, like: Tensor) -> Tensor:
    """[T, P + T]: 0 where a position may attend, -inf elsewhere; P positions come before the first.

    Rows are a multiple of 16 numbers apart: otherwise fused attention on GPUs would copy the mask in every layer.
    """
    keys = before + length
    mask = like.new_full((length, -(-keys // 16) * 16), -torch.inf).triu_(before + 1)
    return mask[:, :keys]

"""The least that a step can take on a device: its matrix products, to compare a step with."""

from __future__ import annotations

import torch
from torch import Tensor

from ..towers.products import product
from ..towers.text_tower import TextTower
from ..towers.weights import CausalWeights


class Floor:
    """Only the matrix products of a PEZ step, on the same weights and with as many rows as the step.

    text: a tower that can be computed the lean way. restarts, length: those of the step; `dtype` is its format.
    table: the embeddings [V, D] of the tokens that it searches.
    """

    def __init__(self, text: TextTower, restarts: int, length: int, dtype: torch.dtype, table: Tensor):
        weights = CausalWeights.of_open_clip(text.module)
        assert weights is not None
        layers = [layer.to(dtype) for layer in weights.layers]
        self._products = []
        for layer in layers:
            rows = restarts * (length + 1)
            inner = rows if layer is not layers[-1] else restarts
            for (weight, bias), count in (
                (layer.qkv, rows),
                (layer.out, inner),
                (layer.up, inner),
                (layer.down, inner),
            ):
                x, gradient = (
                    torch.randn(count, size, dtype=dtype, device=weight.device) for size in weight.shape[::-1]
                )
                self._products.append((weight, bias, x, gradient))
        self._table = table.detach()
        self._queries = torch.randn(restarts * length, table.shape[1], device=table.device)

    @torch.no_grad()
    def __call__(self) -> None:
        torch.mm(self._queries, self._table.T)
        for weight, bias, x, _ in self._products:
            product(x, weight, bias)
        for weight, _, _, gradient in reversed(self._products):
            torch.mm(gradient, weight)

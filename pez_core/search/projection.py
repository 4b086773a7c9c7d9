"""Nearest tokens of continuous embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

FEW_ROWS = 48  # below, this order of the product is faster on CPUs, by up to a third
ROWS = 1024  # queries compared at once: bounds the table of cosines, loses no speed


class Projection:
    """Maps embeddings to the allowed tokens whose embeddings are nearest by cosine.

    `table` [V, D], `allowed` int64 [A]. The allowed rows are normalised once.
    """

    def __init__(self, table: Tensor, allowed: Tensor):
        self._allowed = allowed
        directions = table.detach()[allowed].float()
        self._directions = directions.div_(directions.norm(dim=-1, keepdim=True).clamp_(min=1e-12))  # in place

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Token ids int64 [R, L] of embeddings [R, L, D]; of equally near tokens the first."""
        queries = embeddings.reshape(-1, embeddings.shape[-1])  # their length does not change which is nearest
        nearest = torch.cat([self._nearest(chunk) for chunk in queries.split(ROWS)])
        return self._allowed[nearest].view(embeddings.shape[:-1])

    def _nearest(self, queries: Tensor) -> Tensor:
        if queries.device.type == "cpu" and len(queries) < FEW_ROWS:
            return (self._directions @ queries.T).argmax(0)
        return (queries @ self._directions.T).argmax(-1)

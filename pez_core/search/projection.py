"""Nearest tokens of continuous embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_ROWS = 48  # below, this order of the product is faster on CPUs, by up to a third
ROWS = 1024  # queries compared at once: bounds the table of cosines, loses no speed


class Projection:
    """Maps embeddings to the allowed tokens whose embeddings are nearest by cosine.

    `embeddings` [A, D] of the `allowed` tokens int64 [A]; they are normalised in place, once. `widths`: how
    long the parts of an embedding are, one for each text tower; the cosine is the sum of theirs.
    """

    def __init__(self, embeddings: Tensor, allowed: Tensor, widths: Sequence[int]):
        self._allowed = allowed
        self._widths = tuple(widths)
        self._directions = embeddings
        for part in self._directions.split(self._widths, dim=-1):
            part.div_(part.norm(dim=-1, keepdim=True).clamp_(min=1e-12))

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Token ids int64 [R, L] of embeddings [R, L, D]; of equally near tokens the first."""
        queries = embeddings.reshape(-1, embeddings.shape[-1])  # one tower's length does not change which is nearest
        if len(self._widths) > 1:
            queries = torch.cat([F.normalize(part, dim=-1) for part in queries.split(self._widths, dim=-1)], dim=-1)
        nearest = torch.cat([self._nearest(chunk) for chunk in queries.split(ROWS)])
        return self._allowed[nearest].view(embeddings.shape[:-1])

    def _nearest(self, queries: Tensor) -> Tensor:
        if queries.device.type == "cpu" and len(queries) < FEW_ROWS:
            return (self._directions @ queries.T).argmax(0)
        return (queries @ self._directions.T).argmax(-1)

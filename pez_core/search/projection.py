"""Nearest tokens of continuous embeddings."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import first_line
from ..objectives.protocol import Space

log = logging.getLogger(__name__)

FEW_ROWS = 48  # below this, the other order of the product is faster on CPUs, by up to a third
ROWS = 1024  # queries compared at once: bounds the table of cosines at no cost in speed


class Projection:
    """Maps embeddings to the allowed tokens whose embeddings are nearest by cosine.

    If an embedding has several parts, one for each text tower, their cosines are added.
    """

    def __init__(self, space: Space):
        self._allowed = space.allowed
        self._widths = space.widths
        self._directions = space.embed(space.allowed)  # [G, A, D]
        for part in self._directions.split(self._widths, dim=-1):
            part.div_(part.norm(dim=-1, keepdim=True).clamp_(min=1e-12))
        self._find = _fastest(space.device)

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Token ids int64 [N, L] of embeddings [N, L, D]; the first of equally near tokens."""
        queries = embeddings.reshape(-1, embeddings.shape[-1])  # with one tower, the length of a query does not matter
        if len(self._widths) > 1:
            queries = torch.cat([F.normalize(part, dim=-1) for part in queries.split(self._widths, dim=-1)], dim=-1)
        nearest = [
            allowed[torch.cat([self._find(chunk, directions) for chunk in own.split(ROWS)])]
            for own, directions, allowed in zip(
                queries.chunk(len(self._allowed)), self._directions, self._allowed, strict=True
            )
        ]
        return torch.cat(nearest).view(embeddings.shape[:-1])


def _find(queries: Tensor, directions: Tensor) -> Tensor:
    """The place int64 [Q] of the direction [A, D] with the largest product with each query [Q, D]."""
    if queries.device.type == "cpu" and len(queries) < FEW_ROWS:
        return (directions @ queries.T).argmax(0)
    return (queries @ directions.T).argmax(-1)


@functools.cache
def _fastest(device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """`_find`, or on CUDA the kernel of `fused_nearest` if it runs and finds the same for random numbers."""
    if device.type != "cuda":
        return _find
    try:
        from .fused_nearest import find_nearest  # needs Triton, which not every machine has

        generator = torch.Generator(device).manual_seed(0)
        queries, directions = (torch.randn(n, 200, generator=generator, device=device) for n in (40, 500))
        if torch.equal(find_nearest(queries, directions), _find(queries, directions)):
            return find_nearest
        log.warning("The fused projection finds other tokens on %s: the usual one runs.", device)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # Triton raises errors of many kinds
        log.info("The projection runs without its kernel: %s", first_line(error), exc_info=True)
    return _find

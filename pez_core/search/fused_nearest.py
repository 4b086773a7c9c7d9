"""The nearest tokens in one pass over the vocabulary, by a Triton kernel that never stores the table of cosines."""

# Triton compiles this file itself: its own language is not what a type checker knows.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TOKENS = 64  # compared by one program
FEW, MANY = 16, 64  # queries of one program


@triton.jit
def _nearest_of_block(
    queries, directions, values, places, count, tokens, width, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr
):
    """For each query the largest product with BN directions, [Q, blocks], and the place of that direction."""
    block = tl.program_id(1)
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = block * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, width, BK):
        inside = start + k < width
        query = tl.load(
            queries + m[:, None] * width + start + k[None, :], mask=(m < count)[:, None] & inside[None, :], other=0.0
        )
        direction = tl.load(
            directions + n[None, :] * width + start + k[:, None],
            mask=(n < tokens)[None, :] & inside[:, None],
            other=0.0,
        )
        total = tl.dot(query, direction, total, input_precision="tf32x3")  # as exact as float32
    total = tl.where((n < tokens)[None, :], total, float("-inf"))
    best, place = tl.max(total, 1, return_indices=True)  # the first of equal ones
    at = m * tl.num_programs(1) + block
    tl.store(values + at, best, mask=m < count)
    tl.store(places + at, block * BN + place, mask=m < count)


def find_nearest(queries: Tensor, directions: Tensor) -> Tensor:
    """The place int64 [Q] of the direction [A, D] with the largest product with each query [Q, D]; all float32."""
    queries = queries.contiguous()
    (count, width), tokens = queries.shape, len(directions)
    rows, blocks = FEW if count <= FEW else MANY, -(-tokens // TOKENS)
    values = queries.new_empty(count, blocks)
    places = torch.empty_like(values, dtype=torch.int64)
    _nearest_of_block[(-(-count // rows), blocks)](
        queries, directions, values, places, count, tokens, width, BM=rows, BN=TOKENS, BK=64, num_warps=4, num_stages=4
    )
    return places.gather(1, values.argmax(1, keepdim=True))[:, 0]

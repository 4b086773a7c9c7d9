"""The kernel that finds nearest tokens, on CUDA or by Triton's interpreter on the CPU."""

from __future__ import annotations

import pytest
import torch

fused = pytest.importorskip("pez_core.search.fused_nearest", reason="needs Triton", exc_type=ModuleNotFoundError)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize(("queries", "tokens", "width"), [(1, 1, 8), (5, 64, 64), (16, 200, 100), (70, 130, 128)])
def test_finds_the_largest_product(queries, tokens, width):
    random = torch.Generator().manual_seed(queries)
    q, d = (torch.randn(n, width, generator=random).to(DEVICE) for n in (queries, tokens))
    assert torch.equal(fused.find_nearest(q, d), (q.double() @ d.double().T).argmax(1))


def test_first_of_equal_tokens_is_found():
    q, d = torch.ones(3, 16, device=DEVICE), torch.ones(150, 16, device=DEVICE)
    d[:40] = 0.5
    assert fused.find_nearest(q, d).tolist() == [40, 40, 40]

"""The fused kernels, on CUDA or by Triton's interpreter on the CPU, compared with the usual layers in float32."""

from __future__ import annotations

import pytest
import torch
from open_clip import CLIP

from pez_core.towers.alike import Alike
from pez_core.towers.causal import CausalEncoder
from pez_core.towers.weights import CausalWeights

stack = pytest.importorskip("pez_core.towers.fused.stack", reason="needs Triton", exc_type=ModuleNotFoundError)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def tower(quick_gelu: bool = False) -> CausalWeights:
    """A small text tower whose numbers are as large as in trained ones."""
    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    text = {"context_length": 77, "vocab_size": 100, "width": 128, "heads": 2, "layers": 2}
    module = CLIP(32, vision, text, quick_gelu=quick_gelu).eval().requires_grad_(False).to(DEVICE)
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1 if parameter.ndim == 1 else parameter)
    weights = CausalWeights.of_open_clip(module)
    assert weights is not None
    return weights


def encoded(weights: CausalWeights, before: int, length: int, count: int, dtype: torch.dtype, fused: bool):
    """Features and gradients of random prompts."""
    width = weights.positions.shape[1]
    random = torch.Generator().manual_seed(length)
    shapes = (before, width), (1, width), (count, length, width)
    fixed, end, prompts = (torch.randn(shape, generator=random).to(DEVICE) for shape in shapes)
    encode = CausalEncoder(weights, fixed, end, dtype, fused)
    prompts.requires_grad_()
    features = encode(prompts)
    towards = torch.randn(features.shape, generator=random).to(DEVICE)
    (gradients,) = torch.autograd.grad((features * towards).sum(), prompts)
    return features.detach(), gradients


@pytest.mark.parametrize(
    ("quick_gelu", "before", "length", "count"),
    [
        pytest.param(False, 1, 16, 1, marks=pytest.mark.slow),
        (True, 1, 4, 5),
        (False, 9, 3, 2),
        pytest.param(True, 9, 3, 2, marks=pytest.mark.slow),
        pytest.param(True, 20, 40, 1, marks=pytest.mark.slow),
        (False, 1, 1, 1),
    ],
)
def test_features_and_gradients_are_those_of_the_usual_layers(quick_gelu, before, length, count):
    weights = tower(quick_gelu)
    exact = encoded(weights, before, length, count, torch.float32, fused=False)
    found = encoded(weights, before, length, count, torch.float16, fused=True)
    assert (found[0] - exact[0]).norm(dim=-1).max() < 5e-3
    assert torch.cosine_similarity(found[1].flatten(1), exact[1].flatten(1)).min() > 0.999
    torch.testing.assert_close(found[1].norm(), exact[1].norm(), rtol=1e-2, atol=0)


def test_more_rows_than_the_kernels_are_for_take_the_usual_way(monkeypatch):
    def refuse(*_):
        raise AssertionError("fused kernels for many rows")

    monkeypatch.setattr(stack, "MOST_ROWS", 30)
    monkeypatch.setattr(stack.FusedStack, "__call__", refuse)
    features, _ = encoded(tower(), 1, 16, 2, torch.float32, fused=True)
    assert torch.isfinite(features).all()
    with pytest.raises(AssertionError, match="many rows"):
        encoded(tower(), 1, 14, 2, torch.float32, fused=True)


def test_what_rows_have_in_common_is_computed_once_where_the_kernels_are_not_used(monkeypatch):
    weights, random = tower(), torch.Generator().manual_seed(1)
    width = weights.positions.shape[1]
    fixed, end, begun, rest = (
        torch.randn(*shape, width, generator=random).to(DEVICE) for shape in ((1,), (1,), (2, 5), (6, 3))
    )
    prompts = torch.cat([begun.repeat_interleave(3, 0), rest], dim=1)
    exact = CausalEncoder(weights, fixed, end, torch.float32)(prompts)
    few = CausalEncoder(weights, fixed, end, torch.float32, fused=True)
    with torch.no_grad():
        assert torch.equal(few(prompts, Alike(5, 3)), few(prompts))
    monkeypatch.setattr(stack, "MOST_ROWS", 30)  # the rows have 54 positions; 24 without those in common
    monkeypatch.setattr(stack.FusedStack, "__call__", lambda *_: pytest.fail("fused kernels without what is in common"))
    many = CausalEncoder(weights, fixed, end, torch.float32, fused=True)
    with torch.no_grad():
        torch.testing.assert_close(many(prompts, Alike(5, 3)), exact, atol=1e-5, rtol=0)

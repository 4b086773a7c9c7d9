"""Half precision: close to float32 where it is used, otherwise refused."""

from __future__ import annotations

import open_clip
import pytest
import torch
import torch.nn.functional as F
from stand_ins import small

from pez_core import InversionConfig, PezError, Vocabulary, invert
from pez_core.config import PRECISIONS
from pez_core.towers import TextTower
from pez_core.towers.precision import DTYPES, choose


@pytest.fixture(scope="module")
def tower(openai_vocabulary):
    return TextTower(small("ViT-L-14", text_layers=3), openai_vocabulary, "ViT-L-14")


@pytest.fixture(scope="module")
def ids():
    return torch.randint(100, 40_000, (4, 8), generator=torch.Generator().manual_seed(0))


def gradient(tower: TextTower, ids: torch.Tensor, precision: str, size: float = 1.0) -> tuple[torch.Tensor, ...]:
    embeddings = tower.table[ids].detach().requires_grad_()
    features = tower.prompt_encoder([320], [], precision)(embeddings, ids)
    towards = F.normalize(torch.randn(features.shape, generator=torch.Generator().manual_seed(1)), dim=-1)
    return features, torch.autograd.grad((features * towards).sum() * size, embeddings)[0]


def test_every_precision_has_its_format():
    assert set(PRECISIONS) == {"auto", *DTYPES}


@pytest.mark.parametrize(("precision", "near"), [("fp16", 2e-3), ("bf16", 2e-2)])
def test_half_precision_is_near_float32(tower, ids, precision, near):
    full, half = gradient(tower, ids, "fp32"), gradient(tower, ids, precision)
    assert half[0].dtype == half[1].dtype == torch.float32
    assert 0 < (half[0] - full[0]).norm(dim=-1).max() < near
    assert torch.cosine_similarity(half[1].flatten(1), full[1].flatten(1)).min() > 1 - near


@pytest.mark.parametrize("size", [1e-7, 1e6])
def test_small_and_large_gradients_pass_through_fp16(tower, ids, size):
    expected = gradient(tower, ids, "fp32", size)[1]
    found = gradient(tower, ids, "fp16", size)[1]
    assert torch.cosine_similarity(found.flatten(1), expected.flatten(1)).min() > 0.999
    torch.testing.assert_close(found.norm(), expected.norm(), rtol=0.01, atol=0)


def test_auto_is_float32_on_a_cpu(tower):
    assert choose("auto", torch.device("cpu"), tower.run_sample, "x") == torch.float32


def test_auto_tries_fp16_then_bf16_then_stays(tower):
    """On CUDA; nothing here needs the device itself."""
    true = tower.run_sample(torch.float32)
    wrong = (true[0].flip(0), true[1].flip(0))

    def chosen(**agreeing: bool) -> torch.dtype:
        formats = {torch.float32: true} | {DTYPES[name]: true if good else wrong for name, good in agreeing.items()}
        return choose("auto", torch.device("cuda"), lambda dtype, fused=False: formats[dtype], "x")

    assert chosen(fp16=True, bf16=True) == torch.float16
    assert chosen(fp16=False, bf16=True) == torch.bfloat16
    assert chosen(fp16=False, bf16=False) == torch.float32
    assert choose("auto", torch.device("cuda"), None, "x") == torch.float32


def test_format_that_overflows_is_refused_by_name(openai_vocabulary):
    module = small("ViT-L-14")
    with torch.no_grad():
        mlp = module.transformer.resblocks[0].mlp
        mlp.c_fc.bias[0] = 1e5  # above fp16's largest number
        mlp.c_proj.weight[:, 0] = 0
    tower = TextTower(module, openai_vocabulary, "loud")
    with pytest.raises(PezError, match="precision fp16 is too coarse for the text tower of loud: choose auto"):
        tower.prompt_encoder(precision="fp16")
    tower.prompt_encoder(precision="fp32")


def test_full_length_tower_knows_only_float32():
    vocabulary = Vocabulary(open_clip.get_tokenizer("coca_ViT-B-32"), 49408)
    tower = TextTower(small("coca_ViT-B-32"), vocabulary, "coca")
    tower.prompt_encoder(precision="auto")
    with pytest.raises(PezError, match="coca runs in fp32 only: choose precision auto or fp32, not bf16"):
        tower.prompt_encoder(precision="bf16")


def test_a_search_in_half_precision_is_scored_in_float32(model, target):
    result = invert(model, target, InversionConfig(steps=40, length=5, precision="bf16", patience=None))
    rescored = target.similarity(model.encode_texts([result.prompt])).item()
    assert result.similarity == pytest.approx(rescored, abs=1e-6)
    assert result.trace[-1] == pytest.approx(rescored, abs=0.02)

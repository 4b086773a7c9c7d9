"""The lean way through the text tower, compared with the model's own full-length encoding."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.hf_model import HFTextEncoder
from stand_ins import hugging_face_tokenizer, small
from torch import nn
from transformers import RobertaConfig

from pez_core import ClipModel, PezError, Vocabulary
from pez_core.towers import Alike, TextTower, causal

CAUSAL = ["ViT-B-32", "ViT-L-14", pytest.param("ViT-H-14", marks=pytest.mark.slow)]


@lru_cache
def made(architecture: str) -> torch.nn.Module:
    """A random CLIP of two layers; drawing its weights takes longer than a test."""
    return small(architecture)


class Layout:
    """A tokenizer stand-in for towers whose real tokenizer needs a download: the ids of characters, then `end`."""

    def __init__(self, context_length: int, end: int, start: int | None = None, pad: int = 1):
        self.context_length, self.start, self.end, self.pad = context_length, start, end, pad

    def __call__(self, texts, context_length=None):
        length = context_length or self.context_length
        rows = torch.full((len(texts), length), self.pad)
        for row, text in zip(rows, texts, strict=True):
            ids = ([] if self.start is None else [self.start]) + [10 + ord(c) for c in text] + [self.end]
            row[: len(ids)] = torch.tensor(ids[:length])
        return rows

    def decode(self, ids):
        return "".join(chr(i - 10) for i in ids if i >= 10)


def siglip_like() -> nn.Module:
    """A text tower without causal mask, read at its last position, as SigLIP's."""
    torch.manual_seed(0)
    text = {"context_length": 16, "vocab_size": 300, "width": 64, "heads": 2, "layers": 2}
    text |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last"}
    return open_clip.CustomTextCLIP(32, {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}, text).eval()


def plain(module: nn.Module, vocabulary: Vocabulary, ids: torch.Tensor) -> torch.Tensor:
    """The model's own features of the ids of whole texts."""
    return F.normalize(module.encode_text(vocabulary.rows(ids)), dim=-1)


@contextmanager
def counting(rows: list[int]) -> Iterator[None]:
    """Notes how many rows each product of the lean way has."""
    whole = causal.mlp

    def noted(x: torch.Tensor, *rest: Any) -> torch.Tensor:
        rows.append(len(x))
        return whole(x, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(causal, "mlp", noted)
        yield


def searched(length: int, count: int = 3) -> torch.Tensor:
    return torch.randint(100, 40_000, (count, length), generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize(("before", "length", "after"), [(0, 1, 0), (0, 8, 0), (5, 16, 3), (0, 75, 0), (60, 1, 14)])
def test_lean_way_equals_the_models_own_encoding(architecture, before, length, after, openai_vocabulary):
    module = made(architecture)
    tower = TextTower(module, openai_vocabulary, architecture)
    assert tower.lean
    left, right = searched(before, 1).repeat(3, 1), searched(after, 1).repeat(3, 1)
    ids = searched(length)
    encode = tower.prompt_encoder(left[0].tolist(), right[0].tolist())
    found = encode(tower.table[ids], ids)
    expected = plain(module, openai_vocabulary, torch.cat([left, ids, right], dim=1))
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize(
    ("before", "same", "length", "after"), [(0, 0, 2, 0), (0, 1, 2, 0), (5, 6, 9, 3), (0, 74, 75, 0)]
)
def test_what_prompts_have_in_common_is_computed_once_and_right(
    architecture, before, same, length, after, openai_vocabulary
):
    module = made(architecture)
    tower = TextTower(module, openai_vocabulary, architecture)
    left, right = searched(before, 1).repeat(6, 1), searched(after, 1).repeat(6, 1)
    ids = searched(length, 6)
    ids[:, :same] = ids[::3, :same].repeat_interleave(3, 0)  # two groups of three
    computed = []
    encode = tower.prompt_encoder(left[0].tolist(), right[0].tolist())
    with torch.no_grad(), counting(computed):
        found = encode(tower.table[ids], ids, Alike(same, 3))
    expected = plain(module, openai_vocabulary, torch.cat([left, ids, right], dim=1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert max(computed) == max(2 * same, 6 * (length - same + after + 1))  # rows of a product


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize("count", [2, 12])  # few rows and many: products are taken in different orders
def test_lean_way_has_the_gradient_of_the_full_one(architecture, count, openai_vocabulary):
    tower = TextTower(made(architecture), openai_vocabulary, architecture)
    before, after, ids = [320, 1125], [525], searched(8, count)
    gradients = []
    for encode in (tower.prompt_encoder(before, after), tower._full_length(before, after)):
        embeddings = tower.table[ids].detach().requires_grad_()
        features = encode(embeddings, ids)
        towards = F.normalize(torch.randn(features.shape[1], generator=torch.Generator().manual_seed(0)), dim=0)
        (gradient,) = torch.autograd.grad((features @ towards).sum(), embeddings)
        gradients.append(gradient)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5 * gradients[1].abs().max().item(), rtol=1e-3)


def test_gradient_agrees_with_finite_differences(model):
    tower = TextTower(copy.deepcopy(model.text.module).double(), model.vocabulary, "double")
    assert tower.lean
    ids = torch.tensor([model.vocabulary.encode("blue penguin")])
    encode = tower.prompt_encoder(model.vocabulary.encode("a"), model.vocabulary.encode("on green"))
    embeddings = tower.table[ids].detach().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    towards = F.normalize(torch.randn(tower.features, generator=generator, dtype=torch.double), dim=0)
    (gradient,) = torch.autograd.grad((encode(embeddings, ids) @ towards).sum(), embeddings)
    direction = torch.randn(embeddings.shape, generator=generator, dtype=torch.double)
    with torch.no_grad():
        up, down = (encode(embeddings + h * direction, ids) @ towards for h in (1e-6, -1e-6))
    assert (up - down).item() / 2e-6 == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


def lean_and_right(module: nn.Module, vocabulary: Vocabulary) -> None:
    tower, ids = TextTower(module, vocabulary, "lean"), searched(6)
    assert tower.lean
    found = tower.prompt_encoder()(tower.table[ids], ids)
    torch.testing.assert_close(found, plain(module, vocabulary, ids), atol=1e-5, rtol=0)


def test_layer_scale_and_bias_of_the_projection_are_heeded(openai_vocabulary):
    torch.manual_seed(0)
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2, "proj_bias": True}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    module = open_clip.CustomTextCLIP(32, vision, {**text, "ls_init_value": 0.3}).eval()
    nn.init.normal_(module.text.text_projection.bias)
    lean_and_right(module, openai_vocabulary)


def test_quick_gelu_is_another_activation_and_right(openai_vocabulary):
    module = small("ViT-L-14-quickgelu")
    lean_and_right(module, openai_vocabulary)


def test_blocks_of_another_make_run_at_full_length(openai_vocabulary):
    torch.manual_seed(0)
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2, "qk_norm": True}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    module = open_clip.CustomTextCLIP(32, vision, text).eval()
    tower = TextTower(module, openai_vocabulary, "custom")
    assert not tower.lean
    ids = searched(6)
    torch.testing.assert_close(tower.prompt_encoder()(tower.table[ids], ids), plain(module, openai_vocabulary, ids))


def test_tower_without_causal_mask_runs_at_full_length():
    module = siglip_like()
    vocabulary = Vocabulary(Layout(16, end=1), 300)
    assert vocabulary.room == 15  # one place for the end token, which is also the padding
    tower = TextTower(module, vocabulary, "siglip-like")
    assert not tower.lean
    ids = torch.tensor([vocabulary.encode("abc")])
    embeddings = tower.table[ids].detach().requires_grad_()
    found = tower.prompt_encoder()(embeddings, ids)
    torch.testing.assert_close(found, plain(module, vocabulary, ids))
    (gradient,) = torch.autograd.grad(found.sum(), embeddings)
    assert gradient.abs().sum() > 0


def test_a_mask_alone_does_not_earn_the_lean_way(openai_vocabulary):
    """Causal, but read at the last position of the full length: only a comparison shows that."""
    torch.manual_seed(0)
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2, "pool_type": "last"}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    tower = TextTower(open_clip.CustomTextCLIP(32, vision, text).eval(), openai_vocabulary, "last")
    assert not tower.lean


def test_coca_runs_at_full_length(openai_vocabulary):
    module = small("coca_ViT-B-32")
    vocabulary = Vocabulary(open_clip.get_tokenizer("coca_ViT-B-32"), 49408)
    tower = TextTower(module, vocabulary, "coca")
    assert not tower.lean
    ids = searched(6)
    torch.testing.assert_close(tower.prompt_encoder()(tower.table[ids], ids), plain(module, vocabulary, ids))


def test_hugging_face_text_tower_runs_at_full_length(tmp_path):
    """Its padding is masked by the ids; its word embeddings come from its own interface."""
    config = RobertaConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, pad_token_id=0
    )

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.text = HFTextEncoder("", output_dim=16, config=config, pooler_type="mean_pooler", proj_type="linear")

        def encode_text(self, rows):
            return self.text(rows)

    module = Model().eval()
    vocabulary = Vocabulary(hugging_face_tokenizer(tmp_path, "bert"), 400)
    tower = TextTower(module, vocabulary, "roberta-like")
    assert not tower.lean
    ids = torch.tensor([vocabulary.encode("a red bird")])
    embeddings = tower.table[ids].detach().requires_grad_()
    found = tower.prompt_encoder()(embeddings, ids)
    torch.testing.assert_close(found, plain(module, vocabulary, ids))
    (gradient,) = torch.autograd.grad(found[0, 0], embeddings)
    assert (gradient.abs().sum(-1) > 0).all()


def test_parameters_are_frozen(model):
    assert not any(p.requires_grad for p in model.text.module.parameters())


def test_tower_without_token_table_is_refused_by_name(openai_vocabulary):
    class Blind(nn.Module):
        def encode_text(self, rows):
            return rows.float()

    with pytest.raises(PezError, match="blind-1 cannot be searched"):
        TextTower(Blind(), openai_vocabulary, "blind-1")


def test_tower_that_stops_gradients_is_refused_by_name(openai_vocabulary):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embedding = nn.Embedding(49408, 8)

        def encode_text(self, rows):
            return self.token_embedding(rows).detach().mean(1)

    with pytest.raises(PezError, match="cut-1 cannot be searched"):
        ClipModel.of_open_clip(Cut(), lambda picture: picture, openai_vocabulary, "cut-1")


class TestThreads:
    """One full-length tower, used by several threads at once."""

    @pytest.fixture
    def tower(self) -> TextTower:
        return TextTower(siglip_like(), Vocabulary(Layout(16, end=1), 300), "siglip-like")

    @staticmethod
    def climbed(tower: TextTower, seed: int) -> torch.Tensor:
        """Features after a few steps up the gradient from random embeddings."""
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(10, 200, (2, 3 + seed), generator=generator)
        embeddings = tower.embed(ids)
        encode, towards = tower.prompt_encoder(), torch.randn(32, generator=generator)
        for _ in range(20):
            embeddings = embeddings.detach().requires_grad_()
            features = encode(embeddings, ids)
            (gradient,) = torch.autograd.grad((features @ towards).sum(), embeddings)
            embeddings = embeddings + 0.1 * gradient
        return features.detach()

    def test_searches_equal_serial_ones(self, tower):
        serial = [self.climbed(tower, seed) for seed in range(8)]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda seed: self.climbed(tower, seed), range(8)))
        for one, other in zip(serial, together, strict=True):
            torch.testing.assert_close(one, other)

    def test_a_text_is_right_in_the_middle_of_another_threads_search(self, tower):
        """The other thread waits inside the tower, its embeddings in place."""
        rows = torch.randint(10, 200, (2, 16), generator=torch.Generator().manual_seed(0))
        expected = tower.encode(rows)
        inside, scored = threading.Event(), threading.Event()
        searching: list[int] = []

        def wait(*_):
            if threading.get_ident() in searching:
                inside.set()
                assert scored.wait(60)

        def search():
            searching.append(threading.get_ident())
            ids = torch.full((2, 4), 20)
            tower.prompt_encoder()(tower.embed(ids), ids)

        handle = tower.module.text.transformer.register_forward_pre_hook(wait)
        thread = threading.Thread(target=search)
        thread.start()
        assert inside.wait(60)
        found = tower.encode(rows)
        scored.set()
        thread.join()
        handle.remove()
        torch.testing.assert_close(found, expected)

    def test_copies_and_pickles_search_too(self, tower):
        for other in (copy.deepcopy(tower), pickle.loads(pickle.dumps(tower.module))):
            if isinstance(other, nn.Module):
                other = TextTower(other, Vocabulary(Layout(16, end=1), 300), "pickled")
            torch.testing.assert_close(self.climbed(other, 1), self.climbed(tower, 1))

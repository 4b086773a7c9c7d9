"""Language towers against the plain model: probabilities of words after prompt and text, and gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from caption_models import random_caption_model
from tiny_language import KINDS, causal, encoder_decoder

from pez_core import PezError
from pez_core.models.towers import tower_of
from pez_core.targets.task import padded
from pez_core.towers import language
from pez_core.towers.words import Words

PROMPT, TEXTS = "red bird", ["a good film", "the story was boring !", "it"]
WORDS = ["good", "terrible", "great film"]  # the last one has two tokens


def read(tower: Any, prompts: torch.Tensor) -> torch.Tensor:
    rows = tower.vocabulary.encode_all(TEXTS)
    ids, lengths = padded(rows)
    state = tower.begin(prompts)
    return tower.read(
        tuple(each.expand(len(rows), *each.shape[1:]) for each in state),
        ids,
        lengths,
        Words(tower.vocabulary.encode_all(WORDS)),
    )


def prompt_of(tower: Any) -> torch.Tensor:
    return tower.embed(torch.tensor([tower.vocabulary.encode(PROMPT)]))


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_as_likely_as_in_the_plain_model(kind: str):
    model = causal(kind)
    tower = tower_of(model)
    found = read(tower, prompt_of(tower))
    for row, text in enumerate(TEXTS):
        before = model.tokenizer(f" {PROMPT} {text}")["input_ids"]
        for column, word in enumerate(WORDS):
            own = model.tokenizer(f" {word}")["input_ids"]
            ids = torch.tensor([[*before, *own]])
            each = model.module(input_ids=ids).logits.log_softmax(-1)[0, len(before) - 1 : -1]
            exact = each.gather(1, torch.tensor(own)[:, None]).sum()
            assert found[row, column].item() == pytest.approx(exact.item(), abs=1e-4), (text, word)


def test_an_encoder_decoder_reads_as_the_plain_model():
    model = encoder_decoder()
    tower = tower_of(model)
    found = read(tower, prompt_of(tower))
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([model.tokenizer(f" {PROMPT} {text}")["input_ids"]])
        for column, word in enumerate(WORDS):
            own = model.tokenizer(f" {word}")["input_ids"]
            asked = torch.tensor([[model.module.config.decoder_start_token_id, *own[:-1]]])
            each = model.module(input_ids=ids, decoder_input_ids=asked).logits.log_softmax(-1)[0]
            exact = each.gather(1, torch.tensor(own)[:, None]).sum()
            assert found[row, column].item() == pytest.approx(exact.item(), abs=1e-4), (text, word)


def test_the_caption_model_reads_as_it_scores(openai_vocabulary):
    model = random_caption_model(openai_vocabulary)
    tower = tower_of(model)
    found = read(tower, prompt_of(tower))
    vocabulary = model.vocabulary
    for row, text in enumerate(TEXTS):
        for column, word in enumerate(WORDS):
            own = vocabulary.encode(word)
            ids = [*vocabulary.encode(f"{PROMPT} {text}"), *own]
            each = model.log_probabilities(torch.tensor([ids]), torch.tensor([len(ids)]))[0]
            exact = each[len(ids) - len(own) : len(ids)].sum()
            assert found[row, column].item() == pytest.approx(exact.item(), abs=1e-4), (text, word)


@pytest.mark.parametrize("kind", [*KINDS, "t5", "caption"])
def test_the_gradient_is_that_of_finite_differences(kind: str, openai_vocabulary):
    made = {"t5": encoder_decoder, "caption": lambda: random_caption_model(openai_vocabulary)}
    tower = tower_of(made.get(kind, lambda: causal(kind))())
    prompt = prompt_of(tower).requires_grad_()
    (gradient,) = torch.autograd.grad(read(tower, prompt).sum(), prompt)
    direction = gradient / gradient.norm()
    step = 2e-3
    ahead, back = (read(tower, prompt.detach() + sign * step * direction).double().sum() for sign in (1, -1))
    assert ((ahead - back) / (2 * step)).item() == pytest.approx(gradient.norm().item(), rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_is_as_natural_as_the_plain_model_says(kind: str):
    model = causal(kind)
    tower = tower_of(model)
    ids = torch.tensor([tower.vocabulary.encode("the red bird was good")])
    each = model.module(input_ids=ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])
    found = tower.prompt_log_probability(tower.embed(ids), ids)
    assert found.item() == pytest.approx(each.mean().item(), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_of_one_token_has_a_naturalness_with_a_gradient(kind: str):
    tower = tower_of(causal(kind))
    ids = torch.tensor([tower.vocabulary.encode("red")[:1]])
    embeddings = tower.embed(ids).requires_grad_()
    found = tower.prompt_log_probability(embeddings, ids)
    (gradient,) = torch.autograd.grad(found.sum(), embeddings)
    assert gradient.shape == embeddings.shape
    if not tower.vocabulary.start_ids:  # nothing is before it
        assert found.item() == 0
        assert not gradient.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_naturalness_says_which_token_would_be_likelier(kind: str):
    tower = tower_of(causal(kind))
    ids = torch.tensor([tower.vocabulary.encode("the red bird was good")])
    embeddings = tower.embed(ids).requires_grad_()
    (gradient,) = torch.autograd.grad(tower.prompt_log_probability(embeddings, ids).sum(), embeddings)
    tied = kind != "llama"  # that one has a head of its own here
    assert bool(gradient[0, -1].abs().max() > 0) == tied  # what the last token is matters to itself only
    assert gradient[0, 0].abs().max() > 0


def test_a_model_whose_cache_cannot_be_trusted_reads_each_row_whole(monkeypatch):
    right = tower_of(causal())
    expected = read(right, prompt_of(right))
    real = language._cache_of
    monkeypatch.setattr(language, "_cache_of", lambda state: real(tuple(each * 1.1 for each in state)))
    tower = tower_of(causal())
    torch.testing.assert_close(read(tower, prompt_of(tower)), expected, atol=1e-4, rtol=0)


def test_a_model_that_reads_embeddings_otherwise_is_refused(monkeypatch):
    model = causal()
    twisted = copy.deepcopy(model.module.get_input_embeddings())
    twisted.weight.data = twisted.weight.data.flip(0)
    monkeypatch.setattr(model.module, "get_input_embeddings", lambda: twisted)
    with pytest.raises(PezError, match="tiny llama does not read embeddings as it reads tokens"):
        tower_of(model)


def test_a_model_without_gradients_is_refused_in_one_sentence():
    class Connected:
        name = "Qwen3 of the workflow"

    with pytest.raises(PezError, match="Qwen3 of the workflow cannot learn to classify"):
        tower_of(Connected())

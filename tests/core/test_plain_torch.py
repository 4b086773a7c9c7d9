"""Whatever state torch is in, models load, encode and search alike, and the state stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from stand_ins import random_picture

from pez_core import load_model
from pez_core.towers.plain import plain_torch


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


STATES = {
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast bf16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast fp16": lambda: torch.autocast("cpu", torch.float16),
    "default bf16": lambda: default_dtype(torch.bfloat16),
    "default fp64": lambda: default_dtype(torch.float64),
    "default meta": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_model_loads_and_encodes_alike(model, state):
    pictures, texts = [random_picture(1)], ["a red bird"]
    expected = model.encode_images(pictures), model.encode_texts(texts)
    with STATES[state]():
        loaded = load_model()
        found = [(each.encode_images(pictures), each.encode_texts(texts)) for each in (model, loaded)]
    for each in found:
        for one, other in zip(each, expected, strict=True):
            assert torch.equal(one, other)
            assert one.dtype == torch.float32
            assert not one.is_inference()
    ids = torch.tensor([model.vocabulary.encode("a red bird")])
    embeddings = loaded.text.embed(ids).requires_grad_()
    loaded.text.prompt_encoder()(embeddings, ids).sum().backward()
    assert embeddings.grad is not None


@plain_torch()
def fails() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("state", STATES)
def test_the_callers_state_comes_back(state):
    def look() -> tuple[object, ...]:
        return (
            torch.is_inference_mode_enabled(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_default_dtype(),
            torch.empty(0).device,
        )

    plain = look()
    with STATES[state]():
        before = look()
        assert before != plain
        with plain_torch():
            assert look() == plain
        assert look() == before
        with pytest.raises(ZeroDivisionError):
            fails()
        assert look() == before

"""CLIP text encoders in Hugging Face's naming, against transformers' own model."""

from __future__ import annotations

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pez_core import PezError
from pez_core.towers import TextTower
from pez_core.towers.hugging_face import text_module


def theirs(activation: str = "quick_gelu") -> CLIPTextModelWithProjection:
    torch.manual_seed(0)
    settings = CLIPTextConfig(
        vocab_size=49408, hidden_size=64, intermediate_size=160, projection_dim=48, num_hidden_layers=3,
        num_attention_heads=4, hidden_act=activation, bos_token_id=49406, eos_token_id=49407,
    )  # fmt: skip
    return CLIPTextModelWithProjection(settings).eval()


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_features_are_those_of_transformers(openai_vocabulary, activation):
    model = theirs(activation)
    tower = TextTower(text_module(model.state_dict(), 4, activation), openai_vocabulary, "theirs")
    assert tower.lean
    rows = openai_vocabulary.rows(torch.tensor([openai_vocabulary.encode("a red bird, 2 dogs")]))
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(rows).text_embeds, dim=-1)
    torch.testing.assert_close(tower.encode(rows), expected, atol=1e-5, rtol=0)


def test_the_gradient_is_that_of_finite_differences(openai_vocabulary):
    tower = TextTower(text_module(theirs().state_dict(), 4, "quick_gelu"), openai_vocabulary, "theirs")
    ids = torch.tensor([openai_vocabulary.encode("a red bird")])
    towards = torch.randn(48, generator=torch.Generator().manual_seed(1))
    tower.module.double()
    encode = tower.prompt_encoder()
    embeddings = tower.table[ids].detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad((encode(embeddings, ids) @ towards.double()).sum(), embeddings)
    for place in range(3):
        step = torch.zeros_like(embeddings)
        step[0, place, 7 * place] = 1e-5
        with torch.no_grad():
            up, down = (encode(embeddings + sign * step, ids) @ towards.double() for sign in (1, -1))
        assert gradient[0, place, 7 * place].item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-4)


def test_the_weights_are_a_copy(openai_vocabulary):
    state = theirs().state_dict()
    module = text_module(state, 4, "quick_gelu")
    before = module.text.ln_final.weight.clone()
    for value in state.values():
        value.zero_()
    assert torch.equal(module.text.ln_final.weight, before)


def test_other_weights_are_refused():
    state = theirs().state_dict()
    for broken, said in (
        ({name: value for name, value in state.items() if "projection" not in name}, "text_projection"),
        ({"weight": torch.zeros(3)}, "not those of a CLIP text encoder"),
    ):
        with pytest.raises(PezError, match=said):
            text_module(broken, 4, "gelu")
    with pytest.raises(PezError, match="'swish' is not supported"):
        text_module(state, 4, "swish")

"""Texts against texts and pictures: distillation, scores, ComfyUI's way of writing prompts."""

from __future__ import annotations

import pytest
import torch
from stand_ins import random_picture

from pez_core import InversionConfig, PezError, Target, distill, escape_for_comfyui, read_like_comfyui, score
from pez_core.distillation import distilled_length

LONG = "a yellow dog on a striped red background and a blue bird on a white background"


def test_a_shorter_text_keeps_most_of_the_meaning(model):
    result = distill(model, LONG, 0.5, InversionConfig(seed=1))
    assert len(model.vocabulary.encode(result.prompt)) == 8
    assert result.similarity == pytest.approx(
        (model.encode_texts([LONG]) @ model.encode_texts([result.prompt]).T).item()
    )
    assert result.similarity > 0.8
    assert distill(model, LONG, config=InversionConfig(length=3, steps=5)).prompt.count(" ") == 2


@pytest.mark.parametrize(("ratio", "length"), [(1.0, 16), (0.5, 8), (0.01, 1)])
def test_the_ratio_is_of_tokens(model, ratio, length):
    assert distilled_length(model, LONG, ratio) == length


@pytest.mark.parametrize("ratio", [0, -1, 1.5, float("nan")])
def test_a_ratio_that_shortens_nothing(model, ratio):
    with pytest.raises(PezError, match="ratio must be above 0 and at most 1"):
        distill(model, LONG, ratio)


def test_a_text_longer_than_the_model_reads_is_distilled(model):
    result = distill(model, " ".join([LONG] * 8), config=InversionConfig(length=4, steps=5))
    assert len(result.prompt.split()) == 4
    assert distilled_length(model, " ".join([LONG] * 8), 1.0) == model.vocabulary.room


def test_scores_are_cosines_in_the_order_of_the_texts(model):
    pictures, texts = [random_picture(1), random_picture(2)], ["a red bird", "two dogs"]
    target = Target.from_images(model, pictures)
    cosines = model.encode_texts(texts) @ model.encode_images(pictures).T
    for i, found in enumerate(score(model, texts, target)):
        assert found.text == texts[i]
        assert list(found.each) == pytest.approx(cosines[i].tolist(), abs=1e-6)
        assert found.similarity == pytest.approx(cosines[i].mean().item(), abs=1e-6)
        assert found.parts == {}
    assert score(model, [], target) == []
    with pytest.raises(PezError, match="75"):
        score(model, ["bird " * 80], target)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a (red:1.3) bird", "a red bird"),
        ("((very (big)))", "very big"),
        ("\\(not a weight\\) (weight)", "(not a weight) weight"),
        ("(a: b) (c:d:0.5) (:1.2)", "a: b c:d :1.2"),
        ("(open bird", "(open bird"),
        ("a) (b) (c)", "a) (b) (c)"),
        ("(a (b) c", "(a (b) c"),
        ("sun(set:1.2)", "sun set"),
        ("(snow:1.3)man, (a) (cat:1.1)'s hat", "snow man, a cat's hat"),
        ("a! (b!:1.1)! \\((c:1.1)\\)", "a! b! ! (c)"),
        ("", ""),
    ],
)
def test_weights_are_taken_off_and_escapes_undone(written, read):
    assert read_like_comfyui(written) == read


@pytest.mark.parametrize("text", ["a (b) :)", "((x:1.2))", "plain", "()", ")(", "(a (b:1)"])
def test_what_is_escaped_is_read_as_it_was(text):
    assert read_like_comfyui(escape_for_comfyui(text)) == text


def test_names_of_files_are_no_words():
    with pytest.raises(PezError, match="'embedding:' has a special meaning in CLIP Text Encode"):
        read_like_comfyui("a embedding:cat")


def test_parentheses_within_parentheses_have_a_limit():
    assert read_like_comfyui("(" * 90 + "a:1.5" + ")" * 90) == "a"
    with pytest.raises(PezError, match="More than 100 pairs of parentheses"):
        read_like_comfyui("(" * 4000 + "a" + ")" * 4000)


def test_towers_that_were_trained_together_are_told_from_others(model):
    from pez_core.models.pairing import COLORS, agree, color_pictures

    own = model.encode_texts(COLORS)
    assert agree(model.encode_images(color_pictures()), own)
    generator = torch.Generator().manual_seed(0)
    pictures, texts = (torch.randn(8, 64, generator=generator) for _ in range(2))
    wrong = sum(agree(pictures, torch.randn(8, 64, generator=generator)) for _ in range(50))
    assert wrong <= 2
    assert agree(pictures, pictures + 0.5 * texts)
    assert not agree(own, own.roll(1, dims=0))

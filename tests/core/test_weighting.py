"""The weighted form of a prompt: how strong each word is, and what stays as it was."""

from __future__ import annotations

import re

import pytest

from pez_core import PezError, read_like_comfyui
from pez_core.text.weighting import weighted_for_comfyui


def weights(text: str) -> list[float]:
    return [float(each) for each in re.findall(r":([\d.]+)\)", text)]


def test_the_least_and_the_most_have_the_ends_of_the_range():
    shares = [(0, 1, 0.0), (2, 5, 0.1), (6, 9, 0.2), (10, 14, 0.1)]
    assert weighted_for_comfyui("a red fox runs", shares) == "(a:0.80) red (fox:1.30) runs"
    assert weighted_for_comfyui("a red fox runs", shares, 1.0, 1.5) == "a red (fox:1.50) runs"
    assert weighted_for_comfyui("a red fox runs", shares, 1.0, 1.0) == "a red fox runs"


def test_the_others_are_in_proportion_and_a_word_that_hurts_is_weak():
    made = weighted_for_comfyui("a b c d", [(0, 1, -0.3), (2, 3, 0.0), (4, 5, 0.1), (6, 7, 0.2)])
    assert made == "(a:0.80) b (c:1.15) (d:1.30)"


def test_tokens_of_one_word_count_together():
    """Foxes in two tokens: each alone would be the weakest."""
    assert weighted_for_comfyui("red foxes", [(0, 3, 0.1), (4, 7, 0.08), (7, 9, 0.08)]) == "(red:0.80) (foxes:1.30)"


def test_equal_words_and_no_words_stay_plain():
    assert weighted_for_comfyui("a fox", [(0, 1, 0.1), (2, 5, 0.1)]) == "a fox"
    assert weighted_for_comfyui("fox fox", [(0, 3, 0.1), (4, 7, 0.1 + 1e-7)]) == "fox fox"  # apart by rounding only
    assert weighted_for_comfyui("fox", [(0, 3, 0.1)]) == "fox"
    assert weighted_for_comfyui("", []) == ""


@pytest.mark.parametrize("text", ["a (red) fox", "at 3:30 :) , (", "((x))  y", "it's  a fox, isn't it?"])
def test_what_is_read_is_the_same_text(text):
    shares = [(m.start(), m.end(), 0.1 * i) for i, m in enumerate(re.finditer(r"\S+", text))]
    made = weighted_for_comfyui(text, shares)
    assert weights(made)
    assert read_like_comfyui(made) == text


@pytest.mark.parametrize("ends", [(0.4, 1.3), (1.1, 1.3), (0.8, 0.9), (0.8, 2.5), (float("nan"), 1.3)])
def test_a_range_that_distorts_is_refused(ends):
    with pytest.raises(PezError, match=r"a least of 0\.5 to 1 up to a most of 1 to 2"):
        weighted_for_comfyui("a fox", [(0, 1, 0.1)], *ends)


def test_a_special_word_is_refused():
    with pytest.raises(PezError, match="special meaning"):
        weighted_for_comfyui("embedding: fox", [(0, 10, 0.1)])

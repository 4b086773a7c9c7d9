"""What each word of a prompt contributes, and its place in the text."""

from __future__ import annotations

import pytest
from stand_ins import hugging_face_tokenizer

from pez_core import InversionConfig, Vocabulary, invert
from pez_core.objectives.contributions import contributions
from pez_core.text.spans import token_spans


def rescored(model, target, text: str) -> float:
    return target.similarity(model.encode_texts([text])).item()


def test_a_contribution_is_what_is_lost_without_the_characters(model, target):
    result = invert(model, target, InversionConfig(length=5, restarts=4, steps=20, explore=16))
    assert " ".join(token.text for token in result.tokens) == result.prompt
    for token in result.tokens:
        rest = result.prompt[: token.start] + result.prompt[token.end :]
        assert token.contribution == pytest.approx(result.similarity - rescored(model, target, rest), abs=1e-5)
        assert token.importance == token.contribution
    (alone,) = contributions(model, target, "penguin")
    assert alone.contribution > 0


def test_beside_a_word_of_several_tokens_nothing_else_is_spelled_anew(model, target):
    """Joining the other tokens' texts by spaces would change "penguinlike", and with it what "bird" contributes."""
    text = "penguinlike bird"
    *_, bird = contributions(model, target, text)
    assert (bird.text, text[bird.start : bird.end]) == ("bird", "bird")
    lost = rescored(model, target, text) - rescored(model, target, "penguinlike ")
    assert bird.contribution == pytest.approx(lost, abs=1e-6)


def test_a_prefix_of_several_tokens_does_not_change_the_searched_words(model, target):
    result = invert(model, target, InversionConfig(length=2, steps=6, prefix="penguinlike", keep=("penguin",)))
    penguin = next(token for token in result.tokens if token.text == "penguin" and token.start > len("penguinlike"))
    rest = result.prompt[: penguin.start] + result.prompt[penguin.end :]
    assert rest.startswith("penguinlike")
    assert penguin.contribution == pytest.approx(result.similarity - rescored(model, target, rest), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a (blue) bird:", ["a", "(", "blue", ")", "bird", ":"]),
        ("Don't STOP", ["Don", "'t", "STOP"]),
        ("two \U0001f427\U0001f427 caf\u00e9", ["two", "\U0001f427", "\U0001f427", "caf\u00e9"]),
        ("  spaced   out ", ["spaced", "out"]),
        ("", []),
    ],
)
def test_spans_show_the_text_as_it_is_written(openai_vocabulary, text, pieces):
    spans = token_spans(openai_vocabulary, text)
    found = [text[start:end] for start, end in spans]
    assert "".join(found) == "".join(text.split())
    assert spans == sorted(spans)
    merged = "".join(pieces)
    assert merged == "".join(found)
    assert len(found) >= len(pieces) - 1
    for piece in ("(", ")", ":", "'t", "\U0001f427"):
        assert (piece in pieces) == (piece in found)


def test_text_that_the_tokenizer_rewrites_and_other_tokenizers_have_words_as_spans(openai_vocabulary, tmp_path):
    text = "a \u201cred\u201d bird"
    words = [(0, 1), (2, 7), (8, 12)]
    assert token_spans(openai_vocabulary, text) == words
    other = Vocabulary(hugging_face_tokenizer(tmp_path, "bert"), 80)
    assert token_spans(other, "two red birds") == [(0, 3), (4, 7), (8, 13)]


def test_what_is_left_of_a_full_prompt_is_never_too_long(model, target):
    """Without one letter a word may take more tokens than with it."""
    text = " ".join(["penguinlike"] * 25)
    assert len(model.vocabulary.encode(text)) <= model.vocabulary.room
    assert contributions(model, target, text)

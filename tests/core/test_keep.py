"""Words that must be in the prompt."""

from __future__ import annotations

import pytest
from parameters import every_method

from pez_core import InversionConfig, PezError, invert


def config(**changes) -> InversionConfig:
    return InversionConfig(**{"length": 6, "restarts": 4, "steps": 12, "explore": 6, "halving": 2, **changes})


@every_method
@pytest.mark.parametrize("keep", [("penguin",), ("hairstyle",), ("oil painting", "sky"), ("don't",)])
def test_kept_words_are_in_every_candidate_as_they_were_written(model, target, method, keep):
    result = invert(model, target, config(method=method, keep=keep))
    for candidate in result.candidates:
        for phrase in keep:
            assert f" {phrase} " in f" {candidate.text} "
        assert len(model.vocabulary.encode(candidate.text)) == 6
        assert candidate.similarity == pytest.approx(
            target.similarity(model.encode_texts([candidate.text])).item(), abs=1e-6
        )


def test_the_search_finds_their_places(model, target):
    places = {
        tuple(candidate.text.split()).index("penguin")
        for candidate in invert(model, target, config(keep=("penguin",), restarts=16, method="random")).candidates
    }
    assert len(places) > 2


def test_nothing_kept_leaves_the_search_as_it_was(model, target):
    assert invert(model, target, config()).candidates == invert(model, target, config(keep=("", "  "))).candidates


def test_when_everything_is_kept_only_the_order_is_searched(model, target):
    result = invert(model, target, config(length=3, keep=("blue", "penguin", "on"), restarts=16))
    assert all(sorted(each.text.split()) == ["blue", "on", "penguin"] for each in result.candidates)
    assert len(result.candidates) > 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"keep": ("a red bird on a tree",), "length": 4}, "have 6 tokens, the length is 4"),
        ({"keep": ("bird",), "banned": ("bird",)}, "The banned word 'bird' is in the kept words 'bird'"),
        ({"keep": ("red, blue",)}, "The kept words 'red, blue' seem to be several: give each separately."),
        ({"keep": ("&nbsp;",)}, "tokenized differently next to other words"),
        ({"keep": "bird"}, "must be a list of words"),
    ],
)
def test_kept_words_that_cannot_be(model, target, settings, said):
    with pytest.raises(PezError, match=said):
        invert(model, target, config(**settings))


def test_a_ban_reaches_across_kept_words(model, target):
    """ "sun" beside a searched "set" would spell the ban."""
    result = invert(model, target, config(keep=("sun",), banned=("sunset",), method="random", steps=40))
    assert all("sunset" not in each.text.replace(" ", "") for each in result.candidates)


@pytest.mark.parametrize("keep", [("2 3",), ("\u2764\ufe0f", '\'s "quote"')])
def test_kept_words_outside_the_vocabulary_may_fill_the_length(model, target, keep):
    length = sum(len(model.vocabulary.encode(phrase)) for phrase in keep)
    result = invert(model, target, InversionConfig(length=length, keep=keep))
    assert all(phrase in each.text for each in result.candidates for phrase in keep)


@pytest.mark.parametrize("given", [lambda words: iter(words), lambda words: (word for word in words), set, list])
def test_kept_and_banned_words_may_come_in_any_iterable(given):
    made = InversionConfig(keep=given(["red"]), banned=given(["penguin"]))
    assert (made.keep, made.banned) == (("red",), ("penguin",))


@pytest.mark.parametrize("value", [None, 5, "word", {"a": 1}, ["a", 5]])
def test_what_is_no_list_of_words(value):
    for name in ("keep", "banned"):
        with pytest.raises(PezError, match=f"{name} must be a list of words"):
            InversionConfig(**{name: value})

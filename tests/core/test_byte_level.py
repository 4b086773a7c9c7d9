"""Vocabularies whose tokens carry their space: what may be searched, and that it reads back as it was."""

from __future__ import annotations

import random

import pytest
import torch
from tiny_language import WORDS, byte_level_tokenizer

from pez_core.text.byte_level import LanguageVocabulary
from pez_core.text.template import template_of


@pytest.fixture(scope="module")
def vocabulary() -> LanguageVocabulary:
    tokenizer = byte_level_tokenizer()
    return LanguageVocabulary(tokenizer, len(tokenizer) + 3, 128)  # models often have a few rows more than tokens


def test_words_with_their_space_may_be_searched_and_nothing_else(vocabulary):
    usable = {vocabulary.token_texts[i] for i in vocabulary.usable.nonzero()[:, 0].tolist()}
    assert set(WORDS.split()) <= usable
    assert "" not in usable
    assert "ing" not in usable


@pytest.mark.parametrize("mode", ["dictionary", "words", "any"])
def test_every_sequence_of_allowed_tokens_reads_back_as_the_same_tokens(vocabulary, mode):
    allowed = vocabulary.allowed(mode).nonzero()[:, 0].tolist()
    template = template_of(vocabulary, "tiny", 6, prefix="the film", mode=mode)
    choose = random.Random(0)
    for _ in range(200):
        ids = choose.choices(allowed, k=6)
        assert vocabulary.encode(template.text(ids)) == [*template.before, *ids]


def test_a_text_is_read_as_after_another_word(vocabulary):
    (dog,) = vocabulary.encode("dog")
    assert vocabulary.encode("red dog")[-1] == dog
    assert vocabulary.encode("") == []


def test_special_tokens_that_stand_in_a_text_are_text(vocabulary):
    special = vocabulary.special_ids
    assert special
    ids = vocabulary.encode("good <end> film")
    assert not special & set(ids)
    assert "".join(vocabulary.token_texts[i] for i in ids) == "good<end>film"


def test_bans_and_kept_words_work(vocabulary):
    template = template_of(vocabulary, "tiny", 4, keep=("good film",), banned=("bird*",), mode="any")
    assert [vocabulary.token_texts[i] for i in template.kept[0]] == ["good", "film"]
    (bird,) = vocabulary.encode("bird")
    assert not template.allowed[bird]
    assert template.permits(["good film", "a bird"]) == [True, False]


def test_rows_beyond_the_tokenizer_are_never_searched(vocabulary):
    assert not vocabulary.usable[-3:].any()
    assert vocabulary.usable.dtype == torch.bool

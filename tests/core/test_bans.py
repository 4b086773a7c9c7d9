"""Banned words against plain string search over the spelled-out prompt."""

from __future__ import annotations

import random

import pytest
import torch

from pez_core import InversionConfig, PezError, Target, invert
from pez_core.text.bans import Bans

TEXTS = [
    "s",
    "su",
    "sun",
    "set",
    "sets",
    "sunset",
    "un",
    "n",
    "e",
    "t",
    "hair",
    "hairy",
    "ch",
    "air",
    "chair",
    "",
    "y",
    "greg",
    "rut",
    "kowski",
]
BANNED = ["sunset", "hair*", "greg rutkowski", "*ets"]


def plainly(pieces: list[str]) -> bool:
    """Whether a ban begins at the start of a piece and ends at the end of one; `*` lifts that."""
    spelled = "".join(pieces)
    starts, ends, at = set(), set(), 0
    for piece in pieces:
        if piece:
            starts.add(at)
            ends.add(at + len(piece))
        at += len(piece)
    for word in BANNED:
        letters = word.strip("*").replace(" ", "")
        for i in range(len(spelled) - len(letters) + 1):
            if spelled[i : i + len(letters)] != letters:
                continue
            if (word.startswith("*") or i in starts) and (word.endswith("*") or i + len(letters) in ends):
                return True
    return False


def test_sequences_against_plain_string_search():
    bans = Bans(BANNED, TEXTS)
    chance = random.Random(0)
    usable = [i for i, text in enumerate(TEXTS) if text]
    sequences = [chance.choices(usable, k=6) for _ in range(4000)]
    found = bans.found(torch.tensor(sequences)).tolist()
    expected = [plainly([TEXTS[i] for i in ids]) for ids in sequences]
    assert 200 < sum(expected) < 3900
    assert found == expected


def test_single_tokens():
    single = Bans(BANNED, TEXTS).single_tokens().tolist()
    assert [text for text, hit in zip(TEXTS, single, strict=True) if hit] == ["sets", "sunset", "hair", "hairy"]


def test_many_bans_stay_small(openai_vocabulary):
    words = [openai_vocabulary.token_texts[i] for i in openai_vocabulary.words.nonzero()[::150, 0].tolist()]
    bans = Bans(words, openai_vocabulary.token_texts)
    assert bans.transitions.numel() < 5_000_000
    assert int(bans.single_tokens().sum()) >= len(set(words))


@pytest.mark.parametrize("word", ["*", "**", " * "])
def test_a_ban_of_everything_is_refused(word):
    with pytest.raises(PezError, match="ban everything"):
        InversionConfig(banned=(word,))


def test_no_prompt_holds_a_banned_word_even_in_pieces(model, target: Target):
    free = invert(model, target, InversionConfig(length=6, steps=60, seed=1))
    banned = tuple(word for word in free.prompt.split() if len(word) > 1)
    result = invert(model, target, InversionConfig(length=6, steps=60, seed=1, banned=banned))
    for candidate in result.candidates:
        assert not set(banned) & set(candidate.text.split())
        spelled = candidate.text.split()
        joined = {"".join(spelled[i:j]) for i in range(len(spelled)) for j in range(i + 1, len(spelled) + 1)}
        assert not set(banned) & joined

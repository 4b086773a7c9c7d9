"""Banned words, checked against plain string search in the spelled prompt."""

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
    """Whether a ban begins at the start of a piece and ends at the end of one, unless a `*` allows otherwise."""
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
    found = bans.match(torch.tensor(sequences)).tolist()
    expected = [plainly([TEXTS[i] for i in ids]) for ids in sequences]
    assert 200 < sum(expected) < 3900
    assert found == expected


def test_single_tokens():
    single = Bans(BANNED, TEXTS).single_tokens().tolist()
    assert [text for text, hit in zip(TEXTS, single, strict=True) if hit] == ["sets", "sunset", "hair", "hairy"]


def test_many_bans_stay_small(openai_vocabulary):
    words = [openai_vocabulary.token_texts[i] for i in openai_vocabulary.words.nonzero()[::150, 0].tolist()]
    bans = Bans(words, openai_vocabulary.token_texts)
    assert bans.entered.numel() < 500_000
    assert int(bans.single_tokens().sum()) >= len(set(words))


@pytest.mark.parametrize("word", ["*", "**", " * "])
def test_a_ban_of_everything_is_refused(word):
    with pytest.raises(PezError, match="ban everything"):
        InversionConfig(banned=(word,))


def test_no_prompt_holds_a_banned_word_even_in_pieces(model, target: Target):
    free = invert(model, target, InversionConfig(length=5, steps=24, explore=14, halving=4, seed=1))
    banned = tuple(word for word in free.prompt.split() if len(word) > 1)
    result = invert(model, target, InversionConfig(length=5, steps=24, explore=14, halving=4, seed=1, banned=banned))
    for candidate in result.candidates:
        assert not set(banned) & set(candidate.text.split())
        spelled = candidate.text.split()
        joined = {"".join(spelled[i:j]) for i in range(len(spelled)) for j in range(i + 1, len(spelled) + 1)}
        assert not set(banned) & joined


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("don\u2019t", "don't"),
        ("cafe\u0301", "caf\u00e9"),
        ("\ufb01ne", "fine"),
        ("\uff23\uff21\uff34", "cat"),
        ("&amp;", "&"),
        ("\u201cx\u201d", '"x"'),
    ],
)
def test_bans_are_cleaned_like_fixed_text(model, target, written, held):
    with pytest.raises(PezError, match="The banned word"):
        invert(model, target, InversionConfig(prefix=f"a {held} b", banned=(written,), steps=1))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hair, eyes", "give each word separately"),
        ("hair;eyes", "give each word separately"),
        ("a*b", "in the middle"),
        ("x" * 4000, "has 4000 letters, the limit is 100"),
    ],
)
def test_bans_that_could_never_match_or_cost_too_much(word, said):
    with pytest.raises(PezError, match=said) as caught:
        InversionConfig(banned=(word,))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("prefix", "banned"), [("\U0001f427\U0001f427", "*\U0001f427*"), ("\u732b\u306e\u5199\u771f", "\u732b*")]
)
def test_bans_see_characters_that_take_several_tokens(model, target, prefix, banned):
    with pytest.raises(PezError, match="The banned word"):
        invert(model, target, InversionConfig(prefix=prefix, banned=(banned,), steps=1))


def test_a_ban_that_this_search_cannot_write_is_said(model, target, caplog):
    invert(model, target, InversionConfig(length=3, steps=2, banned=("cat.", "penguin", "bl*")))
    said = [record.getMessage() for record in caplog.records if "matches nothing" in record.getMessage()]
    assert len(said) == 1
    assert "cat." in said[0]


def test_template_and_bans_are_made_once_for_a_configuration(model, target, monkeypatch):
    """Twenty-four bans over a large vocabulary take time; a batch of pictures must not repeat that for each."""
    made = []
    plain = Bans.__init__
    monkeypatch.setattr(Bans, "__init__", lambda self, *given: made.append(given) or plain(self, *given))
    banned = tuple(model.vocabulary.token_texts[i] for i in model.vocabulary.words.nonzero()[100::50, 0].tolist())
    for seed in range(3):
        config = InversionConfig(length=3, steps=2, prefix="zz", suffix="qq", banned=banned, seed=seed)
        invert(model, target, config)
    assert len(made) == 1


def test_related_tokens_are_looked_up_not_searched_for(openai_vocabulary):
    """The tables of a long ban stay small: about a row for each place where a token can lie in it."""
    bans = Bans(["*" + "penguin" * 14 + "*"], openai_vocabulary.token_texts)
    assert bans.entered.numel() < 100_000
    ids = torch.tensor([openai_vocabulary.encode("penguin " * 14)])
    assert bans.match(ids).tolist() == [True]
    assert bans.match(ids[:, :-1]).tolist() == [False]


def test_fixed_text_holds_no_special_token(model, target):
    with pytest.raises(PezError, match="special token"):
        invert(model, target, InversionConfig(prefix="<|endoftext|> cat", steps=1))

"""Which tokens a prompt may be made of, and that such prompts are read as intended."""

from __future__ import annotations

import random

import open_clip
import pytest
import torch
from parameters import with_slow
from stand_ins import hugging_face_tokenizer

from pez_core import PezError, Vocabulary, escape_for_comfyui
from pez_core.text.bans import Bans


def prompts(vocabulary: Vocabulary, mask: torch.Tensor, count: int) -> list[list[int]]:
    ids = mask.nonzero()[:, 0].tolist()
    chance = random.Random(0)
    return [chance.choices(ids, k=chance.randint(1, 40)) for _ in range(count)]


@pytest.mark.parametrize("mode", with_slow(("dictionary", "words", "any"), ("dictionary", "words")))
def test_10000_random_prompts_re_encode_to_themselves(openai_vocabulary, mode):
    found = prompts(openai_vocabulary, openai_vocabulary.allowed(mode), 10_000)
    texts = [openai_vocabulary.decode(ids) for ids in found]
    assert openai_vocabulary.encode_all(texts) == found


def test_tokens_are_looked_through_once_for_all_that_read_alike(monkeypatch):
    looked = []
    plain = Vocabulary._find_usable
    monkeypatch.setattr(Vocabulary, "_find_usable", lambda self: looked.append(self) or plain(self))
    small, large = (Vocabulary(open_clip.get_tokenizer(name), 900) for name in ("ViT-B-32", "ViT-bigG-14"))
    assert small.usable is large.usable
    assert small.token_texts is large.token_texts
    other = open_clip.get_tokenizer("ViT-B-32")
    a, b = list(other.encoder)[64:66]
    other.encoder |= {a: 65, b: 64}
    other.decoder |= {65: a, 64: b}
    known = torch.ones(900, dtype=torch.bool)
    for vocabulary in (Vocabulary(other, 900), Vocabulary(small._tokenizer, 899)):
        assert vocabulary.token_texts != small.token_texts
        assert vocabulary.usable.shape == (vocabulary.size,)
    some = Vocabulary(small._tokenizer, 900, known.index_fill(0, small.usable.nonzero()[0], False))
    assert int(some.usable.sum()) == int(small.usable.sum()) - 1
    assert len(looked) == 4


def test_without_the_mask_they_do_not(openai_vocabulary):
    """The test above can fail: the same over all tokens does."""
    found = prompts(openai_vocabulary, torch.ones(49406, dtype=torch.bool), 200)
    texts = [openai_vocabulary.decode(ids) for ids in found]
    kept = sum(a == b for a, b in zip(openai_vocabulary.encode_all(texts), found, strict=True))
    assert kept < 50


def test_words_are_the_plain_word_tokens(openai_vocabulary):
    assert int(openai_vocabulary.words.sum()) == 32_875
    assert int(openai_vocabulary.usable.sum()) > 34_000
    for word in ("penguin", "oil", "a"):
        (token,) = openai_vocabulary.encode(word)
        assert openai_vocabulary.words[token]


@pytest.mark.parametrize(
    "piece", ["<start_of_text>", "<end_of_text>", "photo", "A", "ð", "ĵ", "{</w>", "|</w>", "}</w>", "//</w>", "\\</w>"]
)
def test_tokens_that_others_would_misread_are_out(openai_vocabulary, piece):
    token = open_clip.get_tokenizer("ViT-B-32").encoder.get(piece)
    if token is None:
        pytest.skip(f"{piece!r} is no token")
    assert not openai_vocabulary.usable[token]


def test_no_usable_token_holds_what_dynamic_prompts_or_escapes_eat(openai_vocabulary):
    texts = [openai_vocabulary.token_texts[i] for i in openai_vocabulary.usable.nonzero()[:, 0].tolist()]
    for mark in ("{", "}", "|", "//", "/*", "\\", "\ufffd", "\u200b", "\u200d", "\ufe0f", " "):
        assert not [text for text in texts if mark in text]


def test_parentheses_are_usable_and_escaped(openai_vocabulary):
    (token,) = openai_vocabulary.encode("(")
    assert openai_vocabulary.usable[token]
    assert not openai_vocabulary.words[token]
    assert escape_for_comfyui("a (b) :)") == "a \\(b\\) :\\)"


def test_bans_take_tokens_out(openai_vocabulary):
    bans = Bans(["penguin", "hair*"], openai_vocabulary.token_texts)
    allowed = openai_vocabulary.allowed("words", bans)
    for word, expected in {"penguin": False, "penguins": True, "hair": False, "haircut": False, "chair": True}.items():
        (token,) = openai_vocabulary.encode(word)
        assert bool(allowed[token]) is expected, word


def test_everything_banned_is_an_error(openai_vocabulary):
    everything = Bans([f"{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz"], openai_vocabulary.token_texts)
    with pytest.raises(PezError, match="banned"):
        openai_vocabulary.allowed("words", everything)


def test_text_that_does_not_fit_is_an_error(openai_vocabulary):
    with pytest.raises(PezError, match=r"80 tokens.*75"):
        openai_vocabulary.rows(torch.full((1, 80), 320))


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_another_tokenizer_gets_its_own_mask(tmp_path, kind):
    tokenizer = hugging_face_tokenizer(tmp_path, kind)
    vocabulary = Vocabulary(tokenizer, 400)
    usable = vocabulary.usable.nonzero()[:, 0].tolist()
    words = {vocabulary.token_texts[i] for i in usable}
    assert {"red", "bird", "house"} <= words
    assert "##s" not in words
    special = set(vocabulary.start_ids + vocabulary.end_ids) | {vocabulary.pad_id}
    assert not special & set(usable)
    found = prompts(vocabulary, vocabulary.usable, 300)
    texts = [vocabulary.decode(ids) for ids in found]
    assert vocabulary.encode_all(texts) == found
    for text in texts[:20]:
        ids = vocabulary.encode(text)[: vocabulary.room]
        row = vocabulary.rows(torch.tensor([ids]))[0].tolist()
        assert row == tokenizer([vocabulary.decode(ids)])[0].tolist()


def test_the_embedded_models_vocabulary_is_what_it_knows(model):
    assert 2_500 < int(model.vocabulary.words.sum()) < 4_000
    assert model.vocabulary.unknown_words("a blue penguin zeppelin") == ["zeppelin"]
    assert model.vocabulary.unknown_words('snow! zeppelin? (grass) "sea" ... \U0001f427') == ["zeppelin?", "\U0001f427"]


def test_the_dictionary_has_words_and_no_pieces_of_words(openai_vocabulary):
    texts = openai_vocabulary.token_texts
    chosen = {texts[i] for i in openai_vocabulary.allowed("dictionary").nonzero()[:, 0].tolist()}
    assert chosen >= {"a", "penguin", "painting", "colours", "emoji", "cyborg", "paris"}
    assert not chosen & {"pling", "sher", "ched", "ter", "ted", "ing", "ier", "http", "aswell", "b", "ks"}
    words = openai_vocabulary.allowed("words")
    assert not (openai_vocabulary.allowed("dictionary") & ~words).any()
    assert 15_000 < len(chosen) < int(words.sum())


def test_a_model_without_english_words_says_so():
    numbers = Vocabulary(open_clip.get_tokenizer("ViT-B-32"), 49408, torch.arange(49408) == 271)  # "1" alone
    with pytest.raises(PezError, match="no token of the vocabulary 'dictionary': choose any"):
        numbers.allowed("dictionary")

"""The tokens of language models (GPT-2, Llama, OPT, T5): most of them carry the space before their word.

A token is usable when it begins with a space and, between two other words, re-encodes to itself. Tokenizers of this kind
never join across a space, so a prompt of usable tokens re-encodes to the ids that were searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .vocabulary import Vocabulary, check_whole, is_plain

_ANCHOR = "red"  # a word that every tokenizer has as one token


class LanguageVocabulary(Vocabulary):
    """Wraps a tokenizer of Hugging Face's transformers. See `Vocabulary`; texts here always follow a space.

    size: number of tokens V that the model has embeddings for. context_length: the most tokens that it reads.
    start_ids and end_ids are what the tokenizer puts around a text; there is no padding.
    """

    def __init__(self, tokenizer: Any, size: int, context_length: int):
        self._hf = self._tokenizer = tokenizer
        self.size, self.known, self.context_length = size, None, context_length
        self._lead = _lead_of(self._encode_raw)
        (bare,) = self._encode_raw([_ANCHOR])
        whole = list(self._hf(_ANCHOR)["input_ids"])
        first = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
        self.start_ids, self.end_ids = whole[:first], whole[first + len(bare) :]
        self.pad_id = 0  # rows are padded with anything: nothing reads it

    @property
    def room(self) -> int:
        """How many tokens of text fit into the context."""
        return self.context_length - len(self.start_ids) - len(self.end_ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text after a space: no start or end, never truncated.

        Raises PezError for a text with half of a character.
        """
        check_whole(texts)
        return self._encode_raw([self._lead + text if text else "" for text in texts])

    def _encode_raw(self, texts: Sequence[str]) -> list[list[int]]:
        # What spells a special token in a text is text: a review must not be able to end what the model reads.
        plain = {"add_special_tokens": False, "split_special_tokens": True}
        return [list(ids) for ids in self._hf(list(texts), **plain)["input_ids"]] if texts else []

    def spell(self, ids: Sequence[int]) -> list[bytes] | None:
        """What each token spells, in UTF-8 and without spaces; None where tokens share a character."""
        texts = [self.token_texts[i] for i in ids]
        return None if any("\ufffd" in text for text in texts) else ["".join(t.split()).encode() for t in texts]

    @property
    def special_ids(self) -> set[int]:
        """The ids that are not text, such as start and end."""
        return {i for i in self._hf.all_special_ids if i < self.size}

    def clean(self, text: str) -> str:
        """The text with single spaces and none around it."""
        return " ".join(text.split())

    @cached_property
    def token_texts(self) -> list[str]:
        """What each of the V tokens adds to a text that ends in a word, without surrounding spaces."""
        return [text.strip() for text in self._added]

    @cached_property
    def _added(self) -> list[str]:
        (anchor,) = self._encode_raw([self._lead + _ANCHOR])
        before = len(self._hf.decode(anchor, clean_up_tokenization_spaces=False))
        known = min(self.size, len(self._hf))
        decoded = self._hf.batch_decode([[*anchor, i] for i in range(known)], clean_up_tokenization_spaces=False)
        return [text[before:] for text in decoded] + [""] * (self.size - known)

    @cached_property
    def usable(self) -> Tensor:
        """bool [V]: tokens that begin with a space and re-encode to themselves between other words."""
        led = [i for i, text in enumerate(self._added) if text[:1] == " " and is_plain(text[1:])]
        mask = torch.zeros(self.size, dtype=torch.bool)
        mask[self._select_stable(led)] = True
        mask[list(self.special_ids)] = False
        return mask


def _lead_of(encode: Any) -> str:
    """What a text begins with so that its tokens are those that it has after another word."""
    (inside,) = encode([f"{_ANCHOR} {_ANCHOR}"])
    for lead in ("", " "):
        (alone,) = encode([lead + _ANCHOR])
        if alone == inside[-len(alone) :] and len(inside) == 2 * len(alone):
            return lead
    return " "

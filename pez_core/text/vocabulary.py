"""The tokens of a model: text from ids, ids from text, and which tokens a prompt may be made of.

A token is usable when its text, alone and between other words, re-encodes to that token. This excludes special
tokens, pieces of words, incomplete bytes, upper-case letters, and whatever a tokenizer cleans away. Also excluded are
tokens that other programs interpret differently: ComfyUI's dynamic prompts (`{ } |`, `//`, `/*`), its escapes (`\\`),
and scripts that common CLIP tokenizers split differently.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from string import punctuation
from typing import Any

import torch
from torch import Tensor

from ..errors import PezError, shorten
from .bans import Bans

_UNSAFE = ("{", "}", "|", "//", "/*", "\\", "\ufffd", "<|", "embedding:")
_RUN = 64
_WORDS = Path(__file__).with_name("dictionary.txt")
_PROBES = ("a", "red bird", "2 dogs!")


class Vocabulary:
    """Wraps an open_clip tokenizer (a callable from texts to padded ids, with `context_length`).

    `size`: number of tokens V that the text tower has embeddings for.
    `known`: bool [V], tokens that the weights were trained on; None for all. Others are never searched.

    Raises PezError when the tokenizer's rows are not start, tokens, end, padding.
    """

    def __init__(self, tokenizer: Callable[..., Tensor], size: int, known: Tensor | None = None):
        self.size = size
        self.known = known
        self.context_length: int = tokenizer.context_length
        self._tokenizer = tokenizer
        self._decoder: Any = getattr(tokenizer, "tokenizer", tokenizer)  # Hugging Face's hides inside a wrapper
        self._measure_layout()

    def _measure_layout(self) -> None:
        """Learns which ids the tokenizer puts before and after the tokens of a text, and which it pads with."""
        rows = [self._tokenizer([text])[0].tolist() for text in _PROBES]
        self.pad_id = rows[0][-1]
        first, *others = (_without_padding(row, self.pad_id) for row in rows)
        start = end = 0
        while all(start < len(row) and row[start] == first[start] for row in others):
            start += 1
        while all(end < len(row) and row[-1 - end] == first[-1 - end] for row in others):
            end += 1
        self.start_ids, self.end_ids = first[:start], first[len(first) - end :]
        for text, row in zip(_PROBES, rows, strict=True):
            if self.rows(torch.tensor([self.encode(text)]))[0].tolist() != row:
                raise PezError(
                    f"The tokenizer {type(self._tokenizer).__name__} lays texts out in an unknown way "
                    "(expected start, tokens, end, padding): its model cannot be searched."
                )

    @property
    def room(self) -> int:
        """How many tokens of text fit into the context."""
        end = len(self.end_ids) or 1  # where no separate end token exists, the first padding serves as one
        return self.context_length - len(self.start_ids) - end

    def reads_like(self, other: Vocabulary) -> bool:
        """Whether both split texts into the same tokens with the same layout, checked on all token texts and a few probes."""
        if self is other:
            return True
        mine, theirs = ((v.context_length, v.start_ids, v.end_ids, v.pad_id, v.size) for v in (self, other))
        return mine == theirs and self.token_texts == other.token_texts and self._probe() == other._probe()

    def _probe(self) -> list[list[int]]:
        return self.encode_all([*_PROBES, "An Oil-painting, don't crop: 3.5 m² “café” \u732b \U0001f427!"])

    def known_to_both(self, other: Vocabulary) -> Vocabulary:
        """This vocabulary without the tokens that `other` does not know."""
        if other.known is None:
            return self
        known = other.known if self.known is None else self.known & other.known
        return Vocabulary(self._tokenizer, self.size, known)

    def encode(self, text: str) -> list[int]:
        """The ids of a text only: no start, end or padding, never truncated."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts. Raises PezError for one with half of a character, where the tokenizer cannot read that."""
        if hasattr(self._tokenizer, "encode"):  # open_clip's own byte-pair tokenizer: no padding to undo
            return [list(self._tokenizer.encode(text)) for text in texts]
        if not texts:
            return []
        check_whole(texts)
        longest = 8 + 4 * max(len(text.encode()) for text in texts)
        rows = self._tokenizer(list(texts), context_length=max(longest, self.context_length)).tolist()
        unpadded = [_without_padding(row, self.pad_id) for row in rows]
        return [row[len(self.start_ids) : len(row) - len(self.end_ids)] for row in unpadded]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids: each token's own text, joined by single spaces, no spaces around."""
        return " ".join(self.token_texts[i] for i in ids)

    def spell(self, ids: Sequence[int]) -> list[bytes] | None:
        """What each token spells, in UTF-8 and without spaces; None for a tokenizer without a byte spelling."""
        spelled, bytes_of = (getattr(self._tokenizer, name, None) for name in ("decoder", "byte_decoder"))
        if not isinstance(spelled, dict) or not isinstance(bytes_of, dict):
            return None
        try:
            return [bytes(bytes_of[c] for c in str(spelled[i]).removesuffix("</w>")) for i in ids]
        except KeyError:  # a special token
            return None

    @property
    def special_ids(self) -> set[int]:
        """The ids that are not text, such as start and end. (Padding may be: OpenAI's tokenizer pads with "!".)"""
        return {*self.start_ids, *self.end_ids, *getattr(self._decoder, "all_special_ids", ())}

    def rows(self, ids: Tensor) -> Tensor:
        """Full-length rows int64 [R, context_length] for the token ids [R, L] of whole texts.

        Raises PezError when they do not fit the context.
        """
        if ids.shape[1] > self.room:
            raise PezError(f"The text has {ids.shape[1]} tokens, the model reads {self.room}: shorten it.")
        return self.pad(self.frame(ids))

    def frame(self, ids: Tensor) -> Tensor:
        """`ids` [R, L] between start and end tokens, without padding."""
        start, end = (torch.tensor(x, dtype=torch.long, device=ids.device) for x in (self.start_ids, self.end_ids))
        return torch.cat([start.expand(len(ids), -1), ids, end.expand(len(ids), -1)], dim=1)

    def pad(self, framed: Tensor) -> Tensor:
        """`framed` ids [R, T] padded to the length of the context."""
        rows = framed.new_full((len(framed), self.context_length), self.pad_id)
        rows[:, : framed.shape[1]] = framed
        return rows

    def clean(self, text: str) -> str:
        """The text in a form that all CLIP tokenizers read alike: with straight quotes, ligatures split and entities
        such as `&amp;` resolved, which some of them do themselves and others do not."""
        from open_clip.tokenizer import basic_clean, whitespace_clean  # slow to import; loading a model has done it

        return whitespace_clean(basic_clean(text))

    @cached_property
    def _reads(self) -> bytes:
        """The same for vocabularies of V tokens that read alike for sure: with open_clip's own tokenizer and the same tokens.
        Empty for those with another tokenizer."""
        if not all(isinstance(getattr(self._tokenizer, name, None), dict) for name in ("encoder", "bpe_ranks")):
            return b""
        return hashlib.sha256(repr([_rules_of(self._tokenizer), type(self), self.size]).encode()).digest()

    @cached_property
    def token_texts(self) -> list[str]:
        """The text of each of the V tokens, without surrounding spaces; '' if there is none."""
        return _texts_of(_Asked(self._reads, b"", self)) if self._reads else self._find_texts()

    def _find_texts(self) -> list[str]:
        decode: Callable[[Any], str] = self._decoder.decode
        texts = []
        for token in range(self.size):
            try:
                texts.append(decode([token]).strip())
            except (
                LookupError,
                TypeError,
                OverflowError,
            ):  # the tower may have more rows than the tokenizer has tokens
                texts.append("")
        return texts

    @cached_property
    def usable(self) -> Tensor:
        """bool [V]: tokens whose text re-encodes to them and has no special meaning in other programs."""
        known = b"" if self.known is None else self.known.cpu().numpy().tobytes()
        return _usable_of(_Asked(self._reads, known, self)) if self._reads else self._find_usable()

    def _find_usable(self) -> Tensor:
        texts = self.token_texts
        candidates = [i for i, text in enumerate(texts) if is_plain(text)]
        if self.known is not None:
            known = self.known.tolist()
            candidates = [i for i in candidates if known[i]]
        mask = torch.zeros(self.size, dtype=torch.bool)
        spelled = getattr(self._tokenizer, "decoder", None)
        if isinstance(spelled, dict):  # byte-pair tokens: two shortcuts to the same result
            candidates = [i for i in candidates if str(spelled.get(i, "")).endswith("</w>")]
            words = [i for i in candidates if texts[i].isascii() and texts[i].isalnum()]
            mask[self._select_stable_in_runs(words)] = True
            candidates = [i for i in candidates if not (texts[i].isascii() and texts[i].isalnum())]
        mask[self._select_stable(candidates)] = True
        mask[[i for i in self.special_ids if i < self.size]] = False
        return mask

    def _select_stable(self, tokens: list[int]) -> list[int]:
        """The `tokens` whose texts, alone and between other words, encode to them."""
        texts, neighbor = self.token_texts, self.encode("a")
        alone = [i for i, ids in zip(tokens, self.encode_all([texts[i] for i in tokens]), strict=True) if ids == [i]]
        between = self.encode_all([f"a {texts[i]} a" for i in alone])
        return [i for i, ids in zip(alone, between, strict=True) if ids == [*neighbor, i, *neighbor]]

    def _select_stable_in_runs(self, tokens: list[int]) -> list[int]:
        """The same for tokens of letters and digits, checked many at once: cleaning and neighbors do not change them."""
        texts, kept = self.token_texts, []
        for first in range(0, len(tokens), _RUN):
            run = tokens[first : first + _RUN]
            kept += run if self.encode(" ".join(texts[i] for i in run)) == run else self._select_stable(run)
        return kept

    @cached_property
    def words(self) -> Tensor:
        """bool [V]: the usable tokens that are words of the English alphabet."""
        plain = [text.isascii() and text.isalpha() for text in self.token_texts]
        return self.usable & torch.tensor(plain)

    @cached_property
    def dictionary(self) -> Tensor:
        """bool [V]: those of `words` that are whole words of a dictionary, and not only pieces of such."""
        known = english_words()
        return self.words & torch.tensor([text.lower() in known for text in self.token_texts])

    def allowed(self, mode: str, bans: Bans | None = None) -> Tensor:
        """bool [V]: the tokens that a search in `mode` ("dictionary", "words" or "any") may use, without the banned ones.

        Raises PezError if none is left.
        """
        mask = {"dictionary": lambda: self.dictionary, "words": lambda: self.words}.get(mode, lambda: self.usable)()
        if not mask.any():
            raise PezError(f"This model has no token of the vocabulary {mode!r}: choose any.")
        if bans:
            mask = mask & ~bans.single_tokens().cpu()
        if not mask.any():
            raise PezError(
                f"Every token of the vocabulary {mode!r} is banned: nothing is left to search. Ban fewer words."
            )
        return mask

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that the weights were not trained on, each once (only the embedded model has such).

        Punctuation does not count: of "snow!" the word is known.
        """
        if not self._unknown:
            return []
        words = list(dict.fromkeys(text.split()))
        encoded = self.encode_all(words)
        return [word for word, ids in zip(words, encoded, strict=True) if not self._unknown.isdisjoint(ids)]

    @cached_property
    def _unknown(self) -> set[int]:
        """The tokens that the weights were not trained on, without those of punctuation."""
        if self.known is None:
            return set()
        tokens = (~self.known).nonzero()[:, 0].tolist()
        return {i for i in tokens if not self.token_texts[i] or self.token_texts[i].strip(punctuation)}


@dataclass(frozen=True)
class _Asked:
    """A question to a vocabulary. Those that read alike and know the same tokens give the same answer."""

    reads: bytes
    known: bytes
    vocabulary: Vocabulary = field(compare=False)


@lru_cache(maxsize=8)
def _rules_of(tokenizer: Any) -> bytes:
    """The same for byte-pair tokenizers that split texts into the same ids."""
    pattern = getattr(getattr(tokenizer, "pat", None), "pattern", "")
    told = [list(tokenizer.encoder.items()), list(tokenizer.bpe_ranks.items()), pattern]
    told += [getattr(tokenizer, "clean_fn", None), type(tokenizer)]
    return hashlib.sha256(repr(told).encode()).digest()


# Over all of CLIP's tokens both take almost a second, and most models have the same: SDXL's two, or ViT-L-14 and ComfyUI's CLIP.
@lru_cache(maxsize=8)
def _texts_of(asked: _Asked) -> list[str]:
    return asked.vocabulary._find_texts()


@lru_cache(maxsize=8)
def _usable_of(asked: _Asked) -> Tensor:
    return asked.vocabulary._find_usable()


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """The words of the dictionary, in lower case (see training/word_list.py)."""
    return frozenset(_WORDS.read_text("utf-8").split())


def is_plain(text: str) -> bool:
    """Whether ComfyUI and the tokenizers take the token's text literally."""
    if not text or any(mark in text for mark in _UNSAFE):
        return False
    if unicodedata.normalize("NFKC", text) != text or any(c.isspace() for c in text):
        return False
    if text.isascii():
        return text.isprintable()
    for character in text:
        if unicodedata.category(character)[0] == "C" or "\ufe00" <= character <= "\ufe0f":
            return False  # control, zero-width, unassigned, variation selector
        if len(text) > 1 and unicodedata.name(character, "").startswith("CJK "):
            return False  # some tokenizers put spaces around these
    return True


def check_whole(texts: Sequence[str]) -> None:
    """Raises PezError for a text with half of a character (a lone surrogate), which no encoding of Unicode has."""
    for text in texts:
        if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
            raise PezError(f"The text {shorten(text)!r} has half of a character (a lone surrogate): write it again.")


def _without_padding(row: list[int], pad: int) -> list[int]:
    """The row without its padding. If a tokenizer pads with its end token, that is removed too; `rows` then restores
    it as padding."""
    last = len(row)
    while last and row[last - 1] == pad:
        last -= 1
    return row[:last]

"""How a language model reads the prompts of a search, which are made of a CLIP model's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..text.template import Template
from ..text.vocabulary import Vocabulary
from .fluency import LanguageModel, nll_per_word, word_count

Ids = tuple[int, ...]

LITTLE = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "off",
        "on",
        "over",
        "some",
        "that",
        "the",
        "to",
        "under",
        "up",
        "with",
    ]
)
AT_ONCE = 64  # beginnings whose next words are computed together: bounds memory


class Reading:
    """The words that may follow within a prompt, and how naturally whole prompts read.

    language: reads the texts, with its own tokens. vocabulary, template: those of the searched model; prompts are
    searched ids of any length, placed between the template's prefix and suffix. room: the tokens left for these.

    Of a text that is longer than the language model reads, a part that it can read stands for all.
    """

    def __init__(self, language: LanguageModel, vocabulary: Vocabulary, template: Template):
        self.language, self._template, self._texts = language, template, vocabulary.token_texts
        self._first = _first_tokens(language, vocabulary)
        self.room = vocabulary.room - len(template.before) - len(template.after)

    @torch.no_grad()
    def following(self, before: Sequence[Ids], tokens: Tensor) -> tuple[Tensor, list[float | None]]:
        """The log-probability float32 [N, A] of the searched tokens int64 [A] after the prefix and the ids `before`, on the CPU; and
        the nats per word of `before` as whole prompts, None where the text of these is another one.

        Of a word that the language model spells from several tokens only the first counts: an upper bound.
        """
        texts = [" ".join(filter(None, (self._template.prefix, self._template.searched(ids)))) for ids in before]
        readable = self._readable(texts, from_end=True)
        encoded = [tuple(ids) for ids in self.language.encode_all(readable)]
        firsts, found, said = self._first[tokens], {}, {}
        for some in _batches(_whole(encoded)):
            ids, places = _padded(some)
            after = self.language.following(ids, places)
            asked = [text[:n] for text, lengths in some for n in lengths]
            found |= dict(zip(asked, after.tokens.cpu()[:, firsts], strict=True))
            said |= dict(zip(asked, (after.said + after.end).tolist(), strict=True))
        nll = [
            -said[own] / (word_count(text) + 1) if text == self.text(ids) else None
            for own, text, ids in zip(encoded, readable, before, strict=True)
        ]
        return torch.stack([found[own] for own in encoded]), nll

    def nll(self, texts: Sequence[str]) -> list[float]:
        """Nats per word of whole prompts, their ends counted as words. Lower reads more naturally."""
        return nll_per_word(self.language, self._readable(texts))

    def text(self, ids: Ids) -> str:
        """The whole prompt of searched ids."""
        return self._template.text(ids)

    def is_little(self, ids: Ids) -> bool:
        """Whether these ids are one of the little words between others."""
        return len(ids) == 1 and self._texts[ids[0]] in LITTLE

    def _readable(self, texts: Sequence[str], from_end: bool = False) -> list[str]:
        """The texts, those that are too long with as many of their first (or last) words as the language model reads."""
        return [self._shortened(text, from_end) if self._is_long(text) else text for text in texts]

    def _is_long(self, text: str) -> bool:
        # Each token has a byte or more, except one before the first word.
        if len(text.encode()) < self.language.longest:
            return False
        return len(self.language.encode_all([text])[0]) > self.language.longest

    def _shortened(self, text: str, from_end: bool) -> str:
        words = text.split()
        while self._is_long(" ".join(words)):
            del words[0 if from_end else -1]
        return " ".join(words)


Beginnings = tuple[Ids, list[int]]
"""A text, and the lengths of those of its beginnings that are asked about, ascending."""


def _whole(texts: Sequence[Ids]) -> list[Beginnings]:
    """The texts that begin no other one, each with those that begin it."""
    whole: list[Beginnings] = []
    # Longer texts come before what begins them, and nothing else in between.
    for ids in sorted(set(texts), reverse=True):
        if whole and whole[-1][0][: len(ids)] == ids:
            whole[-1][1].insert(0, len(ids))
        else:
            whole.append((ids, [len(ids)]))
    return whole


def _batches(whole: Sequence[Beginnings]) -> Iterator[list[Beginnings]]:
    """The texts in order of length, with about AT_ONCE beginnings together."""
    batch: list[Beginnings] = []
    for each in sorted(whole, key=lambda own: len(own[0])):
        batch.append(each)
        if sum(len(lengths) for _, lengths in batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _padded(texts: Sequence[Beginnings]) -> tuple[Tensor, Tensor]:
    """Ids int64 [N, L] of the texts, and places bool [N, L + 1] of the ends of their beginnings."""
    longest = max(len(ids) for ids, _ in texts)
    rows = torch.zeros(len(texts), longest, dtype=torch.long)
    places = torch.zeros(len(texts), longest + 1, dtype=torch.bool)
    for row, place, (ids, lengths) in zip(rows, places, texts, strict=True):
        row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
        place[lengths] = True
    return rows, places


_known: WeakKeyDictionary[LanguageModel, WeakKeyDictionary[Vocabulary, Tensor]] = WeakKeyDictionary()


def _first_tokens(language: LanguageModel, vocabulary: Vocabulary) -> Tensor:
    """int64 [V]: the language model's first token of each of the vocabulary's that can be searched; 0 for the others.

    Remembered as long as both live: a language model may be large.
    """
    own = _known.setdefault(language, WeakKeyDictionary())
    if vocabulary not in own:
        # The embedded model can search 3,000 of 49,000 tokens: to encode all of them took 1.5 s.
        usable = vocabulary.usable.nonzero()[:, 0]
        encoded = language.encode_all([vocabulary.token_texts[i] for i in usable.tolist()])
        own[vocabulary] = torch.zeros(vocabulary.size, dtype=torch.long)
        own[vocabulary][usable] = torch.tensor([(ids or [0])[0] for ids in encoded], dtype=torch.long)
    return own[vocabulary]

"""What a language model is asked about a text: labels, and the words that stand for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import PezError, shorten
from ..text.vocabulary import Vocabulary
from ..towers.words import Words

SUFFIX = " It was"
MOST_SHIFT = 1_000_000.0  # nats: far beyond what calibration finds, and small enough for float32
_LEAST_TEXT = 1  # tokens of a text that must be left when it is cut to fit


@dataclass(frozen=True)
class LabelTask:
    """Labels and how a model names them.

    names: of the labels, in the order of their numbers; two at least.
    words: for each label, the words that stand for it; one at least. A label is as likely as its words together.
    suffix: what follows the text and asks for the word, as it is: " It was".
    shifts: what is added to the log-probability of each label before they are compared (see `calibrate`); () for nothing.

    The model reads: prompt, a space, text, suffix. Lists become tuples, so that a task read from JSON is the one that was written.

    Raises PezError for labels without names or words, words that two labels share, and shifts that are not one number for each
    label, from -1,000,000 to 1,000,000.
    """

    names: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    suffix: str = SUFFIX
    shifts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "words", tuple(map(tuple, self.words)))
        object.__setattr__(self, "shifts", _plain(self.shifts, len(self.names)))
        if len(self.names) < 2:
            raise PezError(f"Classification needs at least two labels, not {len(self.names)}.")
        if len(self.words) != len(self.names):
            raise PezError(
                f"Expected words for {len(self.names)} labels ({shorten(', '.join(self.names))}), got {len(self.words)}."
            )
        if not all(name.strip() for name in self.names):
            raise PezError(f"A label has no name ({', '.join(map(repr, self.names))}): name each of them.")
        every = [" ".join(word.split()) for own in self.words for word in own]
        for name, own in zip(self.names, self.words, strict=True):
            if not own or not all(word.strip() for word in own):
                raise PezError(f"The label {name!r} has no word: give one that the model would say.")
        twice = next((word for word in every if every.count(word) > 1), None)
        if twice is not None:
            raise PezError(f"The word {twice!r} stands for two labels: give each label its own words.")

    @classmethod
    def of(cls, names: Sequence[str], words: Sequence[str] | None = None, suffix: str = SUFFIX) -> LabelTask:
        """A task from plain texts. words: for each label its words, separated by `|`; None for the names themselves."""
        for given in (names, words):
            if isinstance(given, str):
                raise PezError(f"Labels are a list, not {shorten(repr(given))}: give each as a text of its own.")
        each = [tuple(word.strip() for word in own.split("|")) for own in (names if words is None else words)]
        return cls(tuple(names), tuple(each), suffix)

    def shifted(self, shifts: Sequence[float]) -> LabelTask:
        """The same task with these shifts."""
        return replace(self, shifts=shifts)

    def whole(self, prompt: str, text: str) -> str:
        """What the model reads before it says a word."""
        return " ".join(filter(None, (prompt, " ".join(text.split())))) + self.suffix

    def word_ids(self, vocabulary: Vocabulary) -> list[list[int]]:
        """The tokens of every word, label after label.

        Raises PezError for words that the model cannot tell apart.
        """
        ids = [vocabulary.encode(word) for own in self.words for word in own]
        every = [word for own in self.words for word in own]
        for place, (word, own) in enumerate(zip(every, ids, strict=True)):
            known = vocabulary.known
            if not own or (known is not None and not all(known[i] for i in own)):
                raise PezError(f"The model does not know the word {word!r}: choose another for this label.")
            if own in ids[:place]:
                raise PezError(f"The model reads {word!r} and {every[ids.index(own)]!r} alike: choose another word.")
        return ids

    def encode(self, vocabulary: Vocabulary, prompt: str, texts: Sequence[str], most: int) -> list[list[int]]:
        """The tokens of prompt, text and suffix, as one text each; texts are cut at their end to fit `most` tokens."""
        wholes = vocabulary.encode_all([self.whole(prompt, text) for text in texts])
        for place, ids in enumerate(wholes):
            if len(ids) > most:
                cut = vocabulary.encode(" ".join(filter(None, (prompt, " ".join(texts[place].split())))))
                ending = ids[len(cut) :]
                kept = most - len(ending)
                if kept < len(vocabulary.encode(prompt)) + _LEAST_TEXT:
                    raise PezError(
                        f"Prompt, suffix and the labels' words leave no room for a text: the model reads {vocabulary.room} "
                        "tokens. Shorten them."
                    )
                wholes[place] = ids[:kept] + ending
        return wholes


def _plain(shifts: Iterable[float], count: int) -> tuple[float, ...]:
    """Shifts of `count` labels as plain numbers; of any kind that can be read as such, but not text.

    Raises PezError for others.
    """
    try:
        given = list(shifts)
        if isinstance(shifts, str | Mapping) or any(isinstance(each, str) for each in given):
            raise TypeError
        found = tuple(map(float, given))
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: tensors of several numbers
        found = (math.nan,)
    if len(found) not in (0, count) or not all(abs(each) <= MOST_SHIFT for each in found):
        raise PezError(
            f"The shifts must be one number for each of the {count} labels, or none, not {shorten(str(shifts))}: "
            f"each from {-MOST_SHIFT:,.0f} to {MOST_SHIFT:,.0f}."
        )
    return found


class Labels:
    """The labels of a task, and the words that a model is asked about, ready on its device.

    words: of all labels. longest: tokens of the longest of them.

    Raises PezError for words that the model cannot tell apart.
    """

    def __init__(self, task: LabelTask, vocabulary: Vocabulary, device: torch.device | str = "cpu"):
        ids = task.word_ids(vocabulary)
        self.words, self.longest = Words(ids, device), max(map(len, ids))
        counts = [len(own) for own in task.words]
        places = iter(range(len(ids)))
        rows = [[next(places) for _ in own] + [0] * (max(counts) - len(own)) for own in task.words]
        self._place = torch.tensor(rows, device=device)  # [C, K]
        self._absent = torch.arange(max(counts), device=device) >= torch.tensor(counts, device=device)[:, None]
        self._shifts = torch.tensor(task.shifts or [0.0] * len(counts), device=device)

    def log_probabilities(self, said: Tensor) -> Tensor:
        """Log-probabilities [M, C] of the labels, given that one of them is said, from those of their words [M, W]."""
        each = said.index_select(1, self._place.flatten()).view(-1, *self._place.shape)
        return (each.masked_fill(self._absent, -torch.inf).logsumexp(2) + self._shifts).log_softmax(1)


def padded(rows: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Rows of token ids as one tensor int64 [M, T], padded with 0, and their lengths [M]."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids.to(device), lengths.to(device)

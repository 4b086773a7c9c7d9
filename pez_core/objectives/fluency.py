"""How natural a text reads: its log-probability per word under a language model, as the caption of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..models.following import Following

BATCH = 64  # texts scored together


class LanguageModel(Protocol):
    """A causal language model that reads captions. V: its tokens.

    Every text starts after the same lead, which says that a caption follows. Its end is predicted too, so a text that stops
    in the middle of a phrase scores low. The probabilities of all next tokens and of the end sum to 1.

    name: for tables and messages; size: V; longest: the most tokens of a text.
    """

    name: str
    size: int
    longest: int

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without a full stop at its end."""
        ...

    def log_probabilities(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """float32 [N, L + 1]: of each token of texts int64 [N, L], padded after their `lengths` [N], then of the end; 0 after it.

        Raises PezError for a text that is longer than `longest`.
        """
        ...

    def following(self, ids: Tensor, places: Tensor) -> Following:
        """What follows M beginnings of texts int64 [N, L], in the order of rows.

        places: bool [N, L + 1], M of them true: [i, j] asks for what follows the first j tokens of text i. Each text is read once
        for all of its beginnings, so texts of other lengths may be padded.

        Raises PezError for a text that is longer than `longest`.
        """
        ...


def log_probabilities(model: LanguageModel, texts: Sequence[str]) -> list[float]:
    """The log-probability of each text and of its end, in nats.

    Raises PezError for a text that is longer than the model reads.
    """
    encoded = model.encode_all(texts)
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    found = [0.0] * len(texts)
    for first in range(0, len(order), BATCH):
        some = order[first : first + BATCH]
        lengths = torch.tensor([len(encoded[i]) for i in some])
        ids = torch.zeros(len(some), int(lengths.max()), dtype=torch.long)
        for row, i in enumerate(some):
            ids[row, : lengths[row]] = torch.tensor(encoded[i], dtype=torch.long)
        sums = model.log_probabilities(ids.to(model.device), lengths.to(model.device)).sum(1).tolist()
        for i, value in zip(some, sums, strict=True):
            found[i] = value
    return found


def word_count(text: str) -> int:
    """The words of a text, separated by spaces. Full stops at its end, which language models do not read, are none."""
    return len(text.rstrip(". \n").split())


def nll_per_word(model: LanguageModel, texts: Sequence[str]) -> list[float]:
    """Nats per word that each text surprises the model by, its end counted as a word. Lower reads more naturally.

    Words are those of `word_count`, so that models with different tokens can be compared.

    Raises PezError for a text that is longer than the model reads.

    Example:
        >>> nll_per_word(embedded_caption_model(), ["a dog on a beach", "beach a dog a on"])
    """
    values = log_probabilities(model, texts)
    return [-value / (word_count(text) + 1) for text, value in zip(texts, values, strict=True)]

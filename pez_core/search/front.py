"""The prompts that a readable search has met, judged by two numbers: their value, and how naturally they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Ids = tuple[int, ...]
Units = tuple[Ids, ...]
"""A prompt in the parts that moves take as wholes: single tokens, and kept phrases."""

LOSS = 0.02  # value that a prompt has to gain for each of the user's own words that it has no longer
LEAST_WEIGHT, MOST_WEIGHT = 0.005, 0.1  # value per nat per word, of a prompt of USUAL words
USUAL = 9  # words with the end: longer prompts pay more for the same nats per word, shorter ones less
POWER = 0.5  # of that: 0 would make words that say nothing free, 1 makes every word pay for itself


def weight_of(readability: float) -> float:
    """The value that one nat per word counts as, for a `readability` of 0 to 1: 0, then LEAST_WEIGHT to MOST_WEIGHT."""
    return LEAST_WEIGHT * (MOST_WEIGHT / LEAST_WEIGHT) ** readability if readability else 0.0


@dataclass(frozen=True)
class Entry:
    """A prompt with its value, as estimated by the search, its nats per word, and its words, fixed ones included.

    lost: how many of the user's own words it has no longer.
    """

    units: Units
    value: float
    nll: float
    words: int
    lost: int = 0

    @property
    def ids(self) -> Ids:
        """The searched ids."""
        return ids_of(self.units)

    def worth(self, weight: float) -> float:
        """What a search that counts a nat per word as `weight` tries to raise."""
        return self.value - weight * price(self.nll, self.words) - LOSS * self.lost


def ids_of(units: Units) -> Ids:
    """The searched ids of a prompt."""
    return tuple(i for unit in units for i in unit)


def price(nll: float, words: int) -> float:
    """What the unnaturalness of a prompt of `words` words costs, in nats per word of a prompt of usual length."""
    return nll * ((words + 1) / USUAL) ** POWER


class Front:
    """All prompts met. floor: prompts that match or read worse than this one are not the best."""

    def __init__(self, floor: Entry | None = None) -> None:
        self._met: dict[Ids, Entry] = {}
        self.floor = floor

    def __len__(self) -> int:
        return len(self._met)

    def __contains__(self, ids: Ids) -> bool:
        return ids in self._met

    def __getitem__(self, ids: Ids) -> Entry:
        return self._met[ids]

    def add(self, entries: Iterable[Entry]) -> None:
        """Records prompts; the first record of a prompt stays."""
        for entry in entries:
            self._met.setdefault(entry.ids, entry)

    def only(self, good: Callable[[Ids], bool]) -> Front:
        """The prompts whose searched ids are good."""
        other = Front(self.floor)
        other.add(entry for entry in self._met.values() if good(entry.ids))
        return other

    def best(self, weight: float) -> Entry:
        """The prompt of the highest worth; the first one met if several have it."""
        good = self._met.values()
        if low := self.floor:
            good = [entry for entry in good if entry.nll <= low.nll and entry.value >= low.value]
        return max(good or self._met.values(), key=lambda entry: entry.worth(weight))

"""The readable part of a run: after the search for what matches, prompts that also read (search/readable.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from ..config import InversionConfig
from ..objectives.fluency import word_count
from ..objectives.protocol import Objective
from ..objectives.reading import Reading
from ..result import Candidate
from ..search.front import LEAST_WEIGHT, LOSS, MOST_WEIGHT, Entry, Front, Units, ids_of, price, weight_of
from ..search.readable import ROOTS, ROUNDS, SLACK, ReadableSearch
from .problem import Problem

CHOICES = 11  # weights whose best prompts become candidates, besides the chosen one


class Reader:
    """Turns the prompts that problems have met into readable ones.

    config: its `readability` says how much a natural prompt is worth. kept: phrases that every prompt has. own: the user's
    own texts to start from, such as captions: the result matches no worse and reads no worse than the best of them.
    most_steps: for a problem.
    """

    def __init__(
        self, reading: Reading, config: InversionConfig, kept: Sequence[Sequence[int]], own: Sequence[Units] = ()
    ):
        self._reading, self._config, self._kept, self._own = reading, config, kept, own
        self._weight = weight_of(config.readability)
        longest = max((sum(map(len, units)) for units in own), default=0)
        words = (ROOTS if own else 1) * max(SLACK * config.length, longest)
        self.most_steps = 1 + words + ROUNDS * config.depth
        self._fronts: dict[int, Front] = {}
        self._started: dict[int, Units] = {}
        self._lost: dict[str, int] = {}  # of the user's own words, by the prompts that were offered

    def steps(self, objective: Objective, problem: Problem, generator: torch.Generator) -> Iterator[Entry]:
        """Searches; yields the best prompt after each step, and counts passes."""
        met = sorted(problem.met, key=lambda ids: -problem.met[ids])
        search = ReadableSearch(
            objective,
            problem.number,
            self._reading,
            self._config.length,
            met,
            self._kept,
            self._weight,
            generator,
            self._config.depth,
            self._own,
        )
        self._fronts[problem.number] = search.front
        passes = problem.passes
        for _ in search.steps():
            problem.passes = passes + search.passes
            self._started[problem.number] = search.start
            if len(search.front):
                yield search.front.best(self._weight)

    def began_with(self, problem: Problem) -> str:
        """Of several texts of the user's own, the one that the problem's search began with; "" otherwise."""
        units = self._started.get(problem.number, ())
        return self._reading.text(ids_of(units)) if len(self._own) > 1 and units else ""

    def offer(self, problem: Problem, accept: Callable[[str], bool] | None) -> None:
        """Makes the best prompts for several weights what the problem has met, valued by the chosen weight.

        accept: whether a text may be returned; None for all. If it refuses every prompt, the run says so.
        """
        front = self._fronts.get(problem.number)
        if not front:
            return
        if accept:
            front = front.only(lambda ids: accept(self._reading.text(ids))) or front
        ratio = (MOST_WEIGHT / LEAST_WEIGHT) ** (1 / (CHOICES - 2))
        weights = [self._weight, 0.0, *(LEAST_WEIGHT * ratio**i for i in range(CHOICES - 1))]
        chosen = [front.best(weight) for weight in weights]
        self._lost |= {self._reading.text(entry.ids): entry.lost for entry in chosen}
        problem.met = {entry.ids: entry.worth(self._weight) for entry in chosen}

    def order(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates with their exact nats per word, best first by the chosen weight."""
        nll = self._reading.nll([each.text for each in candidates])
        read = [replace(each, nll=own) for each, own in zip(candidates, nll, strict=True)]

        def worth(each: Candidate) -> float:
            cost = self._weight * price(each.nll or 0.0, word_count(each.text))
            return each.similarity - cost - LOSS * self._lost.get(each.text, 0)

        return sorted(read, key=lambda each: -worth(each))

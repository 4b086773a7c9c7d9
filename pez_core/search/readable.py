"""Readable prompts: a beam of words, then a polish of the best prompts for several weights of naturalness.

Gradient search finds the words that match, a language model puts them into an order that reads. The beam is led by both;
the polish changes single words while it keeps the best prompts for several weights of the language model at once, as in
"Fluent dreaming for language models" (arXiv 2402.01702).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

from ..objectives.fluency import word_count
from ..objectives.protocol import Objective
from ..objectives.reading import Reading
from ..towers import Alike
from .front import LOSS, Entry, Front, Ids, Units, ids_of, price

# BEAMS, MOVES, READ, ROUNDS and IDLE are multiplied by the depth of a search.
BEAMS = 3  # for each weight of the beam
BEAM_WEIGHTS = (0.01, 0.03, 0.08)  # value per nat per word
POLISH_WEIGHTS = (0.01, 0.03, 0.08)
LIKELY = 24  # words taken from the language model at a place
STEEP = 16  # words taken from the gradient at a place
SCORED = 24  # continuations of each beam whose value is computed
SURE = 10  # of these, the likeliest words
MOVES = 40  # changes of each prompt whose value is computed in a round of the polish
READ = 6  # changes of each prompt that the language model then reads, the most promising ones
ROUNDS = 8  # of the polish, at most
IDLE = 2  # words without a gain after which the beam ends, and rounds after which the polish does
ROOTS = 3  # beginnings of the user's own words, the whole among them, that the beam writes on from
SLACK = 2  # tokens of a prompt for each of its `length` words, so that little words have room

TOGETHER = BEAMS * len(BEAM_WEIGHTS) * SCORED  # prompts whose values are computed at once, at most, for a depth of 1

UNHEARD = -100.0  # nats of a word that the language model rules out: finite, so that differences are

T = TypeVar("T")


@dataclass(frozen=True)
class _Row:
    """A beam. said: the log-probability of its words so far, in nats. worth: with its weight."""

    units: Units
    weight: float
    said: float
    value: float
    worth: float


class ReadableSearch:
    """A search for one problem on the host, of prompts of at most `length` words besides little ones ("a", "of").

    No word comes twice except little ones, and all tokens together are at most SLACK * `length`.

    found: prompts that an earlier search met, whose words are tried everywhere. kept: phrases that every prompt has.
    own: the user's own texts, each with the kept phrases; () for none. The search starts from the one that is worth most: prompts
    may be as long as it is, the best ones match and read no worse than it does, and each of its words is only given up for a gain
    of LOSS. The words of the others are tried everywhere.
    weight: the value of a nat per word that the result is chosen with. `front` holds what was met.
    depth: how thorough the search is, from 1; time grows with it.

    Iterating over `steps` does the work; each step is one more word of the beams or one round of the polish.
    """

    def __init__(
        self,
        objective: Objective,
        problem: int,
        reading: Reading,
        length: int,
        found: Sequence[Ids],
        kept: Sequence[Sequence[int]],
        weight: float,
        generator: torch.Generator,
        depth: int = 1,
        own: Sequence[Units] = (),
    ):
        self._objective, self._problem, self._reading = objective, problem, reading
        self._depth = depth
        self._kept, self._generator = [tuple(each) for each in kept], generator
        self._allowed = objective.space.of(problem)  # [A]
        self._table = objective.space.embed(self._allowed)  # [A, D]
        self._is_little = cache(reading.is_little)
        self._tokens: list[int] = self._allowed.tolist()
        self._column = {token: i for i, token in enumerate(self._tokens)}
        others = map(ids_of, own if len(own) > 1 else ())
        self._found = [i for i in dict.fromkeys(i for ids in (*found, *others) for i in ids) if i in self._column]
        self._weight, self._weights = weight, sorted({*POLISH_WEIGHTS, weight})
        self._texts, self._starts = own, [*map(self._units, found), *own]
        self._length, self._room = length, min(SLACK * length, reading.room)
        self.start: Units = ()  # the one of the user's own texts that it starts from
        self._big: list[Ids] = []
        self._followed: dict[Ids, Tensor] = {}  # what may follow [A], after prompts that were read before
        self._nll: dict[Ids, float] = {}  # nats per word of prompts that the language model has read
        self.front = Front()
        self.passes = 0

    def steps(self) -> Iterator[None]:
        """Searches; yields after each step."""
        if self._texts:
            self._start_from(self._best_text())
        self._meet(self._starts, self._values(list(map(ids_of, self._starts))))
        if self.start and ids_of(self.start) in self.front:
            self.front.floor = self.front[ids_of(self.start)]
        yield
        yield from self._beam()
        if len(self.front):  # bans may forbid every prompt
            yield from self._polish()

    def _best_text(self) -> Units:
        """The one of the user's own texts that is worth most."""
        if len(self._texts) == 1:
            return self._texts[0]
        ids = list(map(ids_of, self._texts))
        values = self._values(ids)
        self._read(ids)
        nll = [self._nll[each] for each in ids]
        entries = map(self._entry, self._texts, values, nll)
        return max(entries, key=lambda entry: entry.worth(self._weight)).units

    def _start_from(self, own: Units) -> None:
        self.start, self._big = own, [unit for unit in own if not self._is_little(unit)]
        self._length = max(self._length, sum(map(len, self._big)))
        self._room = max(self._room, len(ids_of(own)))

    def _units(self, ids: Ids) -> Units:
        """The prompt with each kept phrase as one unit."""
        units: list[Ids] = []
        missing, place = list(self._kept), 0
        while place < len(ids):
            here = next((each for each in missing if ids[place : place + len(each)] == each), None)
            if here:
                missing.remove(here)
            units.append(here or ids[place : place + 1])
            place += len(units[-1])
        return tuple(units)

    # The beam

    def _beam(self) -> Iterator[None]:
        """Writes on from the user's own words and from beginnings of them, or else from the kept phrases, which the polish moves."""
        whole = len(self.start)
        for length in sorted({whole * part // ROOTS for part in range(1, ROOTS + 1)}, reverse=True):
            root, missing = self.start[:length], list(self._kept)
            for unit in root:
                if unit in missing:
                    missing.remove(unit)
            yield from self._write_on((*root, *missing))

    def _write_on(self, root: Units) -> Iterator[None]:
        """Adds a word to every beam in each step. The root has no value, so that it is not met."""
        rows = [_Row(root, weight, 0.0, -torch.inf, 0.0) for weight in BEAM_WEIGHTS]
        best, idle = dict.fromkeys(BEAM_WEIGHTS, -torch.inf), 0
        for _ in range(self._room - len(ids_of(root))):
            before, rows = rows, self._extend(rows)
            self._meet([row.units for row in before], [row.value for row in before])  # they have been read by now
            yield
            gains = [row for row in rows if row.worth > best[row.weight]]
            best |= {row.weight: row.worth for row in sorted(gains, key=lambda row: row.worth)}
            idle = 0 if gains else idle + 1
            if idle == IDLE * self._depth or not rows:
                break
        self._meet([row.units for row in rows], [row.value for row in rows])

    def _extend(self, rows: list[_Row]) -> list[_Row]:
        """The best beams of each weight, one word longer."""
        befores = [ids_of(row.units) for row in rows]
        log = self._following(befores)
        filler = log.argmax(-1).tolist()  # columns of likely words: where they stand, the gradient ranks the others
        gradient = self._gradients([(*ids, self._tokens[c]) for ids, c in zip(befores, filler, strict=True)])
        longer: list[tuple[_Row, Units, float]] = []
        next_words: list[list[int]] = []
        for row, likely, each, own in zip(rows, log, gradient, filler, strict=True):
            gain = ((self._table - self._table[own]) @ each[-1]).cpu()
            columns = self._proposed(likely, gain)
            fits = [self._fits((*row.units, (self._tokens[c],))) for c in columns.tolist()]
            columns = columns[torch.tensor(fits, dtype=torch.bool)]
            n = len(row.units) + 1
            worth = gain[columns] + row.weight * price(1.0, n) * likely[columns] / n
            # The gradient promises too much far from where it was taken, so the likeliest words are always among them.
            worth[likely[columns].topk(min(SURE, len(columns))).indices] = torch.inf
            chosen = columns[worth.topk(min(SCORED, len(columns))).indices].tolist()
            longer += [(row, (*row.units, (self._tokens[c],)), row.said + float(likely[c])) for c in chosen]
            next_words.append([self._tokens[c] for c in chosen])
        values = self._values_after(befores, next_words)
        new: dict[tuple[float, Units], _Row] = {}
        for (row, units, said), value in zip(longer, values, strict=True):
            worth = value - row.weight * price(-said / len(units), len(units))
            new.setdefault((row.weight, units), _Row(units, row.weight, said, value, worth))
        kept: list[_Row] = []
        for weight in BEAM_WEIGHTS:
            own = [row for row in new.values() if row.weight == weight and row.value > -torch.inf]
            kept += sorted(own, key=lambda row: -row.worth)[: BEAMS * self._depth]
        return kept

    def _proposed(self, likely: Tensor, gain: Tensor) -> Tensor:
        """Columns int64 [K] of the words worth trying at a place: likely ones, steep ones, and those found before."""
        found = torch.tensor([self._column[i] for i in self._found], dtype=torch.long)
        most = len(likely)
        parts = [likely.topk(min(LIKELY, most)).indices, gain.topk(min(STEEP, most)).indices, found]
        return torch.cat(parts).unique()

    # The polish

    def _polish(self) -> Iterator[None]:
        """Changes the best prompt of each weight in rounds, as long as one of them gains."""
        idle = 0
        for _ in range(ROUNDS * self._depth):
            before = self._worths()
            self._change([(self.front.best(weight), weight) for weight in self._weights])
            idle = 0 if self._worths() > before else idle + 1
            yield
            if idle == IDLE * self._depth:
                return

    def _change(self, entries: Sequence[tuple[Entry, float]]) -> None:
        """Meets the most promising prompts that differ from one of the entries in one place, for the entry's weight."""
        gradients = self._gradients([entry.ids for entry, _ in entries])
        self._following([ids_of(e.units[:i]) for e, _ in entries for i in range(len(e.units) + 1)])  # all at once
        new: list[tuple[Units, float, int]] = []
        for number, ((entry, weight), gradient) in enumerate(zip(entries, gradients, strict=True)):
            moves = {ids_of(units): (units, nll, number) for units, nll in self._moves(entry, weight, gradient)}
            new += [each for ids, each in moves.items() if ids and ids not in self.front and self._fits(each[0])]
        values = self._values([ids_of(units) for units, _, _ in new])
        chosen: dict[Units, float] = {}
        for number, (_, weight) in enumerate(entries):
            own = [
                self._entry(units, value, nll)
                for (units, nll, n), value in zip(new, values, strict=True)
                if n == number
            ]
            own.sort(key=lambda entry: -entry.worth(weight))
            chosen |= {entry.units: entry.value for entry in own[: READ * self._depth]}
        self._meet(list(chosen), list(chosen.values()))

    def _moves(self, entry: Entry, weight: float, gradient: Tensor) -> list[tuple[Units, float]]:
        """Up to `depth` * MOVES changes of the entry's prompt in one place, with estimates of their nats per word.

        Swaps are ranked by the gradient and the words before; insertions of likely and of found words, deletions and
        moves are drawn at random.
        """
        units, n, words = entry.units, len(entry.units), entry.words + 1  # the end is counted as one
        said, moves = -entry.nll * words, MOVES * self._depth
        firsts = [len(ids_of(units[:i])) for i in range(n + 1)]
        log = self._following([ids_of(units[:i]) for i in range(n + 1)])
        ranked: list[tuple[float, Units, float]] = []
        for i, unit in enumerate(units):
            if unit in self._kept:
                continue
            own = self._column.get(unit[0])
            gain = (self._table @ gradient[firsts[i]]).cpu()
            columns = self._proposed(log[i], gain)
            gain = gain[columns] - (gain.mean() if own is None else gain[own])
            more = log[i][columns] - (log[i].min() if own is None else log[i][own])
            lost = LOSS if unit in self._big else 0.0
            estimates = (gain + weight * price(1.0, entry.words) * more / words - lost).tolist()
            for column, estimate, gained in zip(columns.tolist(), estimates, more.tolist(), strict=True):
                swapped = (*units[:i], (self._tokens[column],), *units[i + 1 :])
                ranked.append((estimate, swapped, -(said + gained) / words))
        ranked.sort(key=lambda each: -each[0])
        swaps = [(units, nll) for _, units, nll in ranked[: moves // 2]]
        others: list[tuple[Units, float]] = []
        for i in range(n + 1):
            likely = log[i].topk(min(3, len(self._tokens))).indices.tolist()
            for column in (*likely, *(self._column[word] for word in self._some(self._found, 2))):
                longer = (*units[:i], (self._tokens[column],), *units[i:])
                others.append((longer, -(said + float(log[i][column])) / (words + 1)))
        for i in range(n):
            if units[i] not in self._kept:
                others.append(((*units[:i], *units[i + 1 :]), entry.nll))
            others += [(_moved(units, i, j), entry.nll) for j in range(n) if i != j]
        return [*swaps, *self._some(others, moves - len(swaps))]

    def _some(self, items: list[T], count: int) -> list[T]:
        order = torch.randperm(len(items), generator=self._generator)[:count].tolist()
        return [items[i] for i in order]

    # What both share

    def _fits(self, units: Units) -> bool:
        """Whether a prompt keeps to the length and does not repeat itself."""
        seen: set[Ids] = set()
        before, room, length = None, self._room, self._length
        for unit in units:  # tens of thousands of prompts for a picture
            if unit == before and self._given(unit) < 2:
                return False
            if unit in seen and units.count(unit) > max(1, self._given(unit)):
                return False
            if not self._is_little(unit):
                seen.add(unit)
                length -= len(unit)
            before, room = unit, room - len(unit)
        return length >= 0 and room >= 0

    def _given(self, unit: Ids) -> int:
        """How often the user gave a word or phrase."""
        return max(self._kept.count(unit), self.start.count(unit))

    def _meet(self, prompts: Sequence[Units], values: Sequence[float]) -> None:
        """Reads prompts that are new and may be returned, and records them."""
        new = [
            (units, value)
            for units, value in zip(prompts, values, strict=True)
            if units and value > -torch.inf and ids_of(units) not in self.front
        ]
        self._read([ids_of(units) for units, _ in new])
        self.front.add(self._entry(units, value, self._nll[ids_of(units)]) for units, value in new)

    def _read(self, prompts: Sequence[Ids]) -> None:
        """Has the language model read the prompts that it has not read."""
        unread = [ids for ids in prompts if ids not in self._nll]
        self._nll |= dict(zip(unread, self._reading.nll(list(map(self._reading.text, unread))), strict=True))

    def _entry(self, units: Units, value: float, nll: float) -> Entry:
        return Entry(units, value, nll, self._words(units), len(self._big) - _in_order(self._big, units))

    def _words(self, units: Units) -> int:
        return word_count(self._reading.text(ids_of(units)))

    def _worths(self) -> list[float]:
        """The worth of the best prompt for each weight. These never fall."""
        return [self.front.best(weight).worth(weight) for weight in self._weights] if len(self.front) else []

    def _following(self, befores: Sequence[Ids]) -> Tensor:
        """The log-probability [N, A] of each allowed token after the ids `befores`, on the CPU."""
        new = list(dict.fromkeys(ids for ids in befores if ids not in self._followed))
        if new:
            found, nll = self._reading.following(new, self._allowed.cpu())
            self._followed |= dict(zip(new, found.clamp_min(UNHEARD), strict=True))
            self._nll |= {ids: own for ids, own in zip(new, nll, strict=True) if own is not None}
        return torch.stack([self._followed[ids] for ids in befores])

    def _values(self, prompts: Sequence[Ids]) -> list[float]:
        """The value of each prompt; prompts of one length are computed together."""
        values = [0.0] * len(prompts)
        for rows, ids, problem in self._by_length(prompts):
            self.passes += len(rows)
            for i, value in zip(rows, self._halving(self._objective.value, ids, problem).tolist(), strict=True):
                values[i] = value
        return values

    def _values_after(self, befores: Sequence[Ids], words: Sequence[Sequence[int]]) -> list[float]:
        """The value of each of the beginnings, which are equally long, with each of its next words, in this order."""
        both = [(before, own) for before, own in zip(befores, words, strict=True) if own]
        if not both:
            return []
        most = max(len(own) for _, own in both)
        filled = [(*before, word) for before, own in both for word in (*own, *[own[-1]] * (most - len(own)))]
        ids = torch.tensor(filled, device=self._objective.space.device)
        value = partial(self._objective.value, alike=Alike(ids.shape[1] - 1, most))
        values = self._halving(value, ids, torch.full((len(ids),), self._problem, device=ids.device)).tolist()
        self.passes += sum(len(own) for _, own in both)
        return [each for i, (_, own) in enumerate(both) for each in values[i * most : i * most + len(own)]]

    def _gradients(self, prompts: Sequence[Ids]) -> list[Tensor]:
        """The gradient [L, D] of each prompt's value at its tokens."""
        found: dict[int, Tensor] = {}
        for rows, ids, problem in self._by_length(prompts):
            self.passes += 2 * len(rows)
            _, gradients = self._halving(self._objective.value_and_gradient, ids, problem)
            found |= dict(zip(rows, gradients, strict=True))
        return [found[i] for i in range(len(prompts))]

    def _halving(self, compute: Callable[[Tensor, Tensor], T], ids: Tensor, problem: Tensor) -> T:
        """What `compute` finds, with fewer prompts at once where memory is short."""
        while True:
            try:
                return compute(ids, problem)
            except torch.cuda.OutOfMemoryError:
                tried = min(self._objective.together, len(ids))
                if tried == 1:
                    raise
                self._objective.together = tried // 2
            torch.cuda.empty_cache()  # here, where the error no longer keeps tensors alive

    def _by_length(self, prompts: Sequence[Ids]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        device = self._objective.space.device
        for length in sorted(set(map(len, prompts))):
            rows = [i for i, ids in enumerate(prompts) if len(ids) == length]
            ids = torch.tensor([prompts[i] for i in rows], device=device)
            yield rows, ids, torch.full((len(rows),), self._problem, device=device)


def _in_order(words: Sequence[Ids], units: Units) -> int:
    """The most of the words that a prompt has in their order."""
    longest = [0] * (len(words) + 1)
    for unit in units if words else ():
        before = longest
        longest = [0]
        for i, word in enumerate(words):
            longest.append(before[i] + 1 if word == unit else max(before[i + 1], longest[i]))
    return longest[-1]


def _moved(units: Units, source: int, place: int) -> Units:
    left = [*units[:source], *units[source + 1 :]]
    return (*left[:place], units[source], *left[place:])

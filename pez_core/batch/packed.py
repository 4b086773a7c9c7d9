"""Packs: many pictures searched side by side in one run.

Every picture gets what it gets alone with the same seed, up to rounding. Its size is found by trying: it doubles while that
makes a picture cheaper, and is halved when the memory does not suffice. In searches of one stage, pictures leave a pack when
they have ended, and others come in: a pack then lasts as long as there are pictures for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..config import InversionConfig
from ..errors import PezError, ShortOfMemoryError, first_line
from ..inversion import invert_each
from ..models.clip import ClipModel
from ..objectives.fluency import LanguageModel
from ..result import InversionResult, Progress
from ..run.stopping import ASKED
from ..targets.target import Target
from .preparing import Prepared
from .rows import Row, error_row, row_of

FIRST, MOST = 4, 256  # pictures of the first pack, and of the largest
TRIES = 2  # packs of a size, of which the faster one counts: other work may disturb one
GAIN = 0.95  # of the time of a picture: a larger pack has to be at least this much cheaper
WAITING = 4  # packs whose pictures wait at most for others with the same settings

Alike = tuple[InversionConfig, int]
"""What pictures of a pack have in common: the settings except the seed, and the number of features of their targets."""

OnPack = Callable[[Sequence[Progress]], bool | None]
"""Called while a pack is searched, with the progress of its pictures. Returning True stops it."""


class PackSize:
    """How many pictures are searched at once: `now`. fixed: this many, if the memory suffices; 0 to find the best."""

    def __init__(self, fixed: int = 0):
        self.now = fixed or FIRST
        self.growing = not fixed  # whether larger packs are still to be tried
        self._before = float("inf")  # seconds of a picture in packs of half the size
        self._tried: list[float] = []  # those of this size

    def took(self, pictures: int, seconds: float) -> None:
        """Learns what a pack took. Packs that were not full say nothing."""
        if not self.growing or pictures < self.now:
            return
        self._tried.append(seconds / pictures)
        if len(self._tried) < TRIES:
            return
        each, self._tried = min(self._tried), []
        if each > GAIN * self._before:
            self.now, self.growing = max(1, self.now // 2), False
        elif self.now >= MOST:
            self.growing = False
        else:
            self._before, self.now = each, 2 * self.now

    def too_large(self, pictures: int) -> None:
        """Learns that there was no memory for a pack."""
        self.now, self.growing = max(1, pictures // 2), False


@dataclass
class Packs:
    """Searches prepared pictures pack by pack.

    on_pack: see `OnPack`. language: for readable prompts, as in `invert`. refill: whether others come in where pictures leave;
    they are prepared in the middle of a search, so this is for pictures that are prepared in threads.

    Attributes:
        searching: seconds spent in searches so far. stopped: whether on_pack asked.
    """

    model: ClipModel
    size: PackSize
    on_pack: OnPack | None = None
    language: LanguageModel | None = None
    refill: bool = True
    searching: float = 0.0
    stopped: bool = False
    _ready: Iterator[Prepared] = field(default_factory=lambda: iter(()))
    _waiting: dict[Alike, list[Prepared]] = field(default_factory=dict)
    _failed: list[Row] = field(default_factory=list)  # pictures without a target, met while a pack was searched
    _broken: PezError | None = None  # why the source has no more pictures, met while a pack was searched

    def rows(self, pictures: Iterable[Prepared]) -> Iterator[list[Row]]:
        """The rows of all pictures, as they are done. When a search is stopped, its pictures have no row."""
        self._ready, self._waiting, self._broken = iter(pictures), {}, None
        for one in self._ready:
            alike = self._receive(one)
            if alike is None:
                yield self.take_failed()
                if self.asked(()):  # no search asks while pictures fail
                    return
                continue
            while len(self._waiting.get(alike, ())) >= self._size(alike) or self._crowded():
                yield from self._next(max(self._waiting, key=lambda each: len(self._waiting[each])))
                if self.stopped:
                    return
        while self._waiting and not self.stopped:
            yield from self._next(next(iter(self._waiting)))

    def _receive(self, one: Prepared) -> Alike | None:
        """Lets a picture wait with those that it may be searched beside: seeds may differ. None for one without a target."""
        if one.error or one.target is None:
            self._failed.append(error_row(one.item.key, one.error))
            return None
        alike = replace(one.config, seed=0), len(one.target)
        self._waiting.setdefault(alike, []).append(one)
        return alike

    def asked(self, progress: Sequence[Progress]) -> bool:
        """Reports the progress; returns whether to stop."""
        self.stopped |= bool(self.on_pack and self.on_pack(progress))
        return self.stopped

    def take_failed(self) -> list[Row]:
        """The rows of pictures without a target that were met since the last call."""
        rows, self._failed = self._failed, []
        return rows

    def _size(self, alike: Alike) -> int:
        return 1 if alike[0].time_limit else self.size.now  # the limit is that of a picture

    def _crowded(self) -> bool:
        """Whether too many wait for others, so that some have to be searched in a smaller pack."""
        return sum(map(len, self._waiting.values())) > WAITING * self.size.now

    def _next(self, alike: Alike) -> Iterator[list[Row]]:
        """Searches the next pack of those that wait with the same settings."""
        yield from self._pack(self._take(alike, self._size(alike)), alike)
        if self._failed:
            yield self.take_failed()
        if self._broken:
            raise self._broken

    def _take(self, alike: Alike, most: int) -> list[Prepared]:
        waiting = self._waiting.pop(alike, [])
        if waiting[most:]:
            self._waiting[alike] = waiting[most:]
        return waiting[:most]

    def another(self, alike: Alike) -> Prepared | None:
        """A picture that may come into a pack under way; None if none is left, or too many others wait."""
        while not self._waiting.get(alike):
            try:
                one = None if self._crowded() or self._broken else next(self._ready, None)
            except PezError as error:  # of the source: the pictures of this pack are not its cause
                self._broken, one = error, None
            if one is None:
                return None
            self._receive(one)
        return self._take(alike, 1)[0]

    def _pack(self, pack: list[Prepared], alike: Alike) -> Iterator[list[Row]]:
        """The rows of a pack. Where it fails as a whole, its halves are tried, down to the picture that is the cause."""
        search = _Pack(self, pack, alike)
        try:
            yield from search.rows()
        except PezError as error:
            left = search.left()
            if len(left) == 1 and not isinstance(error, ShortOfMemoryError):
                yield [error_row(left[0].item.key, str(error))]
                return
            if isinstance(error, ShortOfMemoryError):
                if len(pack) == 1:
                    raise  # not even one picture has room: no other will
                self.size.too_large(len(pack))
                _free_memory()
            half = (len(left) + 1) // 2
            for part in (left[:half], left[half:]):
                if part and not self.stopped:
                    yield from self._pack(part, alike)
            return


class _Pack:
    """One search of pictures side by side.

    places: the picture that is searched in each place, None where one has left; since: the seconds of searching before it
    came.
    """

    def __init__(self, packs: Packs, pictures: Sequence[Prepared], alike: Alike):
        self._packs, self._alike = packs, alike
        self._places: list[Prepared | None] = list(pictures)
        self._since = [0.0] * len(pictures)
        self._seconds = 0.0  # of searching
        self._preparing = 0.0  # seconds of waiting for pictures, within searches

    def left(self) -> list[Prepared]:
        """The pictures without a row so far."""
        return [one for one in self._places if one]

    def rows(self) -> Iterator[list[Row]]:
        """The rows of the pictures, as they leave. Those of a search that was stopped have none."""
        packs = self._packs
        found = self._search()
        while True:
            begun, waited = time.perf_counter(), self._preparing
            with _memory_errors():
                some = next(found, None)
            seconds = time.perf_counter() - begun - (self._preparing - waited)
            self._seconds += seconds
            packs.searching += seconds
            if some is None:
                break
            rows = [*packs.take_failed(), *(self._row(*each) for each in some if each[1].stopped != ASKED)]
            for place, _ in some:
                self._places[place] = None
            yield rows
        packs.size.took(len(self._places), self._seconds)

    def _row(self, place: int, result: InversionResult) -> Row:
        one = self._places[place]
        assert one
        share = (self._seconds - self._since[place]) / len(self._places)
        return row_of(one.item.key, result, one.config, share)

    def _search(self) -> Iterator[list[tuple[int, InversionResult]]]:
        pictures, packs = self.left(), self._packs
        targets: Any = [one.target for one in pictures]
        seeds = [one.config.seed for one in pictures]
        return invert_each(packs.model, targets, pictures[0].config, self._follow, packs.asked, packs.language, seeds)

    def _follow(self, place: int) -> tuple[Target, int] | None:
        """Lets the next picture come into a place. While larger packs are tried, none does: their times would say nothing."""
        packs = self._packs
        if packs.stopped or packs.size.growing or not packs.refill:
            return None
        begun = time.perf_counter()
        one = packs.another(self._alike)
        self._preparing += time.perf_counter() - begun
        if one is None or one.target is None:
            return None
        self._places[place], self._since[place] = one, self._seconds
        return one.target, one.config.seed


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Gives all ways of running out of memory one class."""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        raise ShortOfMemoryError(first_line(error)) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):  # torch's allocator of the CPU has no class for it
            raise ShortOfMemoryError(first_line(error)) from error
        raise


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""Packs: many pictures searched side by side in one run.

Every picture gets what it gets alone with the same seed, up to rounding. A pack ends as a whole. Its size is found by
trying: it doubles while that makes a picture cheaper, and is halved when the memory does not suffice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..config import InversionConfig
from ..errors import PezError, ShortOfMemoryError, first_line
from ..inversion import invert_all
from ..models.clip import ClipModel
from ..objectives.fluency import LanguageModel
from ..result import InversionResult, Progress
from ..run.stopping import ASKED
from .preparing import Prepared
from .rows import Row, error_row, row_of

FIRST, MOST = 4, 256  # pictures of the first pack, and of the largest
TRIES = 2  # packs of a size, of which the faster one counts: other work may disturb one
GAIN = 0.95  # of the time of a picture: a larger pack has to be at least this much cheaper
WAITING = 4  # packs whose pictures wait at most for others with the same settings

OnPack = Callable[[Sequence[Progress]], bool | None]
"""Called while a pack is searched, with the progress of its pictures. Returning True stops it."""


class PackSize:
    """How many pictures are searched at once: `now`. fixed: this many, if the memory suffices; 0 to find the best."""

    def __init__(self, fixed: int = 0):
        self.now = fixed or FIRST
        self._growing = not fixed
        self._before = float("inf")  # seconds of a picture in packs of half the size
        self._tried: list[float] = []  # those of this size

    def took(self, pictures: int, seconds: float) -> None:
        """Learns what a pack took. Packs that were not full say nothing."""
        if not self._growing or pictures < self.now:
            return
        self._tried.append(seconds / pictures)
        if len(self._tried) < TRIES:
            return
        each, self._tried = min(self._tried), []
        if each > GAIN * self._before:
            self.now, self._growing = max(1, self.now // 2), False
        elif self.now >= MOST:
            self._growing = False
        else:
            self._before, self.now = each, 2 * self.now

    def too_large(self, pictures: int) -> None:
        """Learns that there was no memory for a pack."""
        self.now, self._growing = max(1, pictures // 2), False


@dataclass
class Packs:
    """Searches prepared pictures pack by pack.

    on_pack: see `OnPack`. language: for readable prompts, as in `invert`.

    Attributes:
        searching: seconds spent in searches so far. pictures: how many were searched. stopped: whether on_pack asked.
    """

    model: ClipModel
    size: PackSize
    on_pack: OnPack | None = None
    language: LanguageModel | None = None
    searching: float = 0.0
    pictures: int = 0
    stopped: bool = False

    def rows(self, pictures: Iterable[Prepared]) -> Iterator[list[Row]]:
        """The rows of all pictures, as they are done. When a search is stopped, its pictures have no row."""
        waiting: dict[InversionConfig, list[Prepared]] = {}
        for one in pictures:
            if one.error or one.target is None:
                yield [error_row(one.item.key, one.error)]
                continue
            alike = replace(one.config, seed=0)  # seeds may differ within a pack
            waiting.setdefault(alike, []).append(one)
            size = 1 if alike.time_limit else self.size.now  # the limit is that of a picture
            while len(waiting.get(alike, ())) >= size or sum(map(len, waiting.values())) > WAITING * self.size.now:
                longest = max(waiting, key=lambda each: len(waiting[each]))
                yield from self._next(waiting, longest)
                if self.stopped:
                    return
                size = 1 if alike.time_limit else self.size.now
        while waiting and not self.stopped:
            yield from self._next(waiting, next(iter(waiting)))

    def _next(self, waiting: dict[InversionConfig, list[Prepared]], alike: InversionConfig) -> Iterator[list[Row]]:
        """Searches the next pack of those that wait with the settings `alike`."""
        size = 1 if alike.time_limit else self.size.now
        pack, left = waiting[alike][:size], waiting[alike][size:]
        waiting.pop(alike)
        if left:
            waiting[alike] = left
        yield from self._pack(pack)

    def _pack(self, pack: list[Prepared]) -> Iterator[list[Row]]:
        """The rows of a pack. Where it fails as a whole, its halves are tried, down to the picture that is the cause."""
        begun = time.perf_counter()
        try:
            results = self._search(pack)
        except PezError as error:
            if len(pack) == 1 and not isinstance(error, ShortOfMemoryError):
                yield [error_row(pack[0].item.key, str(error))]
                return
            if len(pack) == 1:
                raise  # not even one picture has room: no other will
            if isinstance(error, ShortOfMemoryError):
                self.size.too_large(len(pack))
                _free_memory()
            half = len(pack) // 2
            for part in (pack[:half], pack[half:]):
                if not self.stopped:
                    yield from self._pack(part)
            return
        seconds = time.perf_counter() - begun
        self.size.took(len(pack), seconds)
        self.searching += seconds
        rows = [
            row_of(one.item.key, result, one.config, seconds / len(pack))
            for one, result in zip(pack, results, strict=True)
            if result.stopped != ASKED  # its prompt is not that of its seed
        ]
        self.pictures += len(rows)
        yield rows

    def _search(self, pack: Sequence[Prepared]) -> list[InversionResult]:
        def report(progress: Sequence[Progress]) -> bool:
            self.stopped |= bool(self.on_pack and self.on_pack(progress))
            return self.stopped

        targets: Any = [one.target for one in pack]
        seeds = [one.config.seed for one in pack]
        try:
            return invert_all(self.model, targets, pack[0].config, report, None, self.language, seeds)
        except (torch.cuda.OutOfMemoryError, MemoryError) as error:
            raise ShortOfMemoryError(first_line(error)) from error
        except RuntimeError as error:
            if "can't allocate memory" in str(error):  # torch's allocator of the CPU has no class for it
                raise ShortOfMemoryError(first_line(error)) from error
            raise


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

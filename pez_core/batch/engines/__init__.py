"""Where a batch computes: in this process, in one process for each device, or on a cluster through Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...config import InversionConfig
from ...models.clip import ClipModel
from ..items import Item
from ..packed import OnPack
from ..preparing import Looks
from ..rows import Row
from ..sources import Source

Done = Callable[[str], bool]
"""Whether the row of a key is written already."""


@dataclass(frozen=True)
class Plan:
    """What every worker of a job needs to know; it can be pickled.

    load: makes the model on a device, and the language model or None: `load(device)`. pack: pictures at once, 0 to find
    the best. ahead: whether pictures are prepared in threads, and come into packs under way.
    """

    load: Callable[[str], tuple[ClipModel, Any]]
    config: InversionConfig
    looks: Looks = field(default_factory=Looks)
    pack: int = 0
    ahead: bool = True


@dataclass
class Spent:
    """Seconds of all workers, from when their models were loaded: `working` in total, `searching` in searches."""

    searching: float = 0.0
    working: float = 0.0

    @property
    def share(self) -> float:
        """The share of the time in which searches computed."""
        return self.searching / self.working if self.working else 0.0


class Engine(Protocol):
    """Searches the items of a source."""

    spent: Spent

    def run(
        self, source: Source, done: Done, plan: Plan, on_pack: OnPack | None
    ) -> Iterator[tuple[list[Item], list[Row]]]:
        """Items that are not done, with their rows, as they come. Stopped by on_pack, it ends early."""
        ...

"""In this process, on one device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from ...inversion import warnings_of
from ...models.clip import ClipModel
from ..items import Item
from ..packed import OnPack, Packs, PackSize
from ..preparing import prepared
from ..rows import Row
from ..sources import Source
from . import Done, Plan, Spent


class LocalEngine:
    """Searches on `device`. See `Engine`."""

    def __init__(self, device: str):
        self._device = device
        self.spent = Spent()

    def run(
        self, source: Source, done: Done, plan: Plan, on_pack: OnPack | None
    ) -> Iterator[tuple[list[Item], list[Row]]]:
        """See `Engine`."""
        model, language = ready(plan, self._device)
        packs = Packs(model, PackSize(plan.pack), on_pack, language, plan.ahead)
        yield from search(packs, (item for item in source if not done(item.key)), plan, self.spent)


def ready(plan: Plan, device: str) -> tuple[ClipModel, Any]:
    """The models of a plan. Raises PezError for settings that no picture could be searched with, before any has a row."""
    model, language = plan.load(device)
    warnings_of(model, plan.config, language)
    return model, language


def search(packs: Packs, items: Iterable[Item], plan: Plan, spent: Spent) -> Iterator[tuple[list[Item], list[Row]]]:
    """The items, with their rows, as they are done."""
    under_way: dict[str, Item] = {}
    begun = time.perf_counter()

    def noted() -> Iterator[Item]:
        for item in items:
            under_way[item.key] = item
            yield item

    ready = prepared(noted(), packs.model, plan.config, plan.looks, plan.ahead)
    try:
        for rows in packs.rows(ready):
            spent.searching, spent.working = packs.searching, time.perf_counter() - begun
            yield [under_way.pop(row["key"]) for row in rows], rows
    finally:
        ready.close()

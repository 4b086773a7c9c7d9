"""The progress of downloads, as the libraries that fetch weights report it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import std

LEAST = 1_000_000  # bytes of a download that is worth a report: configurations are smaller


@contextmanager
def watching(report: Callable[[int, int], None]) -> Iterator[None]:
    """Calls `report` with the bytes done and the bytes in all, whenever a download gets on within the block.

    open_clip and huggingface_hub offer no hook of their own, but both move a bar of tqdm, even where it is not drawn.
    What `report` raises ends the download.
    """
    done: dict[int, int] = {}
    plain = std.tqdm.update

    def update(self: std.tqdm, n: float | None = 1) -> bool | None:
        shown = plain(self, n)
        total = int(getattr(self, "total", None) or 0)
        if total >= LEAST:
            done[id(self)] = done.get(id(self), int(getattr(self, "initial", 0))) + int(n or 0)
            report(min(done[id(self)], total), total)
        return shown

    std.tqdm.update = update
    try:
        yield
    finally:
        std.tqdm.update = plain

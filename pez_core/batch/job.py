"""A batch from beginning to end: what is left to do, the engine, captions, results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import PezError
from .engines import Engine, Plan
from .items import Item, Known
from .manifest import Manifest, difference
from .packed import OnPack
from .results import Results
from .rows import Row, error_row
from .sidecars import NoPlaceError, Sidecars
from .sources import Source

log = logging.getLogger(__name__)


@dataclass
class Summary:
    """How a job stands.

    total: pictures of the source, None if only reading all of it could say. before: rows that were there at the start,
    of which failed_before have an error. done, failed: rows of this run, those with an error. seconds: of this run.
    searching: the share of its workers' time in which they searched. last: the prompt of the last row.
    """

    total: int | None
    before: int = 0
    failed_before: int = 0
    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    searching: float = 0.0
    stopped: bool = False
    last: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rate = self.done / self.seconds if self.seconds else 0.0
        return {
            "pictures": self.total,
            "rows": self.before + self.done,
            "rows_before": self.before,
            "failed": self.failed_before + self.failed,
            "seconds": round(self.seconds, 2),
            "per_second": round(rate, 3),
            "searching": round(self.searching, 4),
            "stopped": self.stopped,
        }


@dataclass
class Job:
    """A source, where its rows go, and the options that they depend on.

    options: plain values; results are continued only with the same ones. `settings`, if there, is a dict of settings.
    restart: begins anew, and removes the rows that are there once the first new ones have been found.
    retry: also searches the pictures whose rows have an error again; these rows are removed likewise, or at once if none of
    their pictures is left in the source.
    """

    source: Source
    results: Results
    options: dict[str, Any]
    sidecars: Sidecars | None = None
    restart: bool = False
    retry: bool = False
    _known: Known = field(default_factory=Known)
    _failed: Known = field(default_factory=Known)
    _replaced: Known = field(default_factory=Known)  # failed ones whose caption is that of a twin
    _waiting: list[tuple[Item, Row]] = field(default_factory=list)
    _warned: bool = False

    def run(
        self,
        engine: Engine,
        plan: Plan,
        on_rows: Callable[[Summary], None] = lambda summary: None,
        on_pack: OnPack | None = None,
    ) -> Summary:
        """Searches what is left; on_rows is called at the start and after each write.

        Raises PezError if the results cannot be continued or written. Whatever ends it, no row is lost or doubled.
        """
        if self.sidecars and self.sidecars.folder is None:
            for item in self.source:
                if not item.error:
                    self.sidecars.check(item)
        manifest = Manifest(self.results.manifest)
        summary = Summary(self.source.count())
        manifest.lock()
        try:
            if not self.restart:
                self._begin(manifest)
            for row in () if self.restart else self.results.rows():
                failed = row["error"] is not None
                summary.before += 1
                summary.failed_before += failed
                if not (failed and self.retry):
                    self._add(row)
            self._search(engine, plan, summary, on_rows, on_pack, manifest)
        finally:
            try:
                self.results.close()
            finally:
                manifest.release()
        return summary

    def _begin(self, manifest: Manifest) -> None:
        before = manifest.options()
        if before is None:
            if self.results.exists():
                raise PezError(
                    "The results exist, but no options are recorded beside them: give another name, or restart to "
                    "replace them."
                )
            self._begin_anew(manifest)
            return
        if other := difference(before, self.options):
            raise PezError(
                f"These results were started with other options: {other}. Give the same, another name, or restart to "
                "begin anew."
            )
        self.results.begin(anew=False)

    def _begin_anew(self, manifest: Manifest) -> None:
        self.results.begin(anew=True)
        manifest.write(self.options)

    def _search(
        self,
        engine: Engine,
        plan: Plan,
        summary: Summary,
        on_rows: Callable[[Summary], None],
        on_pack: OnPack | None,
        manifest: Manifest,
    ) -> None:
        begun, old = time.perf_counter(), True  # old rows are there until there is something to replace them
        on_rows(summary)
        if summary.total is not None and all(self._known(item.key) for item in self.source):  # no model is needed
            if self.retry and summary.failed_before:  # the pictures of these rows are no longer in the source
                self._remove_old(summary, manifest)
                on_rows(summary)
            return
        for items, rows in engine.run(self.source, self._known, plan, on_pack):
            rows = [*self._with_captions(list(zip(items, rows, strict=True)))]
            if rows and old:
                self._remove_old(summary, manifest)
                old = False
            if rows:
                self.results.add(rows)
            summary.done += len(rows)
            summary.failed += sum(row["error"] is not None for row in rows)
            summary.last = next((row["prompt"] for row in reversed(rows) if row["prompt"]), summary.last)
            summary.seconds, summary.searching = time.perf_counter() - begun, engine.spent.share
            on_rows(summary)
        summary.seconds = time.perf_counter() - begun

    def _remove_old(self, summary: Summary, manifest: Manifest) -> None:
        """Removes the rows that are searched again, now that there are new ones."""
        if self.restart:
            self._begin_anew(manifest)
        elif self.retry and summary.failed_before:
            self.results.forget_failed()
            summary.before, summary.failed_before = summary.before - summary.failed_before, 0

    def _with_captions(self, found: list[tuple[Item, Row]]) -> Iterator[Row]:
        """The rows that can be written, with those that waited for a twin's. Rows come in the order in which their searches end, but
        a caption for several pictures is that of the first in the source; if that has no prompt, of another of them."""
        self._waiting += found
        ready = True
        while ready:
            ready = [pair for pair in self._waiting if not self._waits(*pair)]
            self._waiting = [pair for pair in self._waiting if self._waits(*pair)]
            for item, row in ready:
                own, rival = row, self._is_rival(item, row)
                if rival and (not self._failed(item.twin) or self._replaced(item.twin)):
                    self._warn_of_twins(item)
                else:
                    own = self._with_caption(item, row)
                    if rival:
                        self._replaced.add(item.twin)
                self._add(own)
                yield own

    def _add(self, row: Row) -> None:
        self._known.add(row["key"])
        if row["error"] is not None:
            self._failed.add(row["key"])

    def _is_rival(self, item: Item, row: Row) -> bool:
        return self.sidecars is not None and row["error"] is None and self.sidecars.rivals(item)

    def _waits(self, item: Item, row: Row) -> bool:
        return self._is_rival(item, row) and not self._known(item.twin)

    def _with_caption(self, item: Item, row: Row) -> Row:
        """The row, after its caption was written; one with the error where the caption has no place."""
        if self.sidecars and row["error"] is None:
            try:
                self.sidecars.write(item, row)
            except NoPlaceError as error:
                return error_row(row["key"], str(error))
        return row

    def _warn_of_twins(self, item: Item) -> None:
        """Says once that a caption belongs to two pictures: it is that of the first."""
        if not self._warned:
            log.warning(
                "%r and %r would have the same caption, which only one of them has: rename one, and others like them.",
                item.twin,
                item.key,
            )
        self._warned = True


def where(source: str | Path) -> str:
    """The source as the options record it: results belong to one place, from wherever the command is run."""
    return str(Path(source).resolve())

"""On a cluster, through Ray Data: its tasks read the source, its actors hold the models and search.

Rows come back to this process, which writes them. Ray's own writers have no notion of a job that goes on: a killed job
would leave half of its parts, and begin anew. A row is two kilobytes, so one writer is enough for thousands a second.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..extras import needed
from ..items import Item
from ..packed import OnPack, Packs, PackSize
from ..rows import Row
from ..sources import PIECE, Source
from . import Done, Plan, Spent
from .local import ready, search

PACK = 64  # items of a batch that an actor gets, where no pack is given
PARTS = 4  # of the source for each actor, at least, so that all have work
READING = 0.1  # CPUs that a task which reads takes: it mostly waits


class RayEngine:
    """Actors on the cluster at `address`; '' starts Ray on this machine. See `Engine`.

    workers: how many actors. gpus: of each, also a fraction; 0 computes on the CPU.

    Raises PezError where Ray is missing.
    """

    def __init__(self, address: str = "", workers: int = 1, gpus: float = 0.0):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing goes out unless asked
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its warnings are not for the person at the terminal
        self._ray = needed("ray", "the engine ray")
        needed("ray.data", "the engine ray")
        self._address, self._workers, self._gpus = address, workers, gpus
        self.spent = Spent()

    def run(
        self, source: Source, done: Done, plan: Plan, on_pack: OnPack | None
    ) -> Iterator[tuple[list[Item], list[Row]]]:
        """See `Engine`. Ray gives what a lost actor had not done to the others. `on_pack` is called without progress."""
        ray = self._ray
        if not ray.is_initialized():
            here = {"num_cpus": self._workers + 1} if not self._address else {}
            ray.init(address=self._address or None, log_to_driver=False, logging_level=logging.ERROR, **here)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = 0
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        share = (source.count() or PIECE) // (PARTS * self._workers)
        parts = [{"part": pickle.dumps(part)} for part in source.parts(max(1, min(PIECE, share)))]
        if not parts:
            return
        data = ray.data.from_items(parts, override_num_blocks=len(parts))
        read = data.flat_map(_Reader(ray.put(done)), num_cpus=READING)
        found = read.map_batches(
            _Actor,
            fn_constructor_args=(plan, "cuda" if self._gpus else "cpu"),
            batch_size=plan.pack or PACK,
            concurrency=min(self._workers, len(parts)),
            num_cpus=1,
            num_gpus=self._gpus or None,
        )
        times: dict[str, Spent] = {}
        for block in found.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            for told in block["told"]:
                worker, items, rows, spent = pickle.loads(told)  # noqa: S301 - from our own actors
                times[worker] = spent
                self.spent.searching = sum(each.searching for each in times.values())
                self.spent.working = sum(each.working for each in times.values())
                new = [pair for pair in zip(items, rows, strict=True) if not done(pair[1]["key"])]
                yield [item for item, _ in new], [row for _, row in new]
            if on_pack and on_pack(()):
                return

    def end(self) -> None:
        """Leaves Ray; what was started here ends."""
        self._ray.shutdown()


def _light(item: Item) -> Item:
    """The item without the bytes of its picture, which need not travel back."""
    return replace(item, picture=b"") if isinstance(item.picture, bytes) else item


class _Reader:
    """Reads a part in a task: its items that are not done. done: the driver's function, in Ray's store."""

    def __init__(self, done: Any):
        self._done = done

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        done = needed("ray", "the engine ray").get(self._done)
        part = pickle.loads(row["part"])  # noqa: S301 - from our own driver
        return [{"item": pickle.dumps(item)} for item in part.items() if not done(item.key)]


class _Actor:
    """Holds a model and searches the batches that Ray gives it."""

    def __init__(self, plan: Plan, device: str):
        model, language = ready(plan, device)
        self._plan, self._packs = plan, Packs(model, PackSize(plan.pack), language=language, refill=plan.ahead)
        self._name, self._spent = f"{os.uname().nodename}-{os.getpid()}", Spent()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        items = [pickle.loads(item) for item in batch["item"]]  # noqa: S301 - from our own reader
        own = Spent()
        searching, working = self._spent.searching, self._spent.working
        self._packs.searching = 0.0
        told = []
        for done, rows in search(self._packs, items, self._plan, own):
            self._spent.searching, self._spent.working = searching + own.searching, working + own.working
            told.append(pickle.dumps((self._name, [_light(item) for item in done], rows, self._spent)))
        return {"told": np.array(told, dtype=object)}

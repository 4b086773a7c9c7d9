"""One process for each device of this machine."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from ...errors import PezError
from ..items import Item
from ..packed import OnPack, Packs, PackSize
from ..rows import Row
from ..sources import Source
from . import Done, Plan, Spent
from .local import ready, search

HANDED = 16  # items that a worker is handed at once
LOOK_SECONDS = 0.25  # between two looks whether the job should stop
DEATHS = 3  # of workers in a row, without a row in between, that end the job


class ProcessEngine:
    """A worker on each of the `devices`. What a worker that died had not done is done by the next one. See `Engine`."""

    def __init__(self, devices: Sequence[str]):
        self._devices = devices
        self.spent = Spent()

    def run(
        self, source: Source, done: Done, plan: Plan, on_pack: OnPack | None
    ) -> Iterator[tuple[list[Item], list[Row]]]:
        """See `Engine`. `on_pack` is called without progress, to ask whether to stop."""
        left = (item for item in source if not done(item.key))
        again: deque[Item] = deque()
        workers = {worker.connection: worker for worker in (_Worker(device, plan) for device in self._devices)}
        ended, deaths = Spent(), 0  # of workers that ended
        try:
            while workers:
                if on_pack and on_pack(()):
                    return
                for connection in wait(list(workers), LOOK_SECONDS):
                    worker = workers[connection]  # pyright: ignore[reportArgumentType]
                    try:
                        kind, *told = worker.connection.recv()
                    except (EOFError, OSError):
                        del workers[worker.connection]
                        worker.end()
                        ended.searching += worker.spent.searching
                        ended.working += worker.spent.working
                        if worker.finished:
                            continue
                        deaths += 1
                        if deaths == DEATHS:
                            raise PezError(
                                f"A worker on {worker.device} ended {DEATHS} times without a word, which mostly means "
                                "that the machine ran out of memory: give a smaller --pack or fewer --workers."
                            ) from None
                        again.extend(worker.under_way.values())
                        following = _Worker(worker.device, plan)
                        workers[following.connection] = following
                        continue
                    if kind == "want":
                        worker.hand(list(itertools.islice(itertools.chain(_drained(again), left), HANDED)))
                    elif kind == "rows":
                        deaths = 0
                        rows, worker.spent = told
                        self.spent.searching = ended.searching + sum(each.spent.searching for each in workers.values())
                        self.spent.working = ended.working + sum(each.spent.working for each in workers.values())
                        yield [worker.under_way.pop(row["key"]) for row in rows], rows
                    elif kind == "end":
                        worker.finished = True
                    else:
                        raise PezError(told[0])
        finally:
            for worker in workers.values():
                worker.end()


class _Worker:
    """A process and what it was handed. finished: whether it has done everything."""

    def __init__(self, device: str, plan: Plan):
        context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
        self.device, self.spent, self.finished = device, Spent(), False
        self.under_way: dict[str, Item] = {}
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, device, plan), daemon=True)
        self._process.start()
        theirs.close()

    def hand(self, items: list[Item]) -> None:
        """Gives it items; none: nothing follows."""
        self.under_way |= {item.key: item for item in items}
        with suppress(OSError):  # it died, which the next look says
            self.connection.send(items)

    def end(self) -> None:
        """Ends the process, wherever it is."""
        self.connection.close()
        self._process.kill()
        self._process.join()


def _drained(again: deque[Item]) -> Iterator[Item]:
    while again:
        yield again.popleft()


def _end_with_job() -> None:
    """Ends this process as soon as the job's has ended, also if that was killed in the middle of a long search."""
    job = multiprocessing.parent_process()
    if job:
        wait([job.sentinel])
        os._exit(1)


def _work(connection: Connection, device: str, plan: Plan) -> None:
    """What a worker does. Ctrl-C in a terminal reaches it too: the job decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_job, daemon=True).start()
    speaking = threading.Lock()  # items are asked for in the thread that prepares pictures

    def say(*words: Any) -> None:
        with speaking:
            connection.send(words)

    def handed() -> Iterator[Item]:
        while True:
            say("want")
            items = connection.recv()
            if not items:
                return
            yield from items

    spent = Spent()
    try:
        model, language = ready(plan, device)
        packs = Packs(model, PackSize(plan.pack), language=language, refill=plan.ahead)
        for _, rows in search(packs, handed(), plan, spent):
            say("rows", rows, spent)
        say("end")
    except PezError as error:
        say("error", str(error))
    except (EOFError, BrokenPipeError):  # the job ended
        pass

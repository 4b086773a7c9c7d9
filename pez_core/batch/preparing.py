"""Pictures read and encoded ahead of the search, so that it does not wait for them."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ..config import InversionConfig
from ..errors import PezError
from ..models.clip import ClipModel
from ..targets.sources import PictureSource, Source, TextSource, make_target
from ..targets.target import Target
from ..targets.views import Views
from ..towers.image_tower import BATCH, ImageTower
from ..towers.plain import plain_torch
from .items import Item

AHEAD = 256  # items that are ready before they are searched, at most: a target is a few kilobytes
T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """An item with its configuration and target, or with the error why it has none."""

    item: Item
    config: InversionConfig
    target: Target | None = None
    error: str = ""


@dataclass(frozen=True)
class Looks:
    """How each picture is looked at: whether its corners and its mirror image count too."""

    crops: bool = False
    flips: bool = False


def prepared(
    items: Iterable[Item], model: ClipModel, job: InversionConfig, looks: Looks, ahead: bool
) -> Generator[Prepared, None, None]:
    """The items with their targets, in their order.

    ahead: whether they are prepared in threads while the caller does something else; without, in the caller's thread,
    as programs need that decide where models compute (ComfyUI).
    """
    if not ahead:
        yield from _with_targets((_read(item, job, looks) for item in items), model)
        return
    with _staying(model), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = _mapped(pool, lambda item: _read(item, job, looks), items)
        with _Thread(_with_targets(read, model), AHEAD) as made:
            yield from made


@contextmanager
def _staying(model: ClipModel) -> Iterator[None]:
    """Keeps the image towers on their device, where there is room: otherwise they would move for every group."""
    towers = [tower for tower in model.image.towers if isinstance(tower, ImageTower)]
    for tower in towers:
        with suppress(torch.cuda.OutOfMemoryError):
            tower.placement.bring([tower.module])
    try:
        yield
    finally:
        for tower in towers:
            tower.placement.send_home(tower.module)


def _read(item: Item, job: InversionConfig, looks: Looks) -> tuple[Prepared, list[Source]]:
    """The item with its sources, pictures decoded."""
    if item.error:
        return Prepared(item, job, error=item.error), []
    try:
        sources: list[Source] = []
        if item.picture is not None:
            sources.append(PictureSource.of(item.picture, crops=looks.crops, flips=looks.flips))
        if item.text:
            sources.append(TextSource(item.text))
        return Prepared(item, item.config(job)), sources
    except PezError as error:
        return Prepared(item, job, error=str(error)), []


def _with_targets(read: Iterable[tuple[Prepared, list[Source]]], model: ClipModel) -> Iterator[Prepared]:
    """Pictures go through the image tower BATCH at a time."""
    group: list[tuple[Prepared, list[Source]]] = []
    for each in read:
        group.append(each)
        if len(group) == BATCH:
            yield from _encoded(group, model)
            group = []
    yield from _encoded(group, model)


def _encoded(group: Sequence[tuple[Prepared, list[Source]]], model: ClipModel) -> list[Prepared]:
    """The group with its targets. Those of single pictures are encoded in one call."""
    alone = [sources[0] for _, sources in group if len(sources) == 1 and isinstance(sources[0], PictureSource)]
    targets = iter(_targets_of(alone, model))
    made = []
    for one, sources in group:
        if not sources:
            made.append(one)
            continue
        try:
            target = next(targets) if len(sources) == 1 and isinstance(sources[0], PictureSource) else None
            target = target or make_target(model, sources)
            made.append(Prepared(one.item, one.config, target))
        except PezError as error:
            made.append(Prepared(one.item, one.config, error=str(error)))
    return made


@plain_torch()
def _targets_of(sources: Sequence[PictureSource], model: ClipModel) -> list[Target | None]:
    """The targets, as `make_target` makes each of them; None where it has to say what is wrong."""
    if not sources:
        return []
    views = [Views(source.pictures, source.crops, source.flips) for source in sources]
    features = model.image.encode([view for own in views for view in own])
    targets: list[Target | None] = []
    for own, seen in zip(features.split([len(own) for own in views]), views, strict=True):
        try:
            targets.append(Target(own, torch.tensor(seen.shares)))
        except PezError:
            targets.append(None)
    return targets


def _mapped(pool: ThreadPoolExecutor, do: Any, items: Iterable[Item]) -> Iterator[Any]:
    """`do` of each item, in order, in the threads of the pool: as many at once as fill a batch of the image tower twice."""
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(do, item))
            if len(waiting) >= 2 * BATCH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for each in waiting:
            each.cancel()


class _Thread(Iterator[T]):
    """Takes from an iterator in a thread of its own, at most `room` ahead. An error there is raised here."""

    def __init__(self, source: Iterator[T], room: int):
        self._source: Any = source
        self._made: queue.Queue[tuple[str, Any]] = queue.Queue(room)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._take, name="pez-ahead", daemon=True)

    def __enter__(self) -> _Thread[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __next__(self) -> T:
        kind, value = self._made.get()
        if kind == "error":
            raise value
        if kind == "end":
            raise StopIteration
        return value

    def _take(self) -> None:
        try:
            for value in self._source:
                if not self._put("value", value):
                    break
            self._put("end", None)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks
            self._put("error", error)
        finally:
            self._source.close()

    def _put(self, kind: str, value: Any) -> bool:
        """Waits for room; False if nobody takes any more."""
        while not self._ended.is_set():
            try:
                self._made.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

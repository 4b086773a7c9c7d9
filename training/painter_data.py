"""Pictures and captions for the painter: made by worker processes, drawn on the device, kept there for a while."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pez_core import Vocabulary
from pez_core.models.painter_net import SIZE
from training.world import Scenery, World, caption

CHUNK = 512  # scenes that a worker lays out at once
LENGTH = 40  # positions in the text tower: longer than captions, and always the same, which compiled code needs
AHEAD = 8  # chunks that wait for the device
AT_ONCE = 2  # chunks drawn in a row


class Scenes(IterableDataset):
    """Endless chunks of layouts with the token rows of a caption for each, pickled: the scenes differ in each worker."""

    def __init__(self, world: Scenery, vocabulary: Vocabulary, seed: int):
        self._world, self._vocabulary, self._seed = world, vocabulary, seed

    def __iter__(self) -> Iterator[bytes]:
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        while True:
            scenes = self._world.scenes(rng, CHUNK)
            rows = token_rows(self._vocabulary, [caption(rng, scene) for scene in scenes])
            yield pickle.dumps((self._world.lay_out(rng, scenes), rows))


def token_rows(vocabulary: Vocabulary, texts: list[str]) -> np.ndarray:
    """Rows int32 [N, LENGTH] of texts with start and end; what does not fit is cut off."""
    most = LENGTH - len(vocabulary.start_ids) - len(vocabulary.end_ids)
    rows = np.full((len(texts), LENGTH), vocabulary.pad_id, np.int32)
    for row, ids in zip(rows, vocabulary.encode_all(texts), strict=True):
        framed = [*vocabulary.start_ids, *ids[:most], *vocabulary.end_ids]
        row[: len(framed)] = framed
    return rows


class Pool:
    """The pictures that were drawn last, on the device. Training draws from it at random, so it never waits for workers."""

    def __init__(
        self, drawings: Path, vocabulary: Vocabulary, device: torch.device, size: int, workers: int, seed: int
    ):
        self._size, self._filled, self._next = size, 0, 0
        loader = DataLoader(
            Scenes(Scenery(drawings), vocabulary, seed),
            batch_size=None,
            num_workers=workers,
            collate_fn=_same,
            prefetch_factor=4 if workers else None,
        )
        chunks = iter(loader)  # starts the workers, before anything touches the GPU
        self._ready: queue.Queue[bytes | Exception] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._receive, args=(chunks,), daemon=True)
        self._thread.start()
        self._world = World(drawings, device=device)
        self._pictures = torch.empty(size, 3, SIZE, SIZE, dtype=torch.uint8, device=device)
        self._rows = torch.empty(size, LENGTH, dtype=torch.int32, device=device)
        self.drawn = 0  # pictures so far

    def _receive(self, chunks: Iterator[bytes]) -> None:
        try:
            while not self._closed.is_set():
                chunk = next(chunks)
                while not self._closed.is_set():
                    with suppress(queue.Full):
                        self._ready.put(chunk, timeout=0.1)
                        break
        except Exception as error:  # noqa: BLE001 - of a worker: raised again where it is waited for
            self._ready.put(error)

    def close(self) -> None:
        """Ends the workers. Python cannot exit while a thread is still drawing."""
        self._closed.set()
        self._thread.join()

    def refill(self, least: int) -> None:
        """Draws a little of what the workers have ready; waits only while there are fewer than `least` pictures."""
        added = 0
        while self._filled < least or (added < AT_ONCE and not self._ready.empty()):
            chunk = self._ready.get()
            if isinstance(chunk, Exception):
                raise chunk
            self._add(*pickle.loads(chunk))  # noqa: S301 - from our own worker
            added += 1

    def _add(self, layouts: Any, rows: np.ndarray) -> None:
        places = (self._next + torch.arange(len(rows))) % self._size
        places = places.to(self._rows.device)
        self._pictures[places] = self._world.draw(layouts)
        self._rows[places] = torch.from_numpy(rows).to(self._rows.device)
        self._next = (self._next + len(rows)) % self._size
        self._filled = min(self._filled + len(rows), self._size)
        self.drawn += len(rows)

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Random pictures uint8 [count, 3, S, S] and the rows int64 [count, LENGTH] of their captions."""
        places = torch.randint(self._filled, (count,), device=self._rows.device)
        return self._pictures[places], self._rows[places].long()


def _same(chunk: bytes) -> bytes:
    return chunk

"""Training batches, made by the processes of a data loader: layouts to draw, and rows of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .tokens import Rows
from .world import Layouts, Scenery, caption, distractor
from .world.dice import Dice

LONG_EVERY, LONG_SHARE = 8, 0.5  # batches with joined captions, so that training covers the late positions too


class Feed(IterableDataset[tuple[Tensor, ...]]):
    """Batches from number `first` on. Batch n is the same however many processes make them.

    A batch is the layouts' tensors, then the rows of the true captions and of the distractors, int16 [batch, T].
    """

    def __init__(self, scenery: Scenery, rows: Rows, seed: int, batch: int, first: int = 0):
        self.scenery, self.rows, self.seed, self.batch, self.first = scenery, rows, seed, batch, first
        self.words = scenery.words()

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        torch.set_num_threads(1)
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        number += self.first
        while True:
            yield self.make(number)
            number += step

    def make(self, number: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng((self.seed, number))
        scenes = self.scenery.scenes(rng, self.batch)
        layouts = self.scenery.lay_out(rng, scenes)
        dice = Dice(rng, block=4096)
        told = [caption(dice, scene) for scene in scenes]
        if number % LONG_EVERY == 0:
            told = [
                " ".join([text, *(caption(dice, scene) for _ in range(dice.whole(1, 5)))])
                if dice.chance(LONG_SHARE)
                else text
                for text, scene in zip(told, scenes, strict=True)
            ]
        wrong = [distractor(dice, scene, self.words) for scene in scenes]
        both = self.rows(told + wrong).to(torch.int16)  # small: batches wait in shared memory
        return *layouts.tensors(), both[: self.batch], both[self.batch :]

    def loader(self, workers: int) -> DataLoader[tuple[Tensor, ...]]:
        """`workers`: how many processes; 0: none but this one."""
        more = {"prefetch_factor": 3, "persistent_workers": True} if workers else {}
        return DataLoader(self, batch_size=None, num_workers=workers, pin_memory=torch.cuda.is_available(), **more)


def unpacked(batch: tuple[Tensor, ...]) -> tuple[Layouts, Tensor, Tensor]:
    return Layouts(*batch[:-2]), batch[-2], batch[-1]

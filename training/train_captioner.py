"""Trains the captioner that stands for a person's own in the tables of readable prompts.

    python -m training.train_captioner --minutes 38

First draws `--scenes` pictures with complete captions, by `--threads` processes; then shows them for the minutes. It begins with the embedded
model's image tower, or with the captioner in `--begin`, or goes on from `--state` if that exists. The loss is in nats per word, with
the end as one; that of scenes which it is not shown is printed too.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.captioner import END, START, WEIGHTS, Captioner, load_captioner, words_of
from pez_core import load_model
from training.world import World, full_caption

SEED = 4242
CHUNK = 256  # scenes drawn at once
HELD_OUT = 2048  # scenes that are not shown
BATCH = 256
LENGTHS = (9, 12, 15, 19)  # rows are filled up to one of these, so that compiled code is for few shapes
WARM_UP = 200  # steps
EYES = 0.5  # of the learning rate, for its eyes


def draw(drawings: Path, seed: int, count: int) -> tuple[np.ndarray, list[str]]:
    """Pictures uint8 [count, 3, SIDE, SIDE] of random scenes, and the complete caption of each."""
    torch.set_num_threads(1)
    world, rng = World(drawings), np.random.default_rng([SEED, seed])
    pictures, told = [], []
    for _ in range(0, count, CHUNK):
        scenes = world.scenes(rng, CHUNK)
        told += [full_caption(scene) for scene in scenes]
        pictures.append(world.draw(world.lay_out(rng, scenes)).numpy())
    return np.concatenate(pictures)[:count], told[:count]


class Shown:
    """Pictures uint8 [N, 3, SIDE, SIDE], and their captions as rows of words that end with END."""

    def __init__(self, pictures: Tensor, told: list[str]):
        captions = [words_of(each) for each in told]
        self.words = ["", "", *sorted({word for each in captions for word in each})]
        numbers = {word: i for i, word in enumerate(self.words) if word}
        self.pictures = pictures
        self.lengths = torch.tensor([len(each) + 1 for each in captions])
        self.rows = torch.full((len(captions), int(self.lengths.max())), START)
        for row, each in zip(self.rows, captions, strict=True):
            row[: len(each) + 1] = torch.tensor([*(numbers[word] for word in each), END])

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Numbers of scenes whose captions are of similar length, without end; those held out are the last ones."""
        while True:
            order = torch.randperm(len(self.rows) - HELD_OUT, generator=generator)
            for many in order.split(16 * BATCH):
                batches = many[self.lengths[many].argsort()].split(BATCH)
                yield from (batches[i] for i in torch.randperm(len(batches), generator=generator).tolist())

    def held_out(self) -> tuple[Tensor, ...]:
        """Batches of those that are not shown."""
        return torch.arange(len(self.rows) - HELD_OUT, len(self.rows)).split(BATCH)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, rows, and which places of the rows are text."""
        lengths = self.lengths[numbers]
        longest = min(n for n in (*LENGTHS, self.rows.shape[1]) if n >= int(lengths.max()))
        rows = self.rows[numbers, :longest]
        return self.pictures[numbers], rows, torch.arange(rows.shape[1]) < lengths[:, None]


@torch.no_grad()
def take_over(net: Captioner, other: Captioner) -> None:
    """Gives `net` the weights of another, those of a word to the same word. Words that the other does not know keep their own."""
    numbers = {word: i for i, word in enumerate(other.known)}
    both = [(i, numbers[word]) for i, word in enumerate(net.known) if i > END and word in numbers]
    to, of = map(list, zip((START, START), (END, END), *both, strict=True))
    own, theirs = net.state_dict(), other.state_dict()
    for name in ("words", "bias"):
        own[name][to] = theirs.pop(name)[of]
    net.load_state_dict(own | theirs)


def train(given: argparse.Namespace) -> None:
    torch.set_num_threads(given.threads)
    with get_context("spawn").Pool(given.threads) as pool:
        shares = [(given.drawings, i + 1, given.scenes // given.threads) for i in range(given.threads)]
        drawn = pool.starmap(draw, shares)
    shown = Shown(
        torch.from_numpy(np.concatenate([own for own, _ in drawn])), [each for _, own in drawn for each in own]
    )
    torch.manual_seed(0)
    model: Any = load_model().image
    net = Captioner(model.module.visual, shown.words).requires_grad_()
    if given.begin:
        take_over(net, load_captioner(given.begin))
    net.eyes.eval().to(memory_format=torch.channels_last)
    see, say = torch.compile(net.see, dynamic=False), torch.compile(net.say, dynamic=False)

    def loss_of(numbers: Tensor) -> Tensor:
        pictures, rows, text = shown.take(numbers)
        before = torch.cat([torch.full((len(rows), 1), START), rows[:, :-1]], dim=1)
        with torch.autocast("cpu", torch.bfloat16):
            return F.cross_entropy(say(see(pictures), before)[text].float(), rows[text])

    @torch.no_grad()
    def held_out_loss() -> float:
        words = [int(shown.lengths[own].sum()) for own in shown.held_out()]
        losses = [loss_of(own).item() for own in shown.held_out()]
        return sum(loss * count for loss, count in zip(losses, words, strict=True)) / sum(words)

    def save() -> None:
        tensors = {
            name: value.half().contiguous() for name, value in net.state_dict().items() if value.is_floating_point()
        }
        counters = {name: value for name, value in net.state_dict().items() if not value.is_floating_point()}
        save_file(tensors | counters, given.out, metadata={"words": json.dumps(shown.words)})
        given.state.parent.mkdir(parents=True, exist_ok=True)
        torch.save(
            {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}, given.state
        )

    rest = [value for name, value in net.named_parameters() if not name.startswith("eyes")]
    groups = [{"params": list(net.eyes.parameters()), "scale": EYES}, {"params": rest, "scale": 1.0}]
    optimizer: Any = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.02)
    total, step, spent = 0.0, 0, 0.0
    if given.state.exists():
        kept = torch.load(given.state, weights_only=True)
        net.load_state_dict(kept["net"])
        optimizer.load_state_dict(kept["optimizer"])
        step, spent = kept["step"], kept["spent"]
    last = time.perf_counter()
    for numbers in shown.batches(torch.Generator().manual_seed(1 + step)):
        now = time.perf_counter()
        spent, last = spent + now - last, now
        done = spent / (60 * given.minutes)
        if done >= 1:
            break
        rate = given.rate * min(1, (step + 1) / WARM_UP) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss = loss_of(numbers)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step, total = step + 1, total + loss.item()
        if step % 100 == 0:
            print(f"step {step} loss {total / 100:.4f} held out {held_out_loss():.4f}", flush=True)
            total = 0.0
            save()
    save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, default=Path(".drawings"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--state", type=Path, default=Path("out/captioner.state"))
    parser.add_argument("--begin", type=Path, metavar="FILE", help="a captioner that was trained before")
    parser.add_argument("--scenes", type=int, default=260_096)
    parser.add_argument("--minutes", type=float, default=38)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    train(parser.parse_args())


if __name__ == "__main__":
    main()

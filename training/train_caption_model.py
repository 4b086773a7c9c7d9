"""Trains the caption model on the text that `training.caption_text` writes.

    python -m training.train_caption_model out/general.txt out/world.txt --out out/captions.safetensors --device cuda --minutes 3

Training lasts `--minutes` and continues from `--out`'s `.state` if that exists, or begins with the weights of `--begin`. Lines whose
hash says so are held out; the loss on them, in nats per token with the end of the text as one, is printed for each file.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import get_tokenizer
from safetensors.torch import save_file
from torch import Tensor

from pez_core.models.caption_model import RARE, load_caption_model, pack
from pez_core.models.caption_net import CaptionConfig, CaptionNet

TOKENIZER = get_tokenizer("ViT-B-32")  # OpenAI's byte-pair tokens
END = TOKENIZER.eot_token_id
HELD_OUT = 200  # one line of this many
WORDS = 64  # in a class
MOST_CLASSES = 256
LEAST_COUNT = 3  # rarer tokens share a slot
JOINED = 0.08  # share of rows that are several captions, so that long prompts are read too
REPLACED = 0.05  # share of the tokens read that are another one or unknown: prompts are less regular than captions
NEIGHBORS = 1024  # most frequent tokens, whose neighborhood says which words are alike


def is_held_out(line: str) -> bool:
    """Whether the line is never trained on."""
    return zlib.crc32(line.lower().encode()) % HELD_OUT == 0


class Encoder:
    """Token ids of a caption. CLIP's tokens never reach over a space, so each word is encoded once."""

    def __init__(self) -> None:
        self._known: dict[str, list[int]] = {}

    def __call__(self, line: str) -> list[int]:
        ids: list[int] = []
        for word in line.lower().split():
            if word not in self._known:
                self._known[word] = TOKENIZER.encode(word)
            ids += self._known[word]
        return ids


class Corpus:
    """Texts as token ids, one after another. flat: int32 [tokens]; lengths: int64 [texts]."""

    def __init__(self, flat: np.ndarray, lengths: np.ndarray):
        self.flat, self.lengths = flat, lengths
        self.starts = lengths.cumsum() - lengths

    @classmethod
    def join(cls, parts: Sequence[Corpus]) -> Corpus:
        """All texts of the parts."""
        return cls(np.concatenate([p.flat for p in parts]), np.concatenate([p.lengths for p in parts]))

    def text(self, number: int) -> np.ndarray:
        """The tokens of one text."""
        return self.flat[self.starts[number] : self.starts[number] + self.lengths[number]]

    def in_a_row(self, rng: np.random.Generator, most: int) -> Corpus:
        """Some texts of at most `most` tokens that are several of these captions, with commas or full stops between."""
        marks = [np.array(TOKENIZER.encode(mark)) for mark in (",", ".")]
        texts = []
        for _ in range(int(JOINED * len(self.lengths))):
            mark, parts = marks[int(rng.integers(2))], rng.integers(len(self.lengths), size=int(rng.integers(2, 6)))
            pieces = [piece for number in parts for piece in (mark, self.text(number))]
            texts.append(np.concatenate(pieces[1:])[:most])
        return Corpus(np.concatenate([self.flat[:0], *texts]), np.array([len(text) for text in texts], dtype=np.int64))


def load(path: Path, encode: Encoder) -> tuple[Corpus, Corpus]:
    """The lines to train on, and those held out."""
    flats: tuple[list[int], list[int]] = ([], [])
    lengths: tuple[list[int], list[int]] = ([], [])
    with path.open() as file:
        for line in file:
            ids, which = encode(line), int(is_held_out(line.strip()))
            flats[which].extend(ids)
            lengths[which].append(len(ids))
    train, held_out = (
        Corpus(np.array(flat, dtype=np.int32), np.array(own, dtype=np.int64))
        for flat, own in zip(flats, lengths, strict=True)
    )
    return train, held_out


class Slots:
    """Which token has which slot. `ids` [K]: the token of each slot, RARE for the one that stands for all others."""

    def __init__(self, ids: Tensor):
        self.ids = ids
        self._of = torch.full((TOKENIZER.vocab_size,), int((ids == RARE).nonzero()))
        self._of[ids[ids != RARE].long()] = (ids != RARE).nonzero()[:, 0]

    @property
    def rare(self) -> int:
        """The slot of the tokens that have none of their own."""
        return int((self.ids == RARE).nonzero())

    def __call__(self, flat: np.ndarray) -> Tensor:
        return self._of[torch.from_numpy(flat).long()]


def choose_slots(corpus: Corpus, device: str) -> Slots:
    """The most frequent tokens, put into classes of words with similar neighbors."""
    counts = np.bincount(corpus.flat, minlength=TOKENIZER.vocab_size)
    counts[END] = len(corpus.lengths)
    counts[TOKENIZER.sot_token_id] = -1  # starts a text, never follows
    often = int((counts >= LEAST_COUNT).sum())
    classes = max(2, min(MOST_CLASSES, (often + 1) // WORDS))
    chosen = np.argsort(-counts, kind="stable")[: classes * WORDS - 1]
    slots = Slots(torch.tensor([RARE, *chosen], dtype=torch.int32))
    stream = slots(np.insert(corpus.flat, corpus.starts, END)).to(device)
    order = _halve(_neighborhoods(stream, classes * WORDS), torch.arange(classes * WORDS, device=device), classes)
    return Slots(slots.ids[order.cpu()])


def _neighborhoods(stream: Tensor, slots: int) -> Tensor:
    """[K, 2 * NEIGHBORS] compressed: how much more often than by chance each frequent word comes before and after."""
    near = min(NEIGHBORS, slots)
    sides = []
    for word, neighbor in ((stream[1:], stream[:-1]), (stream[:-1], stream[1:])):
        among = neighbor < near  # slots are still in order of frequency
        pairs = torch.bincount(word[among] * near + neighbor[among], minlength=slots * near)
        table = pairs.view(slots, near).float()
        chance = table.sum(1, keepdim=True).clamp_min(1) * table.sum(0) / table.sum()
        sides.append((table / chance.clamp_min(1e-9)).clamp_min(1).log() * (table > 0))
    both = torch.cat(sides, dim=1)
    torch.manual_seed(0)
    u, s, _ = torch.svd_lowrank(both, q=64, niter=4)
    return u * s.sqrt()


def _halve(features: Tensor, slots: Tensor, classes: int) -> Tensor:
    """The slots in an order in which each run of WORDS is a class: split again and again along the widest direction."""
    if classes == 1:
        return slots
    own = features[slots] - features[slots].mean(0)
    along = own @ torch.linalg.eigh(own.T @ own)[1][:, -1]
    order = slots[along.argsort()]
    first = classes // 2
    cut = first * WORDS
    return torch.cat([_halve(features, order[:cut], first), _halve(features, order[cut:], classes - first)])


class Rows:
    """Token rows on the device, given out in batches of similar length."""

    def __init__(self, corpus: Corpus, slots: Slots, most: int, device: str):
        ends = corpus.starts + corpus.lengths
        self._flat = slots(np.insert(corpus.flat, ends, END)).to(device)
        self._lengths = torch.from_numpy(np.minimum(corpus.lengths + 1, most))  # a text that is too long loses its end
        self._starts = torch.from_numpy(corpus.starts + np.arange(len(ends))).to(device)
        self._device = device

    def batches(self, positions: int, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Slots [N, T] and which of them are text, bool, about `positions` in all; without a generator in order of length."""
        count = len(self._lengths)
        order = torch.randperm(count, generator=generator) if generator else torch.arange(count)
        for many in order.split(64 * positions // 16):
            many = many[self._lengths[many].argsort(stable=True)]
            cumulated, batches, first = self._lengths[many].cumsum(0), [], 0
            for end in torch.searchsorted(
                cumulated, torch.arange(positions, int(cumulated[-1]) + positions, positions)
            ).tolist():
                batches.append(many[first : end + 1])
                first = end + 1
            shuffled = torch.randperm(len(batches), generator=generator) if generator else torch.arange(len(batches))
            for number in shuffled.tolist():
                if len(batches[number]):
                    yield self._take(batches[number])

    def _take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        lengths = self._lengths[rows]
        across = torch.arange(int(lengths.max()), device=self._device)
        text = across < lengths.to(self._device)[:, None]
        places = self._starts[rows.to(self._device)][:, None] + across
        return self._flat[places.clamp_max(len(self._flat) - 1)] * text, text


def new_net(config: CaptionConfig, device: str) -> CaptionNet:
    """A network with random weights."""
    torch.manual_seed(1)
    net = CaptionNet(config)
    for name, value in net.named_parameters():
        if value.ndim == 2:
            deep = math.sqrt(2 * config.layers) if name.endswith(("out.weight", "down.weight")) else 1
            torch.nn.init.normal_(value, std=0.02 / deep if "blocks" in name else 0.05)
    return net.to(device)


@torch.no_grad()
def held_out_loss(net: CaptionNet, rows: Rows) -> float:
    """Nats per token, the end of each text counted as one."""
    total = count = 0.0
    for slots, text in rows.batches(8192, None):
        hidden, _ = net.read(net.begin(slots[:, :-1]))
        total -= float(net.at(hidden[text], slots[text]).sum())
        count += int(text.sum())
    return total / count


def train(given: argparse.Namespace) -> None:
    torch.set_float32_matmul_precision("high")
    rng, encode, device = np.random.default_rng(1), Encoder(), given.device
    both = {path: load(path, encode) for path in given.texts}
    corpus = Corpus.join([both[path][0] for path in given.texts])
    state = given.out.with_suffix(".state")
    kept = torch.load(state, map_location=device, weights_only=True) if state.exists() else None
    if kept:
        slots, net = Slots(kept["token_ids"].cpu()), new_net(CaptionConfig(**kept["config"]), device)
        net.load_state_dict(kept["net"])
    elif given.begin:
        begun = load_caption_model(given.begin)
        slots, net = Slots(begun.token_ids), begun.net.requires_grad_().to(device)
    else:
        slots, sizes = choose_slots(corpus, device), (given.width, given.width // 64, given.layers, given.out_width)
        net = new_net(CaptionConfig(len(slots.ids) // WORDS, WORDS, *sizes), device)
    config = net.config
    corpus = Corpus.join([corpus, corpus.in_a_row(rng, config.positions - 1)])
    data = Rows(corpus, slots, config.positions, device)
    held_out = {
        path.stem: Rows(own, slots, config.positions, device) for path, (_, own) in both.items() if len(own.lengths)
    }
    decayed = [p for p in net.parameters() if p.ndim == 2]
    plain = [p for p in net.parameters() if p.ndim < 2]
    optimizer: Any = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    step, spent = 0, 0.0
    if kept:
        optimizer.load_state_dict(kept["optimizer"])
        step, spent = kept["step"], kept["spent"]
    print(
        f"{len(corpus.lengths)} texts, {len(corpus.flat) / 1e6:.1f} M tokens, {config}, {sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters",
        flush=True,
    )

    def save() -> None:
        tensors = {name: value.cpu() for name, value in pack(net, slots.ids).items()}
        save_file(tensors, given.out, metadata={"caption_model": json.dumps(asdict(config))})
        weights = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "token_ids": slots.ids}
        torch.save({**weights, "config": asdict(config), "step": step, "spent": spent}, state)
        losses = ", ".join(f"{name} {held_out_loss(net, own):.4f}" for name, own in held_out.items())
        print(f"step {step}, {spent:.0f} s, held out: {losses}", flush=True)

    generator = torch.Generator().manual_seed(step)
    noise = torch.Generator(device).manual_seed(step)
    seconds, shown, last, saved = 60 * given.minutes, torch.zeros((), device=device), time.perf_counter(), spent
    while spent < seconds:
        for batch, text in data.batches(given.positions, generator):
            done = spent / seconds
            rate = given.rate * min((step + 1) / 200, 1) * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1))) / 2)
            for group in optimizer.param_groups:
                group["lr"] = rate
            read = _replace(batch[:, :-1], config.slots, slots.rare, noise)
            hidden, _ = net.read(net.begin(read))
            loss = -net.at(hidden[text], batch[text]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            shown += loss.detach()
            step += 1
            if step % 200 == 0:
                print(f"step {step} loss {shown.item() / 200:.4f} {spent:.0f} s", flush=True)
                shown.zero_()
            now = time.perf_counter()
            spent, last = spent + now - last, now
            if spent > seconds:
                break
            if spent > saved + 45:
                save()
                saved, last = spent, time.perf_counter()
    save()


def _replace(read: Tensor, slots: int, rare: int, noise: torch.Generator) -> Tensor:
    drawn = torch.rand(read.shape, device=read.device, generator=noise)
    other = torch.randint(slots, read.shape, device=read.device, generator=noise)
    return torch.where(drawn < REPLACED / 2, other, torch.where(drawn < REPLACED, rare, read))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+", help="a file that is named twice counts twice")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="a caption model whose words, sizes and weights it begins with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--out-width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--positions", type=int, default=16384, help="tokens in a batch")
    parser.add_argument("--rate", type=float, default=2e-3)
    train(parser.parse_args())


if __name__ == "__main__":
    main()

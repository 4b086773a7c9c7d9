"""Trains the embedded painter on pictures of the world, with the embedded model's text tower.

    python -m training.train_painter [--drawings .drawings] [--minutes 8] [--device cuda] [--resume]

Writes `painter.json` and `painter.safetensors` (eight bits, averaged weights) to the folder --out, and everything
that --resume needs to the folder --state, every two minutes and at the end. The learning rate falls over all the
--minutes, which a resumed run continues to count. Each time it paints captions of scenes that training has not seen,
and prints for each judge that has been trained how often it puts the right caption first; at the end for several
strengths of guidance. --sheet keeps some paintings.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.judges import known_styles
from benchmarks.judging import first_share, load_judges
from pez_core import ClipModel, load_model
from pez_core.models.eight_bits import packed
from pez_core.models.painter import CONFIG, FOLDER, WEIGHTS, Painter, fingerprint, read
from pez_core.models.painter_net import PainterConfig, PainterNet, Reading
from pez_core.painting import GUIDANCE, STEPS
from pez_core.towers.placement import MovePlacement
from training.evaluation import EVALUATION_SEED
from training.likeness import Likeness
from training.narrow import computes_in_bfloat16
from training.painter_data import Pool
from training.world import Scenery, full_caption

SHOWN = 32  # paintings of a sheet
NO_TEXT = 0.1  # share of the pictures painted without their text, which guidance needs
TOWARDS_NOISE = 0.3  # mean of the logit of the times in training: above 0, more of them are noisy
LIKENESS_SHARE = 0.5  # of the pictures are compared by the embedded model too
SAVE_EVERY, REPORT_EVERY = 120.0, 20.0  # seconds


class Training:
    """The network, its averaged copy and the optimizer: what a resumed run goes on with."""

    def __init__(self, config: PainterConfig, rate: float, device: torch.device):
        self.net = PainterNet(config).to(device=device, memory_format=torch.channels_last)
        self.average = PainterNet(config).to(device=device, memory_format=torch.channels_last)
        self.average.load_state_dict(self.net.state_dict())
        matrices = [p for p in self.net.parameters() if p.ndim >= 2]
        vectors = [p for p in self.net.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=device.type == "cuda")
        self.rate, self.step, self.seconds = rate, 0, 0.0

    def save(self, file: Path) -> None:
        """Writes the state; the optimizer's moments in half the bits, which it does not notice."""
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            key: {name: value.bfloat16() if value.ndim else value for name, value in moments.items()}
            for key, moments in optimizer["state"].items()
        }
        state = {name: getattr(self, name).state_dict() for name in ("net", "average")}
        torch.save({**state, "optimizer": optimizer, "step": self.step, "seconds": self.seconds}, file)

    def load(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def advance(self, loss: Tensor, progress: float) -> None:
        """One step of the optimizer, with the learning rate at `progress` 0 to 1, and of the average."""
        warm = min((self.step + 1) / 200, 1)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1))) / 2)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        kept = min(0.999, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            own = [p.data for p in self.average.parameters()]
            torch._foreach_lerp_(own, [p.data for p in self.net.parameters()], 1 - kept)


def loss_of(
    net: Any, pictures: Tensor, reading: Reading, likeness: Likeness | None = None, weight: float = 0
) -> Tensor:
    """The error of the velocity at random times between picture and noise: rectified flow (arXiv 2209.03003).

    With `likeness` the distance of the pictures that the velocities lead to is added, times `weight`.
    """
    count, device = len(pictures), pictures.device
    clean = pictures.float() / 127.5 - 1
    noise = torch.randn_like(clean)
    time = torch.sigmoid(torch.randn(count, device=device) + TOWARDS_NOISE)
    noisy = torch.lerp(clean, noise, time[:, None, None, None]).contiguous(memory_format=torch.channels_last)
    reading = reading.without(torch.rand(count, device=device) < NO_TEXT)
    velocity = net(noisy, time, reading).float()
    loss = F.mse_loss(velocity, noise - clean)
    if likeness and weight:
        some = slice(round(count * LIKENESS_SHARE))
        reached = noisy[some] - time[some, None, None, None] * velocity[some]
        loss = loss + weight * likeness(reached, clean[some]).mean()
    return loss


@contextmanager
def quick(device: torch.device) -> Iterator[None]:
    """Computes in bfloat16 where the device is made for it; on a CPU with attention whose backward pass is quicker there."""
    on_cpu = device.type == "cpu"
    plain = sdpa_kernel(SDPBackend.MATH) if on_cpu else nullcontext()
    with torch.autocast(device.type, torch.bfloat16, enabled=computes_in_bfloat16(device)), plain:
        yield


def save_painter(net: PainterNet, model: ClipModel, folder: Path) -> None:
    """Writes the two files that `load_painter` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {**asdict(net.config), "text_tower": fingerprint(model)}
    (folder / CONFIG).write_text(json.dumps(told) + "\n", "utf-8")
    weights = {name: value.cpu().contiguous() for name, value in net.state_dict().items()}
    save_file(packed(weights), folder / WEIGHTS)


def config_for(model: ClipModel, **shape: Any) -> PainterConfig:
    """The configuration of a painter that reads texts with `model`."""
    return PainterConfig(feature=model.text.features, token=model.text.width, **shape)


def check(
    painter: Painter,
    judges: list[ClipModel],
    world: Scenery,
    count: int,
    strengths: Sequence[float],
    sheet: Path | None,
) -> None:
    """Paints captions that training has not seen and prints how often each judge puts the right one first among `count`.

    Each judge gets captions in the styles that it knows. Paintings in all styles go to `sheet`, one row for each of the
    `strengths` of guidance, their captions to a text beside it.
    """
    for judge in judges if count else ():
        captions = _captions(world.limited(known_styles(judge.name)), count)
        told = []
        for guidance in strengths:
            pictures = painter.paint(captions, range(count), STEPS, guidance)
            shown = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures]
            told.append(f"{first_share(judge, shown, captions):.3f} with guidance {guidance}")
        print(f"{judge.name}: right caption first among {count}: {', '.join(told)}", flush=True)
    if sheet:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        captions = _captions(world, SHOWN)
        rows = [painter.paint(captions, range(SHOWN), STEPS, guidance) for guidance in strengths]
        whole = torch.stack(rows).permute(0, 3, 1, 4, 2)  # [strengths, 64, shown, 64, 3]
        Image.fromarray(whole.flatten(0, 1).flatten(1, 2).numpy()).save(sheet)
        sheet.with_suffix(".txt").write_text("\n".join(captions) + "\n", "utf-8")


def _captions(world: Scenery, count: int) -> list[str]:
    return [full_caption(scene) for scene in world.scenes(np.random.default_rng(EVALUATION_SEED), count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--drawings", type=Path, default=Path(".drawings"), metavar="DIR", help="made by training.drawings"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--state", type=Path, default=Path("out/painter"), metavar="DIR")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png")
    parser.add_argument("--minutes", type=float, default=8.0, metavar="M")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--batch", type=int, default=512, metavar="N", help="128 on a CPU (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument(
        "--likeness",
        type=float,
        default=0.005,
        metavar="W",
        help="weight of the likeness to the embedded model; 0: pixels alone",
    )
    parser.add_argument("--pool", type=int, default=2**17, metavar="N", help="drawn pictures kept on the device")
    parser.add_argument(
        "--refill",
        type=int,
        default=8,
        metavar="N",
        help="steps before new pictures are drawn, for which the device waits",
    )
    parser.add_argument("--workers", type=int, default=14, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--check", type=int, default=256, metavar="N", help="captions painted for the check, 0 for none"
    )
    parser.add_argument(
        "--guidance", type=float, nargs="+", default=[GUIDANCE, 1.0, 3.0], metavar="G", help="for the check"
    )
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile: a minute to begin with, then faster steps"
    )
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    train(parser.parse_args())


def train(given: argparse.Namespace) -> None:
    torch.manual_seed(given.seed)
    device = torch.device(given.device)
    model = load_model()
    state = given.state / "state.pt"
    kept = torch.load(state, map_location="cpu", weights_only=True) if given.resume else None
    seed = given.seed + (kept["step"] if kept else 0)  # a resumed run draws other scenes than those that it has seen
    pool = Pool(given.drawings, model.vocabulary, device, given.pool, given.workers, seed)
    tower: Any = model.to(device).text.towers[0].module
    training = Training(config_for(model), given.rate, device)
    if kept:
        training.load(kept)
        torch.manual_seed(seed)
    size = sum(p.numel() for p in training.net.parameters())
    print(f"{size / 1e6:.2f} million parameters, from step {training.step}, after {training.seconds:.0f} s", flush=True)
    net: Any = torch.compile(training.net) if given.compile else training.net
    likeness = Likeness(model, device) if given.likeness else None
    given.state.mkdir(parents=True, exist_ok=True)

    judges = load_judges(device)
    unseen = Scenery(given.drawings)
    painter = Painter(training.average, model)
    painter.placement = MovePlacement(device)

    def keep(strengths: Sequence[float]) -> None:
        training.save(state)
        save_painter(training.average, model, given.out)
        check(painter, judges, unseen, given.check, strengths, given.sheet)

    before, begun = training.seconds, time.perf_counter()
    saved, reported, shown, since = training.seconds, training.seconds, torch.zeros((), device=device), training.step
    least = min(16 * given.batch, given.pool)
    pool.refill(least)
    while training.seconds < given.minutes * 60:
        if training.step % given.refill == 0:
            pool.refill(least)
        pictures, rows = pool.batch(given.batch)
        with quick(device):
            with torch.no_grad():
                reading = read(tower, rows)
            loss = loss_of(net, pictures, reading, likeness, given.likeness)
        training.advance(loss, training.seconds / (given.minutes * 60))
        shown += loss.detach()
        training.seconds = before + time.perf_counter() - begun
        if training.seconds - reported >= REPORT_EVERY:
            taken = training.step - since
            mean = shown.item() / taken  # waits for the device
            training.seconds = before + time.perf_counter() - begun
            speed = taken / (training.seconds - reported)
            print(
                f"step {training.step} loss {mean:.4f} {training.seconds:.0f} s, {speed:.1f} steps/s, "
                f"{pool.drawn} pictures drawn",
                flush=True,
            )
            reported, since, shown = training.seconds, training.step, torch.zeros((), device=device)
        if training.seconds - saved >= SAVE_EVERY:
            keep(given.guidance[:1])
            training.seconds = before + time.perf_counter() - begun
            saved = reported = training.seconds
            since, shown = training.step, torch.zeros((), device=device)
    pool.close()
    keep(given.guidance)


if __name__ == "__main__":
    main()

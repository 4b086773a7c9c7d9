"""Trains a CLIP model on the small world: the embedded model, or a judge.

    python -m training.train pez_core/embedded --seed 1 --minutes 60
    python -m training.train FOLDER --drawings .drawings --seed N [--styles NAME ...] [--device cuda] [--resume]

The folder holds `model.json`, an open_clip architecture, with the `styles` to train on unless these are all. The run writes `model.safetensors` next to it, in half
precision: a running mean of the weights. The token table keeps only the rows that training used, with their token ids.
With --resume an interrupted run goes on from its last state, which is in --work together with a log.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .augmentation import augmented
from .evaluation import Evaluation
from .feed import Feed, unpacked
from .model import build, encode_pictures, encode_text, save
from .tokens import Rows
from .world import STYLES, World

WARMUP = 400  # steps
LEAST_RATE = 0.01  # of the highest
MEAN_OVER = 0.999  # decay of the running mean of the weights
SHOW_SECONDS = 15.0
MOST_SCALE = math.log(100)


@dataclass(frozen=True)
class Plan:
    """What a run is to do. It ends after `steps`, or after `minutes` of training if that comes first."""

    seed: int
    steps: int
    minutes: float
    batch: int
    rate: float
    workers: int
    save_seconds: float = 120.0


class Run:
    """One training: the model, the running mean of its weights, the optimizer, and how far it has come."""

    def __init__(self, config: dict[str, Any], rows: Rows, plan: Plan, device: torch.device):
        torch.manual_seed(plan.seed)
        self.config, self.rows, self.plan, self.device = config, rows, plan, device
        # On a GPU convolutions in half precision are fastest with the channels last.
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.model = build(config, rows).to(device, memory_format=layout).train()
        self.mean = deepcopy(self.model).eval().requires_grad_(False)
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), fused=device.type == "cuda")
        self.noise = torch.Generator(device).manual_seed(plan.seed)
        self.step, self.seconds = 0, 0.0

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return min(max(self.step / self.plan.steps, self.seconds / (60 * self.plan.minutes)), 1.0)

    def learn(self, pictures: Tensor, told: Tensor, wrong: Tensor) -> Tensor:
        """One step on uint8 pictures, the rows of their captions and of wrong ones. Returns the loss."""
        rate = min((self.step + 1) / WARMUP, 1) * (
            LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * self.progress)) / 2
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate * rate
        model, count = self.model, len(pictures)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            images = encode_pictures(model, augmented(pictures, self.noise))
            texts = encode_text(model, torch.cat((told, wrong)))
        logits = model.logit_scale.exp() * images @ texts.T  # [batch, 2 * batch]
        own = torch.arange(count, device=self.device)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits[:, :count].T, own)) / 2
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            model.logit_scale.clamp_(0, MOST_SCALE)
            share = 1 - min(MEAN_OVER, (1 + self.step) / (10 + self.step))
            kept, new = (list(m.state_dict().values()) for m in (self.mean, model))
            floats = [i for i, value in enumerate(kept) if value.is_floating_point()]
            torch._foreach_lerp_([kept[i] for i in floats], [new[i] for i in floats], share)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "noise": self.noise.get_state(),
            "token ids": self.rows.ids,
            "step": self.step,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises ValueError for a state of another token table."""
        if state["token ids"] != self.rows.ids:
            raise ValueError("The saved state belongs to other drawings or styles: start anew, without --resume.")
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.noise.set_state(state["noise"].cpu())
        self.step, self.seconds = state["step"], state["seconds"]


def train(
    folder: Path,
    drawings: Path,
    styles: Sequence[str] | None,
    plan: Plan,
    device: torch.device,
    work: Path,
    resume: bool = False,
) -> Run:
    """Trains to the plan's end; see the module. Returns the finished run."""
    config = json.loads((folder / "model.json").read_text("utf-8"))
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    styles = tuple(styles or config.get("styles", STYLES))
    world = World(drawings, device, styles=styles)
    rows = Rows(world.words())
    run = Run(config, rows, plan, device)
    work.mkdir(parents=True, exist_ok=True)
    saved, log = work / f"{folder.name}.state.pt", work / f"{folder.name}.log"
    if resume and saved.is_file():
        run.restore(torch.load(saved, map_location=device, weights_only=True))
    elif log.is_file():
        log.unlink()

    def tell(text: str) -> None:
        print(text, flush=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def keep() -> None:
        part = saved.with_suffix(".part")
        torch.save(run.state(), part)
        part.replace(saved)  # an interrupted save must not cost the state
        save(run.mean, rows, config, folder / "model.safetensors")

    parameters = sum(p.numel() for p in run.model.parameters())
    tell(f"{len(world.things)} things, {len(rows.ids)} token rows, {parameters:,} parameters, from step {run.step}")
    evaluation = Evaluation(world, drawings, styles)
    feed = iter(Feed(world.scenery(), rows, plan.seed, plan.batch, run.step).loader(plan.workers))
    losses = torch.zeros((), device=device)
    begun = kept = shown = time.perf_counter()
    before, waited, counted = run.seconds, 0.0, run.step
    while run.progress < 1:
        asked = time.perf_counter()
        layouts, told, wrong = unpacked(next(feed))
        waited += time.perf_counter() - asked
        losses += run.learn(world.draw(layouts), *(t.to(device, non_blocking=True).long() for t in (told, wrong)))
        now = time.perf_counter()
        run.seconds = before + now - begun
        if now - shown > SHOW_SECONDS:
            mean = losses.item() / (run.step - counted)
            losses.zero_()
            shown, counted, share = now, run.step, waited / (now - begun)
            tell(f"step {run.step} loss {mean:.3f} {run.seconds:.0f} s, {share:.0%} of it waiting for batches")
        if now - kept > plan.save_seconds:
            keep()
            tell(f"step {run.step} " + _line(evaluation.alone(run.mean, rows)))
            kept = time.perf_counter()
    keep()
    for name, share in evaluation.measures(run.mean, rows):
        tell(f"{name:20}{share:.3f}")
    return run


def _line(measures: Any) -> str:
    return ", ".join(f"{name} {share:.3f}" for name, share in measures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drawings", type=Path, default=Path(".drawings"), metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--styles", nargs="+", choices=STYLES, metavar="NAME")
    parser.add_argument("--steps", type=int, default=1_000_000, help="end after this many")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after this many")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=max((os.cpu_count() or 1) - 1, 1), help="processes for batches")
    parser.add_argument("--work", type=Path, default=Path("out/training"), metavar="FOLDER", help="for state and log")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    plan = Plan(given.seed, given.steps, given.minutes, given.batch, given.rate, given.workers)
    train(given.folder, given.drawings, given.styles, plan, torch.device(given.device), given.work, given.resume)


if __name__ == "__main__":
    main()

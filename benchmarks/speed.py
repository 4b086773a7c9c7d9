"""Times a search step: ours, the published loop's, and only the matrix products of a step.

    python -m benchmarks.speed [--models ViT-B-32 ...] [--restarts 1 8] [--device D] [--precision P] [--json]

The models have random weights in real shapes. The times of a row come from runs taken in turn in one process. Both
loops search the whole vocabulary, from the same start, for the same random feature. The shapes of language models, gpt2-large and
opt-2.7b, are timed at the search for a prompt that classifies (`benchmarks/language_speed.py`).
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from dataclasses import dataclass
from typing import Any

import open_clip
import torch
from torch import Tensor

from benchmarks import language_speed
from benchmarks.published_loop import PublishedLoop
from benchmarks.random_models import random_clip
from pez_core import ClipModel, InversionConfig, Target, Vocabulary
from pez_core.checks.floor import Floor
from pez_core.checks.measuring import extra_megabytes, free_megabytes, in_turn, machine
from pez_core.config import PRECISIONS
from pez_core.inversion import template_for
from pez_core.objectives.match import MatchObjective
from pez_core.search import Stepper, make_stepper, starts
from pez_core.search.pez import PezSearch
from pez_core.towers.precision import DTYPES

MODELS = ("ViT-B-32", "ViT-L-14", "ViT-H-14", "ViT-bigG-14")
RESTARTS = (1, 4, 8, 16)
LENGTH = 16
STEPS = 10_000
COMPARED = 50  # steps in which both loops must find the same tokens


class _Whole(Vocabulary):
    """Every token except the special ones, as in the published loop."""

    @property
    def usable(self) -> Tensor:
        return torch.arange(self.size) < 49406


@dataclass(frozen=True)
class Ours:
    """Our PEZ, ready to step from `start` [R, L]; `precision` is the format that it computes in."""

    objective: MatchObjective
    search: PezSearch
    start: Tensor
    stepper: Stepper[Any]
    precision: str


def ours(model: ClipModel, target: Target, restarts: int, precision: str) -> Ours:
    """Returns our search, over the same tokens as the published loop's."""
    config = InversionConfig(
        method="pez", steps=STEPS, length=LENGTH, restarts=restarts, vocabulary="any", precision=precision
    )
    objective = MatchObjective(model, [target], template_for(model, config), config.precision)
    generators = [torch.Generator().manual_seed(0)]
    start, _ = starts([objective.space.of(0)], config, (), (), generators)
    search = PezSearch(objective, config, STEPS, generators)
    chosen, _ = next(iter(model.text._chosen.values()))
    name = next(name for name, dtype in DTYPES.items() if dtype == chosen)
    return Ours(objective, search, start, make_stepper(search, search.begin(start), model.device), name)


def compare(published: PublishedLoop, own: Ours) -> tuple[int, float]:
    """Compares both loops over COMPARED steps.

    Returns the number of steps in which both loops, run separately, project to the same ids, and the largest difference
    between their similarities for the ids of the published loop.
    """
    state, alike, difference = own.search.begin(own.start), 0, 0.0
    for step in range(COMPARED):
        published.step()
        ids, similarity = published.done.ids[-1], published.done.similarities[-1]
        if alike == step:
            alike += own.search._nearest(state.prompt)[0].tolist() == ids
            state = own.search.step(state)
        here = torch.tensor([ids], device=own.start.device)
        difference = max(
            difference,
            abs(own.objective.value(here, torch.zeros(1, dtype=torch.long, device=here.device)).item() - similarity),
        )
    return alike, difference


def measure(name: str, restarts: list[int], device: torch.device, precision: str, turns: int) -> list[dict[str, Any]]:
    """Returns a row for each number of restarts of one architecture."""
    model = ClipModel.of_open_clip(
        random_clip(name).to(device), lambda picture: picture, _Whole(open_clip.get_tokenizer(name), 49408), name
    )
    width = model.text.module.text_projection.shape[1]
    target = Target(torch.randn(1, width, generator=torch.Generator().manual_seed(1)), torch.ones(1))
    times = 20 if device.type == "cuda" else 1
    rows = []
    for count in restarts:
        own = ours(model, target, count, precision)

        def loop(start: Tensor = own.start[:1]) -> PublishedLoop:
            feature = target.features.to(device)
            return PublishedLoop(model.text.module, feature, start, decode=model.vocabulary.decode)

        published = loop()
        floor: Any = Floor(model.text.towers[0], count, LENGTH, DTYPES[own.precision], model.text.table)
        if device.type == "cuda":
            graph = torch.cuda.CUDAGraph()
            floor()
            with torch.cuda.graph(graph):
                floor()
            floor = graph.replay
        for warm_up in (published.step, own.stepper.advance, floor):
            warm_up()
        theirs, mine, least = in_turn([published.step, own.stepper.advance, floor], device, turns, times)
        alike, difference = compare(loop(), own) if count == restarts[0] else (None, None)
        chosen = own.precision
        del own, floor, published
        gc.collect()
        memory = extra_megabytes(lambda count=count: ours(model, target, count, precision).stepper.advance(), device)
        rows.append(
            {
                "model": name,
                "precision": chosen,
                "restarts": count,
                "published_ms": theirs,
                "ours_ms": mine,
                "faster": theirs / mine * count,
                "floor": mine / least,
                "megabytes": memory,
                "published_megabytes": extra_megabytes(loop().step, device),
                "same_steps": alike,
                "difference": difference,
            }
        )
    return rows


def missing_megabytes(name: str, device: torch.device) -> float:
    """Estimates how much more memory the device would need for a row; 0 or less if there is enough."""
    text = open_clip.get_model_config(name)["text_cfg"]
    weights = 12 * text["layers"] * text["width"] ** 2 + text["vocab_size"] * text["width"]
    return 2.5 * 4 * weights / 2**20 - free_megabytes(device)


HEADER = (
    f"{'model':12}{'format':>7}{'restarts':>9}{'published':>11}{'ours':>9}{'a start':>9}{'faster':>8}{'x floor':>9}"
    f"{'MB':>7}{'MB pub.':>9}{'same ids':>10}{'apart':>9}"
)


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table."""
    memory, theirs = (
        f"{row[key]:.0f}" if row[key] is not None else "-" for key in ("megabytes", "published_megabytes")
    )
    same = "" if row["same_steps"] is None else f"{row['same_steps']}/{COMPARED}"
    apart = "" if row["difference"] is None else f"{row['difference']:.0e}"
    return (
        f"{row['model']:12}{row['precision']:>7}{row['restarts']:9}{row['published_ms']:11.2f}{row['ours_ms']:9.2f}"
        f"{row['ours_ms'] / row['restarts']:9.2f}{row['faster']:8.1f}{row['floor']:9.2f}{memory:>7}{theirs:>9}{same:>10}{apart:>9}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help=f"default: {', '.join(MODELS)}")
    parser.add_argument("--restarts", nargs="+", type=int, default=RESTARTS, metavar="N")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--turns", type=int, default=7, metavar="N", help="medians are taken over this many turns")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    device = torch.device(given.device)
    spoken = [name for name in given.models if name in language_speed.SHAPES]
    seen = [name for name in given.models if name not in spoken]
    if not given.json:
        print(machine(device), *([HEADER] if seen else []), sep="\n", flush=True)
    rows = []
    for name in seen:
        short = missing_megabytes(name, device)
        if short > 0:
            print(f"{name}: skipped, {short:.0f} MB more memory are needed", file=sys.stderr)
            continue
        rows += (made := measure(name, given.restarts, device, given.precision, given.turns))
        if not given.json:
            print(*map(line, made), sep="\n", flush=True)
        gc.collect()
    if spoken and not given.json:
        print(language_speed.HEADER)
    for name in spoken:
        rows += (made := language_speed.measure(name, given.restarts, device, given.precision, given.turns))
        if not given.json:
            print(*map(language_speed.line, made), sep="\n", flush=True)
        gc.collect()
    if given.json:
        print(json.dumps({"machine": machine(device), "length": LENGTH, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()

"""Prompts that classify, method against method: the paper's text-to-text experiment on film reviews.

    python -m benchmarks.classify [--model installed] [--methods pez ...] [--seeds 0 1 2] [--passes N] [--batch B]
        [--compared C] [--calibration N] [--labels W,W] [--hold-out H] [--test T] [--longest W] [--precision P] [--jobs J]
        [--carry MODEL ...] [--json FILE]

Each method learns from the same texts with as many passes of the model (a prompt with one text, forward or backward) and the
same seeds; the best prompt on held-out texts is measured on test texts that nothing else uses. The films come from PyPI (see
`python -m pez_core classify --data`), the default model too. With --calibration, every prompt, also none, is calibrated by as many
texts to learn from. Errors are standard errors: of an accuracy over the texts, of a mean over the seeds. Rows appear as they are
done.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from pez_core.checks.measuring import machine
from pez_core.classification import calibrate, evaluate_prompt, learn_classifier
from pez_core.config.classifier import ClassifierConfig
from pez_core.models.language_names import INSTALLED, language_model_named
from pez_core.objectives.label_judge import Accuracy
from pez_core.search import METHODS
from pez_core.targets.labelled import Examples
from pez_core.targets.labelled_archive import find_dataset
from pez_core.targets.labelled_files import read_examples
from pez_core.targets.task import LabelTask

NAMES, LABELS, SUFFIX = ["negative", "positive"], "terrible,great", " It was"
PERSON = "The movie was terrible . It was terrible . The movie was great . It was great ."
TRAIN = 8000
RATES = {"autoprompt-sgd": 10.0, "fluentprompt": 1.0}  # plain rates; PEZ has the paper's
PERSON_RATE = 0.03  # so small that the words stay at first
SWAPS = 0.25  # share of the passes of pez+swaps that swaps take


@dataclass(frozen=True)
class Row:
    """What one method found with one seed."""

    method: str
    seed: int
    held_out: float
    test: Accuracy
    seconds: float
    steps: int


def steps_of(method: str, passes: int, batch: int, compared: int, candidates: int, top: int) -> tuple[int, int]:
    """Steps of the descent and of the rest that cost as many passes."""
    descent = {"pez": 1.0, "autoprompt-sgd": 1.0, "fluentprompt": 1.0, "pez+swaps": 1 - SWAPS}.get(method, 0.0)
    rest = {
        "pez+swaps": compared * (2 + candidates),
        "swaps": compared * (2 + candidates),
        "autoprompt": compared * (2 + top),
        "random": compared,
    }
    first = round(descent * passes / (2 * batch))
    return first, max(1, round((1 - descent) * passes / rest[method])) if method in rest else 0


def config_of(method: str, seed: int, given: argparse.Namespace, **more: Any) -> ClassifierConfig:
    """The configuration of a method for the passes that are given."""
    first, rest = steps_of(method, given.passes, given.batch, given.compared, given.candidates, given.candidates)
    return ClassifierConfig(
        **{
            "method": method,
            "seed": seed,
            "steps": first + rest,
            "explore": max(1, first),
            "batch_size": given.batch,
            "compared": given.compared,
            "candidates": given.candidates,
            "top": given.candidates if method == "autoprompt" else 32,
            "learning_rate": RATES.get(method),
            "calibration": given.calibration,
            "precision": given.precision,
            "vocabulary": given.vocabulary,
            "length": given.length,
            "compare_every": max(1, (first + rest) // given.looks),
            **more,
        }
    )


_ready: dict[str, Any] = {}  # the model and the texts of this process


def prepare(given: argparse.Namespace) -> tuple[Any, tuple[Examples, Examples, Examples]]:
    """The model, and the texts to learn from, to choose by and to test with; loaded once in each process."""
    if not _ready:
        if given.jobs > 1:
            torch.set_num_threads(1)
        films = read_examples(find_dataset("movie-reviews", given.folder))
        train, held_out, test = films.split(TRAIN, given.hold_out, given.test, seed=0)
        if given.longest:
            train = train.select([i for i, text in enumerate(train.texts) if len(text.split()) <= given.longest])
        _ready.update(model=language_model_named(given.model), parts=(train, held_out, test))
    return _ready["model"], _ready["parts"]


def task_of(given: argparse.Namespace) -> LabelTask:
    """The labels and their words."""
    return LabelTask.of(NAMES, given.labels.split(","), SUFFIX)


def calibrated_task(given: argparse.Namespace, model: Any, prompt: str, train: Examples) -> LabelTask:
    """The same for a prompt that nothing learned."""
    some = train.select(range(given.calibration))
    return calibrate(model, task_of(given), prompt, some) if given.calibration else task_of(given)


def learn(given: argparse.Namespace, name: str, seed: int, changes: dict[str, Any]) -> tuple[Row, str]:
    """A row, and the prompt."""
    model, (train, held_out, test) = prepare(given)
    config = config_of(name.split(" ")[0], seed, given, **changes)
    start = time.perf_counter()
    result = learn_classifier(model, task_of(given), train, held_out, config, explained=0)
    seconds = time.perf_counter() - start
    measured = evaluate_prompt(model, result.task, result.prompt, test)
    return Row(name, seed, result.accuracy, measured, seconds, result.search.steps), result.prompt


def measure(given: argparse.Namespace, name: str, prompt: str) -> tuple[Row, str]:
    """A row of a prompt that nothing learned."""
    model, (train, held_out, test) = prepare(given)
    start = time.perf_counter()
    task = calibrated_task(given, model, prompt, train)
    held, tested = (evaluate_prompt(model, task, prompt, part) for part in (held_out, test))
    return Row(name, 0, held.accuracy, tested, time.perf_counter() - start, 0), prompt


def line(name: str, rows: Sequence[Row]) -> str:
    """The means of a method over its seeds."""
    test = [row.test.accuracy for row in rows]
    spread = statistics.stdev(test) / math.sqrt(len(test)) if len(test) > 1 else rows[0].test.error
    nll = [row.test.nll for row in rows if row.test.nll is not None]
    reads = f"{statistics.mean(nll):5.1f}" if nll else "    -"
    return (
        f"{name:24} {statistics.mean(row.held_out for row in rows):8.3f} {statistics.mean(test):7.3f} ± {spread:.3f} "
        f"{reads} {statistics.mean(row.seconds for row in rows) / 60:7.1f} {rows[0].steps:6}"
    )


def main() -> None:
    """Prints the tables."""
    given = _options().parse_args()
    if given.prompt:
        for prompt in given.prompt:
            _carry(given, prompt)
        return
    print(f"{given.model}, {machine(torch.device('cpu'))}, {given.jobs} at a time", end="")
    print(f"; {given.passes} passes, batch {given.batch}, {len(given.seeds)} seeds")
    print(f"{'':24} {'held out':>8} {'test':>7}   {'error':5} {'NLL':>5} {'minutes':>7} {'steps':>6}", flush=True)
    best: tuple[float, str] = (0.0, "")
    told: list[dict[str, Any]] = []
    workers = ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) if given.jobs > 1 else None
    submit: Any = workers.submit if workers else _InTurn
    asked = [
        (name, [submit(measure, given, name, prompt)])
        for name, prompt in (("no prompt", ""), ("a person's prompt", PERSON))
    ]
    asked += [
        (name, [submit(learn, given, name, seed, changes) for seed in given.seeds])
        for name, changes in _variants(given).items()
    ]
    for name, waiting in asked:
        found = []
        for each in waiting:
            row, prompt = each.result()
            found.append((row, prompt))
            told.append({**asdict(row), "prompt": prompt})
            if row.steps and prompt != PERSON:
                best = max(best, (row.held_out, prompt))
                print(f"    {row.seed}: {row.test.accuracy:.3f}  {prompt}", file=sys.stderr, flush=True)
        print(line(name, [row for row, _ in found]), flush=True)
    if workers:
        workers.shutdown()
    if best[1]:
        print("\nthe best learned prompt on the held-out texts:")
        _carry(given, best[1])
    if given.json:
        given.json.write_text(json.dumps(told, indent=1, default=str))


class _InTurn:
    """Does the work when its result is asked for."""

    def __init__(self, work: Callable[..., Any], *arguments: Any):
        self._work, self._arguments = work, arguments

    def result(self) -> Any:
        return self._work(*self._arguments)


def _variants(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The rows of the table: each method, and what is asked for on top."""
    rows: dict[str, dict[str, Any]] = {method: {} for method in given.methods}
    for weight in given.fluency:
        rows[f"pez fluency {weight:g}"] = {"fluency": weight}
    if given.from_person:
        own = {"start": "words", "words": PERSON, "length": len(PERSON.split()), "vocabulary": "any"}
        rows["pez from a person's"] = {**own, "learning_rate": PERSON_RATE}
    return rows


def _carry(given: argparse.Namespace, prompt: str) -> None:
    """The best prompt on the other reviews, and in other models."""
    train, _, test = prepare(given)[1]
    print(f"\n{prompt}\n")
    print(f"{'carried to':44} {'no prompt':>9} {'with it':>8}   error")
    others = read_examples(find_dataset("amazon-reviews", given.folder))
    shops, shop_train = others.split(given.test, max(1, given.calibration), seed=0)
    places: list[tuple[str, str, Examples, Examples]] = [
        (given.model, "film reviews", train, test),
        (given.model, "Amazon reviews", shop_train, shops),
        *((name, "film reviews", train, test) for name in given.carry),
    ]
    for which, kind, by, texts in places:
        model, name = language_model_named(which), f"{which}, {kind}"
        tasks = {each: calibrated_task(given, model, each, by) for each in ("", prompt)}
        none, own = (evaluate_prompt(model, task, each, texts) for each, task in tasks.items())
        print(f"{name:44} {none.accuracy:9.3f} {own.accuracy:8.3f} ± {own.error:.3f}", flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default=INSTALLED)
    parser.add_argument("--folder", type=Path, help="where the downloaded archive lies")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--compared", type=int, default=32)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--calibration", type=int, default=0, metavar="N", help="texts for it (default: none)")
    parser.add_argument(
        "--labels", default=LABELS, metavar="W,W", help="words of the two labels, of one separated by |"
    )
    parser.add_argument("--hold-out", type=int, default=500)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--longest", type=int, default=0, help="learn from texts of at most this many words")
    parser.add_argument("--length", type=int, default=10)
    parser.add_argument("--looks", type=int, default=4, help="how often prompts are tried on the held-out texts")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--vocabulary", default="words")
    parser.add_argument("--fluency", nargs="*", type=float, default=[], help="one more row each: PEZ with this fluency")
    parser.add_argument("--from-person", action="store_true", help="one more row: PEZ from a person's prompt")
    parser.add_argument("--jobs", type=int, default=1, help="searches at a time, each with one thread")
    parser.add_argument("--carry", nargs="*", default=[], help="other models for the best prompt")
    parser.add_argument("--prompt", nargs="+", metavar="T", help="learn nothing: only carry these prompts")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main()

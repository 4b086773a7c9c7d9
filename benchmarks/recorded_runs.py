"""Fifty seeded runs whose prompts must stay the same when the code is rearranged.

    python -m benchmarks.recorded_runs --write FILE
    python -m benchmarks.recorded_runs --check FILE [--short]

`--write` records the results of this code. `--check` repeats the runs and prints which ones differ. The runs recorded
last are in `tests/core/recorded_runs.json`. The tests repeat a few short ones (`--short`). To repeat all of them:

    OMP_NUM_THREADS=1 python -m benchmarks.recorded_runs --check tests/core/recorded_runs.json

Another processor or version of torch rounds differently, which can change a prompt. Then record the runs again
with the code before the change, and check the code after it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.judges import JUDGES
from benchmarks.pictures import held_out
from pez_core import ClipModel, InversionConfig, Target, combine, invert, load_model
from pez_core.models.loading import load_folder

SAMPLES = Path(__file__).parents[1] / "pez_core" / "embedded" / "samples"
DIGITS = 4
TOLERANCE = 1.5 * 10**-DIGITS  # two equal numbers may round to neighbors


@dataclass(frozen=True)
class Recorded:
    """One run: pictures are numbers of held-out pictures or names of samples; a joint run also uses the judge."""

    name: str
    pictures: tuple[int | str, ...]
    settings: dict[str, Any]
    weights: tuple[float, ...] | None = None
    joint: bool = False
    short: bool = False


def _run(name: str, *pictures: int | str, **more: Any) -> Recorded:
    of_the_run = {key: more.pop(key) for key in ("weights", "joint", "short") if key in more}
    return Recorded(name, pictures, more, **of_the_run)


FEW: dict[str, Any] = {"steps": 20, "restarts": 4, "length": 6}
PEZ: dict[str, Any] = {"method": "pez", **FEW}
SHORT: dict[str, Any] = {"steps": 8, "restarts": 2, "length": 4, "short": True}
SWAPS: dict[str, Any] = {"steps": 6, "restarts": 2, "candidates": 16, "top": 16}
SGD: dict[str, Any] = {"method": "autoprompt-sgd", "learning_rate": 10.0}
FLUENT: dict[str, Any] = {"method": "fluentprompt", "learning_rate": 1.0}

RUNS = (
    # Every method, in few steps and in more.
    _run("pez+swaps, short", "penguin", **{**SHORT, "restarts": 4, "steps": 12}, explore=8, halving=2),
    _run("pez, short", 0, method="pez", **SHORT),
    _run("swaps, short", 1, method="swaps", **SHORT),
    _run("autoprompt, short", 2, method="autoprompt", **SHORT),
    _run("autoprompt-sgd, short", 3, **SGD, **SHORT),
    _run("fluentprompt, short", 4, **FLUENT, **SHORT),
    _run("random, short", 5, method="random", **SHORT),
    _run("pez+swaps", 6),
    _run("pez", 7, method="pez", steps=60),
    _run("swaps", 8, method="swaps", steps=16, restarts=3),
    _run("autoprompt", 9, method="autoprompt", steps=16, restarts=3),
    _run("autoprompt-sgd", 10, **SGD, steps=60),
    _run("fluentprompt", 11, **FLUENT, steps=64),
    _run("random", 12, method="random", steps=40, restarts=32),
    # Fixed text.
    _run("prefix, short", "octopus", method="pez", prefix="a photo of", **SHORT),
    _run("prefix and suffix", 13, prefix="a picture of", suffix="on a white background", **FEW, explore=12),
    _run("suffix", "pizza", **PEZ, suffix="in the sun"),
    _run("swaps with a prefix", 14, method="swaps", prefix="a", **{**SWAPS, "length": 5}),
    # Bans.
    _run("bans, short", "penguin", method="pez", banned=("penguin", "bird"), **SHORT),
    _run("a ban of beginnings", 15, **FEW, explore=12, banned=("hair*", "face*")),
    _run("bans of ends and middles", 16, **PEZ, banned=("*ing", "*ell*")),
    _run("bans of several tokens", 17, **PEZ, banned=("white background", "potted plant"), vocabulary="any"),
    _run("swaps with bans", "pizza", method="swaps", banned=("pizza", "pizz*"), **SWAPS),
    _run("autoprompt with bans", 18, method="autoprompt", banned=("yellow", "*flag*"), **SWAPS),
    _run("random with bans", 19, method="random", banned=("a", "the*"), steps=20, restarts=16),
    _run("bans beside fixed text", 20, **PEZ, prefix="snow", suffix="man", banned=("snow man", "*woman")),
    # Kept words.
    _run("a kept word, short", "penguin", method="pez", keep=("sky",), **SHORT),
    _run("a kept phrase", 21, **FEW, explore=12, keep=("oil painting",)),
    _run("several kept phrases", 22, **{**FEW, "length": 8}, explore=12, keep=("oil painting", "red", "in the sun")),
    _run("swaps with a kept phrase", 23, method="swaps", keep=("on a table",), **SWAPS),
    _run("autoprompt with a kept word", 24, method="autoprompt", keep=("blue",), **SWAPS),
    _run("kept, banned and fixed", 25, **PEZ, keep=("blue sky",), banned=("cloud*",), prefix="a"),
    _run("random with a kept word", 26, method="random", keep=("house",), steps=10, restarts=16),
    # Starts.
    _run("from tokens, short", 27, method="pez", start="tokens", **SHORT),
    _run("from tokens", 28, start="tokens", **FEW, explore=12),
    _run("from words, short", "cat-and-ball", start="words", words="a cat and a ball", **SHORT, explore=5, halving=1),
    _run("from words", 29, start="words", words="a red car on the street", **PEZ),
    _run("from words with a kept word", 30, start="words", words="green tree", keep=("sky",), **PEZ),
    # Vocabulary, swaps, presets, numbers.
    _run("any token, short", 31, method="pez", vocabulary="any", **SHORT),
    _run("any token", 32, vocabulary="any"),
    _run("swaps from any token", 33, swap_from="any"),
    _run("preset fast", "octopus", preset="fast"),
    _run("preset thorough", "penguin", preset="thorough"),
    _run("the largest seed", 34, **PEZ, seed=2**64 - 1),
    _run("a rate and a decay", 35, **PEZ, learning_rate=0.3, weight_decay=0.0),
    # Several pictures.
    _run("several pictures, one a step", 36, 37, 38, **PEZ, batch_size=1),
    _run("several pictures, weighted", "penguin", 39, 40, weights=(1.0, 0.5, -0.5), **FEW, explore=12),
    # Two models as one.
    _run("joint", "penguin", joint=True, **FEW, explore=12),
    _run("joint, fixed text and a ban", 41, joint=True, **PEZ, prefix="a", suffix="on white", banned=("hair*",)),
    _run("joint, one picture a step", 42, 43, joint=True, method="pez", steps=10, restarts=2, batch_size=1, keep=("red",)),
)  # fmt: skip


def config_of(run: Recorded) -> InversionConfig:
    """The run's settings: its own seed, and no limit that depends on time."""
    plain = {"seed": 1000 + RUNS.index(run), "vocabulary": "words", "swap_from": "found"}  # defaults may change
    settings = {**plain, **run.settings, "patience": None, "time_limit": None}
    return InversionConfig.preset(settings.pop("preset", "balanced"), **settings)


@cache
def _model(joint: bool) -> ClipModel:
    return combine([_model(False), load_folder(JUDGES["resnet"], "judge")]) if joint else load_model()


def repeat(run: Recorded) -> dict[str, Any]:
    """Repeats the run and returns its record: name, seed, prompt, and the candidates with their similarities to 4 digits."""
    pictures, _ = held_out()
    model = _model(run.joint)
    wanted = [pictures[each] if isinstance(each, int) else SAMPLES / f"{each}.png" for each in run.pictures]
    config = config_of(run)
    result = invert(model, Target.from_images(model, wanted, run.weights), config)
    candidates = [{"text": each.text, "similarity": round(each.similarity, DIGITS)} for each in result.candidates]
    return {"name": run.name, "seed": config.seed, "prompt": result.prompt, "candidates": candidates}


def difference(recorded: dict[str, Any], repeated: dict[str, Any]) -> str:
    """What differs between two records of a run, in words; empty if nothing does."""
    before, after = recorded["candidates"], repeated["candidates"]
    if recorded["seed"] != repeated["seed"]:
        return f"seed {repeated['seed']}, recorded with {recorded['seed']}"
    for i, (old, new) in enumerate(zip(before, after, strict=False), 1):
        if old["text"] != new["text"] or abs(old["similarity"] - new["similarity"]) > TOLERANCE:
            told = " instead of ".join(f"{each['text']!r} ({each['similarity']:.4f})" for each in (new, old))
            return f"candidate {i} is {told}"
    return "" if len(before) == len(after) else f"{len(after)} candidates instead of {len(before)}"


def differing(runs: Sequence[Recorded], file: Path) -> Iterator[tuple[str, str]]:
    """Repeats the runs: the names of those that differ from the file's records, and what differs."""
    records = {each["name"]: each for each in json.loads(file.read_text("utf-8"))}
    for run in runs:
        said = difference(records[run.name], repeat(run)) if run.name in records else "not recorded"
        if said:
            yield run.name, said


def main() -> int:
    """The command line: 0, or 1 if a run differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE")
    what.add_argument("--check", type=Path, metavar="FILE")
    parser.add_argument("--short", action="store_true", help="only the short runs, with --check")
    given = parser.parse_args()
    torch.set_num_threads(1)  # more threads add in another order
    if given.write:
        lines = ",\n".join(json.dumps(repeat(run), ensure_ascii=False) for run in RUNS)
        given.write.write_text(f"[\n{lines}\n]\n", "utf-8")
        return 0
    runs = [run for run in RUNS if run.short or not given.short]
    count = 0
    for name, said in differing(runs, given.check):
        count += 1
        print(f"{name}: {said}", flush=True)
    print(f"{count} of {len(runs)} runs differ")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())

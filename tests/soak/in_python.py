"""Searches in one Python process, and in eight threads at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pez_core import ClipModel

from .searches import KINDS, ROOT, command, outcome, own_model
from .watching import Watch, row

THREADS = 8


def one_process(count: int, sample: int) -> tuple[list[str], Watch, bool]:
    """`count` searches one after the other; `sample` of them are compared with those of a fresh process.

    Returns the row of the table, the memory, and whether all is well.
    """
    watch, found = Watch(), []
    for number in range(count):
        found.append(outcome(number))
        if number == min(2 * len(KINDS), count // 2):
            watch.begin()
        watch.sample()
    left = watch.left()
    chosen = spread(count, sample)
    fresh = in_a_fresh_process(chosen)
    differ = [number for number, value in zip(chosen, fresh, strict=True) if value != found[number]]
    line = row("searches in one Python process", count, watch, left, differ, len(chosen))
    return line, watch, watch.flat and not left and not differ


def shareable(each: int) -> list[int]:
    """`each` searches of every kind, without the command line: what it prints is the whole process's."""
    return [number for number in range(each * len(KINDS)) if KINDS[number % len(KINDS)] is not command]


def many_threads(numbers: Sequence[int]) -> tuple[list[str], bool]:
    """Eight threads search with one model, each all of `numbers`. Their outcomes are compared with those of one thread."""
    model, watch = own_model(), Watch()
    expected = {number: outcome(number, model) for number in numbers}
    in_threads(model, [[number] for number in numbers])  # libraries keep threads of their own
    watch.begin()
    watch.sample()
    found = in_threads(model, turns(numbers))
    watch.sample()
    left = watch.left()
    differ = [number for own in found for number in numbers if own[number] != expected[number]]
    compared = THREADS * len(numbers)
    return row("eight threads with one model, beside one thread", compared, watch, left, differ, compared), not (
        left or differ
    )


def turns(numbers: Sequence[int]) -> list[Sequence[int]]:
    """The same numbers for each of the eight threads, from other ones on."""
    starts = [i * len(numbers) // THREADS for i in range(THREADS)]
    return [[*numbers[start:], *numbers[:start]] for start in starts]


def in_threads(model: ClipModel, turns: Sequence[Sequence[int]]) -> list[dict[int, Any]]:
    """The outcomes of each of `turns`, eight of them at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda turn: {number: outcome(number, model) for number in turn}, turns))


def spread(count: int, sample: int) -> list[int]:
    """`sample` numbers below `count`, of all kinds."""
    return sorted({(i * count // sample + i) % count for i in range(sample)})


def in_a_fresh_process(numbers: Sequence[int]) -> list[Any]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.soak.searches", *map(str, numbers)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(run.stdout)

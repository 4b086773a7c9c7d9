"""Prompts to one real ComfyUI, from two pages at once, and one that is killed again and again."""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comfy_server import Comfy, find_comfyui, prepare

from .in_python import spread
from .prompts import KINDS, folder, furnish, one_picture, outcome, prompt
from .watching import Watch, row

TOGETHER = 4  # prompts in the queue
FREE_EVERY = 10  # prompts
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}
"""Lets the C library give freed memory back at once instead of keeping it for later: what stays is what is held."""
ENDLESS = {"steps": 100_000, "patience": -1}


@contextmanager
def server() -> Iterator[Comfy]:
    """A fresh one, with what the graphs need."""
    with tempfile.TemporaryDirectory(prefix="pez-soak-") as base:
        prepare(Path(base))
        furnish(Path(base))
        comfy = Comfy(Path(base), find_comfyui(), variables=GIVEN_BACK)
        try:
            yield comfy
        finally:
            comfy.stop()


def mixed(comfy: Comfy, count: int, watch: Watch, seconds: float = math.inf) -> list[Any]:
    """The outcomes of `count` graphs, or as many as `seconds` suffice for: four queued at once, by two pages in turn, models
    freed between some."""
    found: list[Any] = []
    end = time.monotonic() + seconds
    tabs = [comfy, comfy.tab()]
    while len(found) < count and time.monotonic() < end:
        numbers = range(len(found), min(count, len(found) + TOGETHER))
        queued = [(tabs[number % 2], tabs[number % 2].queue(prompt(number))) for number in numbers]
        found += [outcome(comfy, tab.listen(prompt_id)) for tab, prompt_id in queued]
        if len(found) // FREE_EVERY > (len(found) - len(numbers)) // FREE_EVERY:
            comfy.post("/free", {"unload_models": True, "free_memory": len(found) % (2 * FREE_EVERY) < FREE_EVERY})
        if not watch.before and len(found) >= min(len(KINDS), count // 2):
            watch.begin()
        watch.sample()
    tabs[1].socket.close()
    return found


def one_server(count: int, sample: int, seconds: float = math.inf) -> tuple[list[str], Watch, bool]:
    """`count` prompts to one server; `sample` of them are compared with those of a fresh one.

    Returns the row of the table, the memory after each four, and whether all is well.
    """
    with server() as comfy:
        watch = Watch(comfy.process.pid)
        found = mixed(comfy, count, watch, seconds)
        left = watch.left()
    chosen = spread(len(found), sample)
    with server() as fresh:
        differ = [number for number in chosen if outcome(fresh, fresh.run(prompt(number))) != found[number]]
    line = row("prompts to one ComfyUI, from two pages", len(found), watch, left, differ, len(chosen))
    return line, watch, watch.flat and not left and not differ


def kills(numbers: Sequence[int]) -> tuple[list[str], bool]:
    """A server that is killed in mid-search, after moments drawn at random, and started again, once for each of `numbers`:
    at odd ones while it writes the rows of a folder, which it has to complete then."""
    draw, broken, same = random.Random(0), [], 0
    with server() as comfy:
        expected = outcome(comfy, comfy.run(one_picture(0)))
        for number in numbers:
            begun = _long(number)
            prompt_id = comfy.queue(begun)
            comfy.listen(prompt_id, until="progress_state" if number % 2 else "pez.progress")
            time.sleep(draw.random())
            comfy.kill()
            comfy.start()
            broken += half_written(comfy.base)
            same += outcome(comfy, comfy.run(one_picture(0))) == expected
            if number % 2:  # goes on where it was
                run = comfy.run(begun)
                rows = [json.loads(line) for line in (comfy.base / "output" / f"kill/{number}.jsonl").open()]
                wanted = sorted(each.name for each in (comfy.base / "input").glob("*.png"))
                if run.error or sorted(row["key"] for row in rows) != wanted:
                    broken.append(f"kill/{number}.jsonl")
    line = ["kills in mid-search", str(len(numbers)), "", "", ", ".join(broken) or "none", f"{same} of {len(numbers)}"]
    return line, not broken and same == len(numbers)


def _long(number: int) -> dict[str, Any]:
    """A search that would take hours, or a folder whose rows and captions are being written."""
    if number % 2 == 0:
        made = one_picture(number)
        made["settings"]["inputs"] |= ENDLESS
        return made
    made = folder(number)
    made["batch"]["inputs"] |= {"folder": "", "file": f"kill/{number}", "restart": False}
    made["settings"]["inputs"] |= {"steps": 60}
    return made


def half_written(base: Path) -> list[str]:
    """Files in the folders of a person that are not whole: temporary ones, empty ones, lines cut off."""
    found = []
    for kept in ("output", "input", "user"):
        for file in filter(Path.is_file, (base / kept).rglob("*")):
            text = file.read_bytes()
            lines = {".jsonl": text.splitlines(), ".json": [text]}.get(file.suffix, [])
            whole = text or file.suffix not in (".txt", ".png", ".json")
            if not whole or ".part" in file.name or ".tmp" in file.name or not all(map(_parses, lines)):
                found.append(file.relative_to(base).as_posix())
    return found


def _parses(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True

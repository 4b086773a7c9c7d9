"""What the batch holds: speed, kills, full disks, Ray, memory.

    python -m benchmarks.batch throughput [--pictures N] [--settings NAME ...] [--model ViT-L-14]
    python -m benchmarks.batch leaving [--pictures N] [--settings NAME ...] [--pack N]
    python -m benchmarks.batch kill [--times 20] [--format jsonl|parquet]
    python -m benchmarks.batch full
    python -m benchmarks.batch ray [--pictures N]
    python -m benchmarks.batch memory [--pictures 5000]
    python -m benchmarks.batch scale

Each works in a temporary folder and prints what it saw; a broken promise ends it with an error.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2

from benchmarks.pictures import held_out
from benchmarks.random_models import random_clip
from pez_core import ClipModel, InversionConfig, PictureSource, Vocabulary, invert, load_model, make_target
from pez_core.batch.engines import Plan, Spent
from pez_core.batch.engines.local import LocalEngine, search
from pez_core.batch.engines.ray import RayEngine
from pez_core.batch.items import Known
from pez_core.batch.job import Job, Summary
from pez_core.batch.loading import Loader
from pez_core.batch.packed import Packs, PackSize
from pez_core.batch.preparing import Looks, prepared
from pez_core.batch.results import open_results
from pez_core.batch.sources import open_source
from pez_core.checks.measuring import machine
from pez_core.cli import main as main_of_pez
from pez_core.models.presets import EMBEDDED

SETTINGS = {
    "one start": {"method": "pez", "restarts": 1, "steps": 50},  # of PEZ, as the paper has it
    "one start, 4": {"method": "pez", "restarts": 1, "steps": 50, "length": 4},
    "fast": dict(InversionConfig.preset("fast").__dict__),
    "balanced": {},
}
LONG = {
    "pez, 1000": {"method": "pez", "restarts": 1, "steps": 1000, "length": 4},
    "swaps, 1000": {"method": "swaps", "restarts": 1, "steps": 1000, "length": 4},
}
"""Searches of one stage that end on a plateau, each at its own time."""
CHEAP = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "4"]
ROUNDS = 5  # the two ways take turns, so that other work on the machine disturbs both
RESUMED = 30  # seconds, at most, until a job has its first new row


def draw(folder: Path, count: int) -> Path:
    """A folder of `count` pictures: the held-out ones, over and over."""
    folder.mkdir(parents=True)
    pictures = held_out()[0] + held_out(drawings="twemoji")[0]
    for i in range(count):
        file = folder / f"{i:05d}.png"
        if i < len(pictures):
            pictures[i].save(file)
        else:
            file.hardlink_to(folder / f"{i % len(pictures):05d}.png")
    return folder


def model_of(name: str) -> ClipModel:
    """The embedded model, or one of random weights in the shape of an architecture."""
    if name == EMBEDDED:
        return load_model()
    module: Any = random_clip(name)
    see: Any = image_transform_v2(PreprocessCfg(size=module.visual.image_size), is_train=False)
    return ClipModel.of_open_clip(module, see, Vocabulary(open_clip.get_tokenizer(name), 49408), name)


def throughput(model: ClipModel, pictures: Path, config: InversionConfig, pack: int = 0) -> dict[str, Any]:
    """Searches the same pictures one at a time and packed, in turns, in this process.

    Returns the seconds of a picture each way, the ratio, the share of packed time in which searches ran, the size of the
    packs, the share of pictures whose prompt is the same both ways, and by how much similarities differ on average.
    """
    items = list(open_source(pictures))
    packs, plan, spent = Packs(model, PackSize(pack)), Plan(lambda device: (model, None), config, pack=pack), Spent()
    alone = packed = searching = working = 0.0
    one: dict[str, tuple[str, float]] = {}
    many: dict[str, tuple[str, float]] = {}
    share = -(-len(items) // ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        results = open_results(Path(folder, "rows.jsonl"))
        results.begin(anew=True)
        for first in range(0, len(items), share):
            some = items[first : first + share]
            begun = time.perf_counter()
            for item in some:
                result = invert(model, make_target(model, [PictureSource.of(item.picture)]), config)
                one[item.key] = result.prompt, result.similarity
            alone += time.perf_counter() - begun
            begun, packs.searching = time.perf_counter(), 0.0
            for _, rows in search(packs, some, plan, spent):
                results.add(rows)
                many |= {row["key"]: (row["prompt"], row["similarity"]) for row in rows}
            packed += time.perf_counter() - begun
            searching, working = searching + spent.searching, working + spent.working
        results.close()
    return {
        "alone": alone / len(items),
        "packed": packed / len(items),
        "ratio": alone / packed,
        "searching": searching / working,
        "pack": packs.size.now,
        "same": sum(one[key][0] == many[key][0] for key in one) / len(items),
        "apart": sum(many[key][1] - one[key][1] for key in one) / len(items),
    }


def leaving(model: ClipModel, pictures: Path, config: InversionConfig, pack: int) -> dict[str, Any]:
    """Searches the same pictures in packs that end as a whole, in packs that pictures leave for others, and one at a time.

    Returns the seconds of a picture in each of the two (the better of two rounds, in turns), their ratio, the mean and the
    largest number of steps, and the share of pictures that have the same prompt and the same steps all three ways.
    """
    ready = list(prepared(open_source(pictures), model, config, Looks(), ahead=False))
    alone: dict[str, tuple[str, int]] = {}
    for one in ready:
        assert one.target
        result = invert(model, one.target, config)
        alone[one.item.key] = result.prompt, result.steps
    seconds: dict[bool, float] = {False: math.inf, True: math.inf}
    found: dict[bool, dict[str, tuple[str, int]]] = {}
    for _ in range(2):
        for refill in seconds:
            packs = Packs(model, PackSize(pack), refill=refill)
            rows = [row for some in packs.rows(ready) for row in some]
            found[refill] = {row["key"]: (row["prompt"], row["steps"]) for row in rows}
            seconds[refill] = min(seconds[refill], packs.searching)
    steps = [taken for _, taken in alone.values()]
    return {
        "whole": seconds[False] / len(ready),
        "leaving": seconds[True] / len(ready),
        "ratio": seconds[False] / seconds[True],
        "steps": sum(steps) / len(steps),
        "most": max(steps),
        "same": sum(alone[key] == found[False][key] == found[True][key] for key in alone) / len(alone),
    }


def kill(folder: Path, times: int, ending: str, pictures: int = 1500, seed: int = 0) -> dict[str, Any]:
    """Kills a job `times` times at random moments, reads the results all the while, and lets it end.

    Returns how often it was killed and how often the results were read. Raises AssertionError for a row that is lost,
    doubled, or cannot be read.
    """
    source, out, reads, kills = draw(folder / "pictures", pictures), folder / f"rows.{ending}", 0, 0
    chance = random.Random(seed)  # noqa: S311 - moments to kill at
    done = 0
    while kills < times and done < pictures:
        job = subprocess.Popen(  # noqa: S603
            command(source, out, "--pack", "2"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait, moment = time.monotonic() + RESUMED, 0.0
        while job.poll() is None and (not moment or time.monotonic() < moment):
            time.sleep(0.01)
            keys, reads = read_keys(out), reads + 1
            assert len(keys) == len(set(keys)), "a row is doubled"
            assert len(keys) >= done, "a row is lost"
            if not moment and (len(keys) > done or time.monotonic() > wait):
                moment = time.monotonic() + chance.random() * 0.8
        if job.poll() is None:
            job.send_signal(signal.SIGKILL)
            kills += 1
        job.wait()
        done = len(read_keys(out))
    go_on(source, out)
    keys = read_keys(out)
    assert sorted(keys) == [f"{i:05d}.png" for i in range(pictures)], "not every picture is there once"
    return {"kills": kills, "reads": reads, "rows": len(keys)}


def read_keys(out: Path) -> list[str]:
    """The keys of the rows, as any reader finds them; of Parquet, of the parts and the journal."""
    lines = [out] if out.suffix == ".jsonl" else sorted(out.glob("_part-*.jsonl"))
    keys: list[str] = []
    if out.suffix == ".parquet" and out.is_dir():
        parquet: Any = __import__("pyarrow.parquet").parquet
        for part in sorted(out.glob("part-*.parquet")):
            keys += parquet.read_table(part, columns=["key"])["key"].to_pylist()
            lines = [each for each in lines if each.stem.strip("_") != part.stem]  # these rows are in the part
    for file in lines:
        if file.exists():
            for line in file.read_bytes().split(b"\n")[:-1]:
                keys.append(json.loads(line)["key"])
    return keys


def full(folder: Path, pictures: int = 300, kilobytes: int = 128) -> dict[str, Any]:
    """Lets a job write to a full file system, makes room, and lets it go on.

    The file system is a small one in memory where this process may mount one; else the size of files is limited.
    Returns what the job said, and the rows at that moment and at the end.
    """
    source, small = draw(folder / "pictures", pictures), folder / "small"
    small.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(small)).returncode == 0
    limit = (
        None if mounted else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**10 * kilobytes, 2**10 * kilobytes))
    )
    try:
        out = small / "rows.jsonl"
        stopped = subprocess.run(command(source, out), capture_output=True, text=True, preexec_fn=limit)  # noqa: S603
        rows = read_keys(out)
        assert stopped.returncode == 2, stopped.stderr
        assert 0 < len(rows) < pictures
        if mounted:
            assert _run("mount", "-o", "remount,size=64m", str(small)).returncode == 0
        go_on(source, out)
        keys = read_keys(out)
        assert sorted(keys) == [f"{i:05d}.png" for i in range(pictures)]
    finally:
        if mounted:
            _run("umount", str(small))
    kind = f"a file system of {kilobytes} KB" if mounted else f"a limit of {kilobytes} KB on files"
    return {
        "with": kind,
        "said": stopped.stderr.strip().splitlines()[-1],
        "rows": len(rows),
        "rows_at_the_end": len(keys),
    }


def _run(*words: str) -> Any:
    return subprocess.run(words, capture_output=True) if shutil.which(words[0]) else argparse.Namespace(returncode=1)  # noqa: S603


def command(source: Path, out: Path, *more: str) -> list[str]:
    """The command of a cheap job."""
    return [sys.executable, "-m", "pez_core", "batch", str(source), "--out", str(out), *CHEAP, *more]


def go_on(source: Path, out: Path) -> None:
    """The same command again, in this process, until the job has ended."""
    with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        assert main_of_pez(command(source, out)[3:]) == 0


def on_ray(folder: Path, pictures: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The same job without Ray, with one and two workers, and with two of which one is killed half-way."""
    source = draw(folder / "pictures", pictures)
    plan = Plan(Loader([EMBEDDED], [None], threads=1), InversionConfig(**settings), pack=8)
    told, rows = [], {}
    for name, workers, killed in (
        ("without Ray", 0, False),
        ("ray", 1, False),
        ("ray", 2, False),
        ("ray, one killed", 2, True),
    ):
        out = folder / f"{name.replace(' ', '-')}-{workers}.jsonl"
        engine: Any = RayEngine(workers=workers) if workers else LocalEngine("cpu")
        victims: list[int] = []

        def look(summary: Summary, engine: Any = engine, victims: list[int] = victims, killed: bool = killed) -> None:
            if killed and not victims and summary.done >= pictures // 3:
                victims.append(_kill_one())

        summary = Job(open_source(source), open_results(out), {}).run(engine, plan, look)
        if workers:
            engine.end()
        made = {row["key"]: (row["prompt"], row["error"]) for row in open_results(out).rows()}
        assert len(made) == summary.done == pictures, f"{len(made)} rows of {summary.done}"
        assert not killed or victims, "no worker was killed"
        rows = rows or made
        same = sum(made[key] == rows[key] for key in rows)
        told.append(
            {
                "engine": name,
                "workers": workers,
                "same": same,
                "searched_for": engine.spent.working,
                **summary.to_json(),
            }
        )
    return told


def _kill_one() -> int:
    """Kills one of our Ray actors; returns its process."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = found.read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::MapWorker") and int(found.parent.name) != os.getpid():
            os.kill(int(found.parent.name), signal.SIGKILL)
            return int(found.parent.name)
    raise AssertionError("there is no actor to kill")


def memory(folder: Path, pictures: int, every: int) -> list[tuple[int, float]]:
    """Megabytes of this process after each `every` rows of a job in it."""
    source, seen = draw(folder / "pictures", pictures), []

    def look(summary: Summary) -> None:
        if summary.done // every > len(seen):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            seen.append((summary.done, pages * resource.getpagesize() / 2**20))

    plan = Plan(Loader([EMBEDDED], [None]), InversionConfig(method="pez", steps=2, restarts=1, length=4), pack=64)
    Job(open_source(source), open_results(folder / "rows.jsonl"), {}).run(LocalEngine("cpu"), plan, look)
    return seen


def scale(folder: Path, rows: int = 20_000) -> dict[str, float]:
    """What a job costs besides its searches, from `rows` rows made of real ones: bytes of a row on disk and in memory, and
    the seconds that it takes when a job goes on."""
    source = draw(folder / "pictures", 256)
    plan = Plan(Loader([EMBEDDED], [None]), InversionConfig.preset("fast"))
    Job(open_source(source), open_results(folder / "few.jsonl"), {}).run(LocalEngine("cpu"), plan)
    few = [json.loads(line) for line in (folder / "few.jsonl").read_text("utf-8").splitlines()]
    many = [{**few[i % len(few)], "key": f"folder-{i // 1000:03d}/picture-{i:08d}.jpg"} for i in range(rows)]
    told: dict[str, float] = {}
    for name in ("rows.jsonl", "rows.parquet"):
        for some in (few, many):  # rows that repeat would look smaller than they are
            out = open_results(folder / name)
            out.begin(anew=True)
            out.add(some)
            out.close()
            if some is few:
                files = [folder / name] if name.endswith("jsonl") else list((folder / name).iterdir())
                told[f"bytes, {name}"] = sum(file.stat().st_size for file in files) / len(few)
        begun, known = time.perf_counter(), Known()
        for row in out.rows():
            known.add(row["key"])
        told[f"seconds to go on, {name}"] = (time.perf_counter() - begun) / rows
    tracemalloc.start()
    held = Known()
    for row in many:
        held.add(row["key"])
    told["bytes of memory"] = tracemalloc.get_traced_memory()[0] / rows
    tracemalloc.stop()
    return told


def _throughput(given: argparse.Namespace, folder: Path) -> None:
    pictures, model = draw(folder / "pictures", given.pictures), model_of(given.model)
    print(f"{given.pictures} pictures, {given.model}, {machine(torch.device('cpu'))}")
    print(f"{'settings':16}{'alone':>10}{'packed':>10}{'ratio':>8}{'searching':>11}{'pack':>6}{'same':>7}{'apart':>9}")
    for name in given.settings or SETTINGS:
        row = throughput(model, pictures, InversionConfig(**{**SETTINGS, **LONG}[name]), given.pack)
        print(
            f"{name:16}{row['alone'] * 1000:7.1f} ms{row['packed'] * 1000:7.1f} ms{row['ratio']:8.2f}{row['searching']:11.1%}"
            f"{row['pack']:6}{row['same']:7.0%}{row['apart']:+9.4f}",
            flush=True,
        )


def _leaving(given: argparse.Namespace, folder: Path) -> None:
    pictures, model = draw(folder / "pictures", given.pictures), model_of(given.model)
    pack = given.pack or 16
    print(f"{given.pictures} pictures, {given.model}, packs of {pack}, {machine(torch.device('cpu'))}")
    print(f"{'settings':16}{'as a whole':>12}{'leaving':>12}{'ratio':>8}{'steps':>8}{'most':>7}{'same':>7}")
    for name in given.settings or LONG:
        row = leaving(model, pictures, InversionConfig(**{**SETTINGS, **LONG}[name]), pack)
        print(
            f"{name:16}{row['whole'] * 1000:9.1f} ms{row['leaving'] * 1000:9.1f} ms{row['ratio']:8.2f}{row['steps']:8.1f}"
            f"{row['most']:7}{row['same']:7.0%}",
            flush=True,
        )


def _kill(given: argparse.Namespace, folder: Path) -> None:
    told = kill(folder, given.times, given.format)
    print(f"killed {told['kills']} times, read {told['reads']} times meanwhile: {told['rows']} rows, each picture once")


def _full(given: argparse.Namespace, folder: Path) -> None:
    told = full(folder)
    print(
        f"{told['with']}\n{told['said']}\n{told['rows']} rows then, {told['rows_at_the_end']} after going on: each picture once"
    )


def _ray(given: argparse.Namespace, folder: Path) -> None:
    print(f"{'engine':18}{'workers':>8}{'seconds':>9}{'rows':>7}{'as without':>12}{'searching':>11}")
    for row in on_ray(folder, given.pictures, SETTINGS["fast"]):
        print(
            f"{row['engine']:18}{row['workers']:8}{row['seconds']:9.1f}{row['rows']:7}{row['same']:12}{row['searching']:11.1%}"
        )


def _memory(given: argparse.Namespace, folder: Path) -> None:
    for rows, megabytes in memory(folder, given.pictures, given.pictures // 10):
        print(f"{rows:7} rows{megabytes:9.1f} MB", flush=True)


def _scale(given: argparse.Namespace, folder: Path) -> None:
    print(f"{'for each picture':36}{'':>14}{'ten million':>16}")
    for name, value in scale(folder).items():
        if name.startswith("bytes"):
            print(f"{name:36}{value:8.0f} bytes{value / 100:13.1f} GB")
        else:
            print(f"{name:36}{value * 1e6:11.1f} µs{value * 1e7 / 60:12.1f} min")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs: dict[str, Callable[[argparse.Namespace, Path], None]] = {
        "throughput": _throughput,
        "leaving": _leaving,
        "kill": _kill,
        "full": _full,
        "ray": _ray,
        "memory": _memory,
        "scale": _scale,
    }
    parser.add_argument("verb", choices=verbs)
    parser.add_argument("--pictures", type=int, metavar="N", help="default: 500; leaving: 100; ray: 96; memory: 5000")
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS, *LONG], metavar="NAME")
    parser.add_argument("--model", default=EMBEDDED, metavar="NAME", help="an architecture has random weights")
    parser.add_argument("--pack", type=int, default=0, metavar="N")
    parser.add_argument("--times", type=int, default=20, metavar="N")
    parser.add_argument("--format", default="jsonl", choices=("jsonl", "parquet"))
    given = parser.parse_args(arguments)
    given.pictures = given.pictures or {"leaving": 100, "ray": 96, "memory": 5000}.get(given.verb, 500)
    with tempfile.TemporaryDirectory() as folder:
        verbs[given.verb](given, Path(folder))


if __name__ == "__main__":
    main()

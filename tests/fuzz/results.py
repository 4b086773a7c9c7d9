"""Results of a batch that are read back: by `evaluate`, and by a batch that goes on."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pez_core.batch.evaluation import evaluate, read_captions
from pez_core.batch.manifest import read_options
from pez_core.batch.results import open_results
from pez_core.batch.sources import open_source
from pez_core.models.loading import load_model
from pez_core.models.presets import EMBEDDED_FOLDER

from .cases import Fault, command
from .damage import damaged, damaged_text, damaged_tree

PICTURE = EMBEDDED_FOLDER / "samples" / "penguin.png"
KEYS = ("penguin.png", "second.png")
OPTIONS = ("--steps", "1", "--restarts", "1", "--length", "2")
COMMANDS = 0.02
ROWS = [
    {"key": key, "prompt": "blue penguin", "escaped": "blue penguin", "similarity": 0.5, "nll": None, "error": None}
    for key in KEYS
]
MANIFEST = {"version": 1, "options": {"source": ".", "recursive": False, "model": ["embedded"], "settings": {}}}


class Results:
    """See `Kind`. A case is the rows, or what says how they were made; the other one is whole."""

    name = "results"
    most_bytes = 2**29

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        yield "rows.jsonl", _lines(ROWS)
        yield "rows.jsonl.manifest.json", json.dumps(MANIFEST).encode()
        yield "captions.jsonl", b'{"path": "penguin.png", "caption": "a penguin"}\n'
        yield "captions.csv", b"path,caption\npenguin.png,a penguin\n"
        deep = b"[" * 10**5
        yield from ((name, deep) for name in ("rows.jsonl", "rows.jsonl.manifest.json", "captions.jsonl"))
        yield "rows.jsonl", _lines(ROWS) + b"\n"
        yield "rows.jsonl", _lines([{**ROWS[0], "prompt": 5}])
        yield "rows.jsonl", _lines([{**ROWS[0], "prompt": "word " * 5000}])
        yield "rows.jsonl", _lines([{**ROWS[0], "prompt": "\ud800"}])
        yield "rows.jsonl", _lines(ROWS * 50_000)
        yield "rows.jsonl", b"x" * 10**8
        yield "rows.jsonl.manifest.json", b'{"version": 1, "options": "' + b"x" * 10**8

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`."""
        if rng.random() < 0.6:
            if name == "rows.jsonl":
                return _lines(damaged_tree(ROWS, rng))
            if name.endswith("manifest.json"):
                return json.dumps(damaged_tree(MANIFEST, rng)).encode()
        return damaged_text(data[:5000], rng) if rng.random() < 0.6 else damaged(data[:5000], other[:5000], rng)

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`."""
        beside = [Path(key) for key in KEYS]
        for each in beside:
            shutil.copy(PICTURE, each)
        for name, data in (("rows.jsonl", _lines(ROWS)), ("rows.jsonl.manifest.json", json.dumps(MANIFEST).encode())):
            if name != file.name:
                Path(name).write_bytes(data)
                beside.append(Path(name))
        try:
            if rng.random() < COMMANDS:
                self._command(file)
            else:
                self._evaluated(file)
        finally:
            for each in beside:
                each.unlink()

    def _command(self, file: Path) -> None:
        captions = ("--captions", file) if file.name.startswith("captions") else ()
        told = json.loads(command("evaluate", "rows.jsonl", "--judge", "embedded", "--json", *captions))
        if not told["pictures"]:
            raise Fault("figures of no picture")

    def _evaluated(self, file: Path) -> None:
        results = open_results("rows.jsonl")
        options = read_options(results.manifest)
        captions = read_captions(file) if file.name.startswith("captions") else {}
        source = open_source(options["source"], options["recursive"])
        json.dumps(evaluate(results, source, {"embedded": _model()}, None, captions), allow_nan=False)


@cache
def _model():
    return load_model()


def _lines(rows: list) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()

"""Lists of a batch and its shards: CSV, JSON Lines, Parquet, tar."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow
import pyarrow.parquet

from pez_core.batch.sources import open_source
from pez_core.config import InversionConfig
from pez_core.errors import PezError
from pez_core.models.presets import EMBEDDED_FOLDER

from .cases import Fault, command, one_line
from .checkpoints import Harm
from .damage import damaged, damaged_text, damaged_tree

PICTURE = EMBEDDED_FOLDER / "samples" / "penguin.png"
ROWS = [
    {"path": "penguin.png", "text": "", "seed": 1, "prefix": "a", "banned": "bird,cat*", "length": 4, "steps": 2},
    {"path": "", "text": "a red bird", "seed": 2, "prefix": "", "banned": "", "length": 3, "steps": 1},
    {"path": "../nowhere.png", "text": "sky", "seed": 3, "prefix": "b", "banned": "x", "length": 75, "steps": 1},
]
COMMANDS = 0.02
READ = 3000  # items that are looked at


class Lists:
    """See `Kind`."""

    name = "lists"
    most_bytes = 2**30

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        columns = list(ROWS[0])
        cells = "\n".join(",".join(f'"{row[name]}"' for name in columns) for row in ROWS)
        yield "plain.csv", (",".join(columns) + "\n" + cells + "\n").encode()
        yield "plain.jsonl", "\n".join(map(json.dumps, ROWS)).encode()
        file = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
        yield "plain.parquet", file.getvalue()
        yield "shard.tar", _tar({"a.png": PICTURE.read_bytes(), "a.txt": b"words", "b.jpg": b"none", "c.json": b"{}"})
        harm = pickle.dumps(Harm())
        yield "code.tar", _tar({"a.png": PICTURE.read_bytes(), "a.pyd": harm, "a.pickle": harm, "../b.png": b"x"})
        yield "deep.jsonl", b"[" * 10**6
        yield "deep object.jsonl", b'{"path":' * 10**5 + b"1" + b"}" * 10**5
        yield "one long line.jsonl", b'{"path": "' + b"x" * 2 * 10**8
        yield "one long line.csv", b"path\n" + b"x" * 2 * 10**8
        yield "digits.jsonl", b'{"path": "a.png", "seed": ' + b"9" * 10**5 + b"}\n"
        yield "more cells than columns.csv", b"path,seed\na.png,1,2,3\nb.png\n"
        yield "half characters.jsonl", b'{"path": "\\ud800.png", "prefix": "\\udfff"}\n'
        yield "zero.jsonl", b'{"path": "a\\u0000.png"}\n'
        yield "a pipe.csv", b"path\n/dev/zero\n/dev/stdin\n/proc/self/mem\n"
        yield "nothing.csv", b""
        yield "nothing.jsonl", b""
        yield "nothing.tar", b""
        yield "no column.csv", b"picture\na.png\n"

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`."""
        if name.endswith((".parquet", ".tar")):
            return damaged(data, other, rng)
        if name.endswith("l") and rng.random() < 0.5:
            return "\n".join(json.dumps(each) for each in damaged_tree(ROWS, rng)).encode()
        return damaged_text(data[:10_000], rng) if rng.random() < 0.7 else damaged(data[:10_000], other[:10_000], rng)

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`. Some lists are searched as well, with the rows checked."""
        if rng.random() < COMMANDS and file.stat().st_size < 10**5:
            _searched(file)
            return
        source = open_source(file)
        source.count()
        keys = set()
        for item in islice(source, READ):
            if item.key in keys:
                raise Fault(f"the key {item.key!r} comes twice")
            keys.add(item.key)
            try:
                item.config(InversionConfig())
            except PezError as error:
                one_line(error)
            if len(item.error.splitlines()) > 1:
                raise Fault(f"not one line: {item.error!r}")


def _searched(file: Path) -> None:
    shutil.copy(PICTURE, "penguin.png")
    out, made = Path("rows.jsonl"), Path("rows.jsonl.manifest.json")
    small = ("--steps", "1", "--restarts", "1", "--length", "2", "--time-limit", "2")
    try:
        command("batch", file, "--out", out, *small)
        for line in out.read_bytes().splitlines():
            row = json.loads(line)
            if (row["error"] is None) == (row["prompt"] is None):
                raise Fault(f"a row with neither prompt nor error: {row}")
    finally:
        for each in (out, made, Path("penguin.png")):
            each.unlink(missing_ok=True)


def _tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()

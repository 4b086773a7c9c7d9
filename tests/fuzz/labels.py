"""Texts with labels: CSV, TSV, JSON Lines and Parquet, plain and packed, and lines to label."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pyarrow
import pyarrow.parquet

from pez_core.classification import classify
from pez_core.models.caption_model import embedded_caption_model
from pez_core.targets.labelled_files import read_examples
from pez_core.targets.labelled_rows import MOST_LINES
from pez_core.targets.task import LabelTask

from .cases import Fault, command
from .damage import damaged, damaged_text, damaged_tree

ROWS = [{"text": f"a red bird {i}, it's good", "label": ("bad", "good")[i % 2]} for i in range(12)]
COMMANDS = 0.02
PROMPT = "a picture of"


class Labels:
    """See `Kind`."""

    name = "labels"
    most_bytes = 2**30

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        table = "".join(f'"{row["text"]}",{row["label"]}\n' for row in ROWS)
        yield "plain.csv", f"text,label\n{table}".encode()
        yield "mark.csv", f"\ufefftext,label\n{table}".encode()
        yield "numbers.csv", ("text,label\n" + "".join(f"a dog {i},{i % 3}\n" for i in range(9))).encode()
        yield "news.csv", "".join(f'"{i % 4 + 1}","A title","Its body, {i}"\n' for i in range(8)).encode()
        yield "reviews.tsv", ("sentence\tlabel\n" + "".join(f"a film {i}\t{i % 2}\n" for i in range(8))).encode()
        yield "rated.txt", "".join(f"{i}\t{(-3.5, 3.5, 0.1)[i % 3]}\tsome words {i}\n" for i in range(9)).encode()
        lines = "\n".join(map(json.dumps, ROWS)).encode()
        yield "lines.jsonl", lines
        yield "lines.ndjson", lines + b"\n\n"
        yield "one list.json", json.dumps(ROWS).encode()
        yield "packed.csv.gz", gzip.compress(f"text,label\n{table}".encode(), mtime=0)
        yield "packed.jsonl.gz", gzip.compress(lines, mtime=0)
        for packing in ("none", "snappy", "zstd", "gzip"):
            yield f"{packing}.parquet", _parquet(pyarrow.Table.from_pylist(ROWS), packing)
        yield "odd columns.parquet", _parquet(_odd_columns(), "none")
        yield from _handmade()

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`."""
        if name.endswith(".parquet"):
            return damaged(data, other, rng)
        if name.endswith(".gz"):
            if rng.random() < 0.5:
                return damaged(data, other, rng)
            return gzip.compress(damaged_text(_unpacked(data), rng), mtime=0)
        if name.endswith("l") and rng.random() < 0.4:
            rows = [{"text": "a", "label": "b"}, *ROWS]
            return "\n".join(json.dumps(each) for each in damaged_tree(rows, rng)).encode()
        return damaged_text(data, rng) if rng.random() < 0.7 else damaged(data, other, rng)

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`. Most files are read as texts with labels, some as lines to label."""
        if rng.random() < COMMANDS and file.stat().st_size < 5000:
            said = command("classify", file, "--apply", PROMPT, "--labels", "good,bad", "--json")
            for line in said.splitlines():
                json.loads(line)
            return
        examples = read_examples(file)
        if not examples.texts or len(examples.names) < 2 or len(examples.texts) != len(examples.labels):
            raise Fault(f"{len(examples.texts)} texts with {len(examples.names)} labels")
        for sentence in examples.skipped:
            if len(sentence.splitlines()) != 1:
                raise Fault(f"not one line: {sentence!r}")
        if rng.random() < COMMANDS:
            _classified(examples.texts[0])


def _classified(text: str) -> None:
    found = classify(_model(), LabelTask.of(["good", "bad"]), PROMPT, [text])
    if abs(sum(found[0].values()) - 1) > 1e-4:
        raise Fault(f"probabilities of {found}")


@cache
def _model():
    return embedded_caption_model()


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data) if len(data) < 10**5 else data
    except (OSError, EOFError):
        return data


def _parquet(table: pyarrow.Table, packing: str) -> bytes:
    file = BytesIO()
    pyarrow.parquet.write_table(table, file, compression=packing)
    return file.getvalue()


def _odd_columns() -> pyarrow.Table:
    return pyarrow.table(
        {
            "text": pyarrow.array([b"\xff\xfe", b"words", None], pyarrow.binary()),
            "label": pyarrow.array([{"a": 1}, {"a": 2}, None]),
            "when": pyarrow.array([1, 2, 2**62], pyarrow.timestamp("ns")),
            "none": pyarrow.nulls(3),
        }
    )


def _handmade() -> Iterator[tuple[str, bytes]]:
    many = b"text,label\n" + b"a,b\n" * (MOST_LINES + 1)
    yield "more lines than are read.csv", many
    yield (
        "more rows than are read.parquet",
        _parquet(
            pyarrow.table({"text": pyarrow.nulls(MOST_LINES + 1), "label": pyarrow.nulls(MOST_LINES + 1)}), "zstd"
        ),
    )
    yield "bomb.csv.gz", gzip.compress(b"text,label\n" + b"x" * 2 * 10**8, mtime=0)
    yield "bomb of lines.csv.gz", gzip.compress(many, mtime=0)
    yield "deep.jsonl", b"[" * 10**6
    yield "deep object.jsonl", b'{"text":' * 10**5 + b"1" + b"}" * 10**5
    yield "digits.jsonl", b'{"text": "a", "label": ' + b"9" * 10**5 + b"}\n" + b'{"text": "b", "label": 1}\n'
    yield "many labels.csv", b"text,label\n" + b"".join(b"a,%d\n" % i for i in range(5000))
    yield "many columns.csv", b",".join(b"c%d" % i for i in range(10**5)) + b"\n" + b"," * (10**5 - 1)
    yield "open quote.csv", b'text,label\n"a' + b"x\n" * 10**5
    yield "formulas.csv", b"text,label\n=1+1,@x\n-a,+b\n"
    yield "half characters.jsonl", b'{"text": "\\ud800", "label": "\\udfff"}\n' * 3
    yield "nothing.csv", b""
    yield "only a header.csv", b"text,label\n"
    yield "a picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0"
    yield "no kind.xlsx", b"PK\3\4"

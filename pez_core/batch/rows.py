"""The rows of a batch's results: one for each picture, the same columns in every format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..config import SETTINGS, InversionConfig
from ..errors import PezError
from ..result import InversionResult
from ..text.comfyui import escape_for_comfyui
from .extras import needed

Row = dict[str, Any]

COLUMNS = (
    *("key", "prompt", "escaped", "similarity", "nll", "candidates", "tokens", "model", "seed", "settings", "steps"),
    *("seconds", "stopped", "error"),
)
"""key: of the picture. escaped: the prompt as CLIP Text Encode reads it, null where that is not possible. nll: null unless
the search was for readability. settings: those that are not the defaults, as JSON. seconds: the picture's share of the
time of its pack. error: why there is no prompt; then all but key and error are null."""


def row_of(key: str, result: InversionResult, config: InversionConfig, seconds: float) -> Row:
    """The row of a result."""
    best = result.candidates[0]
    return {
        "key": key,
        "prompt": best.text,
        "escaped": _escaped(best.text),
        "similarity": best.similarity,
        "nll": best.nll,
        "candidates": [
            {"text": each.text, "similarity": each.similarity, "nll": each.nll} for each in result.candidates
        ],
        "tokens": [asdict(token) for token in result.tokens],
        "model": result.model,
        "seed": result.seed,
        "settings": json.dumps(changed(config), ensure_ascii=False),
        "steps": result.steps,
        "seconds": round(seconds, 4),
        "stopped": result.stopped,
        "error": None,
    }


def error_row(key: str, error: str) -> Row:
    """The row of a picture that could not be searched."""
    return {**dict.fromkeys(COLUMNS), "key": key, "error": error}


def changed(config: InversionConfig) -> dict[str, Any]:
    """The settings of a configuration that are not the defaults, except the seed."""
    values = asdict(config).items()
    return {name: value for name, value in values if name != "seed" and value != SETTINGS[name].default}


def line_of(row: Row) -> bytes:
    """A row as a line of JSON Lines."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def table_of(rows: Iterable[Row]) -> Any:
    """The rows as a table of pyarrow."""
    pyarrow = needed("pyarrow", "writing Parquet")
    return pyarrow.Table.from_pylist(list(rows), schema=_schema(pyarrow))


def _schema(pyarrow: Any) -> Any:
    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    candidate = pyarrow.struct([("text", text), ("similarity", number), ("nll", number)])
    token = pyarrow.struct([("text", text), ("contribution", number), ("start", whole), ("end", whole)])
    kinds = {
        "similarity": number,
        "nll": number,
        "seconds": number,
        "seed": pyarrow.uint64(),
        "steps": whole,
        "candidates": pyarrow.list_(candidate),
        "tokens": pyarrow.list_(token),
    }
    return pyarrow.schema([(name, kinds.get(name, text)) for name in COLUMNS])


def _escaped(prompt: str) -> str | None:
    try:
        return escape_for_comfyui(prompt)
    except PezError:
        return None

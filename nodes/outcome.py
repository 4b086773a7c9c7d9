"""The outcome of a search in the form in which the page, saved workflows and saved pictures hold it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from ..pez_core import Candidate, InversionResult
from ..pez_core.objectives.fluency import word_count
from ..pez_core.search.front import price
from .wires import NodeResult

VERSION = 1  # of outcomes and events: the page drops what has another version
POINTS = 64  # points of the chart on a node, at most about twice as many
SIDE = 96  # pixels, the longer side of a thumbnail


def outcome(kind: str, found: NodeResult) -> dict[str, Any]:
    """Plain values: exact scores, except in `trace`, the search's estimates. kind: the id of the node that searched."""
    result = found.result
    plain = found.to_json()
    return {
        "version": VERSION,
        "id": found.search,
        "node": kind,
        "model": result.model,
        "measure": result.measure,
        "seed": result.seed,
        "candidate": found.number,
        "text": result.prompt,
        "delivered": plain["prompt"],
        "similarity": result.similarity,
        "tokens": plain["tokens"],
        "candidates": [_candidate(found, each) for each in _ranked(found)],
        "trace": _points(result),
        "steps": result.steps,
        "most": found.config.steps,
        "seconds": result.seconds,
        "passes": result.passes,
        "stopped": result.stopped,
        "settings": plain["settings"],
        "warnings": list(result.warnings),
        "pictures": len(found.pictures),
        "thumbnail": thumbnail(found.pictures),
        **({"began_with": result.began_with} if result.began_with else {}),
    }


def thumbnail(pictures: Sequence[Image.Image]) -> str | None:
    """The first of the pictures, small, as a data URL; None if there is none."""
    if not pictures:
        return None
    small = pictures[0].copy()
    small.thumbnail((SIDE, SIDE))
    file = BytesIO()
    small.save(file, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _ranked(found: NodeResult) -> list[Candidate]:
    """The candidates in the order of the search, with the chosen one back at its place."""
    first, *others = found.result.candidates
    return [*others[: found.number - 1], first, *others[found.number - 1 :]]


def _candidate(found: NodeResult, each: Candidate) -> dict[str, Any]:
    """price: what a readable search counts against the similarity, for the slider of the panel."""
    readable = each.nll is not None and found.result.measure == "similarity"
    read = {"price": price(each.nll, word_count(each.text))} if readable else {}
    return {**each.to_json(), **read, "delivered": found.delivered(each.text)}


def _points(result: InversionResult) -> list[tuple[int, float]]:
    every = max(1, len(result.trace) // POINTS)
    points = [(step, value) for step, value in enumerate(result.trace, 1) if math.isfinite(value)]
    return [*points[:-1:every], *points[-1:]]

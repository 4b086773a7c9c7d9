"""PEZ Save Prompts."""

from __future__ import annotations

import csv
import io as text_io
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.errors import shorten
from .wires import NodeResult, PezResult

JSON_LINES, CSV = "JSON Lines", "CSV"
SUFFIXES = {JSON_LINES: ".jsonl", CSV: ".csv"}
COLUMNS = ("time", "prompt", "similarity", "model", "seed", "steps", "seconds", "settings")


class PEZSavePrompts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZSavePrompts",
            display_name="PEZ Save Prompts",
            category="PEZ",
            description="Appends the result to a file in the output folder: prompt, similarity, model, seed, settings.",
            search_aliases=["csv", "jsonl", "log prompts"],
            is_output_node=True,
            inputs=[
                PezResult.Input("result", tooltip="From PEZ Invert or PEZ Distill. A list adds one row per result."),
                io.String.Input(
                    "file",
                    default="pez/prompts",
                    dynamic_prompts=False,
                    tooltip="File name in ComfyUI's output folder, without extension. Missing folders are created; rows are appended.",
                ),
                io.Combo.Input(
                    "format",
                    options=[JSON_LINES, CSV],
                    default=JSON_LINES,
                    tooltip="JSON Lines holds everything, including the candidates. CSV opens in a spreadsheet.",
                ),
            ],
        )

    @classmethod
    def execute(cls, result: NodeResult, file: str, format: str) -> io.NodeOutput:
        path = output_file(file, SUFFIXES[format])
        row = {"time": datetime.now(timezone.utc).isoformat(timespec="seconds"), **result.to_json()}
        append(path, _json_line(row) if format == JSON_LINES else _csv_line(row), _header() if format == CSV else "")
        return io.NodeOutput(ui={"text": [str(path.relative_to(folder_paths.get_output_directory()))]})


def output_file(name: str, suffix: str) -> Path:
    """The file `name` in the output folder.

    Raises PezError for a name that is empty, leads outside the folder, or is invalid for the file system.
    """
    folder = Path(folder_paths.get_output_directory()).resolve()
    given = name.strip().removesuffix(suffix)
    try:
        path = (folder / f"{given}{suffix}").resolve()
        usable = Path(given).name and path.is_relative_to(folder) and not path.is_dir()
    except (OSError, ValueError):  # too long, or with a null character
        usable = False
    if not usable:
        raise PezError(
            f"file must be a name within ComfyUI's output folder, such as pez/prompts, not {shorten(repr(name))}."
        )
    return path


def append(path: Path, line: str, header: str = "") -> None:
    """Appends a line in one write, after the `header` in a new file. A line that was cut off before is ended first.
    Missing folders are created.

    Raises PezError for a file that begins with another header or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.seek(0)
            first = file.readline().decode("utf-8", "replace").strip()
            if first and header and first != header.strip():
                raise PezError(f"{path.name} has other columns than PEZ Save Prompts writes: choose another file.")
            size = file.seek(0, 2)
            file.seek(max(size - 1, 0))
            broken = size and file.read(1) != b"\n"
            file.write((("\n" if broken else "") + ("" if size else header) + line).encode("utf-8"))
    except OSError as error:
        raise PezError(
            f"{shorten(path.name)} cannot be written: {error.strerror or error}. Choose another file."
        ) from error


def _json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _header() -> str:
    return _csv_text(COLUMNS)


def _csv_line(row: dict[str, Any]) -> str:
    return _csv_text([json.dumps(row[name]) if name == "settings" else row[name] for name in COLUMNS])


def _csv_text(cells: Any) -> str:
    text = text_io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()

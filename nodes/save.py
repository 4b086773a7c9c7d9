"""PEZ Save Prompts."""

from __future__ import annotations

import csv
import io as text_io
import json
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.errors import shorten
from .node import PezNode
from .outcome import VERSION
from .wires import NodeResult, PezResult

JSON_LINES, CSV = "JSON Lines", "CSV"
SUFFIXES = {JSON_LINES: ".jsonl", CSV: ".csv"}
FORBIDDEN = '<>:"|?*'  # in names on Windows; a colon opens a stream
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(10))}
LONGEST = 200  # bytes of a name: file systems take 255
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("time", "prompt", "similarity", "model", "seed", "steps", "seconds", "settings")


class PEZSavePrompts(PezNode):
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
                PezResult.Input(
                    "result",
                    tooltip="From PEZ Invert, PEZ Distill or PEZ Positive and Negative. A list adds one row per result.",
                ),
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
        number = append(path, _json_line(row) if format == JSON_LINES else _csv_line(row), HEADERS[format])
        name = path.relative_to(_output_folder()).as_posix()
        saved = {"version": VERSION, "file": name, "row": number, "prompt": row["prompt"]}
        return io.NodeOutput(ui={"text": [f"row {number} in {name}"], "pez_saved": [saved]})


def _output_folder() -> Path:
    return Path(folder_paths.get_output_directory()).resolve()


def output_file(name: str, suffix: str) -> Path:
    """The file `name` in the output folder.

    Raises PezError for a name that is empty, leads outside the folder, or is invalid in some file system.
    """
    folder = _output_folder()
    parts = name.strip().replace("\\", "/").removesuffix(suffix).split("/")
    wrong = next(filter(None, map(_wrong_with, parts)), "")
    if not wrong:
        try:
            path = folder.joinpath(*parts[:-1], parts[-1] + suffix).resolve()
            if path.is_relative_to(folder) and not path.is_dir():
                return path
        except OSError:  # too long altogether, or a loop of links
            pass
        wrong = "it leads elsewhere"
    raise PezError(
        f"file must be a name within ComfyUI's output folder, such as pez/prompts, not {shorten(repr(name))}: {wrong}."
    )


def _wrong_with(part: str) -> str:
    """Why this part of a path is not a file name on every system; '' if it is."""
    if not part.strip(". "):
        return "a part of it has no name"
    if any(letter in FORBIDDEN or not letter.isprintable() for letter in part):
        return f"a name has none of {FORBIDDEN} and no invisible signs"
    if part[-1] in ". " or part[0] == " ":
        return "a name ends in no dot and has no space around it"
    if part.partition(".")[0].rstrip().upper() in RESERVED:
        return f"{part!r} is the name of a device in Windows"
    if len(part.encode("utf-8", "replace")) > LONGEST:
        return f"a name has at most {LONGEST} bytes"
    return ""


def append(path: Path, line: str, header: str = "") -> int:
    """Appends a line in one write, after the `header` in a new file; returns its number, from 1, without the header.
    A line that was cut off before is ended first. Missing folders are created.

    Raises PezError for a file that begins with another header or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.seek(0)
            first = file.readline().decode("utf-8-sig", "replace").strip()
            if first and header and first != header.strip("\ufeff\n"):
                raise PezError(f"{path.name} has other columns than PEZ Save Prompts writes: choose another file.")
            file.seek(0)
            before = sum(1 for _ in file)
            size = file.seek(0, 2)
            file.seek(max(size - 1, 0))
            broken = size and file.read(1) != b"\n"
            file.write((("\n" if broken else "") + ("" if size else header) + line).encode("utf-8"))
    except OSError as error:
        raise PezError(
            f"{shorten(path.name)} cannot be written: {error.strerror or error}. Choose another file."
        ) from error
    return before + 1 - bool(header and before)


def _json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _csv_line(row: dict[str, Any]) -> str:
    return _csv_text([json.dumps(row[name]) if name == "settings" else row[name] for name in COLUMNS])


def _csv_text(cells: Iterable[Any]) -> str:
    text = text_io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(map(_no_formula, cells))  # so it also quotes a cell with a "\r"
    return text.getvalue().removesuffix("\r\n") + "\n"


def _no_formula(cell: Any) -> Any:
    """The cell, with an apostrophe before a text that a spreadsheet would compute."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


HEADERS = {JSON_LINES: "", CSV: "\ufeff" + _csv_text(COLUMNS)}  # spreadsheets recognize UTF-8 by its mark

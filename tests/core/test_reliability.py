"""docs/reliability.md: every promise names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "reliability.md").read_text("utf-8")


def functions(file: str) -> set[str]:
    """The names of the tests in a file; none if it does not exist."""
    path = ROOT / file
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def promises() -> list[str]:
    """The rows of the table of promises."""
    section = DOCUMENT.partition("## Promises")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_every_promise_has_a_test():
    assert len(promises()) > 20
    for row in promises():
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)
    assert [f"{file}::{name}" for file, name in named if name not in functions(file)] == []


def test_the_table_of_the_fuzzing_is_one_that_its_command_prints():
    fuzzing = DOCUMENT.partition("## Fuzzing")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in fuzzing.splitlines() if line.startswith("|")
    ]
    assert "python -m tests.fuzz" in fuzzing
    head, _, *kinds = rows
    assert [row[0] for row in kinds] == ["pictures", "checkpoints", "language", "labels", "lists", "results", "graphs"]
    for row in kinds:
        files, cases, read, refused, failed = (
            int(row[head.index(name)].replace(",", "")) for name in ("corpus", "cases", "read", "refused", "failed")
        )
        assert cases == read + refused + failed > files > 0
        assert failed == 0

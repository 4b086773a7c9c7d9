"""The stairs of docs/extending.md: imports within the library go down, never up, so no circle can arise."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "pez_core"
STAIRS = (
    *("__main__", "cli", "batch", "plot", "doctor", "checks"),
    *("__init__", "distillation", "choosing", "inversion", "classification", "scoring", "painting"),  # the verbs
    *("run", "config", "search", "objectives", "targets", "models", "towers", "text"),
    *("result", "errors"),
)
MOST = 12  # modules at the root


def imported(file: Path) -> set[str]:
    """The parts of the library that a module imports."""
    own, found = file.relative_to(ROOT).parts, set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = list(own[: len(own) - node.level])
            names = [node.module.split(".")] if node.module else [[each.name] for each in node.names]
            found |= {(above + name)[0] for name in names}
    return found


def test_imports_go_down_the_stairs():
    steps = {name: number for number, name in enumerate(STAIRS)}
    met = set()
    for file in sorted(ROOT.rglob("*.py")):
        own = file.relative_to(ROOT).parts[0].removesuffix(".py")
        for name in imported(file) - {own, "__version__"}:
            if own != "__init__":  # which offers what the verbs and their inputs are
                assert steps[own] < steps[name], f"{file.relative_to(ROOT)} imports {name}"
            met.add((own, name))
    assert {("cli", "config"), ("run", "search"), ("towers", "text")} <= met


def test_the_root_has_room():
    assert len(list(ROOT.glob("*.py"))) <= MOST

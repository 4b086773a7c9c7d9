"""The tests themselves: what they need, and what they say if it is missing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from comfy_server import CannotTest, find_comfyui, served
from groups import pytest_xdist_auto_num_workers

TESTS = Path(__file__).parents[1]
EVERYTHING = {
    "torch": "2.6.0+cpu",
    "open-clip-torch": "3.1.0",
    "safetensors": "1",
    "Pillow": "11",
    "numpy": "2",
    "tqdm": "4",
}


@pytest.fixture
def comfyui_with(tmp_path, monkeypatch):
    """Makes a ComfyUI whose Python claims to have these packages."""

    def make(installed: dict[str, str]) -> Path:
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\necho '{json.dumps(installed)}'\n")
        python.chmod(0o755)
        (tmp_path / "main.py").touch()
        monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
        return tmp_path

    return make


def test_a_comfyui_that_has_everything_is_taken(comfyui_with):
    pytest.importorskip("websocket")
    folder = comfyui_with(EVERYTHING)
    assert find_comfyui() == folder


@pytest.mark.parametrize("version", [None, "2.30.0"], ids=["missing", "old"])
def test_what_comfyuis_python_lacks_is_said_in_one_line(comfyui_with, version):
    folder = comfyui_with({name: value for name, value in {**EVERYTHING, "open-clip-torch": version}.items() if value})
    with pytest.raises(CannotTest) as caught:
        find_comfyui()
    said = str(caught.value)
    assert said.startswith("COMFYUI'S PYTHON LACKS open_clip_torch>=3.0: ")
    assert f"{folder}/.venv/bin/python -m pip install -r requirements.txt" in said
    assert "\n" not in said


def test_tests_of_nodes_are_skipped_with_that_line(comfyui_with, tmp_path):
    comfyui_with({})
    with pytest.raises(pytest.skip.Exception, match=r"^COMFYUI'S PYTHON LACKS torch>=2\.6, "):
        next(served(tmp_path / "base"))


@pytest.mark.slow
def test_a_worker_runs_whole_files_and_one_all_of_the_newest_page_and_most_begin_at_the_end(tmp_path):
    pytest.importorskip("xdist")
    page = tmp_path / "tests" / "page"
    page.mkdir(parents=True)
    for name in ("one", "two", "three"):
        (page / f"test_{name}.py").write_text(
            "import os, pytest\n"
            '@pytest.mark.parametrize("server", ["own", "newest"])\n'
            '@pytest.mark.parametrize("number", range(6))\n'
            "def test_it(server, number):\n"
            f'    file = "{name}" if server == "own" else server\n'
            "    with open(os.environ['PYTEST_XDIST_WORKER'] + '.ran', 'a') as ran:\n"
            "        print(file, file=ran)\n"
        )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "groups", "-n", "3", "--no-loadscope-reorder"]
    command += ["--rootdir", ".", "tests"]
    given = {**os.environ, "PYTHONPATH": str(TESTS)}
    subprocess.run(command, cwd=tmp_path, env=given, check=True, capture_output=True)
    ran = [(tmp_path / f"gw{i}.ran").read_text().split() for i in range(3)]  # the first to be ready is served first
    assert sorted(each[:6] for each in ran) == [["one"] * 6, ["three"] * 6, ["two"] * 6]
    assert sorted(each[6:] for each in ran) == [[], [], ["newest"] * 18]


@pytest.mark.parametrize(
    ("parts", "more"),
    [(["tests/page", "tests/core"], 1), (["tests/core"], 0), (["tests/core/test_cli.py::test_it"], 0)],
)
def test_one_worker_more_than_cores_where_a_page_is_waited_for(monkeypatch, parts, more):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert pytest_xdist_auto_num_workers(SimpleNamespace(args=parts)) == 4 + more


def test_every_hook_of_the_groups_is_taken():
    """pytest sees those that its conftest names."""
    written = ast.parse((TESTS / "groups.py").read_text("utf-8")).body
    hooks = {each.name for each in written if isinstance(each, ast.FunctionDef) and each.name.startswith("pytest_")}
    assert hooks
    assert {f"groups.{name}" for name in hooks} <= set(imports(TESTS / "conftest.py"))


def test_tests_of_the_core_need_nothing_of_the_page():
    of_the_page = {"comfyui_frontend_package", "websocket", "playwright"}
    assert not of_the_page & imported_by(TESTS / "conftest.py", *(TESTS / "core").glob("*.py"))
    assert of_the_page & imported_by(*(TESTS / "page").glob("*.py"))


def imported_by(*files: Path) -> set[str]:
    """The packages that must be there to import these files of the tests, and those of the tests that they import.

    Imports within functions and for types do not count.
    """
    found, waiting = set(), list(files)
    for file in waiting:
        for name in imports(file):
            found.add(name.partition(".")[0])
            own = TESTS / f"{name.removeprefix('tests.').replace('.', '/')}.py"
            if own.exists() and own not in waiting:
                waiting.append(own)
    return found


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports at once, and what it takes from them, which may be modules."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)

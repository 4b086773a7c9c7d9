"""The tests themselves: what they need, and what they say if it is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from comfy_server import CannotTest, find_comfyui

ROOT = Path(__file__).parents[2]
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


def _pytest(*arguments: str, without: tuple[str, ...] = (), **environment: str) -> str:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without!r}))"
    code = f"{blocked}; import pytest; sys.exit(pytest.main({list(arguments)!r}))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout


def test_tests_of_nodes_are_skipped_with_that_line(comfyui_with):
    comfyui_with({})
    said = _pytest("-p", "no:cacheprovider", "tests/nodes/test_locales.py", "-k", "every_text")
    (line,) = [line for line in said.splitlines() if line.startswith("SKIPPED")]
    assert re.match(r"SKIPPED \[\d+\] .*COMFYUI'S PYTHON LACKS torch>=2.6, ", line)


def test_tests_of_the_core_need_nothing_of_the_page():
    without = ("comfyui_frontend_package", "websocket", "playwright", "playwright.sync_api")
    said = _pytest("-p", "no:cacheprovider", "--collect-only", "-q", "tests/core", without=without)
    assert "tests/core/test_suite.py::" in said

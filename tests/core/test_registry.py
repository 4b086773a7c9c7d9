"""What people's workflows and ComfyUI's registry rely on, read from the sources: no ComfyUI is needed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
IDS = {
    "PEZBlendTargets",
    "PEZCombineModels",
    "PEZDistill",
    "PEZImageTarget",
    "PEZInvert",
    "PEZLoadModel",
    "PEZModelFromCLIP",
    "PEZPlot",
    "PEZSamplePicture",
    "PEZSavePrompts",
    "PEZScore",
    "PEZTextTarget",
}
"""Saved in people's workflows: one that goes needs an entry for its replacement (`node_replacement.register`)."""


def test_no_node_disappears():
    source = "".join(path.read_text("utf-8") for path in (ROOT / "nodes").glob("*.py"))
    replaced = set(re.findall(r'old_node_id="(\w+)"', source))
    found = set(re.findall(r'node_id="(\w+)"', source)) - replaced
    assert found | replaced >= IDS
    assert found <= IDS, "a new node: add its id, which is then never changed"


def test_every_node_has_its_help_page():
    assert {path.stem for path in (ROOT / "web" / "docs").glob("*.md")} == IDS


def test_pictures_in_help_pages_and_readme_are_there():
    pages = [ROOT / "README.md", *(ROOT / "web" / "docs").glob("*.md")]
    for page in pages:
        shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text("utf-8"))
        assert shown, page.name
        for name in shown:
            assert (page.parent / name).is_file(), f"{page.name}: {name}"


def test_the_registry_finds_what_it_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    comfy = project["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9-]+", project["project"]["name"])
    assert "comfyui" not in project["project"]["name"]
    assert comfy["DisplayName"]
    assert comfy["requires-comfyui"].startswith(">=")
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["project"]["version"])
    requirements = (ROOT / "requirements.txt").read_text("utf-8").split()
    assert not [each for each in requirements if "==" in each or "<" in each]  # no pin that breaks an environment


def test_the_icon_and_the_banner_are_pictures():
    for name in ("icon.svg", "banner.svg"):
        drawn = (ROOT / "docs" / "images" / name).read_text("utf-8")
        assert drawn.startswith("<svg")
        assert "<script" not in drawn
        assert len(drawn) < 20_000


def test_every_example_workflow_has_its_thumbnail_and_knows_only_our_nodes_and_comfyuis():
    for path in (ROOT / "example_workflows").glob("*.json"):
        with Image.open(path.with_suffix(".jpg")) as thumbnail:
            assert max(thumbnail.size) <= 800
        kinds = {node["type"] for node in json.loads(path.read_text("utf-8"))["nodes"]}
        assert {kind for kind in kinds if kind.startswith("PEZ")} <= IDS

"""What people's workflows and ComfyUI's registry rely on, read from the sources: no ComfyUI is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

import pez_core

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
IDS = {
    "PEZBatchFolder",
    "PEZBlendTargets",
    "PEZChooseByGenerator",
    "PEZClassifyText",
    "PEZCombineModels",
    "PEZDistill",
    "PEZDoctor",
    "PEZImageTarget",
    "PEZInvert",
    "PEZLearnClassifier",
    "PEZLoadLanguageModel",
    "PEZLoadModel",
    "PEZModelFromCLIP",
    "PEZPaint",
    "PEZPlot",
    "PEZPositiveAndNegative",
    "PEZSamplePicture",
    "PEZSavePrompts",
    "PEZScore",
    "PEZSearchSettings",
    "PEZTextTarget",
    "PEZWeightedPrompt",
    "PEZWords",
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


def test_the_version_is_the_same_everywhere():
    """The registry reads it from pyproject.toml; in ComfyUI the pack runs without being installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert pez_core.__version__ == project["version"]


def workflow(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text("utf-8"))
    content["on"] = content.pop(True)  # YAML 1.1 reads the key `on` as true
    return content


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_known_code_and_may_only_read(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", each)] == []
    assert workflow(path)["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow(path)["jobs"].values())


def test_only_publishing_sees_a_secret_and_only_by_hand():
    assert [path.stem for path in WORKFLOWS if "secrets." in path.read_text("utf-8")] == ["publish"]
    assert set(workflow(ROOT / ".github" / "workflows" / "publish.yml")["on"]) == {"workflow_dispatch"}


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs in bash")
@pytest.mark.parametrize(("publisher", "status"), [('""', 1), ("''", 1), ('"someone"', 0)])
def test_publishing_is_refused_without_a_publisher(tmp_path, publisher, status):
    *_, refusal, publish = steps(ROOT / ".github" / "workflows" / "publish.yml")
    assert publish["uses"].startswith("Comfy-Org/publish-node-action@")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    project, count = re.subn(r"^PublisherId = .*$", f"PublisherId = {publisher}", project, flags=re.MULTILINE)
    assert count == 1
    (tmp_path / "pyproject.toml").write_text(project)
    run = subprocess.run(["bash", "-ec", refusal["run"]], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == status
    assert len(run.stdout.splitlines()) == status  # one sentence
    assert ("PublisherId in pyproject.toml is empty" in run.stdout) == bool(status)


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


def test_an_example_workflow_opens_with_all_its_nodes_in_view():
    for path in (ROOT / "example_workflows").glob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        (x, y), scale = content["extra"]["ds"]["offset"], content["extra"]["ds"]["scale"]
        for node in content["nodes"]:
            (left, top), (width, height) = node["pos"], node["size"]
            assert (left + x) * scale >= 90, path.name
            assert (top + y) * scale >= 110, path.name
            assert (left + width + x) * scale <= 1400, path.name
            assert (top + height + y) * scale <= 880, path.name
        assert scale >= 0.5, path.name

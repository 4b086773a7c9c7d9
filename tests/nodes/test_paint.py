"""PEZ Paint in a real ComfyUI, and the benchmark that has a ComfyUI paint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.painters import ComfyUI
from pez_core import PezError, paint

TEXTS = ["a red apple", "two (blue:1.2) birds\n\n a fox "]
READ = ["a red apple", "two blue birds", "a fox"]  # without weights, one for each line


def graph(texts: Any, **settings: Any) -> dict[str, Any]:
    inputs = {"texts": texts, "seed": 3, "steps": 2, **settings}
    return {
        "paint": {"class_type": "PEZPaint", "inputs": inputs, "_meta": {"title": "Prompt"}},
        "show": {"class_type": "PreviewImage", "inputs": {"images": ["paint", 0]}, "_meta": {"title": "Picture"}},
    }


def pictures(comfy, run, node: str) -> list[np.ndarray]:
    shown = run.output(node)["images"]
    files = [comfy.base / each["type"] / each["subfolder"] / each["filename"] for each in shown]
    return [np.asarray(Image.open(file).convert("RGB")).astype(int) for file in files]


def alike(one: np.ndarray, other: Any) -> bool:
    """Whether two pictures are the same up to the rounding of ComfyUI's files."""
    return one.shape == (64, 64, 3) and abs(one - np.asarray(other).astype(int)).max() <= 1


def test_a_picture_for_each_line_as_the_library_paints_it(comfy):
    run = comfy.run(graph("\n".join(TEXTS)))
    assert not run.error
    expected = paint(READ, seed=3, steps=2)
    for node in ("paint", "show"):  # the node shows what it returns
        shown = pictures(comfy, run, node)
        assert len(shown) == 3
        assert all(map(alike, shown, expected))
    assert [data for data in run.of("progress") if data["node"] == "paint" and data["max"] == 6]


def test_a_list_of_texts_becomes_one_batch(comfy):
    made = graph(["texts", 0])
    made["texts"] = {"class_type": "TestTexts", "inputs": {"texts": json.dumps(TEXTS)}}
    run = comfy.run(made)
    assert not run.error
    assert all(map(alike, pictures(comfy, run, "show"), paint(READ, seed=3, steps=2)))


def test_nothing_to_paint_is_said(comfy):
    assert "There is no text to paint" in comfy.run(graph(" \n")).error


def test_painting_can_be_interrupted(comfy):
    prompt = comfy.queue(graph("a fox", steps=1000))
    comfy.listen(prompt, until="progress")
    comfy.post("/interrupt", {})
    assert comfy.listen(prompt).of("execution_interrupted")


@pytest.fixture
def exported(tmp_path) -> Path:
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(graph("anything")))
    return file


def test_a_workflow_in_comfyui_paints_for_the_benchmark(comfy, exported):
    generator = ComfyUI(exported, comfy.address, "Prompt", "Picture")
    painted = generator(["a red (apple)", "a fox"], [1, 2])
    expected = [paint(["a red (apple)"], seed=1, steps=2)[0], paint(["a fox"], seed=2, steps=2)[0]]
    assert all(alike(np.asarray(one).astype(int), other) for one, other in zip(painted, expected, strict=True))


def test_a_connected_text_is_replaced_too(comfy, tmp_path):
    made = graph(["other", 0])
    made["other"] = {"class_type": "PrimitiveString", "inputs": {"value": "a dog"}, "_meta": {"title": "Other"}}
    file = tmp_path / "connected.json"
    file.write_text(json.dumps(made))
    (painted,) = ComfyUI(file, comfy.address, "Prompt", "Picture")(["a fox"], [1])
    assert alike(np.asarray(painted).astype(int), paint(["a fox"], seed=1, steps=2)[0])


def test_a_run_that_fails_is_said(comfy, exported):
    with pytest.raises(PezError, match=r"failed in ComfyUI: PEZPaint: There is no text to paint"):
        ComfyUI(exported, comfy.address, "Prompt", "Picture")([""], [1])


@pytest.mark.parametrize(
    ("content", "titles", "told"),
    [
        ({"nodes": []}, ("Prompt", "Picture"), "not in ComfyUI's API format"),
        (graph("a fox"), ("Text", "Picture"), "0 nodes are titled 'Text', expected one"),
        (graph("a fox"), ("Picture", "Picture"), "has no text that could be replaced"),
    ],
)
def test_workflows_that_cannot_be_used(tmp_path, content, titles, told):
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(content))
    with pytest.raises(PezError, match=told):
        ComfyUI(file, "127.0.0.1:1", *titles)


def test_a_comfyui_that_is_not_there(exported):
    with pytest.raises(PezError, match=r"No ComfyUI answers at http://127\.0\.0\.1:1"):
        ComfyUI(exported, "127.0.0.1:1", "Prompt", "Picture")(["a fox"], [1])

"""PEZ Doctor in a real ComfyUI: its report, its progress, and how it is interrupted."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import EMBEDDED, shown

from pez_core.doctor import CHECKS


def examining(model: dict[str, Any] | None = None) -> dict[str, Any]:
    """PEZ Doctor, with the model of these inputs of PEZ Load Model, and what is connected to its report."""
    made = {
        "doctor": {"class_type": "PEZDoctor", "inputs": {}},
        "text": {"class_type": "TestShow", "inputs": {"values": ["doctor", 0]}},
    }
    if model is None:
        return made
    made["doctor"]["inputs"]["pez_model"] = ["model", 0]
    return made | {"model": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED, **model}}}


def begins(text: str) -> list[str]:
    """The names of the findings, in their order."""
    lines = text.splitlines()
    return [name for line in lines for name in CHECKS if line.startswith(f"{name}  ")]


def test_the_report_is_shown_and_returned(comfy):
    run = comfy.run(examining())
    (text,) = run.output("doctor")["text"]
    assert shown(run, "text") == [text]
    first, *_, summary, comfyui = text.splitlines()
    assert first.startswith("PEZ doctor ")
    assert first.endswith("embedded on cpu")
    assert begins(text) == list(CHECKS)
    assert " ok, " in summary
    assert comfyui == f"ComfyUI {comfy.get('/system_stats')['system']['comfyui_version']}"
    assert " wrong " not in text
    assert str(comfy.base.parent) not in text


def test_its_lines_are_told_as_they_come_and_the_bar_is_filled(comfy):
    run = comfy.run(examining())
    told = [data for data in run.of("pez.report") if data["node"] == "doctor"]
    assert [begins(data["text"]) for data in told] == [list(CHECKS[: i + 1]) for i in range(len(CHECKS))]
    assert {data["version"] for data in told} == {1}
    (last, *_) = [data["nodes"]["doctor"] for data in run.of("progress_state")[::-1] if "doctor" in data["nodes"]]
    assert (last["value"], last["max"]) == (len(CHECKS), len(CHECKS))


@pytest.mark.slow
def test_it_looks_again_each_time(comfy):
    assert all(comfy.run(examining()).of("pez.report") for _ in range(2))


@pytest.mark.slow
def test_a_connected_model_is_the_one_it_looks_at(comfy, second_model):
    """One with random weights: its towers do not belong together, and the other lines and the graph do not suffer from it."""
    run = comfy.run(examining(second_model))
    assert not run.error
    (text,) = run.output("doctor")["text"]
    assert "ViT-B-32" in text.splitlines()[0]
    (pair,) = [line for line in text.splitlines() if line.startswith("CLIP pair")]
    assert " wrong " in pair
    assert begins(text) == list(CHECKS)
    assert shown(run, "text") == [text]


def test_cancel_ends_it_within_the_examination(comfy):
    prompt_id = comfy.queue(examining())
    comfy.listen(prompt_id, until="pez.report")
    comfy.post("/interrupt", {})
    run = comfy.listen(prompt_id)
    assert run.of("execution_interrupted")[0]["node_id"] == "doctor"
    assert "text" not in run.history["outputs"]
    assert comfy.run(examining()).output("doctor")["text"]

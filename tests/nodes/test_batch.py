"""PEZ Batch Folder in a real ComfyUI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from graphs import EMBEDDED, graph, shown

SAMPLES = Path(__file__).parents[2] / "pez_core" / "embedded" / "samples"
NAMES = ("penguin.png", "pizza.png", "cat-and-ball.png")


def batch(folder: str, file: str, **inputs) -> dict:
    wires = {"pez_model": ["model", 0], "settings": ["settings", 0]}
    own = {"folder": folder, "file": file, "recursive": False, "captions": False, "restart": False}
    search = {"preset": "fast", "length": 4, "seed": 1}
    return {
        "model": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED}},
        "settings": {"class_type": "PEZSearchSettings", "inputs": {"steps": 20, "restarts": 2}},
        "batch": {"class_type": "PEZBatchFolder", "inputs": {**wires, **own, **search, **inputs}},
        "prompts": {"class_type": "TestShow", "inputs": {"values": ["batch", 0]}},
        "names": {"class_type": "TestShow", "inputs": {"values": ["batch", 1]}},
    }


def lines(comfy, file: str) -> list[dict]:
    return [json.loads(line) for line in (comfy.base / "output" / f"{file}.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def folder(comfy, request) -> Path:
    made = comfy.base / "input" / request.node.name.partition("[")[0]
    made.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copy(SAMPLES / name, made)
    return made


def test_a_folder_becomes_prompts_and_a_file(comfy, folder):
    (folder / "damaged.png").write_bytes(b"no picture")
    run = comfy.run(batch(folder.name, "made/all", captions=True))
    assert not run.error
    assert shown(run, "names") == sorted(NAMES)
    rows = {row["key"]: row for row in lines(comfy, "made/all")}
    assert shown(run, "prompts") == [rows[name]["escaped"] for name in sorted(NAMES)]
    assert "cannot be read" in rows["damaged.png"]["error"]
    assert run.output("batch")["text"] == ["4 rows in made/all.jsonl, 1 failed"]
    for name in NAMES:
        caption = comfy.base / "output" / "made" / "all" / Path(name).with_suffix(".txt")
        assert caption.read_text("utf-8") == rows[name]["prompt"] + "\n"
    assert not list(folder.glob("*.txt"))
    alone = graph(steps=20, restarts=2, length=4, seed=1, preset="fast")
    assert shown(comfy.run(alone), "candidates")[0] == rows["penguin.png"]["escaped"]


def test_it_goes_on_with_new_pictures_and_refuses_other_settings(comfy, folder):
    assert not comfy.run(batch(folder.name, "made/more")).error
    before = lines(comfy, "made/more")
    shutil.copy(SAMPLES / "penguin.png", folder / "zz.png")
    assert not comfy.run(batch(folder.name, "made/more")).error
    assert lines(comfy, "made/more")[: len(before)] == before
    assert lines(comfy, "made/more")[-1]["key"] == "zz.png"
    assert "seed 2 (was 1)" in comfy.run(batch(folder.name, "made/more", seed=2)).error
    assert not comfy.run(batch(folder.name, "made/more", seed=2, restart=True)).error
    assert {row["seed"] for row in lines(comfy, "made/more")} == {2}


@pytest.mark.parametrize("where", ["..", "/etc", "../output", "a/../../.."])
def test_no_folder_outside_of_input_is_read(comfy, folder, where):
    assert "within ComfyUI's input folder" in comfy.run(batch(where, "made/none")).error


@pytest.mark.parametrize("file", ["../out", "/tmp/out", ""])
def test_no_file_outside_of_output_is_written(comfy, folder, file):
    assert "within ComfyUI's output folder" in comfy.run(batch(folder.name, file)).error


def test_links_that_lead_out_are_not_followed(comfy, folder, tmp_path):
    shutil.copy(SAMPLES / "penguin.png", tmp_path / "secret.png")
    (folder / "secret.png").symlink_to(tmp_path / "secret.png")
    (folder / "inside.png").symlink_to("penguin.png")
    assert not comfy.run(batch(folder.name, "made/links")).error
    rows = {row["key"]: row for row in lines(comfy, "made/links")}
    assert "leads out of the folder" in rows["secret.png"]["error"]
    assert rows["inside.png"]["prompt"] == rows["penguin.png"]["prompt"]
    (comfy.base / "input" / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert "within ComfyUI's input folder" in comfy.run(batch("linked", "made/none")).error


def test_a_cancelled_run_keeps_what_is_written(comfy, folder):
    for i in range(60):
        shutil.copy(SAMPLES / "penguin.png", folder / f"{i:02d}.png")
    queued = comfy.queue(batch(folder.name, "made/cancelled", preset="thorough"))
    comfy.listen(queued, until="progress")
    comfy.post("/interrupt", {})
    run = comfy.listen(queued)
    assert run.of("execution_interrupted")
    written = lines(comfy, "made/cancelled")
    assert len(written) < 63
    assert not comfy.run(batch(folder.name, "made/cancelled", preset="thorough")).error
    assert len({row["key"] for row in lines(comfy, "made/cancelled")}) == 63 == len(lines(comfy, "made/cancelled"))

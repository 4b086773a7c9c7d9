"""PEZ Batch Folder in a real ComfyUI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from graphs import EMBEDDED, graph, shown
from safetensors.torch import save_file

SAMPLES = Path(__file__).parents[2] / "pez_core" / "embedded" / "samples"
NAMES = ("penguin.png", "pizza.png", "cat-and-ball.png")


def batch(folder: str, file: str, **inputs) -> dict:
    wires = {"pez_model": ["model", 0], "settings": ["settings", 0]}
    own = {"folder": folder, "file": file, "recursive": False, "captions": False, "restart": False}
    search = {"preset": "fast", "length": 4, "seed": 1, "readability": 0}
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


def test_other_weights_in_a_file_of_the_same_name_are_another_model(comfy, folder):
    models = comfy.base / "models" / "open_clip"
    for number in (1, 2):
        torch.manual_seed(number)
        weights = {name: value.half() for name, value in open_clip.create_model("ViT-S-32-alt").state_dict().items()}
        (models / f"folder{number}").mkdir()
        save_file(weights, models / f"folder{number}" / "same.safetensors")
    made, other = batch(folder.name, "made/weights"), batch(folder.name, "made/weights")
    for number, each in enumerate((made, other), 1):
        named = {"model": "Other (by name)", "name": "ViT-S-32-alt", "checkpoint": f"folder{number}/same.safetensors"}
        each["model"]["inputs"] = named
        each["settings"]["inputs"] = {"steps": 2, "restarts": 1}
    assert not comfy.run(made).error
    before = lines(comfy, "made/weights")
    assert "the model's weights" in comfy.run(other).error
    both = {"models.pez_model1": ["model", 0], "models.pez_model2": ["second", 0], "weights": ""}
    made["second"] = other["model"]
    made["both"] = {"class_type": "PEZCombineModels", "inputs": both}
    made["batch"]["inputs"] |= {"pez_model": ["both", 0], "file": "made/both"}
    assert not comfy.run(made).error
    assert len(lines(comfy, "made/both")) == len(before) == len(NAMES)
    assert lines(comfy, "made/weights") == before


def test_another_preset_is_named_before_its_settings(comfy, folder):
    assert not comfy.run(batch(folder.name, "made/preset")).error
    said = comfy.run(batch(folder.name, "made/preset", preset="thorough")).error
    assert 'other options: preset "thorough" (was "fast"), ' in said
    assert said.count("or restart to begin anew.") == 1


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


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("nowhere", "There is no folder or file"),
        ("penguin.png", "is no source of pictures"),
        ("x" * 5000, "…' cannot be read: File name too long. Give another name."),
        ("a\0b", "within ComfyUI's input folder"),
    ],
    ids=["missing", "a picture", "too long", "no name"],
)
def test_a_name_that_is_no_folder_is_one_clear_sentence(comfy, folder, where, said):
    error = comfy.run(batch(where, "made/none")).error
    assert said in error
    assert str(comfy.base) not in error
    assert "Traceback" not in error
    assert len(error) < 500


def test_an_empty_folder_says_so(comfy, folder):
    (folder / "empty" / "deep").mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLES / "penguin.png", folder / "empty" / "deep")
    error = comfy.run(batch(f"{folder.name}/empty", "made/empty")).error
    assert "There is no picture in the folder" in error
    assert "sub-folders count only with the option recursive" in error
    run = comfy.run(batch(f"{folder.name}/empty", "made/empty", recursive=True, restart=True))
    assert shown(run, "names") == ["deep/penguin.png"]


def test_the_same_folder_may_be_written_in_another_way(comfy, folder):
    assert not comfy.run(batch(folder.name, "made/same")).error
    before = lines(comfy, "made/same")
    for name in (f"{folder.name}/", f" ./{folder.name} "):
        assert not comfy.run(batch(name, "made/same")).error
    assert lines(comfy, "made/same") == before


def test_pictures_that_cannot_be_read_are_named_even_beside_rows_of_others(comfy, folder):
    assert not comfy.run(batch(folder.name, "made/broken")).error
    for name in NAMES:
        (folder / name).rename(folder / f"new-{name}")
        (folder / f"new-{name}").write_bytes(b"no picture")
    error = comfy.run(batch(folder.name, "made/broken")).error
    assert "None of 3 pictures could be searched. The first one: " in error
    assert "new-cat-and-ball.png' cannot be read" in error
    assert len(lines(comfy, "made/broken")) == 6


def test_a_prompt_that_clip_text_encode_would_misread_is_left_out(comfy, folder):
    rows = [{"path": NAMES[0]}, {"path": NAMES[1], "prefix": "embedding:x"}]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    run = comfy.run(batch(f"{folder.name}/list.jsonl", "made/list"))
    assert not run.error
    assert shown(run, "names") == [NAMES[0]]
    (folder / "list.jsonl").write_text(json.dumps(rows[1]), "utf-8")
    assert "which CLIP Text Encode would not read" in comfy.run(batch(f"{folder.name}/list.jsonl", "made/only")).error


def test_a_file_in_the_place_of_a_folder_is_one_clear_sentence(comfy, folder):
    (comfy.base / "output" / "taken").write_text("mine")
    assert "Choose another file name" in comfy.run(batch(folder.name, "taken/rows")).error
    assert "cannot be written" in comfy.run(batch(folder.name, "taken", captions=True)).error
    assert (comfy.base / "output" / "taken").read_text() == "mine"


def test_a_folder_in_the_place_of_a_caption_costs_only_that_picture(comfy, folder):
    (comfy.base / "output" / "made" / "blocked" / "pizza.txt").mkdir(parents=True, exist_ok=True)
    run = comfy.run(batch(folder.name, "made/blocked", captions=True))
    assert not run.error
    assert shown(run, "names") == ["cat-and-ball.png", "penguin.png"]
    errors = {row["key"]: row["error"] for row in lines(comfy, "made/blocked")}
    assert errors["pizza.png"] == "A folder has the name of the caption, 'pizza.txt': rename it."


def test_a_picture_that_failed_is_tried_again_in_the_next_run(comfy, folder):
    (folder / "penguin.png").write_bytes(b"no picture")
    run = comfy.run(batch(folder.name, "made/again"))
    assert run.output("batch")["text"] == ["3 rows in made/again.jsonl, 1 failed"]
    shutil.copy(SAMPLES / "penguin.png", folder)
    run = comfy.run(batch(folder.name, "made/again"))
    assert run.output("batch")["text"] == ["3 rows in made/again.jsonl, 0 failed"]
    assert sorted(row["key"] for row in lines(comfy, "made/again")) == sorted(NAMES)


def test_two_prompts_at_once_share_a_file(comfy, folder):
    first, second = (comfy.queue(batch(folder.name, "made/twice")) for _ in range(2))
    for queued in (first, second):
        assert not comfy.listen(queued).error
    assert sorted(row["key"] for row in lines(comfy, "made/twice")) == sorted(NAMES)


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

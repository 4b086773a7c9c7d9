"""What is written into files: prompts in tables, and results in saved pictures."""

from __future__ import annotations

import csv
import json

import pytest
from graphs import graph, shown
from PIL import Image


def saving(file: str, kind: str, **settings) -> dict:
    made = graph(steps=10, **settings)
    inputs = {"result": ["invert", 3], "file": file, "format": kind}
    return made | {"save": {"class_type": "PEZSavePrompts", "inputs": inputs}}


def test_prompts_are_appended_to_files(comfy):
    for seed in (1, 2):
        for kind in ("JSON Lines", "CSV"):
            assert not comfy.run(saving("found/here", kind, seed=seed)).error
    lines = [json.loads(line) for line in (comfy.base / "output" / "found" / "here.jsonl").read_text().splitlines()]
    with (comfy.base / "output" / "found" / "here.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for seed, line, row in zip((1, 2), lines, rows, strict=True):
        assert (line["seed"], row["seed"]) == (seed, str(seed))
        assert line["prompt"] == row["prompt"]
        assert float(row["similarity"]) == pytest.approx(line["similarity"])
        assert line["candidates"][0]["similarity"] == line["similarity"]
        assert line["settings"] == json.loads(row["settings"])
        assert line["settings"]["steps"] == 10


@pytest.mark.parametrize("file", ["../out", "/tmp/out", "", "  ", "a/../../out", "."])
def test_files_outside_the_output_folder_are_refused(comfy, file):
    assert "within ComfyUI's output folder" in comfy.run(saving(file, "CSV")).error
    assert not (comfy.base / "out.csv").exists()


ODD = {
    "zero": "a\0b",
    "long": "long" * 75,
    "long folder": f"{'long' * 75}/a",
    "dots": "..",
    "dot": "a.",
    "device": "pez/con",
    "port": "COM1.old",
    "stream": "a:b",
    "star": "a*",
    "line": "a\nb",
}


@pytest.mark.parametrize("file", ODD.values(), ids=ODD)
def test_names_that_no_file_can_have_are_refused(comfy, file):
    (error,) = comfy.run(saving(file, "CSV")).of("execution_error")
    assert error["exception_type"] == "PEZ"
    said = error["exception_message"]
    assert "within ComfyUI's output folder" in said
    assert len(said) < 200
    assert str(comfy.base) not in said


def test_a_table_of_other_columns_is_left_alone(comfy):
    other = comfy.base / "output" / "other.csv"
    other.write_text("mine,yours\n1,2")
    assert "other columns" in comfy.run(saving("other", "CSV")).error
    assert other.read_text() == "mine,yours\n1,2"


def test_a_line_that_was_cut_off_stays_alone(comfy):
    (comfy.base / "output" / "cut.jsonl").write_text('{"prompt": "a re')
    assert not comfy.run(saving("cut", "JSON Lines")).error
    first, second = (comfy.base / "output" / "cut.jsonl").read_text().splitlines()
    assert first == '{"prompt": "a re'
    assert json.loads(second)["prompt"]


def saved_metadata(comfy, made: dict, extra: dict | None = None) -> dict:
    body = {"prompt": made, "client_id": comfy.client, **({"extra_data": extra} if extra is not None else {})}
    run = comfy.listen(comfy.post("/prompt", body)["prompt_id"])
    (saved,) = run.output("save")["images"]
    with Image.open(comfy.base / "output" / saved["filename"]) as picture_:
        return {name: json.loads(text) for name, text in picture_.text.items()}


def test_a_row_says_where_it_went_also_if_the_output_folder_is_a_link(comfy, tmp_path):
    output, real = comfy.base / "output", tmp_path / "real"
    output.rename(real)
    output.symlink_to(real, target_is_directory=True)
    try:
        run = comfy.run(saving("linked/here", "CSV"))
        again = comfy.run(saving("linked\\here", "CSV", seed=2))
    finally:
        output.unlink()
        real.rename(output)
    assert not run.error
    for number, each in ((1, run), (2, again)):
        (saved,) = each.output("save")["pez_saved"]
        assert (saved["file"], saved["row"], saved["version"]) == ("linked/here.csv", number, 1)
        assert saved["prompt"] == each.output("invert")["pez"][0]["delivered"]
        assert each.output("save")["text"] == [f"row {number} in linked/here.csv"]


def test_a_spreadsheet_shows_text_and_computes_nothing(comfy):
    assert not comfy.run(saving("safe", "CSV", prefix="=1+1 café")).error
    written = (comfy.base / "output" / "safe.csv").read_bytes()
    assert written.startswith("\ufefftime,".encode())
    with (comfy.base / "output" / "safe.csv").open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert row["prompt"].startswith("'=1+1 café ")


PANELS = {"version": 1, "outcomes": {"invert": ["of another run"], "gone": ["stays"]}}


def test_saved_pictures_carry_the_prompt_also_when_it_comes_from_the_cache(comfy):
    def queued() -> dict:
        return {"extra_pnginfo": {"workflow": {"nodes": [], "config": {"pez": json.loads(json.dumps(PANELS))}}}}

    made = graph(seed=77, steps=10)
    made["after"] = {"class_type": "PEZPlot", "inputs": {"result": ["invert", 3]}}
    made["save"] = {"class_type": "SaveImage", "inputs": {"images": ["after", 0], "filename_prefix": "first"}}
    first = saved_metadata(comfy, made, queued())
    (entry,) = first["pez"]["invert"]
    run = comfy.run(graph(seed=77, steps=10))
    assert entry["prompt"] == shown(run, "candidates")[0]
    assert (entry["node"], entry["seed"], entry["settings"]["steps"]) == ("PEZInvert", 77, 10)
    shown_in_panels = run.output("invert")["pez"]
    assert first["workflow"]["config"]["pez"]["outcomes"] == {"invert": shown_in_panels, "gone": ["stays"]}
    made["save"]["inputs"]["filename_prefix"] = "second"
    again = saved_metadata(comfy, made, queued())  # PEZ Invert does not run
    assert (again["pez"], again["workflow"]) == (first["pez"], first["workflow"])
    made["invert"]["inputs"]["seed"] = 78
    other = saved_metadata(comfy, made, {"extra_pnginfo": {"workflow": first["workflow"]}})
    assert other["pez"]["invert"][0]["seed"] == 78
    assert [each["seed"] for each in other["workflow"]["config"]["pez"]["outcomes"]["invert"]] == [78]

"""Prompts that classify, learned and used in a real ComfyUI."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from comfy_server import SAMPLES
from graphs import shown
from PIL import Image

from pez_core import ClassifierConfig, LabelTask, classify, read_examples
from pez_core.classification import calibrated_for
from pez_core.models.caption_model import embedded_caption_model
from pez_core.models.presets import EMBEDDED_FOLDER

WORDS = {"label_words": "happy|warm, sad|lonely", "suffix": " feeling"}
OWN = {"examples": "Moods (sample)", "text": "", "length": 4, "seed": 1, "steps": 4, "hold_out": 20, **WORDS}
WRITTEN = {"examples": "The text below", "hold_out": 2, "steps": 1}
LINES = [
    *("cheerful: a sunny village", "gloomy: a dark ruin in the rain", "no label here"),
    *("cheerful: a bright garden", "gloomy: a grave at night", "no label here"),
    *("cheerful: a happy dog", "gloomy: an empty house", "no label here", "", "gloomy:  "),
]


def learning(*more: str, **settings: Any) -> dict[str, Any]:
    """PEZ Learn Classifier Prompt -> PEZ Classify Text for each of the texts -> what a graph would read."""
    made: dict[str, Any] = {
        "learn": {"class_type": "PEZLearnClassifier", "inputs": OWN | settings},
        "accuracy": {"class_type": "TestShow", "inputs": {"values": ["learn", 1]}},
        "candidates": {"class_type": "TestShow", "inputs": {"values": ["learn", 2]}},
    }
    for number, text in enumerate(more):
        made[f"classify{number}"] = {
            "class_type": "PEZClassifyText",
            "inputs": {"text": text, "classifier": ["learn", 3]},
        }
        for place, name in enumerate(("label", "probability", "number")):
            inputs = {"values": [f"classify{number}", place]}
            made[f"{name}{number}"] = {"class_type": "TestShow", "inputs": inputs}
    return made


def refused(comfy, **settings: Any) -> str:
    """What the server says of a graph that it does not take."""
    return json.dumps(comfy.post("/prompt", {"prompt": learning(**settings), "client_id": comfy.client}))


def test_a_prompt_is_learned_and_used(comfy):
    texts = ("a smiling child with balloons", "an abandoned graveyard under dark clouds")
    run = comfy.run(learning(*texts, seed=0, steps=60, length=10, hold_out=0))
    assert not run.error
    (found,) = run.output("learn")["pez"]
    assert (found["measure"], found["node"], found["seed"]) == ("accuracy", "PEZLearnClassifier", 0)
    assert found["similarity"] > found["without"] + 0.1
    assert shown(run, "accuracy") == [found["similarity"]]
    assert shown(run, "candidates") == [each["delivered"] for each in found["candidates"]]
    assert all("price" not in each for each in found["candidates"])  # no slider of readability
    assert "".join(each["text"] for each in found["tokens"]).replace(" ", "") == found["text"].replace(" ", "")
    task = LabelTask.of(["cheerful", "gloomy"], ["happy|warm", "sad|lonely"], " feeling")
    model, config = embedded_caption_model(), ClassifierConfig(seed=0)
    train, _ = read_examples(EMBEDDED_FOLDER / "samples" / "moods.csv").hold_out(None, 0)
    task = calibrated_for(model, task, found["text"], train, config)
    for i, likely in enumerate(classify(model, task, found["text"], texts)):
        label = max(task.names, key=lambda name: likely[name])
        assert shown(run, f"label{i}") == [label]
        assert shown(run, f"number{i}") == [task.names.index(label)]
        assert shown(run, f"probability{i}")[0] == pytest.approx(likely[label], abs=1e-4)
    live = run.of("pez.progress")[-1]
    assert (live["measure"], live["similarity"], live["restarts"]) == ("accuracy", found["similarity"], {})
    assert [each["state"] for each in run.of("pez.state")] == ["preparing", "searching", "done"]


def test_another_candidate_needs_no_new_search(comfy):
    first = comfy.run(learning(seed=3, steps=20))
    run = comfy.run(learning(seed=3, steps=20, candidate=2))
    (before,), (found,) = (each.output("learn")["pez"] for each in (first, run))
    assert not run.of("pez.progress")
    assert (found["text"], found["candidate"], found["id"]) == (before["candidates"][1]["text"], 2, before["id"])
    assert found["candidates"] == before["candidates"]
    assert shown(run, "accuracy") == [before["candidates"][1]["similarity"]]
    assert found["tokens"]


def test_stop_keeps_the_best_and_lets_the_graph_go_on(comfy):
    prompt_id = comfy.queue(learning("a ruin", seed=4, steps=100_000))
    (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
    assert comfy.status(f"/pez/stop/{live['run']}/0") == 204
    run = comfy.listen(prompt_id)
    assert not run.error
    (found,) = run.output("learn")["pez"]
    assert found["stopped"] == "asked to"
    assert shown(run, "label0")[0] in ("cheerful", "gloomy")


def test_cancel_ends_it(comfy):
    prompt_id = comfy.queue(learning(seed=5, steps=100_000))
    comfy.listen(prompt_id, until="pez.progress")
    comfy.post("/interrupt", {})
    run = comfy.listen(prompt_id)
    (interrupted,) = run.of("execution_interrupted")
    assert interrupted["node_id"] == "learn"
    assert run.of("pez.state")[-1]["state"] == "cancelled"


def test_lines_without_a_label_or_a_text_are_named_by_their_numbers(comfy):
    run = comfy.run(learning(**WRITTEN, text="\n".join(LINES)))
    assert not run.error
    (found,) = run.output("learn")["pez"]
    bad = [f"Line {number}: it has no colon after its label: 'no label here'." for number in (3, 6, 9)]
    assert found["warnings"][:4] == [*bad, "1 more row cannot be used."]
    (searching,) = [each for each in run.of("pez.state") if each["state"] == "searching"]
    assert searching["warnings"] == found["warnings"][:4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  ", "The text widget is empty: write one text per line, as label: text."),
        ("only this", "Line 1: it has no colon"),
        ("gloomy: a ruin\ngloomy: a grave", "two or more labels are needed"),
        ("gloomy: a ruin\nno label", "needed. A row that cannot be used: Line 2: it has no colon"),
        ("gloomy: a ruin\ncheerful: a ruin\ngloomy: a ruin", "are the same as those to learn from"),
    ],
)
def test_lines_that_teach_nothing_are_refused(comfy, text, said):
    run = comfy.run(learning(**WRITTEN, text=text))
    (error,) = run.of("execution_error")
    assert error["exception_type"] == "PEZ"
    assert said in error["exception_message"]
    assert run.of("pez.state")[-1]["state"] == "error"


def test_words_must_be_as_many_as_the_labels(comfy):
    assert "Expected words for 2 labels (cheerful, gloomy), got 3" in comfy.run(learning(label_words="a,b,c")).error


def test_files_of_the_input_folder_are_offered_and_read_again_when_they_change(comfy):
    with (SAMPLES / "moods.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    path = comfy.base / "input" / "mine.jsonl"
    given = {"examples": path.name, "hold_out": 4, "steps": 1}
    found = []
    for count in (12, 16):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[:count] + rows[-count:]))
        run = comfy.run(learning(**given))
        assert not run.error
        found.append(run.output("learn")["pez"][0]["id"])
    assert found[0] != found[1]
    info = comfy.get("/object_info/PEZLearnClassifier")["PEZLearnClassifier"]
    assert info["input"]["required"]["examples"][1]["options"] == ["Moods (sample)", "The text below", path.name]


def test_files_outside_the_input_folder_are_refused(comfy):
    outside = comfy.base / "secret.csv"
    outside.write_text((SAMPLES / "moods.csv").read_text())
    link = comfy.base / "input" / "link.csv"
    link.symlink_to(outside)
    loop = comfy.base / "input" / "loop.csv"
    loop.symlink_to(loop)
    try:
        for name in (outside.name, "../secret.csv", str(outside), link.name, loop.name):
            said = refused(comfy, examples=name)
            assert "in ComfyUI's input folder" in said, name
        options = comfy.get("/object_info/PEZLearnClassifier")["PEZLearnClassifier"]["input"]["required"]["examples"]
        assert link.name not in options[1]["options"]
    finally:
        link.unlink()
        loop.unlink()


def test_an_empty_text_has_no_label(comfy):
    assert comfy.run(learning(" \n")).error.strip() == "There is no text to classify: write one, or connect one."


@pytest.mark.slow
def test_a_classifier_of_another_language_model_asks_for_it(comfy):
    comfy.random_weights("random_language.py")
    made = learning("a ruin", steps=1, label_words="", suffix=" It was")
    made["language"] = {"class_type": "PEZLoadLanguageModel", "inputs": {"language_model": "tiny"}}
    made["learn"]["inputs"]["language_model"] = ["language", 0]
    assert "learned with the language model tiny: connect that" in comfy.run(made).error
    made["classify0"]["inputs"]["language_model"] = ["language", 0]
    run = comfy.run(made)
    assert not run.error
    assert shown(run, "label0")[0] in ("cheerful", "gloomy")


def test_metadata_of_saved_pictures_has_the_accuracy(comfy):
    made = learning(seed=6)
    paint = {"texts": ["learn", 0], "seed": 1, "steps": 1, "guidance": 1.0}
    made["paint"] = {"class_type": "PEZPaint", "inputs": paint}
    made["save"] = {"class_type": "SaveImage", "inputs": {"images": ["paint", 0], "filename_prefix": "classified"}}
    run = comfy.run(made)
    (saved,) = run.output("save")["images"]
    with Image.open(comfy.base / "output" / saved["filename"]) as picture:
        (entry,) = json.loads(picture.text["pez"])["learn"]
    assert entry["accuracy"] == run.output("learn")["pez"][0]["similarity"]
    assert entry["labels"] == {"cheerful": ["happy", "warm"], "gloomy": ["sad", "lonely"]}
    assert entry["settings"]["steps"] == 4

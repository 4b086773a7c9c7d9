"""PEZ Weighted Prompt and PEZ Positive and Negative in a real ComfyUI."""

from __future__ import annotations

import json
import re

import pytest
from graphs import graph, search, shown

from pez_core import PictureSource, make_target


def test_comfyui_reads_the_weights_as_meant_and_the_text_as_it_was(comfy):
    made = graph(prefix="a (red) hat, 3:30", length=4)
    made["weighted"] = {
        "class_type": "PEZWeightedPrompt",
        "inputs": {"result": ["invert", 3], "least": 0.8, "most": 1.3},
    }
    made["read"] = {"class_type": "TestTokens", "inputs": {"text": ["weighted", 0]}}
    run = comfy.run(made)
    assert not run.error, run.error
    (plain,), (weighted,) = (json.loads(run.output(node)["tokens"][0]) for node in ("tokens", "read"))
    assert [token for token, _ in weighted] == [token for token, _ in plain]
    assert {weight for _, weight in plain} == {1.0}
    (found,) = run.output("invert")["pez"]
    said = {}  # what each word contributes
    for word in re.finditer(r"\S+", found["text"]):
        own = [each for each in found["tokens"] if word.start() <= each["start"] < word.end()]
        said[word.start()] = (sum(each["contribution"] for each in own), len(own))
    given = iter([weight for _, weight in weighted][1:])
    weights = []
    for _, tokens in said.values():
        own = {next(given) for _ in range(tokens)}
        assert len(own) == 1  # a word has one weight
        weights += own
    assert (min(weights), max(weights)) == (0.8, 1.3)
    order = sorted(range(len(weights)), key=lambda i: list(said.values())[i][0])
    assert [weights[i] for i in order] == sorted(weights)


def both(**given) -> dict:
    """PEZ Positive and Negative in place of PEZ Invert."""
    made = graph()
    made |= search(["image", 0], prefix="a photo of", start_words="bird", **given)
    del made["invert"]["inputs"]["pictures"]
    made["invert"]["class_type"] = "PEZPositiveAndNegative"
    for node in ("tokens", "scores", "candidates"):
        del made[node]
    made["positive"] = {"class_type": "TestShow", "inputs": {"values": ["invert", 0]}}
    made["negative"] = {"class_type": "TestShow", "inputs": {"values": ["invert", 1]}}
    made["saved"] = {
        "class_type": "PEZSavePrompts",
        "inputs": {"result": ["invert", 2], "file": "both", "format": "JSON Lines"},
    }
    return made


@pytest.mark.parametrize("other", [None, "pizza.png"], ids=["alone", "with a picture"])
def test_the_positive_matches_the_picture_and_the_negative_is_unlike_it(comfy, model, other):
    made = both(seed=5 if other else 4)
    if other:
        made["other"] = {"class_type": "LoadImage", "inputs": {"image": other}}
        made["invert"]["inputs"]["negative_image"] = ["other", 0]
    run = comfy.run(made)
    assert not run.error, run.error
    (positive,), (negative,) = shown(run, "positive"), shown(run, "negative")
    assert positive.startswith("a photo of ")
    assert not negative.startswith("a photo of ")
    samples = comfy.base / "input"
    texts = model.encode_texts([positive, negative])
    likes = make_target(model, [PictureSource.of([samples / "penguin.png"])]).similarity(texts)
    assert likes[0] > 0.3
    if other:  # what that picture has and the picture has not
        likes = likes - make_target(model, [PictureSource.of([samples / other])]).similarity(texts)
    assert likes[0] > 0
    assert likes[1] < 0
    outcomes = run.output("invert")["pez"]
    assert [each["text"] for each in outcomes] == [positive, negative]
    rows = [json.loads(line) for line in (comfy.base / "output" / "both.jsonl").read_text("utf-8").splitlines()]
    assert [row["prompt"] for row in rows[-2:]] == [positive, negative]

"""Targets, models, scores and results on wires, in a real ComfyUI."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphs import graph, inverted, picture, shown
from PIL import Image

from pez_core import ClipModel, PictureSource, TextSource, score
from pez_core.models.presets import EMBEDDED_FOLDER
from pez_core.targets.sources import make_target

IMAGE_TARGET = {"weight": 1.0, "crops": False, "flips": False}


@pytest.fixture(scope="module")
def penguin() -> Path:
    return EMBEDDED_FOLDER / "samples" / "penguin.png"


def image_target(image: str = "penguin.png", **settings) -> dict:
    inputs = {"image": ["picture", 0], **IMAGE_TARGET, **settings}
    return {"picture": picture(image), "target": {"class_type": "PEZImageTarget", "inputs": inputs}}


def text_target(text: str, weight: float = 1.0) -> dict:
    return {"class_type": "PEZTextTarget", "inputs": {"text": text, "weight": weight}}


def rescored(model: ClipModel, text: str, *sources) -> float:
    return score(model, [text], make_target(model, sources))[0].similarity


def test_a_picture_as_target_gives_what_the_picture_gives(comfy):
    assert comfy.run(inverted(image_target())).output("invert")["text"] == comfy.run(graph()).output("invert")["text"]


def test_a_blend_is_scored_as_the_sum_of_its_parts(comfy, model, penguin):
    made = image_target(crops=True, flips=True)
    made["image_target"] = made.pop("target")
    made["text"] = text_target("(red:1.3) background", 0.5)
    made["target"] = {
        "class_type": "PEZBlendTargets",
        "inputs": {"targets.target1": ["image_target", 0], "targets.target2": ["text", 0], "weights": "1, 2"},
    }
    run = comfy.run(inverted(made))
    assert not run.error
    (prompt,), (similarity,) = run.output("invert")["text"], shown(run, "scores")
    sources = PictureSource.of(penguin, crops=True, flips=True), TextSource("red background", 1.0)
    assert similarity == pytest.approx(rescored(model, prompt, *sources), abs=1e-4)
    made["target"]["inputs"]["weights"] = "1, 2, 3"
    assert "2 inputs are connected, the weights are 3, '1, 2, 3'" in comfy.run(inverted(made)).error
    made["target"]["inputs"]["weights"] = "one, two"
    assert "numbers separated by commas" in comfy.run(inverted(made)).error


def test_a_negative_weight_finds_what_the_picture_is_not(comfy, model, penguin):
    run = comfy.run(inverted(image_target(weight=-1.0)))
    (prompt,), (similarity,) = run.output("invert")["text"], shown(run, "scores")
    assert "penguin" not in prompt.split()
    assert similarity == pytest.approx(-rescored(model, prompt, PictureSource.of(penguin)), abs=1e-4)
    assert similarity > 0.2


def test_only_what_the_mask_covers_counts(comfy, model, penguin):
    made = image_target()
    made["half"] = {"class_type": "TestHalf", "inputs": {"image": ["picture", 0]}}
    made["target"]["inputs"]["mask"] = ["half", 0]
    run = comfy.run(inverted(made))
    (prompt,), (similarity,) = run.output("invert")["text"], shown(run, "scores")
    with Image.open(penguin) as whole:
        left = whole.convert("RGB").crop((0, 0, whole.width // 2, whole.height))
    assert similarity == pytest.approx(rescored(model, prompt, PictureSource.of(left)), abs=1e-4)
    made["target"]["inputs"]["mask"] = ["picture", 1]  # the file has no transparency: ComfyUI's mask of it is empty
    assert "leaves nothing of the picture" in comfy.run(inverted(made)).error


def test_a_list_of_sizes_is_one_target(comfy):
    made = image_target()
    made["sizes"] = {"class_type": "TestSizes", "inputs": {"image": ["picture", 0]}}
    made["target"]["inputs"]["image"] = ["sizes", 0]
    together = comfy.run(inverted(made))
    assert len(together.output("invert")["text"]) == 1
    each = comfy.run(inverted(made, pictures="one prompt for each"))
    assert len(each.output("invert")["text"]) == 4  # three sizes, one of them twice


def test_a_list_straight_into_invert_fans_out(comfy):
    made = graph(steps=10)
    made["sizes"] = {"class_type": "TestSizes", "inputs": {"image": ["image", 0]}}
    made["invert"]["inputs"]["image"] = ["sizes", 0]
    assert len(shown(comfy.run(made), "scores")) == 3


def combined(second: dict) -> dict:
    """The embedded model and another one -> PEZ Combine Models -> PEZ Invert."""
    made = graph(steps=3, restarts=2)
    made["second"] = {"class_type": "PEZLoadModel", "inputs": second}
    sockets = {"models.pez_model1": ["model", 0], "models.pez_model2": ["second", 0], "weights": "3, 1"}
    made["both"] = {"class_type": "PEZCombineModels", "inputs": sockets}
    made["invert"]["inputs"]["pez_model"] = ["both", 0]
    return made


@pytest.mark.slow
def test_two_models_as_one(comfy, model, penguin, second_model):
    run = comfy.run(combined(second_model))
    assert not run.error
    (found,) = run.output("invert")["pez"]
    for candidate in found["candidates"]:
        own, other = candidate["parts"].values()
        assert candidate["similarity"] == pytest.approx((3 * own + other) / 4, abs=1e-4)
        assert own == pytest.approx(rescored(model, candidate["text"], PictureSource.of(penguin)), abs=1e-4)


def test_one_model_twice_is_refused(comfy):
    assert "has one twice" in comfy.run(combined(graph()["model"]["inputs"])).error


def test_distill_shortens_a_prompt_with_weights(comfy, model):
    text = "a (yellow:1.2) dog on a striped red background and a blue bird"
    made = {"model": graph()["model"], "tokens": {"class_type": "TestTokens", "inputs": {"text": ["distill", 0]}}}
    made["distill"] = {
        "class_type": "PEZDistill",
        "inputs": {"pez_model": ["model", 0], "text": text, "ratio": 0.4, "length": 0, "preset": "fast", "seed": 3},
    }
    made["scores"] = {"class_type": "TestShow", "inputs": {"values": ["distill", 1]}}
    run = comfy.run(made)
    (prompt,), (similarity,) = run.output("distill")["text"], shown(run, "scores")
    assert len(prompt.split()) == round(0.4 * 12)
    plain = "a yellow dog on a striped red background and a blue bird"
    assert similarity == pytest.approx(rescored(model, prompt, TextSource(plain)), abs=1e-4)
    made["distill"]["inputs"]["length"] = 3
    assert len(comfy.run(made).output("distill")["text"][0].split()) == 3
    made["settings"] = {"class_type": "PEZSearchSettings", "inputs": {"steps": 3}}
    made["distill"]["inputs"] |= {"preset": "paper", "readability": 0.2, "settings": ["settings", 0]}
    assert comfy.run(made).output("distill")["pez"][0]["settings"]["readability"] == 0.2  # typed: it begins with 0
    made["distill"]["inputs"]["text"] = " "
    assert "empty" in comfy.run(made).error


def test_score_ranks_texts(comfy, model, penguin):
    texts = ["a red dog", "a penguin", "a \\(blue\\) (penguin:1.1)"]
    made = {"model": graph()["model"], "picture": picture("penguin.png")}
    made["score"] = {
        "class_type": "PEZScore",
        "inputs": {"pez_model": ["model", 0], "texts": "\n".join(texts), "image": ["picture", 0]},
    }
    for name, output in (("numbers", 0), ("table", 1), ("best", 2)):
        made[name] = {"class_type": "TestShow", "inputs": {"values": ["score", output]}}
    run = comfy.run(made)
    plain = ["a red dog", "a penguin", "a (blue) penguin"]
    expected = [rescored(model, text, PictureSource.of(penguin)) for text in plain]
    assert shown(run, "numbers") == pytest.approx(expected, abs=1e-4)
    best = max(range(3), key=expected.__getitem__)
    assert shown(run, "best") == [texts[best]]
    head, first, *_ = shown(run, "table")[0].splitlines()
    assert head.split() == ["similarity", "text"]
    assert first == f"{expected[best]:.4f}      {plain[best]}"
    made["target"] = {
        "class_type": "PEZImageTarget",
        "inputs": {"image": ["picture", 0], **IMAGE_TARGET},
    }
    made["score"]["inputs"]["image"] = ["target", 0]
    assert shown(comfy.run(made), "numbers") == pytest.approx(expected, abs=1e-4)
    made["score"]["inputs"]["texts"] = "  \n "
    assert "no text to score" in comfy.run(made).error


def test_kept_words_are_in_the_prompt(comfy):
    run = comfy.run(graph(keep_words="oil painting, sky"))
    (prompt,) = run.output("invert")["text"]
    assert "oil painting" in prompt
    assert "sky" in prompt.split()
    assert "embedding:" in comfy.run(graph(keep_words="embedding:cat")).error


def test_a_connected_clip_reads_what_was_scored_or_the_prompt_is_replaced_or_refused(comfy):
    def run(kind: str):
        made = graph(restarts=16, method="pez", steps=10)
        made["clip"] = {"class_type": "TestOddClip", "inputs": {"kind": kind}}
        made["invert"]["inputs"]["clip"] = ["clip", 0]
        return comfy.run(made)

    plain = comfy.run(graph(restarts=16, method="pez", steps=10))
    candidates = shown(plain, "candidates")
    assert shown(run(""), "candidates") == candidates
    word = next(w for w in candidates[0].split() if any(w not in other for other in candidates))
    repaired = run(word)
    assert shown(repaired, "candidates") == [each for each in candidates if word not in each]
    (panel,) = repaired.output("invert")["pez"]
    assert [token["text"] for token in panel["tokens"]] == panel["text"].split()
    assert "tokenizes" in run("every word").error
    assert "tokenizer is t5xxl" in run("t5xxl").error


def test_the_plot_is_a_picture(comfy):
    made = graph(steps=10)
    made["plot"] = {"class_type": "PEZPlot", "inputs": {"result": ["invert", 3]}}
    made["save"] = {"class_type": "SaveImage", "inputs": {"images": ["plot", 0], "filename_prefix": "plot"}}
    run = comfy.run(made)
    (saved,) = run.output("save")["images"]
    with Image.open(comfy.base / "output" / saved["filename"]) as drawn:
        assert drawn.size == (1200, 600)
        assert len(drawn.convert("RGB").getcolors(1 << 20)) > 100


def test_a_mask_without_pixels_is_one_clear_sentence(comfy):
    made = image_target()
    made["none"] = {"class_type": "TestPicture", "inputs": {"kind": "no mask"}}
    made["mask"] = {"class_type": "ImageToMask", "inputs": {"image": ["none", 0], "channel": "red"}}
    made["target"]["inputs"]["mask"] = ["mask", 0]
    error = comfy.run(inverted(made)).error
    assert "A mask must be numbers [height, width], not float32 of the shape (0, 64)." in error


def test_a_mask_for_each_picture_or_one_for_all(comfy):
    made = image_target()
    made["half"] = {"class_type": "TestHalf", "inputs": {"image": ["picture", 0]}}
    made["batch"] = {"class_type": "ImageBatch", "inputs": {"image1": ["picture", 0], "image2": ["picture", 0]}}
    made["target"]["inputs"] |= {"mask": ["half", 0], "image": ["batch", 0]}
    assert not comfy.run(inverted(made)).error

"""The command line as a person types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pez_core.cli import main

ROOT = Path(__file__).parents[2]
QUICK = ["--steps", "20", "--length", "5", "--restarts", "2"]


def run(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(list(arguments))
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    return status, out, err


def test_invert_prints_prompt_and_score(capsys, penguin):
    status, out, err = run(capsys, "invert", str(penguin), *QUICK)
    assert status == 0
    assert out.startswith("prompt ")
    assert "similarity" in out
    assert err == ""  # no bar where no terminal is


def test_json_is_one_object_whose_score_is_that_of_its_text(capsys, penguin):
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, "--seed", "4", "--json")
    found = json.loads(out)
    assert status == 0
    assert {"prompt", "similarity", "candidates", "steps", "seconds", "model", "seed"} <= found.keys()
    assert (found["model"], found["seed"], found["steps"]) == ("embedded", 4, 20)
    _, out, _ = run(capsys, "score", found["prompt"], str(penguin), "--json")
    assert json.loads(out)["similarity"] == pytest.approx(found["similarity"], abs=1e-6)


def test_presets_methods_and_own_words(capsys, penguin):
    found = []
    for given in (
        ["--preset", "fast"],
        ["--preset", "fast", "--method", "pez", "--steps", "30"],
        ["--preset", "fast", "--from-words", "a penguin on blue", "--method", "swaps", "--steps", "1"],
        ["--preset", "fast", "--from-tokens", "--precision", "fp32"],
    ):
        status, out, err = run(capsys, "invert", str(penguin), *given, "--json")
        assert (status, err) == (0, "")
        found.append(json.loads(out))
    assert [run["steps"] for run in found] == [26, 30, 1, 26]
    assert found[0]["passes"] == 21 * 6 * 2 + 2 * 3 * 34 + 3 * 34  # PEZ, then swaps with 3 restarts and with 1
    assert "penguin" in found[2]["prompt"]
    for run_ in found:
        assert " ".join(token["text"] for token in run_["tokens"]) == run_["prompt"]
    status, _, err = run(capsys, "invert", str(penguin), "--preset", "best")
    assert status == 2
    assert "fast" in err


def test_each_gives_a_prompt_for_each_picture(capsys, penguin, tmp_path):
    pizza = penguin.with_name("pizza.png")
    plot = tmp_path / "run.png"
    status, out, _ = run(capsys, "invert", str(penguin), str(pizza), *QUICK, "--each", "--json", "--plot", str(plot))
    first, second = json.loads(out)
    assert status == 0
    assert [first["images"], second["images"]] == [[str(penguin)], [str(pizza)]]
    assert first["prompt"] != second["prompt"]
    assert Path(first["plot"]).is_file()
    assert Path(second["plot"]).is_file()


def test_several_pictures_give_one_prompt(capsys, penguin):
    status, out, _ = run(capsys, "invert", str(penguin), str(penguin.with_name("pizza.png")), *QUICK, "--json")
    assert status == 0
    assert len(json.loads(out)["images"]) == 2


def test_settings_arrive(capsys, penguin):
    options = [
        "--prefix",
        "a photo of",
        "--suffix",
        "on blue",
        "--ban",
        "penguin",
        "--ban",
        "bird*",
        "--vocabulary",
        "any",
    ]
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, *options, "--json")
    prompt = json.loads(out)["prompt"]
    assert status == 0
    assert prompt.startswith("a photo of ")
    assert prompt.endswith(" on blue")
    assert "penguin" not in prompt.split()


def test_plot_is_a_picture(capsys, penguin, tmp_path):
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, "--plot", str(tmp_path / "run.png"))
    assert status == 0
    assert str(tmp_path / "run.png") in out
    with Image.open(tmp_path / "run.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").resize((60, 30)).getcolors(1800)) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["run.png"]


def test_score_of_several_pictures(capsys, penguin):
    status, out, _ = run(capsys, "score", "a blue penguin", str(penguin), str(penguin.with_name("pizza.png")))
    assert status == 0
    assert len(out.splitlines()) == 3


def test_score_of_words_the_model_never_saw(capsys, penguin):
    status, _, err = run(capsys, "score", "zeppelin", str(penguin))
    assert status == 0
    assert "zeppelin" in err


def test_models(capsys):
    status, out, _ = run(capsys, "models")
    assert status == 0
    for name in ("embedded", "ViT-L-14/openai", "ViT-H-14/laion2b_s32b_b79k", "ViT-bigG-14/laion2b_s39b_b160k"):
        assert name in out
    assert "ViT-B-16/openai" in run(capsys, "models", "--all")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["invert"], "IMAGE"),
        (["invert", "gone.png"], "gone.png"),
        (["invert", "PENGUIN", "--steps", "0"], "steps"),
        (["invert", "PENGUIN", "--steps", "many"], "--steps"),
        (["invert", "PENGUIN", "--length", "76"], "1 to 75"),
        (["invert", "PENGUIN", "--model", "ViT-B-23"], "ViT-B-32"),
        (["invert", "PENGUIN", "--device", "warp"], "warp"),
        (["invert", "PENGUIN", "--plot", "run.jpg"], ".png"),
        (["invert", "PENGUIN", "--plot", "nowhere/run.png"], "nowhere"),
        (["invert", "PENGUIN", "--model", "ViT-B-32", "--checkpoint", "gone.pt"], "gone.pt"),
        (["invert", "PENGUIN", "--vocabulary", "all"], "vocabulary"),
        (["score", "word " * 80, "PENGUIN"], "75"),
        (["draw"], "draw"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, penguin, arguments, said):
    status, out, err = run(capsys, *(str(penguin) if a == "PENGUIN" else a for a in arguments))
    assert status == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a child process on Windows")
def test_first_interrupt_keeps_the_best(penguin):
    command = [
        sys.executable,
        "-m",
        "pez_core",
        "invert",
        str(penguin),
        "--steps",
        "100000",
        "--patience",
        "0",
        "--json",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(12)  # past imports and loading
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["stopped"] == "asked to"


def test_distill_gives_a_shorter_text(capsys):
    text = "a yellow dog on a striped red background and a (blue) bird"
    status, out, err = run(capsys, "distill", text, "--ratio", "0.3", "--preset", "fast", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["text"] == text
    assert len(found["prompt"].split()) == 4
    assert 0.5 < found["similarity"] <= 1
    status, out, _ = run(capsys, "distill", text, *QUICK)
    assert status == 0
    assert len(out.splitlines()[0].split()) == 1 + 5


def test_blend_weighs_pictures_and_texts(capsys, penguin):
    blend = ["blend", "--image", str(penguin), "1", "--text", "red background", "0.5", "--text", "a dog", "-0.2"]
    status, out, err = run(capsys, *blend, "--crops", "--flips", *QUICK, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["blend"] == [
        {"image": str(penguin), "weight": 1.0},
        {"text": "red background", "weight": 0.5},
        {"text": "a dog", "weight": -0.2},
    ]
    plain = run(capsys, *blend, *QUICK, "--json")[1]
    assert json.loads(plain)["similarity"] != found["similarity"]  # crops and flips were looked at


def test_several_models_are_searched_as_one(capsys, penguin):
    model = ["--model", "embedded", "--model", "embedded"]
    status, _, err = run(capsys, "invert", str(penguin), *model, *QUICK)
    assert (status, err.count("\n")) == (2, 1)
    assert "has one twice" in err
    status, _, err = run(capsys, "invert", str(penguin), *model, "--checkpoint", "x.pt", *QUICK)
    assert status == 2
    assert "2 models need as many checkpoints" in err


def test_several_texts_are_scored(capsys, penguin):
    status, out, _ = run(capsys, "score", "a penguin", str(penguin), "--also", "a red dog", "--json")
    assert status == 0
    first, second = json.loads(out)
    assert first["similarity"] > second["similarity"]
    assert (first["text"], second["text"]) == ("a penguin", "a red dog")
    _, out, _ = run(capsys, "score", "a penguin", str(penguin), "--also", "a red dog")
    assert out.splitlines()[0] == "a penguin"


def test_kept_words(capsys, penguin):
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, "--keep", "oil painting", "--json")
    assert status == 0
    assert "oil painting" in json.loads(out)["prompt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["blend"], "nothing to blend"),
        (["blend", "--text", "a", "much"], "must be a number"),
        (["blend", "--text", "a", "0"], "not be 0"),
        (["distill", " "], "empty"),
        (["distill", "a red bird", "--ratio", "2"], "ratio must be above 0"),
    ],
)
def test_bad_input_to_the_other_commands(capsys, arguments, said):
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err

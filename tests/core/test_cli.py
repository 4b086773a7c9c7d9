"""The command line as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pez_core import InversionConfig
from pez_core.cli import main
from pez_core.cli.commands import make_parser
from pez_core.cli.options import config_of
from pez_core.config import SETTINGS
from pez_core.models.caption_model import embedded_caption_model
from pez_core.objectives.fluency import nll_per_word

QUICK = ["--steps", "20", "--length", "5", "--restarts", "2"]


def run(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(list(arguments))
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    return status, out, err


def test_invert_finds_prompts_that_read(capsys, penguin):
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, "--readability", "0.8")
    assert status == 0
    (prompt,) = [line.partition(" ")[2].strip() for line in out.splitlines() if line.startswith("prompt ")]
    (reading,) = nll_per_word(embedded_caption_model(), [prompt])
    assert f"reads       {reading:.2f} nats per word" in out
    assert reading < 8  # PEZ alone: 9 to 10
    result = json.loads(run(capsys, "invert", str(penguin), *QUICK, "--readability", "0.8", "--json")[1])
    assert result["prompt"] == result["candidates"][0]["text"] == prompt
    readings = [each["nll"] for each in result["candidates"]]
    assert readings[0] < max(readings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--readability", "2"], "readability must be a number from 0 to 1, not 2.0"),
        (["--readability", "0.5", "--language-model", "gone.gguf"], "no language model at 'gone.gguf'"),
        (["--language-model", "gone.gguf"], "give --readability above 0 too"),
    ],
)
def test_readability_that_cannot_be_had(capsys, penguin, options, told):
    status, out, err = run(capsys, "invert", str(penguin), *QUICK, *options)
    assert (status, out) == (2, "")
    assert told in err


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


def test_of_several_texts_the_one_that_was_the_start_is_said(capsys, penguin):
    texts = ("--from-words", "a pizza", "--from-words", "a penguin in snow", "--readability", "0.5")
    status, out, _ = run(capsys, "invert", str(penguin), *QUICK, *texts)
    assert status == 0
    assert "began with  a penguin in snow\n" in out


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


def test_options_become_settings(capsys):
    given = [
        "--length=5", "--seed", "7", "--prefix", "-a  photo", "--suffix=--", "--ban", "Cat", "--ban", "-dog*", "--keep", "oil",
        "--from-words", "a bird", "--from-words", "a dog", "--steps", "9", "--restarts", "3", "--method", "pez", "--swap-from", "any",
        "--vocabulary", "any", "--learning-rate", "1e-1", "--weight-decay", ".2", "--batch-size", "2", "--patience", "0",
        "--time-limit", "60", "--precision", "fp32",
    ]  # fmt: skip
    parsed = make_parser().parse_args(["invert", "x.png", "--preset", "fast", *given])
    assert config_of(parsed) == InversionConfig.preset(
        "fast", length=5, seed=7, prefix="-a photo", suffix="--", banned=("cat", "-dog*"), keep=("oil",), start="words",
        words="a bird|a dog", steps=9, restarts=3, method="pez", swap_from="any", vocabulary="any", learning_rate=0.1,
        weight_decay=0.2, batch_size=2, patience=None, time_limit=60.0, precision="fp32",
    )  # fmt: skip
    assert config_of(make_parser().parse_args(["invert", "x.png", "--from-tokens"])).start == "tokens"
    assert config_of(make_parser().parse_args(["invert", "x.png"])) == InversionConfig()


def test_help_tells_defaults_and_waits_for_no_model():
    code = "import sys; from pez_core.cli import main\ntry: main(['invert', '--help'])\nfinally: print('open_clip' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    told = " ".join(out.split())
    for setting in SETTINGS.values():
        assert setting.flag in told
        if setting.flag and setting.default not in (None, "", ()):
            assert f"default: {setting.default})" in told
    assert "pez+swaps, pez, swaps" in told
    assert told.endswith("False")


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
        (["invert", "PENGUIN", "--device", "meta"], "meta"),
        (["invert", "PENGUIN", "--device", "hpu"], "hpu"),
        (["invert", "PENGUIN", "--device", "privateuseone"], "privateuseone"),
        (["invert", "PENGUIN", "--device", "vulkan"], "vulkan"),
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
    for length in ([], ["--length", "2"]):
        status, out, _ = run(capsys, "distill", "a red penguin on ice, a bird", "--preset", "fast", "--json", *length)
        assert (
            len(json.loads(out)["prompt"].split()) == 2
        )  # of 8 tokens, at a ratio of 0.3 unless another length is given


def test_words_to_match_that_the_model_never_saw_are_named(capsys):
    status, _, err = run(capsys, "distill", "a zeppelin, (blue) and 'red'", "--ratio", "0.5", "--preset", "fast")
    assert status == 0
    assert "does not know 'zeppelin' (in the text to match), so scores ignore the meaning." in err


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
    assert json.loads(plain)["similarity"] != found["similarity"]  # crops and flips were used


@pytest.mark.parametrize(("weight", "read"), [("-1e-1", -0.1), ("-5.", -5.0), ("-1e3", -1000.0), ("-.5", -0.5)])
def test_weights_and_texts_may_begin_with_a_minus_sign(capsys, penguin, weight, read):
    blend = ["blend", "--image", str(penguin), "1", "--text", "-dog", weight, "--steps", "1", "--restarts", "1"]
    status, out, err = run(capsys, *blend, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["blend"][1] == {"text": "-dog", "weight": read}


def test_after_two_minus_signs_come_texts(capsys, penguin):
    status, out, _ = run(capsys, "score", "--also", "-bird", "--json", "--", "-dog", str(penguin))
    assert status == 0
    assert [each["text"] for each in json.loads(out)] == ["-dog", "-bird"]
    status, out, _ = run(capsys, "distill", "--json", "--length", "1", "--steps", "1", "--", "--json")
    assert (status, json.loads(out)["text"]) == (0, "--json")


def test_the_prompt_is_also_given_as_comfyui_reads_it(capsys, penguin):
    given = ["invert", str(penguin), "--prefix", "a (red) bird", "--length", "1", "--steps", "1", "--restarts", "1"]
    found = json.loads(run(capsys, *given, "--json")[1])
    assert found["prompt"].startswith("a (red) bird ")
    assert found["escaped"] == found["prompt"].replace("(", "\\(").replace(")", "\\)")
    assert f"in ComfyUI  {found['escaped']}\n" in run(capsys, *given)[1]


def test_several_models_are_searched_as_one(capsys, penguin):
    model = ["--model", "embedded", "--model", "embedded"]
    status, _, err = run(capsys, "invert", str(penguin), *model, *QUICK)
    assert (status, err.count("\n")) == (2, 1)
    assert "has one twice" in err
    status, _, err = run(capsys, "invert", str(penguin), *model, "--checkpoint", "x.pt", *QUICK)
    assert status == 2
    assert "got 1: repeat it once per --model; use - for none" in err


@pytest.mark.parametrize(
    "command", [["score", " ", "PENGUIN"], ["score", "a fox", "--also", "", "PENGUIN"], ["paint", "", "--out", "FILE"]]
)
def test_a_text_without_words_is_refused(capsys, penguin, tmp_path, command):
    file = tmp_path / "a.png"
    files = {"PENGUIN": str(penguin), "FILE": str(file)}
    status, out, err = run(capsys, *(files.get(each, each) for each in command))
    assert (status, out) == (2, "")
    assert "has no words: give some." in err
    assert not file.exists()


def test_seeds_after_the_last_begin_at_0(capsys, tmp_path):
    options = ["--steps", "1", "--count", "2", "--json", "--out", str(tmp_path / "a.png")]
    status, out, _ = run(capsys, "paint", "a fox", "--seed", str(2**64 - 1), *options)
    assert status == 0
    assert [each["seed"] for each in json.loads(out)["pictures"]] == [2**64 - 1, 0]
    status, _, err = run(capsys, "paint", "a fox", "--seed", "-1", *options)
    assert status == 2
    assert "--seed must be from 0 to 2^64 - 1, not -1." in err


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
        (["blend", "--text", "a", "0"], "All weights are 0: give at least one"),
        (["distill", " "], "empty"),
        (["distill", "a red bird", "--ratio", "2"], "ratio must be above 0"),
        (["distill", "a red bird", "--ratio=--"], "invalid float value: '--'"),
        (["distill", "a red bird", "--ratio", "--"], "invalid float value: '--'"),
        (["distill", "a red bird", "--ratio", "-x"], "invalid float value: '-x'"),
        (["distill", "-dog"], "TEXT"),
        (["blend", "--text", "a", "--json"], "expected 2 arguments"),
        (["blend", "--text", "a", "-inf"], "finite"),
        (["score", "a", "b", "--nonsense"], "unrecognized arguments: --nonsense (see python -m pez_core score --help)"),
        (["distill", "a bird", "--model", "zzzzqqq"], "`python -m pez_core models --all` lists them"),
    ],
)
def test_bad_input_to_the_other_commands(capsys, arguments, said):
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_paint_writes_a_picture_for_each_seed(capsys, tmp_path):
    file = tmp_path / "fox.png"
    status, out, err = run(capsys, "paint", "a red fox", "--steps", "1", "--seed", "4", "--out", str(file))
    assert (status, err) == (0, "")
    assert out == f"picture     {file}\n"
    options = ("--steps", "1", "--seed", "3", "--count", "2", "--json")
    status, out, _ = run(capsys, "paint", "a red fox", *options, "--out", str(file))
    told = json.loads(out)
    assert (told["text"], told["steps"], [each["seed"] for each in told["pictures"]]) == ("a red fox", 1, [3, 4])
    assert [Path(each["file"]).name for each in told["pictures"]] == ["fox-1.png", "fox-2.png"]
    same, first, second = (Image.open(each).tobytes() for each in (file, *(p["file"] for p in told["pictures"])))
    assert first != second == same


def test_paint_names_the_words_that_it_does_not_know(capsys, tmp_path):
    *_, err = run(capsys, "paint", "a zeppelin fox", "--steps", "1", "--out", str(tmp_path / "a.png"))
    assert "does not know 'zeppelin', so paintings ignore the meaning" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "fox.jpg"], "--out writes PNG: give a name that ends in .png, not 'fox.jpg'"),
        (["--out", "nowhere/fox.png"], "--out: there is no folder 'nowhere'"),
        (["--out", "fox.png", "--count", "0"], "--count must be from 1 to 1000, not 0"),
        (["--out", "fox.png", "--steps", "0"], "steps must be a whole number from 1 to 1000, not 0"),
    ],
)
def test_what_paint_cannot_do_is_said(capsys, tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "paint", "a fox", *options)
    assert (status, out) == (2, "")
    assert told in err
    assert not list(tmp_path.iterdir())


def test_a_plot_can_show_what_the_prompt_paints(capsys, penguin, tmp_path):
    plot = tmp_path / "run.png"
    assert run(capsys, "invert", str(penguin), *QUICK, "--paint", "--plot", str(plot))[0] == 0
    with Image.open(plot) as picture:
        assert picture.size == (1600, 600)
    status, _, err = run(capsys, "invert", str(penguin), *QUICK, "--paint")
    assert status == 2
    assert "--paint adds paintings to the plot: give --plot FILE.png too." in err

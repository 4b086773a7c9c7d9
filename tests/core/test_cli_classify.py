"""The command `classify` as a person types it."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
from pathlib import Path

import pytest
from PIL import Image

from pez_core import LabelTask, classify, evaluate_prompt, read_examples
from pez_core.cli import main
from pez_core.models.caption_model import embedded_caption_model
from pez_core.models.presets import EMBEDDED_FOLDER

MOODS = str(EMBEDDED_FOLDER / "samples" / "moods.csv")
TASK = ["--suffix", " feeling", "--labels", "happy|warm,sad|lonely"]
APPLY = ["--apply", "x", "--labels", "a,b"]
QUICK = [*TASK, "--steps", "12", "--compare-every", "5"]


def run(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(list(arguments))
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    return status, out, err


def test_it_learns_prints_and_draws(capsys, tmp_path: Path):
    plot = tmp_path / "run.png"
    status, out, err = run(capsys, "classify", MOODS, *QUICK, "--plot", str(plot), "--also", "the mood")
    assert status == 0, err
    assert "learning from 192 texts: 96 cheerful, 96 gloomy" in err
    assert "on the 48 held-out texts that chose it (no prompt: 0.354)" in out
    assert f"picture     {plot}" in out
    with Image.open(plot) as picture:
        assert picture.size == (1200, 600)


def test_labels_of_a_file_are_shown_on_one_line_with_what_cannot_be_seen_escaped(capsys, tmp_path: Path):
    file = tmp_path / "odd.csv"
    rows = [(f"text {i}", '"a\x1b]0;x\x07\nb"' if i % 2 else "plain") for i in range(16)]
    file.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    status, out, err = run(capsys, "classify", str(file), "--steps", "1", "--length", "1")
    assert status == 0, err
    assert not {"\x1b", "\x07"} & set(out + err)
    assert "a\\x1b]0;x\\x07\\nb" in err
    assert "apply       some labels have line ends or letters that cannot be seen" in out


def test_json_has_the_prompt_its_test_and_where_it_was_carried(capsys, tmp_path: Path):
    test = tmp_path / "test.tsv"
    test.write_text("text\tlabel\na sunny garden\tcheerful\na stormy night\tgloomy\na broken line\n")
    wanted = ["--test", str(test), "--also", "the mood", "--carry", "embedded", "--json"]
    status, out, err = run(capsys, "classify", MOODS, *QUICK, *wanted)
    assert status == 0, err
    found = json.loads(out)
    assert [each["prompt"] for each in found["test"]] == [found["prompt"], "", "the mood"]
    assert found["carried"][0]["with"]["accuracy"] == found["test"][0]["accuracy"]
    assert found["labels"] == {"cheerful": ["happy", "warm"], "gloomy": ["sad", "lonely"]}
    assert found["accuracy"] == found["held_out"]["accuracy"] >= found["candidates"][-1]["accuracy"]
    assert "test.tsv: Line 4: " in err  # the row without a label is not dropped in silence


def typed(out: str, file: Path) -> list[str]:
    """The arguments of the command that is printed with a learned prompt, for texts in a file."""
    (line,) = [line for line in out.splitlines() if line.startswith("apply  ")]
    words = shlex.split(line)
    assert words[1:5] == ["python", "-m", "pez_core", "classify"]
    return [str(file) if word == "TEXTS.txt" else word for word in words[4:]]


@pytest.mark.skipif(os.name == "nt", reason="the command is written for the shell of the system")
def test_the_printed_command_labels_texts_as_the_learned_prompt_did(capsys, tmp_path: Path):
    rows = list(csv.DictReader(Path(MOODS).read_text("utf-8").splitlines()))
    file = tmp_path / "all.txt"
    file.write_text("\n".join(row["text"] for row in rows))
    command = typed(run(capsys, "classify", MOODS, *QUICK)[1], file)
    learned = json.loads(run(capsys, "classify", MOODS, *QUICK, "--json")[1])
    assert typed(f"apply       {learned['apply']}", file) == command
    task = LabelTask(learned["labels"], learned["labels"].values(), learned["suffix"], learned["shifts"])
    texts = [row["text"] for row in rows]
    wanted = [
        max(each, key=each.__getitem__) for each in classify(embedded_caption_model(), task, learned["prompt"], texts)
    ]
    assert [line.split("\t")[0] for line in run(capsys, *command)[1].splitlines()] == wanted
    without = [each for each in command if not each.startswith("--shifts")]
    assert [line.split("\t")[0] for line in run(capsys, *without)[1].splitlines()] != wanted


@pytest.mark.skipif(os.name == "nt", reason="the command is written for the shell of the system")
def test_the_printed_command_knows_labels_with_signs_in_them(capsys, tmp_path: Path):
    file, lines = tmp_path / "odd.csv", tmp_path / "lines.txt"
    file.write_text(
        "text,label\n"
        + "".join(f'a smiling child {i},"happy, glad=1"\na lonely ruin {i},"it\'s ""sad"""\n' for i in range(4))
    )
    lines.write_text("a smiling child\n")
    out = run(capsys, "classify", str(file), "--labels", "happy|warm,sad", "--steps", "1")[1]
    status, said, err = run(capsys, *typed(out, lines))
    assert status == 0, err
    assert said.split("\t")[0] in ("happy, glad=1", 'it\'s "sad"')


def test_a_label_that_no_text_has_is_refused(capsys):
    status, out, err = run(
        capsys, "classify", MOODS, "--names", "glomy,cheerful", "--labels", "sad,happy", "--steps", "1"
    )
    assert (status, out) == (2, "")
    assert "No text has the label 'glomy', which --names gives. Line " in err
    assert "the label 'gloomy' is none of glomy, cheerful." in err.splitlines()[-1]


def test_texts_that_are_held_out_as_well_are_counted(capsys, tmp_path: Path):
    file = tmp_path / "some.csv"
    texts = ["sun", "sun", "sun", "a bird", "a cat", "rain", "fog", "wind", "hail", "snow"]
    file.write_text("text,label\n" + "".join(f"{text},{'good' if i < 5 else 'bad'}\n" for i, text in enumerate(texts)))
    options = ["--hold-out", "1", "--steps", "1", "--labels", "bad,good", "--json"]
    for seed in range(9):
        status, out, err = run(capsys, "classify", str(file), *options, "--seed", str(seed))
        assert status == 0, err
        skipped = json.loads(out)["skipped"]
        if skipped:
            break
    assert skipped == ["2 texts to learn from left out: held out as well."]
    assert "warning: 2 texts to learn from left out: held out as well." in err
    assert "on the 1 held-out text that chose it" in run(capsys, "classify", str(file), *options[:-1], "--seed", "0")[1]


def test_shifts_belong_to_the_labels_that_they_name(capsys, tmp_path: Path):
    file = tmp_path / "lines.txt"
    file.write_text("a smiling child at a party\na lonely ruin in the rain\n", "utf-8")
    command = ("classify", str(file), "--apply", "the mood")
    one = run(capsys, *command, *TASK, "--names", "cheerful,gloomy", "--shifts", "cheerful=1.5, gloomy = -1.5")
    turned = ("--suffix", " feeling", "--labels", "sad|lonely,happy|warm", "--names", "gloomy,cheerful")
    assert one[0] == 0, one[2]
    assert run(capsys, *command, *turned, "--shifts", "cheerful=1.5,gloomy=-1.5")[1] == one[1]
    assert run(capsys, *command, *turned)[1] != one[1]


def test_each_accuracy_comes_with_the_shifts_that_it_was_measured_with(capsys):
    more = ("--also", "the mood", "--carry", "embedded")
    found = json.loads(run(capsys, "classify", MOODS, *QUICK, *more, "--json")[1])
    examples = read_examples(MOODS)
    _, held_out = examples.hold_out(None, 0)
    task = LabelTask.of(examples.names, TASK[3].split(","), TASK[1])
    assert found["held_out"]["shifts"] == found["shifts"]
    for each in (found["without_prompt"], *found["also"], found["carried"][0]["with"], found["carried"][0]["without"]):
        again = evaluate_prompt(embedded_caption_model(), task.shifted(each["shifts"]), each["prompt"], held_out)
        assert (again.accuracy, len(again.shifts)) == (each["accuracy"], 2)
    assert found["also"][0]["shifts"] != found["shifts"]
    assert "shifts of its own, which --json lists" in run(capsys, "classify", MOODS, *QUICK, *more)[1]


def test_a_table_is_not_labelled_line_by_line_in_silence(capsys, tmp_path: Path):
    table = tmp_path / "table.csv"
    table.write_text("text,label\na smiling child,cheerful\n")
    assert "table.csv is read as plain text" in run(capsys, "classify", str(table), "--apply", "the mood", *TASK)[2]


def test_without_calibration_there_are_no_shifts(capsys):
    out = run(capsys, "classify", MOODS, *QUICK, "--calibration", "0")[1]
    assert "shifts" not in out
    assert "apply  " in out


def test_the_same_seed_learns_the_same_prompt(capsys):
    prompts = [json.loads(run(capsys, "classify", MOODS, *QUICK, "--json")[1])["prompt"] for _ in range(2)]
    assert prompts[0] == prompts[1]


def test_a_prompt_labels_a_file_and_standard_input(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "lines.txt"
    file.write_text("a smiling child at a party\n\na lonely ruin in the rain\n", "utf-8")
    names = ["--names", "cheerful,gloomy"]
    status, out, _ = run(capsys, "classify", str(file), "--apply", "the mood", *TASK, *names)
    assert status == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[2] for line in lines] == ["a smiling child at a party", "a lonely ruin in the rain"]
    assert all(line[0] in ("cheerful", "gloomy") and 0.5 <= float(line[1]) <= 1 for line in lines)
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text("utf-8")))
    assert run(capsys, "classify", "--apply", "the mood", *TASK, *names)[1] == out


def test_a_label_with_a_comma_stands_in_quotes(capsys, tmp_path: Path):
    file = tmp_path / "lines.txt"
    file.write_text("a smiling child at a party\n", "utf-8")
    status, out, _ = run(capsys, "classify", str(file), "--apply", "", *TASK, "--names", '"happy, glad",sad')
    assert status == 0
    assert out.split("\t")[0] in ("happy, glad", "sad")
    status, _, err = run(capsys, "classify", str(file), "--apply", "", *TASK, "--names", '"happy, glad,sad')
    assert status == 2
    assert "does not read as names between commas (unexpected end of data): close the double quotes" in err


def test_labels_in_json_are_a_line_for_each_text(capsys, tmp_path: Path):
    file = tmp_path / "lines.txt"
    file.write_text("a smiling child\na lonely ruin\n", "utf-8")
    _, out, _ = run(capsys, "classify", str(file), "--apply", "the mood", *TASK, "--json")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["a smiling child", "a lonely ruin"]


def test_lines_are_labelled_before_the_last_one_is_there(capsys, monkeypatch: pytest.MonkeyPatch):
    class Endless(io.StringIO):
        def readline(self, *_: object) -> str:
            if capsys.readouterr().out:
                raise KeyboardInterrupt  # the reader has seen enough
            return "a smiling child\n"

    monkeypatch.setattr("sys.stdin", Endless())
    assert run(capsys, "classify", "--apply", "the mood", *TASK)[0] == 130


def test_bytes_on_standard_input_are_refused(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\x80\n"), "utf-8", errors="surrogateescape"))
    status, out, err = run(capsys, "classify", "--apply", "the mood", *TASK)
    assert (status, out) == (2, "")
    assert "not UTF-8 text" in err


def test_own_prompts_are_measured_on_the_held_out_texts_without_others(capsys):
    out = run(capsys, "classify", MOODS, *QUICK, "--also", "the mood")[1]
    assert "on 48 texts  the mood" in out


def test_a_prompt_is_printed_and_drawn_although_another_model_is_missing(capsys, tmp_path: Path):
    plot = tmp_path / "run.png"
    status, out, err = run(capsys, "classify", MOODS, *QUICK, "--carry", "gone.gguf", "--plot", str(plot))
    assert status == 2
    assert plot.exists()
    assert out.startswith("prompt ")
    assert "no language model at 'gone.gguf'" in err


def test_words_in_the_place_of_another_label_are_warned_of(capsys):
    err = run(capsys, "classify", MOODS, "--labels", "gloomy,cheerful", "--steps", "1")[2]
    assert "'gloomy' stands for the label 'cheerful'" in err


def test_few_texts_leave_one_that_chooses(capsys, tmp_path: Path):
    file = tmp_path / "few.csv"
    file.write_text("text,label\na sunny day,happy\na dark night,sad\na party,happy\n", "utf-8")
    status, out, err = run(capsys, "classify", str(file), "--steps", "1", "--json")
    assert status == 0, err
    assert json.loads(out)["held_out"]["texts"] == 1


def test_many_labels_are_not_listed_one_by_one(capsys, tmp_path: Path):
    file = tmp_path / "many.csv"
    words = "abcdefghijklmnopqrst"
    file.write_text("text,label\n" + "".join(f"the text {word},{word}\n" for word in words * 2), "utf-8")
    out = run(capsys, "classify", str(file), "--steps", "1")[1]
    assert len(out.splitlines()) < len(words)


def test_interrupting_keeps_the_best_prompt(capsys, ctrl_c, at_progress):
    presses = iter([signal.SIGINT])
    at_progress(lambda _: [signal.raise_signal(each) for each in presses])
    status, out, err = run(capsys, "classify", MOODS, *TASK, "--steps", "100000", "--json")
    assert status == 0
    assert json.loads(out)["stopped"] == "asked to"
    assert "stopping with the best prompt so far" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Give either a FILE"),
        ([MOODS, "--data", "movie-reviews"], "Give either a FILE"),
        (["gone.csv"], "gone.csv"),
        ([MOODS, "--labels", "happy"], "Expected words for 2 labels"),
        ([MOODS, "--labels", "happy,happy"], "stands for two labels"),
        ([MOODS, "--model", "gone.gguf"], "no language model at 'gone.gguf'"),
        ([MOODS, "--text-column", "words"], "words"),
        ([MOODS, "--few", "1000"], "fewer than 1000"),
        ([MOODS, "--fluency", "2"], "fluency must be a number from 0 to 1"),
        ([MOODS, "--length", "90"], "length must be from 1 to"),
        (["--apply", "x"], "give --labels"),
        ([*APPLY, "--shifts", "a=1"], "has numbers for a, but the labels are a, b: give each label one number"),
        ([*APPLY, "--shifts", "a=1,c=2"], "has numbers for a, c, but the labels are a, b"),
        ([*APPLY, "--shifts", "a=1,a=2,b=1"], "has numbers for a, a, b, but the labels are a, b"),
        ([*APPLY, "--shifts", "a=0.5;b=-0.5"], "has numbers for a=0.5;b, but the labels are a, b"),
        ([*APPLY, "--shifts", "a=1e39,b=0"], "one number for each of the 2 labels, or none, not "),
        ([*APPLY, "--shifts", "a=nan,b=0"], "one number for each of the 2 labels, or none, not "),
        *(
            ([*APPLY, f"--shifts={shifts}"], "names with their numbers, such as a=0.5,b=-0.5, not ")
            for shifts in ("", " ", "-0.5,0.5", "[0.5, -0.5]", "a=0,5,b=-0,5", "a,b")
        ),
        ([MOODS, "--shifts", "a=1,b=2"], "--shifts belongs to --apply"),
        ([MOODS, "--shifts="], "--shifts belongs to --apply"),
        ([*APPLY, "--calibration", "128", "--steps", "5"], "no use for --steps, --calibration"),
        ([*APPLY, "--text-column", "a"], "no use for --text-column"),
        ([*APPLY, "--names", "a,"], "A label has no name"),
        (["--apply", "x", "--labels", "a,b", "--test", "t.csv", "--few", "2"], "no use for --test, --few"),
        (["gone.txt", "--apply", "x", "--labels", "a,b"], "'gone.txt' cannot be read: No such file"),
        ([MOODS, "--hold-out", "0"], "The hold-out must be from 1 to 239"),
        ([MOODS, "--hold-out", "240"], "The hold-out must be from 1 to 239"),
        ([MOODS, *TASK, "--length", "75"], "the model reads 75 tokens"),
    ],
)
def test_bad_input_is_said_in_one_line(capsys, arguments, told):
    status, out, err = run(capsys, "classify", *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("error: ") == 1

"""The command `evaluate`: the prompts of a batch according to a model that did not search them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from pez_core import ClipModel, Target, score
from pez_core.batch import evaluation
from pez_core.batch.evaluation import Mean
from pez_core.cli import main
from pez_core.models.loading import load_folder
from pez_core.models.presets import EMBEDDED_FOLDER

SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))[:4]
JUDGE = Path(__file__).parents[2] / "benchmarks" / "judges" / "vit"


@pytest.fixture(scope="module")
def judge() -> ClipModel:
    return load_folder(JUDGE, "vit")


@pytest.fixture(scope="module")
def batch(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    for i, sample in enumerate(SAMPLES):
        (folder / "pictures" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder / "pictures" / "ab"[i % 2])
    (folder / "pictures" / "damaged.png").write_bytes(b"")
    quick = ["--method", "pez", "--steps", "20", "--restarts", "2", "--length", "4"]
    source = str(folder / "pictures")
    assert main(["batch", source, "--out", str(folder / "rows.jsonl"), "--recursive", *quick]) == 3
    return folder


def evaluated(batch: Path, capsys, *more: str) -> dict:
    assert main(["evaluate", str(batch / "rows.jsonl"), "--judge", str(JUDGE), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_similarities_are_those_of_score(batch, judge, capsys):
    told = evaluated(batch, capsys)
    assert (told["pictures"], told["failed"], told["pool"]) == (4, 1, 4)
    rows = [json.loads(line) for line in (batch / "rows.jsonl").read_text("utf-8").splitlines()]
    prompts = {Path(row["key"]).name: row["prompt"] for row in rows}
    each = [score(judge, [prompts[s.name]], Target.from_images(judge, s))[0].similarity for s in SAMPLES]
    folders = told["judges"][str(JUDGE)]
    assert list(folders) == ["all", "a", "b"]
    mean = sum(each) / 4
    error = math.sqrt(sum((x - mean) ** 2 for x in each) / 3 / 4)
    assert folders["all"]["similarity"] == {
        "mean": pytest.approx(mean, abs=1e-5),
        "error": pytest.approx(error, abs=1e-5),
        "count": 4,
    }
    assert folders["a"]["similarity"]["mean"] == pytest.approx((each[0] + each[2]) / 2, abs=1e-5)
    scored = [
        [score(judge, [prompts[s.name]], Target.from_images(judge, o))[0].similarity for o in SAMPLES] for s in SAMPLES
    ]
    ranks = [1 + sum(other > row[i] for other in row) for i, row in enumerate(scored)]
    assert folders["all"]["rank"]["mean"] == sum(ranks) / 4
    assert folders["all"]["first"]["mean"] == ranks.count(1) / 4
    assert folders["all"]["painted"] is folders["all"]["caption"] is None


def test_painted_pictures_and_captions(batch, judge, capsys, tmp_path):
    for i, sample in enumerate(SAMPLES):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        shutil.copy(SAMPLES[0], tmp_path / "ab"[i % 2] / sample.name)
    captions = tmp_path / "captions.jsonl"
    rows = [json.loads(line) for line in (batch / "rows.jsonl").read_text("utf-8").splitlines()]
    lines = [json.dumps({"path": row["key"], "caption": row["prompt"]}) for row in rows if row["prompt"]]
    captions.write_text("\n".join(lines), "utf-8")
    own = evaluated(batch, capsys, "--painted", str(tmp_path), "--captions", str(captions))["judges"][str(JUDGE)]["all"]
    assert own["caption"]["mean"] == pytest.approx(1, abs=1e-5)  # the captions are the prompts themselves
    assert own["captioned"]["mean"] == pytest.approx(own["similarity"]["mean"], abs=1e-5)
    features = judge.encode_images([*map(open_picture, SAMPLES)])
    assert own["painted"]["mean"] == pytest.approx(float((features @ features[0]).mean()), abs=1e-5)


def test_the_table_says_what_its_columns_are_and_how_many_pictures_have_a_part(batch, capsys, tmp_path):
    (tmp_path / "a").mkdir()
    shutil.copy(SAMPLES[0], tmp_path / "a" / SAMPLES[0].name)
    options = ["--judge", str(JUDGE), "--painted", str(tmp_path)]
    assert main(["evaluate", str(batch / "rows.jsonl"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4].startswith("similarity  of prompts with their pictures")
    assert lines[-1].startswith("painted ")
    assert lines[-1].endswith("(1 of 4 pictures)")
    assert not lines[-4].endswith(")")


def open_picture(path: Path):
    from pez_core.targets.pictures import as_rgb

    return as_rgb(path)[0]


def test_the_table(batch, capsys):
    assert main(["evaluate", str(batch / "rows.jsonl"), "--judge", str(JUDGE), "--judge", "embedded"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0] == "4 pictures, 1 failed; ranks are among 4 pictures"
    assert [line.split()[0] for line in lines if line.startswith(("all", "a ", "b "))] == ["all", "a", "b"] * 2
    assert "embedded searched these prompts itself" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl"], "There are no results 'none.jsonl': give those of the command batch."),
        (["edited.jsonl"], "batch did not write it like this"),
        (
            ["rows.jsonl", "--checkpoint", "-", "--checkpoint", "-"],
            "Expected one --checkpoint for each of 1 judges, got 2",
        ),
        (["rows.jsonl", "--painted", "nowhere"], "There is no folder 'nowhere'"),
        (["rows.jsonl", "--source", "nowhere"], "There is no folder or file 'nowhere'"),
        (["rows.jsonl", "--captions", "rows.jsonl"], "has no columns path and caption"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(batch, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(batch)
    (batch / "edited.jsonl").touch()
    (batch / "edited.jsonl.manifest.json").write_text('{"version": 1, "options": {"source": 5}}')
    assert main(["evaluate", *arguments, "--judge", str(JUDGE)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_captions_of_other_pictures_are_warned_of(batch, capsys, tmp_path):
    captions = tmp_path / "captions.csv"
    captions.write_text("path,caption\nother.png,a cat\n")
    assert main(["evaluate", str(batch / "rows.jsonl"), "--judge", str(JUDGE), "--captions", str(captions)]) == 0
    assert "--captions has nothing for these pictures" in capsys.readouterr().err


def test_one_number_has_no_error():
    mean = Mean()
    assert mean.to_json() is None
    mean.add(0.5)
    assert mean.to_json() == {"mean": 0.5, "error": None, "count": 1}


def test_a_folder_with_the_name_of_the_whole_keeps_its_figures(batch, capsys, tmp_path):
    shutil.copytree(batch, tmp_path / "other")
    (tmp_path / "other" / "pictures" / "a").rename(tmp_path / "other" / "pictures" / "all")
    rows = tmp_path / "other" / "rows.jsonl"
    rows.write_text(rows.read_text("utf-8").replace('"a/', '"all/'), "utf-8")
    folders = evaluated(tmp_path / "other", capsys, "--source", str(tmp_path / "other" / "pictures"))["judges"][
        str(JUDGE)
    ]
    assert {name: own["similarity"]["count"] for name, own in folders.items()} == {"all": 4, "all/": 2, "b": 2}


def test_the_last_pictures_are_ranked_among_as_many(batch, judge, capsys, monkeypatch, tmp_path):
    rows = [json.loads(line) for line in (batch / "rows.jsonl").read_text("utf-8").splitlines()]
    found = sorted((row for row in rows if row["prompt"]), key=lambda row: row["key"])  # as a folder is read
    found[3]["prompt"] = found[0]["prompt"]  # that picture is before it
    shutil.copytree(batch, tmp_path / "other")
    (tmp_path / "other" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    monkeypatch.setattr(evaluation, "POOL", 3)
    told = evaluated(tmp_path / "other", capsys)
    targets = [Target.from_images(judge, batch / "pictures" / row["key"]) for row in found]
    scored = [[score(judge, [row["prompt"]], target)[0].similarity for target in targets] for row in found]
    among = ((0, 1, 2), (0, 1, 2), (0, 1, 2), (3, 0, 1))
    ranks = [1 + sum(row[i] > row[own] for i in among[own]) for own, row in enumerate(scored)]
    assert ranks[3] > 1
    assert told["pool"] == 3
    assert told["judges"][str(JUDGE)]["all"]["rank"]["mean"] == sum(ranks) / 4


@pytest.mark.parametrize("damage", ["model.json", "model.safetensors", None])
def test_a_judge_that_is_not_complete_is_one_line(batch, capsys, tmp_path, damage):
    shutil.copytree(JUDGE, tmp_path / "judge")
    if damage:
        (tmp_path / "judge" / damage).write_bytes((JUDGE / damage).read_bytes()[:40])
    else:
        (tmp_path / "judge" / "model.safetensors").unlink()
    assert main(["evaluate", str(batch / "rows.jsonl"), "--judge", str(tmp_path / "judge")]) == 2
    err = capsys.readouterr().err
    assert "'judge' has no complete model: copy its model.json" in err
    assert len(err.splitlines()) == 1

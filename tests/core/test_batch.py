"""The command `batch`: rows, what it goes on with, what it refuses, captions."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from oddities import COUNT, draw_oddities
from PIL import Image
from safetensors.torch import save_file

from pez_core import InversionConfig, PezError, PictureSource, invert, invert_all, make_target
from pez_core.batch import packed
from pez_core.batch.engines import Plan, Spent
from pez_core.batch.engines.local import LocalEngine
from pez_core.batch.job import Job, Summary
from pez_core.batch.manifest import difference
from pez_core.batch.packed import Packs, PackSize
from pez_core.batch.preparing import Looks, prepared
from pez_core.batch.results import open_results
from pez_core.batch.rows import COLUMNS, error_row
from pez_core.batch.sidecars import Sidecars
from pez_core.batch.sources import open_source
from pez_core.cli import main
from pez_core.errors import ShortOfMemoryError
from pez_core.models.presets import EMBEDDED_FOLDER

SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))[:6]
QUICK = ["--method", "pez", "--steps", "3", "--restarts", "2", "--length", "3"]
CONFIG = InversionConfig(method="pez", steps=3, restarts=2, length=3)


def batch(source: Path, out: Path, *more: str) -> int:
    return main(["batch", str(source), "--out", str(out), *QUICK, *more])


def rows_of(out: Path) -> dict[str, dict]:
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len({row["key"] for row in lines}) == len(lines), "a row is doubled"
    return {row["key"]: row for row in lines}


def test_a_folder_becomes_a_row_for_each_picture(pictures, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    (pictures / "notes.txt").write_text("no picture")
    (pictures / ".hidden.png").write_bytes(b"")
    assert batch(pictures, out, "--json") == 0
    rows = rows_of(out)
    assert list(rows) == [sample.name for sample in SAMPLES]
    for row in rows.values():
        assert tuple(row) == COLUMNS
        assert row["error"] is None
        assert len(row["prompt"].split()) == 3 == len(row["tokens"])
        assert row["candidates"][0] == {"text": row["prompt"], "similarity": row["similarity"], "nll": None}
        assert (row["model"], row["seed"], row["steps"]) == ("embedded", 0, 3)
        assert json.loads(row["settings"]) == {"method": "pez", "steps": 3, "restarts": 2, "length": 3}
    told = json.loads(capsys.readouterr().out)
    assert (told["pictures"], told["rows"], told["failed"], told["stopped"]) == (len(SAMPLES), len(SAMPLES), 0, False)


def test_each_picture_gets_what_it_gets_alone(pictures, tmp_path, model):
    config = InversionConfig.preset("fast", seed=7)
    items = list(open_source(pictures))
    packs = Packs(model, PackSize(len(items)))
    ready = prepared(items, model, config, Looks(crops=True), ahead=True)
    rows = {row["key"]: row for some in packs.rows(ready) for row in some}
    for item in items:
        alone = invert(model, make_target(model, [PictureSource.of(item.picture, crops=True)]), config)
        assert rows[item.key]["prompt"] == alone.prompt
        assert rows[item.key]["similarity"] == pytest.approx(alone.similarity, abs=1e-5)


def test_every_target_needs_its_seed(model, target):
    with pytest.raises(PezError, match="Expected 2 seeds for 2 targets, got 1"):
        invert_all(model, [target, target], CONFIG, seeds=[1])


def test_rows_of_a_list_override_the_settings(pictures, tmp_path, model, capsys):
    first, second = SAMPLES[0].name, SAMPLES[1].name
    table = tmp_path / "list.csv"
    table.write_text(
        "path,seed,prefix,text,length,caption\n"
        f"pictures/{first},5,,,,x\npictures/{first},6,a photo of,,,x\npictures/{second},,,a red ball,2,x\n,,,a dog,,x\n"
        f"pictures/{first},many,,,,x\npictures/none.png,,,,,x\n,,,,,x\npictures/{first},,,,0,x\n",
        "utf-8",
    )
    out = tmp_path / "rows.jsonl"
    assert batch(table, out) == 3
    assert "not used: caption" in capsys.readouterr().err
    rows = rows_of(out)
    assert len(rows) == 8
    five = rows[f"pictures/{first}"]
    assert five["seed"] == 5
    target = make_target(model, [PictureSource.of(SAMPLES[0])])
    assert five["prompt"] == invert(model, target, InversionConfig(**{**vars(CONFIG), "seed": 5})).prompt
    assert rows[f"pictures/{first}#2"]["prompt"].startswith("a photo of ")
    assert len(rows[f"pictures/{second}"]["tokens"]) == 2
    assert rows["a dog"]["prompt"]
    assert "seed must be a whole number, not 'many'." in rows[f"pictures/{first}#3"]["error"]
    assert "There is no file" in rows["pictures/none.png"]["error"]
    assert "neither a path nor a text" in rows["row 7"]["error"]
    assert "length must be a whole number" in rows[f"pictures/{first}#4"]["error"]


def test_a_list_in_json_lines(pictures, tmp_path):
    table = tmp_path / "list.jsonl"
    lines = [{"path": f"pictures/{each.name}", "seed": i, "banned": ["red"]} for i, each in enumerate(SAMPLES)]
    table.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert batch(table, tmp_path / "rows.jsonl") == 0
    assert [row["seed"] for row in rows_of(tmp_path / "rows.jsonl").values()] == list(range(len(SAMPLES)))


def test_sub_folders_only_if_asked(pictures, tmp_path):
    (pictures / "more").mkdir()
    shutil.copy(SAMPLES[0], pictures / "more")
    assert batch(pictures, tmp_path / "flat.jsonl") == 0
    assert batch(pictures, tmp_path / "deep.jsonl", "--recursive") == 0
    deep = rows_of(tmp_path / "deep.jsonl").keys()
    assert deep - rows_of(tmp_path / "flat.jsonl").keys() == {f"more/{SAMPLES[0].name}"}


class _Killed(BaseException):
    pass


def test_a_killed_job_goes_on_where_it_was(pictures, tmp_path, model):
    out, plan = tmp_path / "rows.jsonl", Plan(lambda device: (model, None), CONFIG, pack=2)

    def job() -> Job:
        return Job(open_source(pictures), open_results(out), {"settings": {}})

    def die(summary: Summary) -> None:
        if summary.done >= 2:
            raise _Killed

    with pytest.raises(_Killed):
        job().run(LocalEngine("cpu"), plan, die)
    before = out.read_bytes()
    out.write_bytes(before + b'{"key": "cut o')  # as a kill within a write leaves it
    assert job().run(LocalEngine("cpu"), plan).to_json()["rows"] == len(SAMPLES)
    assert out.read_bytes().startswith(before)
    assert len(rows_of(out)) == len(SAMPLES)
    assert job().run(LocalEngine("cpu"), plan).done == 0


def test_pictures_that_come_later_are_searched_too(pictures, tmp_path):
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    shutil.copy(SAMPLES[0], pictures / "later.png")
    assert batch(pictures, out) == 0
    assert len(rows_of(out)) == len(SAMPLES) + 1


def test_other_options_are_refused_by_name(pictures, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    before = out.read_bytes()
    assert batch(pictures, out, "--seed", "4", "--prefix", "a") == 2
    assert 'other options: seed 4 (was 0), prefix "a" (was "").' in capsys.readouterr().err
    assert out.read_bytes() == before
    assert batch(pictures, out, "--seed", "4", "--restart") == 0
    assert {row["seed"] for row in rows_of(out).values()} == {4}


def test_files_of_older_versions_are_continued(pictures, tmp_path):
    """They do not say which preset was given."""
    out, manifest = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.manifest.json"
    assert batch(pictures, out) == 0
    told = json.loads(manifest.read_text("utf-8"))
    assert told["options"].pop("preset") == "balanced"
    assert told["options"].pop("the model's weights") == []
    manifest.write_text(json.dumps(told), "utf-8")
    assert batch(pictures, out) == 0


def test_only_what_a_preset_sets_counts():
    before = {"preset": "fast", "model": "a", "the model's weights": "1", "settings": {"steps": 3}}
    assert difference(before, before | {"preset": "paper"}) == ""
    assert difference({"model": "a", "settings": {"steps": 3}}, before) == ""  # of an older version
    assert difference(before, before | {"the model's weights": "2"}) == 'the model\'s weights "2" (was "1")'
    both = before | {"preset": "paper", "settings": {"steps": 4}}
    assert difference(before, both) == 'preset "paper" (was "fast"), steps 4 (was 3)'


def test_another_file_of_weights_with_the_same_name_is_refused(pictures, tmp_path, monkeypatch, capsys):
    for number in (1, 2):
        torch.manual_seed(number)
        weights = {name: value.half() for name, value in open_clip.create_model("ViT-S-32-alt").state_dict().items()}
        (tmp_path / str(number)).mkdir()
        save_file(weights, tmp_path / str(number) / "same.safetensors")
    model = ["--model", "ViT-S-32-alt", "--checkpoint", "same.safetensors", "--steps", "1", "--restarts", "1"]
    said = []
    for number in (1, 1, 2):
        monkeypatch.chdir(tmp_path / str(number))
        said.append((batch(pictures, tmp_path / "rows.jsonl", *model), capsys.readouterr().err))
    assert [status for status, _ in said] == [0, 0, 2]
    assert "other options: the model's weights [" in said[2][1]


def test_a_file_that_is_not_ours_is_left_alone(pictures, tmp_path, capsys):
    out = tmp_path / "mine.jsonl"
    out.write_text('{"mine": 1}\n')
    assert batch(pictures, out) == 2
    assert "no options are recorded" in capsys.readouterr().err
    assert out.read_text() == '{"mine": 1}\n'


def test_a_list_is_not_replaced_by_its_own_results(pictures, tmp_path, capsys):
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"path": "pictures/penguin.png"}\n')
    assert batch(mine, mine, "--restart") == 2
    assert "is SOURCE itself" in capsys.readouterr().err
    assert mine.read_text() == '{"path": "pictures/penguin.png"}\n'


@pytest.mark.parametrize("edited", ['{"version": 1}', '{"version": 1, "options": []}', "[]"])
def test_a_manifest_that_was_edited_is_refused(pictures, tmp_path, capsys, edited):
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    (tmp_path / "rows.jsonl.manifest.json").write_text(edited)
    assert batch(pictures, out) == 2
    assert "or was edited" in capsys.readouterr().err


def test_settings_in_a_manifest_that_are_none_differ(pictures, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    (tmp_path / "rows.jsonl.manifest.json").write_text('{"version": 1, "options": {"settings": 5}}')
    assert batch(pictures, out) == 2
    assert "started with other options" in capsys.readouterr().err


def test_a_row_that_is_not_ours_is_named(pictures, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    with out.open("a") as rows:
        rows.write('{"key": 5, "prompt": null, "similarity": null, "error": null}\n')
    assert batch(pictures, out) == 2
    assert f"Line {len(SAMPLES) + 1} of 'rows.jsonl' is no row of a batch" in capsys.readouterr().err


def test_a_row_without_a_picture_has_no_place_beside_it(pictures, tmp_path, capsys):
    source, out = tmp_path / "list.csv", tmp_path / "rows.jsonl"
    source.write_text(f"path,text\npictures/{SAMPLES[0].name},\n,a red bird\n")
    assert batch(source, out, "--sidecar") == 2
    assert "'a red bird' has no file to put a caption beside" in capsys.readouterr().err
    assert not out.exists()  # said before any search


def test_columns_that_are_not_used_are_said_once(pictures, tmp_path, capsys):
    source = tmp_path / "list.csv"
    source.write_text(f"path,artist\npictures/{SAMPLES[0].name},me\n")
    assert batch(source, tmp_path / "rows.jsonl") == 0
    assert capsys.readouterr().err.count("artist") == 1


@pytest.mark.parametrize("wrong", [["--model", "no-such-model"], ["--sidecar", "rows.jsonl/captions"]])
def test_a_restart_that_cannot_work_keeps_the_old_rows(pictures, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out) == 0
    before = out.read_bytes()
    assert batch(pictures, out, "--restart", *wrong) == 2
    assert out.read_bytes() == before
    assert batch(pictures, out) == 0  # with the options that they were started with


def test_two_processes_do_not_write_the_same_results(pictures, tmp_path, model):
    out, said = tmp_path / "rows.jsonl", []

    def meanwhile(summary: Summary) -> None:
        with pytest.raises(PezError, match="Another process"):
            Job(open_source(pictures), open_results(out), {}).run(LocalEngine("cpu"), plan)
        said.append(summary.done)

    plan = Plan(lambda device: (model, None), CONFIG)
    Job(open_source(pictures), open_results(out), {}).run(LocalEngine("cpu"), plan, meanwhile)
    assert said[-1] == len(SAMPLES) == len(rows_of(out))


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("nowhere", "rows.jsonl", "There is no folder or file"),
        ("empty", "rows.jsonl", "There is no picture in the folder"),
        ("pictures", "rows.txt", "ends in .jsonl or .parquet"),
        ("pictures", "no/rows.jsonl", "There is no folder"),
        ("list.csv", "rows.jsonl", "no column path"),
        ("list.doc", "rows.jsonl", "is no source of pictures"),
        ("latin.csv", "rows.jsonl", "it is not UTF-8 text, save it as UTF-8"),
    ],
)
def test_what_cannot_be_run_is_one_line(pictures, tmp_path, capsys, source, out, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.csv").write_text("file,seed\nx.png,1\n")
    (tmp_path / "list.doc").write_text("")
    (tmp_path / "latin.csv").write_bytes(b"path\n\xe9.png\n")
    assert batch(tmp_path / source, tmp_path / out) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_settings_that_no_picture_can_have_leave_no_row(pictures, tmp_path, capsys):
    assert batch(pictures, tmp_path / "rows.jsonl", "--length", "80") == 2
    assert "80" in capsys.readouterr().err
    assert batch(pictures, tmp_path / "rows.jsonl", "--restart") == 0


def test_a_warning_is_said_once(pictures, tmp_path, capsys):
    assert batch(pictures, tmp_path / "rows.jsonl", "--pack", "1", "--prefix", "zzyzx") == 0
    assert capsys.readouterr().err.count("zzyzx") == 1


def test_a_search_that_fails_is_the_row_of_its_picture(pictures, tmp_path, monkeypatch):
    """A pack that fails as a whole is halved until the picture that is the cause is alone."""
    real = packed.invert_each

    def fragile(model, targets, config, following, report, language, seeds):
        if any(seed == 3 for seed in seeds):
            raise PezError("three is not allowed")
        yield from real(model, targets, config, following, report, language, seeds)

    monkeypatch.setattr(packed, "invert_each", fragile)
    table = tmp_path / "list.csv"
    table.write_text("path,seed\n" + "".join(f"pictures/{each.name},{i}\n" for i, each in enumerate(SAMPLES)))
    assert batch(table, tmp_path / "rows.jsonl", "--pack", "6") == 3
    errors = [row["error"] for row in rows_of(tmp_path / "rows.jsonl").values()]
    assert sorted(map(str, errors)) == ["None"] * 5 + ["three is not allowed"]


def test_a_pack_is_halved_when_memory_runs_out(pictures, tmp_path, model, monkeypatch):
    real, tried = packed.invert_each, []

    def small(model, targets, *more):
        tried.append(len(targets))
        if len(targets) > 1:
            raise ShortOfMemoryError("none left")
        yield from real(model, targets, *more)

    monkeypatch.setattr(packed, "invert_each", small)
    assert batch(pictures, tmp_path / "rows.jsonl", "--pack", "4") == 0
    assert tried == [4, 2, 1, 1, 2, 1, 1]  # others come in where the first one leaves
    assert len(rows_of(tmp_path / "rows.jsonl")) == len(SAMPLES)


def test_packs_grow_while_that_is_cheaper():
    size, sizes = PackSize(), []
    for seconds in (1.0, 0.6, 0.5, 0.49, 0.49):  # of a picture
        sizes.append(size.now)
        size.took(size.now, 9 * seconds * size.now)  # disturbed by other work
        size.took(size.now, seconds * size.now)
    assert sizes == [4, 8, 16, 32, 16]
    size.too_large(16)
    assert size.now == 8


def test_a_stopped_search_leaves_no_row(pictures, tmp_path, model):
    config = InversionConfig(method="pez", steps=30, restarts=1, length=3)
    out, plan, packs = tmp_path / "rows.jsonl", Plan(lambda device: (model, None), config, pack=2), []

    def stop(progress) -> bool:
        packs.append(progress[0].step)
        return packs.count(10) == 2  # within the second pack

    def job() -> Job:
        return Job(open_source(pictures), open_results(out), {})

    assert job().run(LocalEngine("cpu"), plan, on_pack=stop).done == 2 == len(rows_of(out))
    job().run(LocalEngine("cpu"), plan)
    assert {(row["stopped"], row["steps"]) for row in rows_of(out).values()} == {("steps", 30)}
    assert len(rows_of(out)) == len(SAMPLES)


def test_captions_beside_the_pictures(pictures, tmp_path):
    assert batch(pictures, tmp_path / "rows.jsonl", "--sidecar", "--caption-prefix", "sks style, ") == 0
    for key, row in rows_of(tmp_path / "rows.jsonl").items():
        assert (pictures / key).with_suffix(".txt").read_text("utf-8") == f"sks style, {row['prompt']}\n"


@pytest.mark.parametrize("mode", ["skip", "replace", "append"])
def test_pictures_that_differ_only_in_their_ending_have_one_caption(tmp_path, capsys, mode):
    for name in ("one.png", "one.webp", "two.png"):
        with Image.open(SAMPLES[name == "two.png"]) as picture:
            (tmp_path / "pictures").mkdir(exist_ok=True)
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT if "webp" in name else 1).save(
                tmp_path / "pictures" / name
            )
    options = ["--sidecar", "--sidecar-mode", mode]
    assert batch(tmp_path / "pictures", tmp_path / "rows.jsonl", *options) == 0
    rows = rows_of(tmp_path / "rows.jsonl")
    assert sorted(rows) == ["one.png", "one.webp", "two.png"]
    first, second = rows["one.png"]["prompt"], rows["one.webp"]["prompt"]
    assert first != second
    caption = (tmp_path / "pictures" / "one.txt").read_text("utf-8")
    warned = capsys.readouterr().err
    if mode == "append":
        assert caption == f"{first}, {second}\n"
        assert "the same caption" not in warned
    else:
        assert caption == f"{first}\n"
        assert (
            warned.count(
                "'one.png' and 'one.webp' would have the same caption, which only one of them has: rename one, and others like them."
            )
            == 1
        )


class Told:
    """An engine that gives rows for the pictures of a source in the order that it is told."""

    def __init__(self, *order: str, failed: str = ""):
        self.order, self.failed, self.spent = order, failed, Spent()

    def run(self, source, done, plan, on_pack):
        items = {item.key: item for item in source}
        for key in self.order:
            if not done(key):
                found = {**dict.fromkeys(COLUMNS), "key": key, "prompt": f"of {key}", "similarity": 0.5}
                yield [items[key]], [error_row(key, "broken") if key == self.failed else found]


@pytest.mark.parametrize("mode", ["skip", "replace"])
@pytest.mark.parametrize("order", [("a.jpg", "a.png", "b.png"), ("b.png", "a.png", "a.jpg")])
@pytest.mark.parametrize("failed", ["", "a.jpg", "a.png"])
def test_a_caption_of_two_pictures_is_that_of_the_first_that_has_a_prompt(tmp_path, caplog, mode, order, failed):
    """In whatever order the searches end."""
    (tmp_path / "pictures").mkdir()
    for name in order:
        (tmp_path / "pictures" / name).write_bytes(b"")
    (tmp_path / "captions").mkdir()
    if mode == "replace":
        (tmp_path / "captions" / "a.txt").write_text("old")
    source, results = open_source(tmp_path / "pictures"), open_results(tmp_path / "rows.jsonl")
    job = Job(source, results, {}, Sidecars(tmp_path / "captions", mode))
    summary = job.run(Told(*order, failed=failed), None)
    assert (summary.done, summary.failed) == (3, bool(failed))
    assert sorted(row["key"] for row in results.rows()) == ["a.jpg", "a.png", "b.png"]
    told = (tmp_path / "captions" / "a.txt").read_text("utf-8")
    assert told == f"of {'a.png' if failed == 'a.jpg' else 'a.jpg'}\n"
    assert ("the same caption" in caplog.text) == (not failed)


def test_of_three_pictures_with_one_caption_one_has_it(tmp_path):
    for mode in ("skip", "replace"):
        source = tmp_path / mode
        source.mkdir()
        for name in ("a.jpg", "a.png", "a.webp"):
            (source / name).write_bytes(b"")
        job = Job(open_source(source), open_results(tmp_path / f"{mode}.jsonl"), {}, Sidecars(source, mode))
        assert job.run(Told("a.webp", "a.png", "a.jpg", failed="a.jpg"), None).failed == 1
        assert (source / "a.txt").read_text("utf-8") == "of a.webp\n"


def test_twins_wait_for_nothing_that_a_run_before_has_found(tmp_path):
    (tmp_path / "list.csv").write_text("path,text,prefix\na.png,,\na.jpg,,\n,a red fox,x\n,a red fox,y\na.png,,y\n")
    keys = ["a.png", "a.jpg", "a red fox", "a red fox#2", "a.png#2"]
    source, results = open_source(tmp_path / "list.csv"), open_results(tmp_path / "rows.jsonl")
    assert [(item.key, item.twin) for item in source] == list(zip(keys, ["", "a.png", "", "", "a.png"], strict=True))
    for some in (keys[:1], keys[1:]):
        job = Job(source, results, {}, Sidecars(tmp_path / "captions"))
        assert job.run(Told(*some), None).done == len(some)
    assert {each.name: each.read_text("utf-8") for each in (tmp_path / "captions").iterdir()} == {
        "a.txt": "of a.png\n",
        "a red fox.txt": "of a red fox\n",
        "a red fox#2.txt": "of a red fox#2\n",
    }


def test_captions_of_pictures_without_an_ending_are_no_twins(tmp_path):
    (tmp_path / "list.csv").write_text("path,prefix\npic,first\npic,second\n")
    source, results = open_source(tmp_path / "list.csv"), open_results(tmp_path / "rows.jsonl")
    Job(source, results, {}, Sidecars(tmp_path / "captions", "replace")).run(Told("pic", "pic#2"), None)
    assert sorted(each.name for each in (tmp_path / "captions").iterdir()) == ["pic#2.txt", "pic.txt"]


@pytest.mark.parametrize("mode", ["append", "prepend"])
def test_captions_that_are_added_are_there_once_after_a_kill(tmp_path, mode):
    """Between the captions and the rows."""
    (tmp_path / "pictures").mkdir()
    for name in ("a.jpg", "a.png"):
        (tmp_path / "pictures" / name).write_bytes(b"")
    for number in range(2):
        results = open_results(tmp_path / f"rows{number}.jsonl")
        job = Job(open_source(tmp_path / "pictures"), results, {}, Sidecars(tmp_path / "captions", mode))
        job.run(Told("a.jpg", "a.png"), None)
    told = (tmp_path / "captions" / "a.txt").read_text("utf-8")
    assert told == ("of a.jpg, of a.png\n" if mode == "append" else "of a.png, of a.jpg\n")


def test_a_picture_that_is_twice_in_a_list_has_the_caption_of_the_first_row(tmp_path, capsys):
    shutil.copy(SAMPLES[0], tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("path,prefix\na.png,first\na.png,second\n")
    assert batch(tmp_path / "list.csv", tmp_path / "rows.jsonl", "--sidecar") == 0
    assert (tmp_path / "a.txt").read_text("utf-8").startswith("first ")
    assert "'a.png' and 'a.png#2' would have the same caption" in capsys.readouterr().err


def test_captions_of_texts_have_files_of_their_own(tmp_path):
    texts = ("a red fox. oil painting", "a red fox. pixel art")
    (tmp_path / "list.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    captions = tmp_path / "captions"
    assert batch(tmp_path / "list.jsonl", tmp_path / "rows.jsonl", "--sidecar", str(captions)) == 0
    rows = rows_of(tmp_path / "rows.jsonl")
    assert {file.name: file.read_text("utf-8") for file in captions.iterdir()} == {
        f"{text}.txt": rows[text]["prompt"] + "\n" for text in texts
    }


def test_half_of_a_character_in_a_list_has_a_place_in_any_results(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "list.jsonl").write_text('{"text": "a cat \\ud83d"}\n{"text": "a red fox"}\n')
    out = tmp_path / "rows.parquet"
    assert batch(tmp_path / "list.jsonl", out) == 0
    assert sorted(row["key"] for row in open_results(out).rows()) == ["a cat \\ud83d", "a red fox"]


@pytest.mark.parametrize("mode", ["skip", "replace", "append", "prepend"])
def test_captions_that_exist(pictures, tmp_path, mode):
    folder = tmp_path / "captions"
    folder.mkdir()
    name = SAMPLES[0].stem
    (folder / f"{name}.txt").write_text("mine\n")
    options = ("--sidecar", str(folder), "--sidecar-mode", mode)
    for _ in range(2):  # again, as after a kill between caption and row
        assert batch(pictures, tmp_path / "rows.jsonl", *options, "--restart") == 0
    prompt = rows_of(tmp_path / "rows.jsonl")[SAMPLES[0].name]["prompt"]
    wanted = {"skip": "mine", "replace": prompt, "append": f"mine, {prompt}", "prepend": f"{prompt}, mine"}
    assert (folder / f"{name}.txt").read_text("utf-8") == wanted[mode] + "\n"
    assert len(list(folder.iterdir())) == len(SAMPLES)


def test_a_caption_without_a_place_is_the_error_of_its_picture(pictures, tmp_path, capsys):
    first, second, third = (sample.stem for sample in SAMPLES[:3])
    (pictures / f"{first}.txt").mkdir()
    (pictures / f"{second}.txt").write_bytes(b"caf\xe9")
    out = tmp_path / "rows.jsonl"
    assert batch(pictures, out, "--sidecar", "--sidecar-mode", "append") == 3
    rows = rows_of(out)
    assert rows[SAMPLES[0].name]["error"] == f"A folder has the name of the caption, '{first}.txt': rename it."
    assert "is not UTF-8 text" in rows[SAMPLES[1].name]["error"]
    assert (pictures / f"{third}.txt").read_text("utf-8") == rows[SAMPLES[2].name]["prompt"] + "\n"
    assert len(rows) == len(SAMPLES)
    (pictures / f"{first}.txt").rmdir()
    assert batch(pictures, out, "--sidecar", "--sidecar-mode", "append", "--retry-failed") == 3
    assert rows_of(out)[SAMPLES[0].name]["error"] is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_caption_behind_a_link_is_the_error_of_its_picture(pictures, tmp_path):
    captions, elsewhere = tmp_path / "captions", tmp_path / "elsewhere"
    captions.mkdir()
    elsewhere.mkdir()
    (pictures / "deep").mkdir()
    shutil.copy(SAMPLES[0], pictures / "deep")
    (captions / "deep").symlink_to(elsewhere)
    assert batch(pictures, tmp_path / "rows.jsonl", "--recursive", "--sidecar", str(captions)) == 3
    failed = {key: row["error"] for key, row in rows_of(tmp_path / "rows.jsonl").items() if row["error"]}
    assert list(failed) == [f"deep/{SAMPLES[0].name}"]
    assert "through a link" in failed[f"deep/{SAMPLES[0].name}"]
    assert not list(elsewhere.iterdir())


def test_captions_escape_parentheses_if_asked(pictures, tmp_path):
    for flag, said in (((), "(a) "), (("--sidecar-escape",), "\\(a\\) ")):
        assert (
            batch(
                pictures,
                tmp_path / "r.jsonl",
                "--restart",
                "--prefix",
                "(a)",
                "--sidecar",
                str(tmp_path),
                *flag,
                "--sidecar-mode",
                "replace",
            )
            == 0
        )
        assert (tmp_path / f"{SAMPLES[0].stem}.txt").read_text("utf-8").startswith(said)
        assert rows_of(tmp_path / "r.jsonl")[SAMPLES[0].name]["escaped"].startswith("\\(a\\) ")


@pytest.mark.slow
def test_two_workers_find_the_same(pictures, tmp_path):
    assert batch(pictures, tmp_path / "one.jsonl") == 0
    assert batch(pictures, tmp_path / "two.jsonl", "--workers", "2") == 0
    one, two = (rows_of(tmp_path / name) for name in ("one.jsonl", "two.jsonl"))
    assert {key: row["prompt"] for key, row in one.items()} == {key: row["prompt"] for key, row in two.items()}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names, links and pipes")
def test_two_hundred_oddities(tmp_path):
    readable = draw_oddities(tmp_path / "odd")
    assert batch(tmp_path / "odd", tmp_path / "rows.jsonl", "--sidecar", str(tmp_path / "captions")) == 3
    rows = rows_of(tmp_path / "rows.jsonl")
    assert len(rows) == COUNT
    assert {name: rows[name]["error"] for name in readable} == dict.fromkeys(readable)
    broken = ("empty.png", "text.jpg", "bomb.png", "tiny.png", "broken link.png", "loop.png", "pipe.png", "nan.tif")
    assert all(rows[name]["error"] for name in broken)
    assert all(bool(row["prompt"]) != bool(row["error"]) for row in rows.values())
    assert all("\n" not in row["error"] for row in rows.values() if row["error"])

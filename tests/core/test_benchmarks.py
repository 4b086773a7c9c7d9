"""The benchmarks run and report what they should. No test here depends on a time."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch
from PIL import Image

from benchmarks import generator, painting, quality, readable, speed
from benchmarks.judges import known_styles
from benchmarks.judging import load_judges, with_words_of
from benchmarks.pictures import held_out, held_out_pictures, other_pictures
from benchmarks.random_models import random_clip
from benchmarks.written import WRITTEN
from pez_core.checks.measuring import extra_megabytes
from training.caption_topics import CAPTIONS
from training.world.captions import STYLE_WORDS

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture
def shallow(monkeypatch):
    monkeypatch.setattr(speed, "random_clip", lambda name: random_clip(name, text_layers=2))
    monkeypatch.setattr(speed, "COMPARED", 4)


def test_speed_compares_both_loops_step_by_step(shallow, monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        ["speed", "--models", "ViT-B-32", "--restarts", "1", "2", "--turns", "1", "--device", "cpu", "--json"],
    )
    speed.main()
    one, two = json.loads(capsys.readouterr().out)["rows"]
    assert one["same_steps"] == 4
    assert one["difference"] < 1e-4
    assert two["faster"] == pytest.approx(two["published_ms"] / two["ours_ms"] * 2)
    assert min(one[key] for key in ("published_ms", "ours_ms", "floor")) > 0


def test_a_loop_that_differs_is_seen(shallow, monkeypatch):
    plain = speed.PublishedLoop._similarity
    monkeypatch.setattr(speed.PublishedLoop, "_similarity", lambda *given: plain(*given) * 0.99 + 0.01)
    row = speed.measure("ViT-B-32", [1], CPU, "auto", 1)[0]
    assert row["difference"] > 1e-3


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_memory_of_a_large_tensor_is_noticed():
    assert extra_megabytes(lambda: torch.ones(64, 2**20), CPU) == pytest.approx(256, rel=0.2)


def test_paintings_of_a_picture_s_caption_are_closer_than_those_of_another_s(model):
    rows = [row for row in held_out_pictures() if row.style == "plain"][:4]
    table = readable.Table(rows, model, load_judges(), {}, paintings=2)
    captions = [row.caption for row in rows]
    table.row("captions", captions, 0.0)
    others = table.row("others", [*captions[1:], captions[0]], 0.0)
    for column in ("painted vit", "painted resnet", "painted"):
        assert others[f"{column} gain"] < -0.1
        assert column in table.head()
    assert len(table.line(others)) == len(table.head())


def test_the_closest_of_several_captions_is_that_of_the_picture(model):
    pictures, captions = (each[:4] for each in held_out("choose"))
    several = [[captions[(i + step) % 4] for step in (1, 0, 2)] for i in range(4)]
    assert readable.closest(model, pictures, several) == captions


def test_a_search_can_use_only_words_that_the_judges_were_trained_on(model):
    judges = load_judges()
    limited = with_words_of(model, judges)
    for judge in judges:
        lacking = ~judge.vocabulary.words & model.vocabulary.words
        assert lacking.any()  # names of styles
        assert not (lacking & limited.vocabulary.words).any()
    assert limited.vocabulary.words.sum() > 3000
    assert torch.equal(limited.encode_texts(["a red fox"]), model.encode_texts(["a red fox"]))


def run(benchmark: ModuleType, monkeypatch, capsys, *options: str) -> str:
    """What the benchmark prints; one short method."""
    few = replace(quality.METHODS["autoprompt"], steps=8, restarts=2)
    for name in ("autoprompt", quality.PLAIN):
        monkeypatch.setitem(quality.METHODS, name, few)
    monkeypatch.setattr(sys, "argv", [benchmark.__name__, "--methods", "autoprompt", *options])
    benchmark.main()
    return capsys.readouterr().out


def test_quality_can_exchange_the_searched_model_and_a_judge(monkeypatch, capsys):
    few = ("--pictures", "12", "--json")
    plain, exchanged, other = (
        json.loads(run(quality, monkeypatch, capsys, *few, *more))
        for more in ((), ("--exchange",), ("--exchange", "resnet"))
    )
    assert (plain["model"], plain["judges"]) == ("embedded", ["vit", "resnet"])
    assert (exchanged["model"], exchanged["judges"]) == ("vit", ["embedded"])
    assert (other["model"], other["judges"]) == ("resnet", ["embedded"])
    for said in (plain, exchanged, other):  # the searched model likes the prompts better than the others do
        (row,) = said["rows"]
        assert row["similarity"] > max(row[judge] for judge in said["judges"])


def test_the_exchange_is_for_the_own_models_only(monkeypatch, capsys, tmp_path):
    for options, told in (
        (("--exchange", "--images", str(tmp_path)), "omit --model and --images"),
        (("--exchange", "nobody"), "there is no judge 'nobody': choose one of vit, resnet"),
    ):
        with pytest.raises(SystemExit):
            run(quality, monkeypatch, capsys, *options)
        assert told in capsys.readouterr().err


class Mirror:
    """A painter that paints a picture's caption as that picture, and everything else as black."""

    def __init__(self, drawings: str):
        pictures, captions = held_out("report", drawings)
        self._known = dict(zip(captions, pictures, strict=True))

    def __call__(self, texts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        return [self._known.get(text, Image.new("RGB", (64, 64))) for text in texts]


@pytest.mark.parametrize("drawings", ["trained", "twemoji"])
def test_painting_finds_what_is_painted_right(monkeypatch, capsys, drawings):
    monkeypatch.setattr(painting, "embedded", lambda device: Mirror(drawings))
    said = json.loads(
        run(painting, monkeypatch, capsys, "--tables", drawings, "--pictures", "8", "--paintings", "2", "--json")
    )
    caption, method = said[drawings]["rows"]
    assert caption["method"] == painting.CAPTION
    for judge in said["judges"]:
        assert caption[f"painted, {judge}"] == pytest.approx(1, abs=1e-4)
        assert method[f"painted, {judge}"] < 0.9
    assert (caption["rank"], caption["first painted"]) == (1, 1)
    assert method["rank"] > 1
    assert (caption["words"], method["pictures"]) == (1, 8)
    for overall, within in said[drawings]["correlations"].values():
        assert -1 <= min(overall, within) <= max(overall, within) <= 1


def test_gains_are_over_plain_pez_of_the_same_pictures(monkeypatch, capsys):
    monkeypatch.setattr(painting, "embedded", lambda device: Mirror("trained"))
    options = (quality.PLAIN, "--tables", "trained", "--pictures", "4", "--paintings", "1", "--json")
    plain, *others = json.loads(run(painting, monkeypatch, capsys, *options))["trained"]["rows"]
    assert plain["method"] == quality.PLAIN
    assert "painted, vit gain" not in plain
    for row in others:
        assert row["painted, vit gain"] == pytest.approx(row["painted, vit"] - plain["painted, vit"])


def test_correlations_are_between_text_and_painting():
    judges = [SimpleNamespace(name="one"), SimpleNamespace(name="two")]

    def row(told: float, judged: float, painted: float) -> dict[str, float]:
        return {"similarity": told, "one": judged, "two": judged, "painted, one": painted, "painted, two": painted}

    # Two methods, two pictures. The searched model prefers the picture that is painted worse, but the better prompt.
    tables = [[row(0.9, 0.1, 0.1), row(0.1, 0.5, 0.8)], [row(1.0, 0.2, 0.2), row(0.2, 0.6, 0.9)]]
    found = painting.correlations(judges, tables)
    assert found["searched model"][0] < -0.9
    assert found["searched model"][1] == pytest.approx(1)
    assert found["judge itself"][0] > 0.9


def test_judges_are_asked_about_the_styles_that_they_know(model):
    judges = load_judges()
    pictures = quality.Pictures.held_out("report", "trained", judges).first(12)
    assert pictures.captions
    assert pictures.styles
    rows = painting.painted_measures(pictures, Mirror("trained"), 1, pictures.captions)
    for i, (row, style) in enumerate(zip(rows, pictures.styles, strict=True)):
        known = [painting.painted_by(judge) for judge in judges if style in known_styles(judge.name)]
        assert [key for key in row if key.startswith("painted, ")] == known
        assert row["painted"] == pytest.approx(statistics.mean(row[key] for key in known)), i
    assert {len(row) for row in rows} == {4, 5}  # some are known to one, some to both


def test_styles_are_named_by_the_judges_that_know_them(monkeypatch, capsys):
    def of_real_pictures(texts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        """Paints a text with the words of a style as a real picture in that style, everything else in black."""
        shown = []
        for text in texts:
            thing, _, after = text.partition(", ")
            styles = [each for each, (_, words) in STYLE_WORDS.items() if after and after in words]
            real = [row.picture for style in styles for row in other_pictures()[style] if f"a {row.thing}" == thing]
            shown.append(real[0] if real else Image.new("RGB", (64, 64)))
        return shown

    monkeypatch.setattr(painting, "embedded", lambda device: of_real_pictures)
    said = json.loads(run(painting, monkeypatch, capsys, "--tables", "style", "--paintings", "1", "--json"))
    real, without, in_words, method = said["style"]
    assert [row["method"] for row in said["style"]] == [
        painting.REAL,
        painting.NO_STYLE,
        painting.IN_WORDS,
        "autoprompt",
    ]
    assert in_words["all"] == real["all"] > 0.8  # what it painted were the real pictures
    assert without["all"] < 0.5
    assert method["all"] < 0.5


def test_a_painter_that_is_not_known_is_said(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(painting, monkeypatch, capsys, "--painter", "dall-e")
    assert "--painter is embedded or comfyui:FILE.json, not 'dall-e'" in capsys.readouterr().err


def test_the_generator_s_choice_goes_on_with_what_was_measured(tmp_path, monkeypatch, capsys):
    file = tmp_path / "rows.jsonl"
    options = ["--noises", "2", "--candidates", "2", "--paintings", "1", "--device", "cpu", "--rows", str(file)]

    def told(*more: str) -> dict:
        monkeypatch.setattr(sys, "argv", ["generator", *options, "--json", *more])
        generator.main()
        return json.loads(capsys.readouterr().out)

    monkeypatch.setattr(generator, "InversionConfig", lambda seed: quality.InversionConfig.preset("fast", seed=seed))
    first = told("--first", "2")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [row["picture"] for row in rows] == [0, 1]
    clip, *others = first["tables"][generator.ALL]
    assert clip["painted"] == pytest.approx(sum(row["painted"][generator.CLIP]["judges"] for row in rows) / 2)
    assert (clip["gain"], clip["alike"]) == (0, 1)
    for line in others:
        assert line["gain"] == pytest.approx(line["painted"] - clip["painted"])
    measured = generator.Bench.measure
    asked = []
    monkeypatch.setattr(generator.Bench, "measure", lambda self, i, held: asked.append(i) or measured(self, i, held))
    assert told("--first", "2")["tables"] == first["tables"]
    told("--first", "3")
    assert asked == [2]
    with pytest.raises(SystemExit):
        told("--first", "2", "--noises", "3")
    assert "measured with --noises 2" in capsys.readouterr().err


def test_the_written_captions_are_none_that_training_text_is_made_from():
    def parts(texts: Sequence[str]) -> set[tuple[str, ...]]:
        words = [text.lower().rstrip(".").split() for text in texts]
        return {tuple(each[i : i + 5]) for each in words for i in range(len(each) - 4)}

    assert len(set(WRITTEN)) == 40
    assert not parts(WRITTEN) & parts([caption for _, caption in CAPTIONS])

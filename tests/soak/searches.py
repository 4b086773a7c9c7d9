"""Small searches of every kind, each named by a number: the same number is the same search, in any process.

    python -m tests.soak.searches NUMBER...

prints what these come to, as JSON.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pez_core import (
    ClassifierConfig,
    ClipModel,
    InversionConfig,
    InversionResult,
    LabelTask,
    PezError,
    PictureSource,
    Target,
    TextSource,
    classify,
    distill,
    invert,
    invert_all,
    learn_classifier,
    load_model,
    make_target,
    paint,
    read_examples,
    score,
)
from pez_core.cli import main
from pez_core.models.caption_model import embedded_caption_model
from pez_core.models.presets import EMBEDDED_FOLDER
from pez_core.search import METHODS

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))
TINY = InversionConfig(steps=4, restarts=2, length=4, explore=2, patience=None)
TEXTS = (
    "a red bird on a blue ground",
    "two green trees under the moon",
    "a yellow taxi at night",
    "an old wooden house",
)


class Enough(Exception):
    """What a program may raise in the middle of a search."""


def tiny(number: int, **settings: Any) -> InversionConfig:
    return replace(TINY, seed=number, **settings)


def picture(number: int) -> Path:
    return SAMPLES[number % len(SAMPLES)]


def target_of(model: ClipModel, number: int) -> Target:
    return make_target(model, [PictureSource.of(picture(number))])


def said(result: InversionResult) -> list[Any]:
    return [result.prompt, round(result.similarity, 6), result.steps, result.stopped]


def one_picture(model: ClipModel, number: int) -> Any:
    return said(invert(model, target_of(model, number), tiny(number)))


def method(model: ClipModel, number: int) -> Any:
    name = [*METHODS][number // len(KINDS) % len(METHODS)]
    return said(invert(model, target_of(model, number), tiny(number, method=name)))


def several_pictures(model: ClipModel, number: int) -> Any:
    files = [picture(number + i) for i in range(3)]
    return said(invert(model, make_target(model, [PictureSource.of(files)]), tiny(number)))


def side_by_side(model: ClipModel, number: int) -> Any:
    return [said(each) for each in invert_all(model, [target_of(model, number + i) for i in range(2)], tiny(number))]


def text_target(model: ClipModel, number: int) -> Any:
    sources = [TextSource(TEXTS[number % len(TEXTS)]), TextSource("blurry", -0.3)]
    return said(invert(model, make_target(model, sources), tiny(number)))


def bans_and_keeps(model: ClipModel, number: int) -> Any:
    words = tiny(number, prefix="a photo of", suffix="at night", banned=("penguin", "bl*"), keep=("red",))
    return said(invert(model, target_of(model, number), words))


def readable(model: ClipModel, number: int) -> Any:
    return said(invert(model, target_of(model, number), tiny(number, readability=0.5)))


def distilled(model: ClipModel, number: int) -> Any:
    return said(distill(model, f"{TEXTS[number % len(TEXTS)]}, {TEXTS[0]}", 0.4, config=tiny(number)))


def classifier(model: ClipModel, number: int) -> Any:
    language = embedded_caption_model()
    examples = read_examples(EMBEDDED_FOLDER / "samples" / "moods.csv")
    train, held_out, test = examples.split(12, 8, 4, seed=number)
    task = LabelTask.of(examples.names, ["happy", "sad"], suffix=" feeling")
    learned = learn_classifier(language, task, train, held_out, ClassifierConfig(steps=2, length=3, seed=number))
    return [learned.prompt, round(learned.accuracy, 6), classify(language, task, learned.prompt, list(test.texts)[:2])]


def painting(model: ClipModel, number: int) -> Any:
    (painted,) = paint([TEXTS[number % len(TEXTS)]], seed=number, steps=2)
    return painted.tobytes()[::64].hex()


def scores(model: ClipModel, number: int) -> Any:
    return [round(each.similarity, 6) for each in score(model, [*TEXTS, f"{number} cats"], target_of(model, number))]


def another_model(model: ClipModel, number: int) -> Any:
    """Loads one, searches with it, and lets go of it."""
    other = load_model()
    return said(invert(other, target_of(other, number), tiny(number)))


def stopped(model: ClipModel, number: int) -> Any:
    """Only how it ended: on a slow machine it is asked sooner."""
    return invert(model, target_of(model, number), tiny(number, steps=1000), on_progress=lambda _: True).stopped


def broken_off(model: ClipModel, number: int) -> Any:
    """Ends with an error of the program's own; and with each of ours in turn."""

    def refuse(_: Any) -> None:
        raise Enough

    with suppress(Enough):
        invert(model, target_of(model, number), tiny(number, steps=1000), on_progress=refuse)
    wrong: list[Callable[[], Any]] = [
        lambda: invert(model, target_of(model, number), tiny(number, prefix="cat " * 80)),
        lambda: make_target(model, [PictureSource.of(__file__)]),
        lambda: load_model("ViT-B-23/openai"),
        lambda: invert(model, target_of(model, number), tiny(number), accept=lambda _: False),
        lambda: load_model("ViT-B-32", __file__),
    ]
    try:
        wrong[number // len(KINDS) % len(wrong)]()
    except PezError as error:
        return str(error).replace(str(ROOT), "")
    raise AssertionError("nothing was refused")


def command(model: ClipModel, number: int) -> Any:
    """The command line, with the plot of a run and a batch."""
    out, told = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(out), redirect_stderr(told):
        plot, rows = Path(folder, "run.png"), Path(folder, "rows.jsonl")
        some = ["--steps", "4", "--restarts", "2", "--length", "4", "--seed", str(number)]
        assert main(["invert", str(picture(number)), *some, "--plot", str(plot), "--json"]) == 0
        prompt = json.loads(out.getvalue())["prompt"]
        assert plot.is_file()
        listed = Path(folder, "list.csv")
        listed.write_text("\n".join(["path", str(picture(number)), __file__]))
        assert main(["batch", str(listed), "--out", str(rows), *some]) == 3  # one of them is no picture
        lines = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
        return [prompt, [line.get("prompt") for line in lines]]


KINDS: tuple[Callable[[ClipModel, int], Any], ...] = (
    *(one_picture, method, several_pictures, side_by_side, text_target, bans_and_keeps, readable, distilled),
    *(classifier, painting, scores, another_model, stopped, broken_off, command),
)


@lru_cache(maxsize=1)
def own_model() -> ClipModel:
    """The one that this process's searches share."""
    return load_model()


def outcome(number: int, model: ClipModel | None = None) -> Any:
    """What search `number` comes to, as plain values."""
    found = KINDS[number % len(KINDS)](model or own_model(), number)
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    print(json.dumps([outcome(int(number)) for number in sys.argv[1:]]))

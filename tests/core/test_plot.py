"""The picture of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pez_core import Candidate, InversionResult, PezError, Token
from pez_core.plot.run import plot_run, save_plot


def result_of(prompt: str, *words: tuple[str, float]) -> InversionResult:
    tokens, end = [], 0
    for word, contribution in words:
        start = prompt.index(word, end)
        end = start + len(word)
        tokens.append(Token(word, contribution, start, end))
    return InversionResult((Candidate(prompt, 0.5),), tuple(tokens), (0.1, 0.5), 2, 4, 0.1, 0, "embedded", "steps")


class Drawn:
    """What is written on a plot, and the shades under it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.texts: list[tuple[float, float, str]] = []
        self.grounds: list[tuple[tuple[float, ...], str]] = []
        text, ground = ImageDraw.ImageDraw.text, ImageDraw.ImageDraw.rounded_rectangle

        def write(draw, place, what, *more, **settings):
            self.texts.append((place[1], place[0], what))
            text(draw, place, what, *more, **settings)

        def shade(draw, box, *more, fill, **settings):
            self.grounds.append((tuple(box), fill))
            ground(draw, box, *more, fill=fill, **settings)

        monkeypatch.setattr(ImageDraw.ImageDraw, "text", write)
        monkeypatch.setattr(ImageDraw.ImageDraw, "rounded_rectangle", shade)

    def lines(self) -> list[str]:
        """The lines of the prompt, which stands below the chart and above the last line."""
        below = sorted(each for each in self.texts if 880 <= each[0] < 1130)
        return ["".join(text for y, _, text in below if y == line) for line in sorted({y for y, _, _ in below})]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a (blue) bird :", [("(", 0.1), ("blue", 0.2), (")", 0), ("bird", 0.3)]),
        ("penguinlike, oil-painting", [("penguin", 0.4), ("like", -0.1), (",", 0.0), ("oil", 0.1), ("painting", 0.2)]),
        ("no token is known", []),
    ],
)
def test_the_prompt_is_drawn_as_it_is_written(monkeypatch, prompt, words):
    drawn = Drawn(monkeypatch)
    plot_run(result_of(prompt, *words), [])
    assert drawn.lines() == [prompt]


def test_a_token_is_shaded_by_what_it_contributes(monkeypatch):
    drawn = Drawn(monkeypatch)
    plot_run(result_of("penguinlike (bird)", ("penguin", 0.4), ("like", 0.1), ("bird", -0.2)), [])
    places = {text: x for y, x, text in drawn.texts if y == min(y for y, _, t in drawn.texts if t == "penguin")}
    assert [box[0] for box, _ in drawn.grounds] == [places["penguin"], places["like"]]
    strong, weak = (sum(bytes.fromhex(fill[1:])) for _, fill in drawn.grounds)
    assert strong < weak < 3 * 255  # darker, and not white


@pytest.mark.parametrize("prompt", [" ".join(["mountains"] * 75), "x" * 300, "a " + "wide" * 100 + " word"])
def test_a_long_prompt_is_drawn_whole_on_several_lines(monkeypatch, prompt):
    drawn = Drawn(monkeypatch)
    plot_run(result_of(prompt, *((word, 0.1) for word in prompt.split())), [])
    lines = drawn.lines()
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == prompt.replace(" ", "")
    if "wide" not in prompt and " " in prompt:
        assert " ".join(lines) == prompt  # broken at spaces


def test_the_chart_says_whose_numbers_it_shows(monkeypatch):
    drawn = Drawn(monkeypatch)
    plot_run(result_of("bird", ("bird", 0.1)), [Image.new("RGB", (30, 20), "red")])
    assert "Best similarity by step (the search's estimate)" in [text for _, _, text in drawn.texts]


def test_paintings_stand_right_of_the_chart(monkeypatch):
    drawn = Drawn(monkeypatch)
    plot = plot_run(
        result_of("bird", ("bird", 0.1)), [Image.new("RGB", (8, 8), "red")], [Image.new("RGB", (8, 8), "lime")]
    )
    assert plot.size == (1600, 600)
    assert plot.getpixel((200, 200)) == (255, 0, 0)
    assert plot.getpixel((1380, 240)) == (0, 255, 0)
    assert "Painted from the prompt" in [text for *_, text in drawn.texts]
    assert plot_run(result_of("bird", ("bird", 0.1)), []).size == (1200, 600)


def test_two_that_write_the_same_plot_do_not_meet(monkeypatch, tmp_path):
    plot, own = tmp_path / "run.png", tmp_path / "run.png.part"
    own.write_text("of the user's")
    save, first = Image.Image.save, [True]

    def save_and_let_another_in(image, file, **settings):
        save(image, file, **settings)
        if first.pop():
            first.append(False)
            save_plot(result_of("another"), [], plot)

    monkeypatch.setattr(Image.Image, "save", save_and_let_another_in)
    save_plot(result_of("bird"), [], plot)
    assert own.read_text() == "of the user's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.png", "run.png.part"]
    with Image.open(plot) as picture:
        assert picture.size == (1200, 600)


def test_a_plot_is_written_whole_or_not_at_all(tmp_path: Path):
    plot = tmp_path / "run.png"
    plot.mkdir()
    with pytest.raises(PezError, match=r"The plot '.*run\.png' cannot be written: "):
        save_plot(result_of("bird"), [], plot)
    assert list(tmp_path.iterdir()) == [plot]

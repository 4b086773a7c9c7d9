"""What prompts paint: paintings of each method's prompts, compared with the original pictures by the judges.

    python -m benchmarks.painting [--tables trained twemoji style] [--methods NAME ...] [--pictures 128]
                                  [--half choose|report] [--json]
    python -m benchmarks.painting --painter comfyui:WORKFLOW.json --text TITLE --picture TITLE [--api ADDRESS]

Each method searches a prompt for each held-out picture with the embedded model. Each prompt, and the picture's true caption, is
painted --paintings times, with the same seeds for all. A judge's number is the mean cosine similarity of the paintings to the
original picture; no judge has taken part in a search, and each is asked only about pictures in styles that it was trained on.
`painted` is the mean over the judges that know the picture's style. `rank` is the place of the original among all pictures of the
table, by that similarity (1 is best, mean over judges and pictures), `first` the share at place 1.

The table `twemoji` repeats this with drawings that no model was trained on. The table `style` searches a prompt for
four pictures of different things in one style, paints "a THING, PROMPT" for other things, and counts how often a judge
that knows the style names it right, among the styles that it knows. Its first row is what the judges say of real
pictures of those things in the style, the next two paint the things with no style and with the style's own words.

With --painter, a generator in a running ComfyUI paints instead: a workflow exported with Export (API), the title of its
node with the prompt, and the title of its node that shows the picture.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchmarks.judges import known_styles
from benchmarks.judging import load_judges
from benchmarks.painters import ComfyUI, Paint, embedded, features_of_paintings
from benchmarks.pictures import other_pictures, style_pictures
from benchmarks.quality import CROPPED, METHODS, PLAIN, Pictures, header, line, summary
from pez_core import ClipModel, InversionConfig, PezError, PictureSource, invert, invert_all, load_model
from pez_core.checks.measuring import machine
from pez_core.targets.sources import make_target
from training.world.captions import STYLE_WORDS

CAPTION = "true caption"
NO_STYLE, IN_WORDS, REAL = "no style words", "style in words", "real pictures"
STYLE = "style"
PAINTED = "painted"
TABLES = ("trained", "twemoji", STYLE)
SIDE_BY_SIDE = 25  # pictures searched at once
ADDRESS = "127.0.0.1:8188"


def painted_measures(pictures: Pictures, paint: Paint, count: int, prompts: Sequence[str]) -> list[dict[str, float]]:
    """How well `count` paintings of each picture's prompt match the picture, by each judge that knows it, and its rank among all
    pictures; then the means over those judges."""
    told: list[list[dict[str, float]]] = [[] for _ in prompts]
    made = features_of_paintings(paint, count, prompts, pictures.judges)
    for judge, originals, features in zip(pictures.judges, pictures.judged, made, strict=True):
        seen: Tensor = features @ originals.T
        for i, each in enumerate(told):
            if pictures.knows(judge, i):
                rank = 1.0 + (seen[i] > seen[i, i]).sum().item()
                painted = seen[i, i].item()
                each.append({painted_by(judge): painted, PAINTED: painted, "rank": rank, "first painted": rank == 1})
    rows: list[dict[str, float]] = []
    for each in told:
        rows.append({key: value for said in each for key, value in said.items() if key.startswith(f"{PAINTED},")})
        for key in (PAINTED, "rank", "first painted") if each else ():
            rows[-1][key] = statistics.mean(said[key] for said in each)
    return rows


def painted_by(judge: ClipModel) -> str:
    """The key of a judge's similarity between paintings and pictures."""
    return f"{PAINTED}, {judge.name}"


def search(model: ClipModel, pictures: Pictures, config: InversionConfig, cropped: bool) -> list[dict[str, Any]]:
    """The prompt of each picture with the passes and seconds it took; searched side by side where that is possible."""
    targets, rows = pictures.targets(model, cropped), []
    alone = config.start == "words"  # each search has words of its own
    for start in range(0, len(targets), 1 if alone else SIDE_BY_SIDE):
        begun = time.perf_counter()
        if alone:
            results = [invert(model, targets[start], replace(config, words=pictures.words(config, start)))]
        else:
            results = invert_all(model, targets[start : start + SIDE_BY_SIDE], config)
        seconds = (time.perf_counter() - begun) / len(results)
        rows += [{"prompt": result.prompt, "passes": result.passes, "seconds": seconds} for result in results]
    return rows


def methods_table(
    model: ClipModel, pictures: Pictures, paint: Paint, count: int, methods: Sequence[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """For the true caption and each method: a row for each picture, with its prompt and all measures."""
    assert pictures.captions
    for name in sorted((CAPTION, *methods), key=lambda name: name != PLAIN):  # what gains are over comes first
        if name == CAPTION:
            rows = [{"prompt": caption} for caption in pictures.captions]
        else:
            rows = search(model, pictures, METHODS[name], name == CROPPED)
        prompts = [row["prompt"] for row in rows]
        both = (pictures.measures(model, prompts), painted_measures(pictures, paint, count, prompts))
        yield name, [{**row, **told, **shown} for row, told, shown in zip(rows, *both, strict=True)]


def table_columns(judges: Sequence[ClipModel]) -> list[tuple[str, str, str]]:
    """The columns of the tables of methods: key, head and format."""
    made = [("seconds", "seconds", "8.2f"), ("similarity", "similarity", "11.4f"), ("words", "words", "7.3f")]
    for judge in judges:
        made += [(judge.name, f"{judge.name}", "10.4f"), (f"{judge.name} first", "first", "7.3f")]
    for key in (*map(painted_by, judges), PAINTED):
        made += [(key, key, f"{len(key) + 2}.4f")]
        made += [(f"{key} gain", "gain", "+9.4f"), (f"{key} error", "error", "8.4f")]
    return [*made, ("rank", "rank", "7.1f"), ("first painted", "first", "7.3f")]


def correlations(judges: Sequence[ClipModel], tables: Sequence[list[dict[str, Any]]]) -> dict[str, tuple[float, float]]:
    """How similarity of text and picture goes with similarity of painting and picture in a judge: means of the judges.

    tables: for each method a row for each picture. Returns for the searched model and for the judge itself: the correlation
    over all prompts, and over the prompts of the same picture (each picture's mean taken away).
    """

    def numbers(tables: Sequence[list[dict[str, Any]]], key: str) -> Tensor:
        return torch.tensor([[row[key] for row in rows] for rows in tables], dtype=torch.float64)  # [methods, pictures]

    found: dict[str, list[tuple[float, float]]] = {"searched model": [], "judge itself": []}
    for judge in judges:
        known = [[row for row in rows if painted_by(judge) in row] for rows in tables]
        if len(known[0]) < 2:
            continue
        shown = numbers(known, painted_by(judge))
        for name, key in zip(found, ("similarity", judge.name), strict=True):
            told = numbers(known, key)
            within = [value - value.mean(0) for value in (told, shown)]
            found[name].append((correlation(told, shown), correlation(*within)))
    return {
        name: (statistics.mean(overall for overall, _ in each), statistics.mean(within for _, within in each))
        for name, each in found.items()
        if each
    }


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's correlation of two tensors of the same shape; 0 where one of them is constant."""
    both = torch.stack([one.flatten(), other.flatten()])
    return torch.nan_to_num(torch.corrcoef(both))[0, 1].item()


def style_table(
    model: ClipModel, judges: Sequence[ClipModel], paint: Paint, count: int, methods: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """For each row the share of paintings whose style each judge names right, and that of the judges together."""
    targets, others = style_pictures(), other_pictures()
    for name in (REAL, NO_STYLE, IN_WORDS, *methods):
        right: dict[str, list[float]] = {judge.name: [] for judge in judges}  # by judge, for each style that it knows
        for style, real in others.items():
            things = [f"a {row.thing}" for row in real]
            if name == REAL:
                shown = [row.picture for row in real]
            else:
                after = _style_prompt(model, name, style, [row.picture for row in targets[style]])
                texts = [f"{thing}, {after}" if after else thing for thing in things for _ in range(count)]
                shown = paint(texts, [*range(count)] * len(things))
                things = [thing for thing in things for _ in range(count)]
            for judge in judges:
                if style in known_styles(judge.name):
                    right[judge.name].append(_named_right(judge, style, things, shown))
        row: dict[str, Any] = {"method": name}
        row |= {judge: statistics.mean(shares) for judge, shares in right.items()}
        yield row | {"all": statistics.mean(share for shares in right.values() for share in shares)}


def _style_prompt(model: ClipModel, name: str, style: str, pictures: Sequence[Image.Image]) -> str:
    if name in (NO_STYLE, IN_WORDS):
        return next((word for word in STYLE_WORDS[style][1] if word), "") if name == IN_WORDS else ""
    source = PictureSource(tuple(pictures), crops=name == CROPPED, flips=name == CROPPED)
    return invert(model, make_target(model, [source]), METHODS[name]).prompt


def _named_right(judge: ClipModel, style: str, things: Sequence[str], shown: Sequence[Image.Image]) -> float:
    """The share of the pictures, each of one of the things, whose style the judge names right among those that it knows."""
    known = known_styles(judge.name)
    told = {
        thing: judge.encode_texts([f"{STYLE_WORDS[each][0][0]} {thing}".strip() for each in known])
        for thing in set(things)
    }
    features = judge.encode_images(shown)
    named = [known[(told[thing] @ each).argmax().item()] for thing, each in zip(things, features, strict=True)]
    return named.count(style) / len(named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES, metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--pictures", type=int, default=128, metavar="N", help="at most this many (default: 128)")
    parser.add_argument(
        "--half", choices=("choose", "report"), default="report", help="the one to choose settings with, or the other"
    )
    parser.add_argument("--paintings", type=int, default=4, metavar="N", help="of each prompt (default: 4)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--painter", default="embedded", metavar="comfyui:FILE", help="default: embedded")
    parser.add_argument("--api", default=ADDRESS, metavar="ADDRESS", help="of ComfyUI (default: %(default)s)")
    parser.add_argument("--text", default="Prompt", metavar="TITLE", help="of the node with the prompt")
    parser.add_argument("--picture", default="Picture", metavar="TITLE", help="of the node that shows the picture")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.pictures < 2:
        parser.error(f"--pictures must be at least 2, not {given.pictures}")
    try:
        run(given)
    except PezError as error:
        parser.error(str(error))


def run(given: argparse.Namespace) -> None:
    """Prints the tables that were asked for."""
    kind, _, file = given.painter.partition(":")
    if kind not in ("embedded", "comfyui") or bool(file) != (kind == "comfyui"):
        raise PezError(f"--painter is embedded or comfyui:FILE.json, not {given.painter!r}.")
    paint = ComfyUI(Path(file), given.api, given.text, given.picture) if file else embedded(given.device)
    model, judges = load_model(device=given.device), load_judges(given.device)
    methods = sorted(given.methods, key=lambda name: (name != PLAIN, list(METHODS).index(name)))
    about = {"machine": machine(model.device), "painter": given.painter, "judges": [judge.name for judge in judges]}
    told: dict[str, Any] = {}
    if not given.json:
        print("; ".join([about["machine"], f"painter {given.painter}", f"judges {', '.join(about['judges'])}"]))
    for table in given.tables:
        if table == STYLE:
            own = [name for name in methods if METHODS[name].start != "words"]
            told[table] = _style(style_table(model, judges, paint, given.paintings, own), judges, given.json)
        else:
            pictures = Pictures.held_out(given.half, table, judges).first(given.pictures)
            made = methods_table(model, pictures, paint, given.paintings, methods)
            told[table] = _methods(table, made, judges, given.json)
    if given.json:
        print(json.dumps({**about, **told}, indent=2))


def _methods(
    table: str, made: Iterator[tuple[str, list[dict[str, Any]]]], judges: Sequence[ClipModel], quiet: bool
) -> dict[str, Any]:
    """Prints a table of methods as it grows, then the correlations; returns both."""
    shown = table_columns(judges)
    compared = [*map(painted_by, judges), PAINTED]
    found: dict[str, list[dict[str, Any]]] = {}
    lines = []
    for name, rows in made:
        if not quiet and not found:
            print(f"\n{table}, {len(rows)} pictures", header(shown), sep="\n", flush=True)
        found[name] = rows
        plain = found.get(PLAIN) if name != PLAIN else None
        lines.append(summary(name, rows, plain, compared))
        if not quiet:
            print(line(lines[-1], shown), flush=True)
    related = correlations(judges, list(found.values()))
    if not quiet:
        print(f"correlation with painted similarity, over {len(found)} prompts for each picture")
        for name, (overall, within) in related.items():
            print(f"{name:16}{overall:8.3f} over all prompts, {within:.3f} over those of the same picture")
    return {"rows": lines, "correlations": related}


def _style(made: Iterator[dict[str, Any]], judges: Sequence[ClipModel], quiet: bool) -> list[dict[str, Any]]:
    """Prints the table of styles as it grows; returns it."""
    shown = [(name, name, "9.3f") for name in (*(judge.name for judge in judges), "all")]
    lines = []
    for row in made:
        if not quiet and not lines:
            print("\nstyle named right", header(shown), sep="\n", flush=True)
        lines.append(row)
        if not quiet:
            print(line(row, shown), flush=True)
    return lines


if __name__ == "__main__":
    main()

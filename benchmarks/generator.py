"""Does a generator choose better prompts than CLIP? Paintings of what each chose, compared with the original pictures.

    python -m benchmarks.generator [--first 100] [--rows FILE.jsonl] [--noises 8] [--candidates 8] [--paintings 4] [--json]

For each held-out picture of the half with which no setting was chosen, a search with the embedded model finds candidates. CLIP
chooses the one that is most similar to the picture, the embedded painter the one under which it denoises the picture best. Those,
one candidate at random and the true caption are painted --paintings times, with the same seeds for all. A row is the mean cosine
similarity of the paintings to the original picture, by judges that took part in no search, each on the pictures in styles that
it knows; gains over CLIP's choice and over the random candidate are paired, picture by picture. `alike`: the share of pictures for which
the choice is CLIP's own. `generator's, caption given`: its choice between its best candidate and the caption.

--rows keeps what has been measured, so that a run which was ended goes on, and a larger --first adds to a smaller one.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.comparing import knows, paired_gain
from benchmarks.judging import load_judges
from benchmarks.pictures import HeldOut, held_out_pictures
from pez_core import Choice, ClipModel, InversionConfig, PezError, Target, choose, invert, load_model
from pez_core.checks.measuring import machine
from pez_core.models.painter import load_painter
from pez_core.models.painter_generator import PainterGenerator
from pez_core.painting import GUIDANCE, STEPS

CLIP, GENERATOR, RANDOM, CAPTION = "CLIP's choice", "generator's choice", "random candidate", "true caption"
BOTH = "generator's, caption given"
CHOOSERS = (CLIP, GENERATOR, RANDOM, BOTH, CAPTION)
ALL = "judges"  # the mean of those that know the picture's style
ABOUT = ("noises", "candidates", "paintings")  # settings that the rows of a file share


class Bench:
    """The searched model, the painter and the judges."""

    def __init__(self, device: str, given: argparse.Namespace):
        self.model = load_model(device=device)
        self.painter = load_painter(device=device, model=self.model)
        self.painter.together = len(CHOOSERS) * given.paintings
        self.judges = load_judges(device)
        self._given = given

    def measure(self, number: int, held: HeldOut) -> dict[str, Any]:
        """Everything about one picture: what each chose, what its paintings are like, what it took."""
        begun = time.perf_counter()
        result = invert(self.model, Target.from_images(self.model, [held.picture]), InversionConfig(seed=number))
        searched = time.perf_counter() - begun
        candidates = [each.text for each in result.candidates[: self._given.candidates]]
        choice = self._choose(candidates, number, held)
        chosen = {
            CLIP: candidates[0],
            GENERATOR: choice.best.prompt,
            BOTH: self._choose([choice.best.prompt, held.caption], number, held).best.prompt,
            RANDOM: random.Random(number).choice(candidates),  # noqa: S311 - no secret
            CAPTION: held.caption,
        }
        begun = time.perf_counter()
        painted = self._painted(held, list(dict.fromkeys(chosen.values())))
        return {
            **{name: getattr(self._given, name) for name in ABOUT},
            "picture": number,
            "prompts": chosen,
            "painted": {name: painted[prompt] for name, prompt in chosen.items()},
            "resolved": choice.first_given.resolved,
            "search passes": result.passes,
            "search seconds": searched,
            "passes": choice.passes,
            "seconds": choice.seconds,
            "painting seconds": time.perf_counter() - begun,
        }

    def _choose(self, prompts: Sequence[str], number: int, held: HeldOut) -> Choice:
        return choose(PainterGenerator(self.painter), prompts, [held.picture], self._given.noises, number)

    def _painted(self, held: HeldOut, prompts: list[str]) -> dict[str, dict[str, float]]:
        """For each prompt and judge the mean similarity of its paintings to the picture."""
        count = self._given.paintings
        texts = [prompt for prompt in prompts for _ in range(count)]
        seeds = [*range(count)] * len(prompts)
        pictures = self.painter.paint(texts, seeds, STEPS, GUIDANCE)
        found: dict[str, dict[str, float]] = {prompt: {} for prompt in prompts}
        shown = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures]
        for judge in self._knowing(held):
            seen = judge.encode_images(shown) @ judge.encode_images([held.picture])[0]
            for prompt, value in zip(prompts, seen.unflatten(0, (len(prompts), count)).mean(1).tolist(), strict=True):
                found[prompt][judge.name] = value
        for values in found.values():
            values[ALL] = statistics.mean(values.values())
        return found

    def _knowing(self, held: HeldOut) -> list[ClipModel]:
        return [judge for judge in self.judges if knows(judge.name, held.style)]


def summary(rows: Sequence[dict[str, Any]], judge: str) -> list[dict[str, Any]]:
    """For each chooser, over the pictures that the judge knows: painted similarity, its gains and their errors."""
    known = [row for row in rows if judge in row["painted"][CLIP]]
    values = {name: [row["painted"][name][judge] for row in known] for name in CHOOSERS}
    made = []
    for chooser in CHOOSERS:
        line = {"chooser": chooser, "pictures": len(known), "painted": statistics.mean(values[chooser])}
        line["gain"], line["error"] = paired_gain(values[chooser], values[CLIP])
        line["over random"], line["its error"] = paired_gain(values[chooser], values[RANDOM])
        line["alike"] = statistics.mean(row["prompts"][chooser] == row["prompts"][CLIP] for row in known)
        made.append(line)
    return made


def costs(rows: Sequence[dict[str, Any]]) -> str:
    """How often the generator finds the caption; what search, choice and paintings took for each picture; in sentences."""
    mean = {
        key: statistics.mean(row[key] for row in rows)
        for key in ("search passes", "search seconds", "passes", "seconds", "painting seconds", "resolved")
    }
    found = statistics.mean(row["prompts"][BOTH] == row["prompts"][CAPTION] for row in rows)
    return (
        f"Given the caption, the generator chooses it for {100 * found:.0f} % of the pictures. The difference of its candidate to CLIP's is "
        f"resolved for {100 * mean['resolved']:.0f} %.\nFor each picture: search {mean['search passes']:.0f} passes of the text encoder, "
        f"{mean['search seconds']:.2f} s; choice {mean['passes']:.0f} passes of the painter, {mean['seconds']:.2f} s; paintings "
        f"{mean['painting seconds']:.2f} s."
    )


def kept_rows(file: Path | None, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows that a file keeps. Raises PezError if they were measured with other settings."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file and file.exists() else []
    for name in ABOUT:
        other = next((row[name] for row in rows if row[name] != getattr(given, name)), None)
        if other is not None:
            raise PezError(f"{file} was measured with --{name} {other}: give that, or another file.")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=100, metavar="N", help="pictures, at most 128 (default: 100)")
    parser.add_argument("--rows", type=Path, metavar="FILE.jsonl", help="keeps what is measured; goes on with it")
    parser.add_argument("--noises", type=int, default=8, metavar="N")
    parser.add_argument("--candidates", type=int, default=8, metavar="N", help="of the search (default: 8)")
    parser.add_argument("--paintings", type=int, default=4, metavar="N", help="of each prompt (default: 4)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.first < 2:
        parser.error(f"--first must be at least 2, not {given.first}")
    try:
        run(given)
    except PezError as error:
        parser.error(str(error))


def run(given: argparse.Namespace) -> None:
    """Measures what is missing and prints the table."""
    pictures = held_out_pictures("report")[: given.first]
    rows = kept_rows(given.rows, given)
    bench = Bench(given.device, given)
    for number, held in enumerate(pictures):
        if any(row["picture"] == number for row in rows):
            continue
        rows.append(bench.measure(number, held))
        if given.rows:
            with given.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    rows = [row for row in rows if row["picture"] < len(pictures)]
    known = {
        name: sum(name in row["painted"][CLIP] for row in rows) for name in (ALL, *(each.name for each in bench.judges))
    }
    tables = {name: summary(rows, name) for name, count in known.items() if count > 1}  # an error needs two
    if given.json:
        print(json.dumps({"machine": machine(bench.model.device), "tables": tables, "costs": costs(rows)}, indent=2))
        return
    print(f"{machine(bench.model.device)}; {len(rows)} pictures, {given.candidates} candidates, {given.noises} noises")
    for name, table in tables.items():
        print(f"\n{name:28}pictures  painted  over CLIP   error  over random   error  alike")
        for line in table:
            numbers = (
                "{pictures:8}{painted:9.4f}{gain:+11.4f}{error:8.4f}{over random:+13.4f}{its error:8.4f}{alike:7.2f}"
            )
            print(f"{line['chooser']:28}{numbers.format_map(line)}")
    print(f"\n{costs(rows)}")


if __name__ == "__main__":
    main()

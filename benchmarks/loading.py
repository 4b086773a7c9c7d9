"""Times the work before the first step: the model, its vocabulary, a picture, and the start of two runs.

    python -m benchmarks.loading [--models ViT-B-32 ...] [--device D] [--json]

For each model a file of random weights in real shapes is written, and removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from pez_core import ClipModel, InversionConfig, Target, load_model
from pez_core.checks.measuring import machine, milliseconds
from pez_core.inversion import template_for
from pez_core.models.loading import vocabulary_of
from pez_core.objectives.match import MatchObjective
from pez_core.search import make_stepper, starts
from pez_core.search.pez import PezSearch

MODELS = ("ViT-B-32", "ViT-L-14", "ViT-H-14")


def measure(name: str, device: torch.device) -> dict[str, Any]:
    """Returns the seconds that each stage takes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.safetensors")
        logging.disable(logging.WARNING)  # the warning that the weights are random
        fresh: list[Any] = []
        drawn = milliseconds(lambda: fresh.append(open_clip.create_model(name)), device)
        logging.disable(logging.NOTSET)
        save_file({key: value.contiguous() for key, value in fresh.pop().state_dict().items()}, file)
        vocabulary_of.cache_clear()
        made: list[ClipModel] = []
        loaded = milliseconds(lambda: made.append(load_model(name, file, device)), device)
        model = made[0]
        picture = [Image.new("RGB", (640, 480), (200, 40, 30))]
        words = milliseconds(lambda: model.vocabulary.words, device)
        first_picture, picture_again = (milliseconds(lambda: model.encode_images(picture), device) for _ in range(2))
        target = Target(model.encode_images(picture), torch.ones(1))

        def start() -> None:
            config = InversionConfig()
            objective = MatchObjective(model, [target], template_for(model, config), config.precision)
            generators = [torch.Generator().manual_seed(0)]
            ids, _ = starts([objective.space.of(0)], config, (), (), generators)
            search = PezSearch(objective, config, config.explore, generators)
            make_stepper(search, search.begin(ids), device)

        first_start, start_again = (milliseconds(start, device) for _ in range(2))
    stages = {
        "random": drawn,
        "load": loaded,
        "vocabulary": words,
        "picture": first_picture,
        "again": picture_again,
        "start": first_start,
        "start again": start_again,
    }
    return {"model": name, **{stage: spent / 1000 for stage, spent in stages.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    device = torch.device(given.device)
    rows = [measure(name, device) for name in given.models]
    if given.json:
        print(json.dumps({"machine": machine(device), "seconds": rows}, indent=2))
        return
    print(machine(device))
    print(f"{'seconds':12}" + "".join(f"{stage:>13}" for stage in list(rows[0])[1:]))
    for row in rows:
        print(f"{row['model']:12}" + "".join(f"{spent:13.2f}" for spent in list(row.values())[1:]))


if __name__ == "__main__":
    main()

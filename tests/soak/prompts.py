"""Small graphs of every kind for ComfyUI, each named by a number: the same number is the same graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from comfy_server import SAMPLES, Comfy, Run
from graphs import EMBEDDED, graph, inverted, picture
from safetensors.torch import save_file

from pez_core.search import METHODS

FILES = sorted(file.name for file in SAMPLES.glob("*.png"))
SECOND = "ViT-S-32-alt"  # the other model, with random weights
TINY = {"steps": 4, "restarts": 2, "length": 4}
MODEL = {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED}}


def one_picture(number: int) -> dict[str, Any]:
    return graph(image=FILES[number % len(FILES)], seed=number, **TINY)


def method(number: int) -> dict[str, Any]:
    return graph(seed=number, method=[*METHODS][number // len(KINDS) % len(METHODS)], **TINY)


def words(number: int) -> dict[str, Any]:
    kept = {"prefix": "a photo of", "banned_words": "penguin, bl*", "keep_words": "red"}
    return graph(seed=number, **kept, **TINY)


def another_model(number: int) -> dict[str, Any]:
    other = {"model": "Other (by name)", "name": SECOND, "checkpoint": "second.safetensors"}
    return graph(other, seed=number, vocabulary="any", **TINY)


def blend(number: int) -> dict[str, Any]:
    target = {
        "picture": picture(FILES[number % len(FILES)]),
        "seen": {
            "class_type": "PEZImageTarget",
            "inputs": {"image": ["picture", 0], "weight": 1.0, "crops": False, "flips": True},
        },
        "read": {"class_type": "PEZTextTarget", "inputs": {"text": "a red hat", "weight": -0.3}},
        "target": {
            "class_type": "PEZBlendTargets",
            "inputs": {"targets.target1": ["seen", 0], "targets.target2": ["read", 0], "weights": ""},
        },
    }
    return inverted(target, seed=number, **TINY)


def several_pictures(number: int) -> dict[str, Any]:
    made = graph(seed=number, pictures="one prompt for each", **TINY)
    made["second"] = picture(FILES[number % len(FILES)])
    made["batch"] = {"class_type": "ImageBatch", "inputs": {"image1": ["image", 0], "image2": ["second", 0]}}
    made["invert"]["inputs"]["image"] = ["batch", 0]
    return made


def readable(number: int) -> dict[str, Any]:
    return graph(seed=number, readability=0.5, **TINY)


def distilled(number: int) -> dict[str, Any]:
    inputs = {"text": "a small red bird on a blue ground, painted", "ratio": 0.4, "length": 0, "preset": "fast"}
    return {
        "model": MODEL,
        "settings": {"class_type": "PEZSearchSettings", "inputs": {"steps": 4, "restarts": 2}},
        "distill": {
            "class_type": "PEZDistill",
            "inputs": {**inputs, "pez_model": ["model", 0], "settings": ["settings", 0], "seed": number},
        },
        "plot": {"class_type": "PEZPlot", "inputs": {"result": ["distill", 3]}},
        "shown": {"class_type": "PreviewImage", "inputs": {"images": ["plot", 0]}},
        "save": {
            "class_type": "PEZSavePrompts",
            "inputs": {"result": ["distill", 3], "file": "soak/rows", "format": "JSON Lines"},
        },
    }


def scores(number: int) -> dict[str, Any]:
    texts = f"a red bird\na blue fish\n{number} cats"
    return {
        "model": MODEL,
        "picture": picture(FILES[number % len(FILES)]),
        "score": {
            "class_type": "PEZScore",
            "inputs": {"pez_model": ["model", 0], "texts": texts, "image": ["picture", 0]},
        },
        "table": {"class_type": "TestShow", "inputs": {"values": ["score", 1]}},
    }


def painting(number: int) -> dict[str, Any]:
    return {"paint": {"class_type": "PEZPaint", "inputs": {"texts": "a red apple", "seed": number, "steps": 2}}}


def classifier(number: int) -> dict[str, Any]:
    words = {"label_words": "happy|warm, sad|lonely", "suffix": " feeling"}
    own = {"examples": "Moods (sample)", "text": "", "length": 3, "seed": number, "steps": 2, "hold_out": 8, **words}
    return {
        "learn": {"class_type": "PEZLearnClassifier", "inputs": own},
        "classify": {"class_type": "PEZClassifyText", "inputs": {"text": "a dark ruin", "classifier": ["learn", 3]}},
        "label": {"class_type": "TestShow", "inputs": {"values": ["classify", 0]}},
    }


def folder(number: int) -> dict[str, Any]:
    own = {"folder": "two", "file": f"soak/{number}", "recursive": False, "captions": True, "restart": True}
    search = {"preset": "fast", "length": 4, "seed": number}
    return {
        "model": MODEL,
        "settings": {"class_type": "PEZSearchSettings", "inputs": {"steps": 4, "restarts": 2}},
        "batch": {
            "class_type": "PEZBatchFolder",
            "inputs": {"pez_model": ["model", 0], "settings": ["settings", 0], **own, **search},
        },
        "prompts": {"class_type": "TestShow", "inputs": {"values": ["batch", 0]}},
    }


def doctor(number: int) -> dict[str, Any]:
    return {"doctor": {"class_type": "PEZDoctor", "inputs": {}}}


def wrong(number: int) -> dict[str, Any]:
    return graph(seed=number, prefix="cat " * 80)


OFTEN: tuple[Callable[[int], dict[str, Any]], ...] = (
    *(one_picture, method, words, another_model, blend, several_pictures, readable, distilled, scores),
    *(painting, classifier, folder, wrong),
)
KINDS = (*OFTEN, *OFTEN, *OFTEN, doctor)  # it takes as long as all the others


def prompt(number: int) -> dict[str, Any]:
    return KINDS[number % len(KINDS)](number)


def furnish(base: Path) -> None:
    """Puts into the folders of a ComfyUI what the graphs read."""
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in open_clip.create_model(SECOND).state_dict().items()}
    save_file(weights, base / "models" / "open_clip" / "second.safetensors")
    two = base / "input" / "two"
    two.mkdir(exist_ok=True)
    for name in FILES[:2]:
        (two / name).write_bytes((SAMPLES / name).read_bytes())


def outcome(comfy: Comfy, run: Run) -> dict[str, Any]:
    """What came of a graph: what does not depend on time, nor on what ran before."""
    found: dict[str, Any] = {"error": run.error.strip()} if run.error else {}
    for node, output in run.history.get("outputs", {}).items():
        if node in ("doctor", "save"):  # measured times; the number of the row
            found[node] = sorted(output)
            continue
        found[node] = [
            output.get("values"),
            [[each["text"], round(each["similarity"], 6), each["steps"]] for each in output.get("pez", ())],
            [_digest(comfy, each) for each in output.get("images", ()) if node != "shown"],  # a plot has the seconds
        ]
    return found


def _digest(comfy: Comfy, image: dict[str, str]) -> str:
    file = comfy.base / image["type"] / image["subfolder"] / image["filename"]
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]

"""Text-to-picture models as the benchmark asks them: the embedded painter, or any generator in a running ComfyUI."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image
from torch import Tensor

from pez_core import ClipModel, PezError, escape_for_comfyui
from pez_core.errors import first_line
from pez_core.models.painter import load_painter
from pez_core.painting import GUIDANCE, STEPS

Paint = Callable[[Sequence[str], Sequence[int]], list[Image.Image]]
"""A picture for each text, with its own seed."""

_TEXTS = ("text", "texts", "prompt", "value")
_SEEDS = ("seed", "noise_seed")
TOGETHER = 16  # paintings at once on a CPU: in less time than one by one, and the same up to rounding
_WAIT = 0.1  # seconds between two looks at whether a picture is done


def embedded(device: str) -> Paint:
    """The embedded painter."""
    painter = load_painter(device=device)
    if device == "cpu":
        painter.together = TOGETHER

    def paint(texts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        pictures = painter.paint(texts, seeds, STEPS, GUIDANCE)
        return [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures]

    return paint


def features_of_paintings(
    paint: Paint, count: int, prompts: Sequence[str], judges: Sequence[ClipModel]
) -> list[Tensor]:
    """For each judge the mean features [N, F] of `count` paintings of each of N prompts, with the same seeds for all."""
    texts = [prompt for prompt in prompts for _ in range(count)]
    painted = paint(texts, [*range(count)] * len(prompts))
    return [judge.encode_images(painted).unflatten(0, (len(prompts), count)).mean(1) for judge in judges]


class ComfyUI:
    """A workflow in a running ComfyUI, exported with `Export (API)`.

    api: its address. text: the title of the node whose text is replaced by the prompt. picture: the title of the node
    that shows or saves the picture. Every `seed` and `noise_seed` of the workflow is set too.

    Raises PezError for a file that is no exported workflow, and for a title that no node or several nodes have.
    """

    def __init__(self, file: Path, api: str, text: str, picture: str):
        try:
            self._graph: dict[str, Any] = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise PezError(f"{str(file)!r} cannot be read as a workflow: {first_line(error)}.") from error
        nodes = self._graph.values() if isinstance(self._graph, dict) else [None]
        if not all(isinstance(node, dict) and "class_type" in node for node in nodes):
            raise PezError(f"{file.name} is not in ComfyUI's API format: save it with Workflow > Export (API).")
        self._api = api if "://" in api else f"http://{api}"
        self._text, self._picture = self._titled(text), self._titled(picture)
        inputs = self._graph[self._text]["inputs"]
        written = [name for name in inputs if name in _TEXTS]  # even if it is connected
        written += [name for name, value in inputs.items() if isinstance(value, str)]
        if not written:
            raise PezError(f"The node {text!r} has no text that could be replaced: name another one.")
        self._input = written[0]

    def __call__(self, texts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        return [self._paint(text, seed) for text, seed in zip(texts, seeds, strict=True)]

    def _paint(self, text: str, seed: int) -> Image.Image:
        graph = deepcopy(self._graph)
        graph[self._text]["inputs"][self._input] = escape_for_comfyui(text)
        for node in graph.values():
            node["inputs"] |= {name: seed for name in _SEEDS if isinstance(node["inputs"].get(name), int)}
        said = self._ask("/prompt", {"prompt": graph, "client_id": uuid4().hex})
        (shown,) = self._wait(said["prompt_id"])["outputs"].get(self._picture, {}).get("images", [])[:1] or [None]
        if shown is None:
            raise PezError(f"The workflow showed no picture for {text[:60]!r}: does the node save or preview one?")
        place = urllib.parse.urlencode({key: shown[key] for key in ("filename", "subfolder", "type")})
        with Image.open(io.BytesIO(self._fetch(f"/view?{place}"))) as picture:
            return picture.convert("RGB")

    def _wait(self, prompt: str) -> dict[str, Any]:
        while True:
            run = self._ask(f"/history/{prompt}").get(prompt)
            if run and run["status"]["status_str"] == "error":
                raise PezError(f"The workflow failed in ComfyUI: {_why(run)}")
            if run and run["status"]["completed"]:
                return run
            time.sleep(_WAIT)

    def _titled(self, title: str) -> str:
        found = [key for key, node in self._graph.items() if node.get("_meta", {}).get("title") == title]
        if len(found) != 1:
            titles = ", ".join(repr(node.get("_meta", {}).get("title", "")) for node in self._graph.values())
            raise PezError(f"{len(found)} nodes are titled {title!r}, expected one. The workflow's titles: {titles}.")
        return found[0]

    def _ask(self, path: str, content: Any = None) -> dict[str, Any]:
        return json.loads(self._fetch(path, content))

    def _fetch(self, path: str, content: Any = None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._api + path, data, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - the address is the user's own
                return answer.read()
        except urllib.error.HTTPError as error:
            raise PezError(f"ComfyUI refused the workflow: {error.read().decode(errors='replace')[:500]}") from error
        except OSError as error:
            raise PezError(
                f"No ComfyUI answers at {self._api}: {first_line(error)}. Start it, or give --api."
            ) from error


def _why(run: dict[str, Any]) -> str:
    for kind, about in run["status"]["messages"]:
        if kind == "execution_error":
            return f"{about['node_type']}: {about['exception_message'].strip()}"
    return "it was interrupted."

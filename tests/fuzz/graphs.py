"""Workflows and graphs for a real ComfyUI server, and its stop route."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comfy_server import PACK, CannotTest, Comfy, find_comfyui, prepare
from graphs import EMBEDDED, graph
from websocket import WebSocketException, WebSocketTimeoutException

from .cases import kept
from .damage import ODD_TEXTS, damaged_tree
from .outcome import DONE, FAILED, REFUSED, Outcome, Row

GRAPHS = "graphs"
DEAD = "Exception in thread"  # in the log: ComfyUI's worker does not survive what its own code raises
PATIENCE = 20  # seconds after which a run is interrupted: huge searches are allowed
AT_ONCE = 120  # seconds in which it then ends
MOST_BYTES = 2**31  # of memory that the server may grow by
NEED_FILES = {"CheckpointLoaderSimple", "CLIPVisionLoader", "CLIPLoader"}  # which are not there
FEW = {"class_type": "PEZSearchSettings", "inputs": {"steps": 2, "restarts": 2}}
AFTER_SEED = ("fixed", "randomize", "increment", "decrement")
UI_ONLY = ("MarkdownNote", "Note")


def server_cases(seed: int, row: Row, number: int) -> Iterator[Outcome]:
    """Starts a server and sends damaged graphs until nobody asks any more; nothing where there is no ComfyUI."""
    try:
        comfyui = find_comfyui()
    except CannotTest as why:
        print(why)
        return
    base = Path(tempfile.mkdtemp()) / "comfyui"
    base.mkdir()
    prepare(base)
    _labelled(base / "input")
    corpus = [*(json.loads(data) for _, data in kept(GRAPHS)), *_corpus()]
    row.files, row.size = len(corpus), sum(len(json.dumps(each)) for each in corpus)
    try:
        while True:
            server = Comfy(base, comfyui)
            try:
                for outcome in _cases(server, corpus, seed, number):
                    number = outcome.number + 1
                    yield outcome
            finally:
                server.stop()
    finally:
        shutil.rmtree(base.parent)


def _cases(server: Comfy, corpus: list[dict[str, Any]], seed: int, number: int) -> Iterator[Outcome]:
    """Cases until the server has to be started again."""
    beside = sorted(server.base.parent.iterdir())
    for given in corpus[:3]:  # what is loaded once counts for no case
        _run(server, given, {})
    while True:
        rng = random.Random(f"{seed} {GRAPHS} {number}")
        outcome = Outcome(GRAPHS, number, "", DONE)
        before, logged = _memory(server, "VmRSS"), len(server.log)
        if number >= len(corpus) and number % 10 == 0:
            outcome.name = "the stop route"
            outcome.end, outcome.said = _stopped(server, rng)
        else:
            given = corpus[number] if number < len(corpus) else damaged_tree(rng.choice(corpus), rng)
            for node in given.values():  # without inputs, ComfyUI's own worker ends
                if isinstance(node, dict) and not isinstance(node.get("inputs"), dict):
                    node["inputs"] = {}
            outcome.name, outcome.data = "graph.json", json.dumps(given).encode()
            outcome.end, outcome.said = _run(server, given, _extra(rng) if number >= len(corpus) else {})
        outcome.grown = max(0, _memory(server, "VmRSS") - before)
        new = server.log[logged:]
        if "/custom_nodes/pez/" in new and "Error: " in new and not _expected(new):
            outcome.end, outcome.said = FAILED, f"{outcome.said}\n{new[-3000:]}"
        if sorted(server.base.parent.iterdir()) != beside:
            outcome.end, outcome.said = FAILED, f"wrote beside its folders: {sorted(server.base.parent.iterdir())}"
        if outcome.grown > MOST_BYTES:
            outcome.end, outcome.said = FAILED, f"the server grew by {outcome.grown / 2**20:.0f} MB"
        yield outcome
        if server.process.poll() is not None or DEAD in server.log:
            return
        number += 1


def _expected(log: str) -> bool:
    """Whether all errors in the log are of our own kind; what they were raised from does not count."""
    parts = re.split(r"\n+(?:The above exception was|During handling of the above).*\n+", log)
    ends: list[str] = []
    for place, part in enumerate(parts, 1):
        found = [line for line in part.splitlines() if re.match(r"([\w/-]+\.)*\w*(Error|Exception|PEZ)\b: ", line)]
        ends += found if place == len(parts) else found[:-1]
    return all(re.match(r"(\S*\.)?(PezError|PEZ): ", line) for line in ends)


def _extra(rng: random.Random) -> dict[str, Any]:
    """What a page sends beside the graph: a damaged workflow with outcomes of our nodes."""
    if rng.random() < 0.5:
        return {}
    file = rng.choice(sorted((PACK / "example_workflows").glob("*.json")))
    workflow = json.loads(file.read_text("utf-8"))
    workflow["config"] = {"pez": {"version": 1, "outcomes": {"2": [{"prompt": "a"}], "invert": [{}]}}}
    return damaged_tree({"extra_pnginfo": {"workflow": workflow, "pez": {"2": []}}}, rng)


def _run(server: Comfy, given: Any, extra: dict[str, Any]) -> tuple[str, str]:
    """How the graph ended, and what was said. extra: what is sent beside it."""
    try:
        answer = server.post("/prompt", {"prompt": given, "client_id": server.client, "extra_data": extra})
    except ValueError:
        return REFUSED, "ComfyUI itself answered without JSON"
    except (urllib.error.URLError, ConnectionError) as error:
        return FAILED, f"the server does not answer: {error}"
    if "prompt_id" not in answer or answer.get("node_errors"):
        told = answer.get("node_errors") or {}
        for node in told.values() if isinstance(told, dict) else ():
            for error in node["errors"]:
                if "/custom_nodes/pez/" in json.dumps(error):  # else ComfyUI itself stumbled, as it does over odd links
                    return FAILED, json.dumps(error)
        if "prompt_id" not in answer:
            return REFUSED, json.dumps(answer.get("error"))
    return _followed(server, answer["prompt_id"])


def _followed(server: Comfy, prompt: str) -> tuple[str, str]:
    server.socket.settimeout(1)
    begun, asked = time.monotonic(), False
    while True:
        spent = time.monotonic() - begun
        if spent > PATIENCE + AT_ONCE:
            return FAILED, f"went on for {AT_ONCE} s after an interrupt"
        if spent > PATIENCE and not asked:
            server.post("/interrupt", {})
            asked = True
        try:
            message = server.socket.recv()
        except (TimeoutError, WebSocketTimeoutException):
            if DEAD in server.log:
                return REFUSED, "ComfyUI's own worker ended"
            continue
        except (OSError, WebSocketException) as error:
            return FAILED, f"the server's socket closed: {error}"
        if isinstance(message, bytes):
            continue
        told = json.loads(message)
        if told["data"].get("prompt_id") != prompt:
            continue
        if told["type"] in ("execution_success", "execution_interrupted"):
            return DONE, ""
        if told["type"] == "execution_error":
            return _judged(told["data"])


def _judged(error: dict[str, Any]) -> tuple[str, str]:
    """An error of a node: ours must be one line of our own kind."""
    said = f"{error['node_type']}: {error['exception_type']}: {error['exception_message']}"
    if not error["node_type"].startswith("PEZ"):
        return REFUSED, said
    if error["exception_type"] != "PEZ" or len(error["exception_message"].strip().splitlines()) != 1:
        return FAILED, said + "\n" + "".join(error["traceback"])
    return REFUSED, said


def _stopped(server: Comfy, rng: random.Random) -> tuple[str, str]:
    """Asks for runs that nobody started to be stopped."""
    guess = rng.choice((*ODD_TEXTS, rng.randbytes(16).hex(), "0" * 32)).encode("utf-8", "replace")[:2000]
    part = rng.choice(("", "/0", "/-1", f"/{10**9}", "/x", "/1/2"))
    try:
        status = server.status(f"/pez/stop/{urllib.parse.quote(guess, safe='')}{part}")
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        return FAILED, f"no answer: {error}"
    return (REFUSED, str(status)) if 400 <= status < 500 else (FAILED, f"status {status} for {guess!r}{part}")


def _corpus() -> Iterator[dict[str, Any]]:
    """The example workflows that need no files, with few steps, and graphs with all nodes and settings."""
    for file in sorted((PACK / "example_workflows").glob("*.json")):
        made = _api_graph(json.loads(file.read_text("utf-8")))
        if not {node["class_type"] for node in made.values()} & NEED_FILES:
            yield made
    few = {"steps": 2, "restarts": 2}
    for method in ("pez+swaps", "pez", "fluentprompt", "random"):
        made = graph(**few, method=method, learning_rate=0.1, weight_decay=0.1, batch_size=1, patience=5, time_limit=5)
        yield _without_helpers(made)
    words = {"prefix": "a", "suffix": "b", "banned_words": "bird, sun*", "keep_words": "red", "start_words": "a cat"}
    made = _without_helpers(graph(**few, **words))
    made["save"] = {"class_type": "PEZSavePrompts", "inputs": {"result": ["invert", 3], "file": "a/b", "format": "CSV"}}
    made["plot"] = {"class_type": "PEZPlot", "inputs": {"result": ["invert", 3]}}
    made["show"] = {"class_type": "PreviewImage", "inputs": {"images": ["plot", 0]}}
    yield made
    model = {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED, "name": "", "checkpoint": "none"}}
    folder = {"pez_model": ["model", 0], "folder": "few", "recursive": False, "file": "pez/batch", "captions": True}
    folder |= {"restart": True, "preset": "fast", "length": 2, "seed": 1, "settings": ["few", 0]}
    yield {"model": model, "few": FEW, "batch": {"class_type": "PEZBatchFolder", "inputs": folder}}
    learned = {"examples": "The text below", "text": "good: a fine day\nbad: rain\ngood: sun\nbad: a storm", "seed": 1}
    learned |= {"label_words": "", "suffix": " It was", "length": 2, "steps": 2, "hold_out": 0, "candidate": 1}
    yield {
        "learn": {"class_type": "PEZLearnClassifier", "inputs": learned},
        "use": {"class_type": "PEZClassifyText", "inputs": {"classifier": ["learn", 0], "text": "snow"}},
        "show": {"class_type": "PreviewAny", "inputs": {"source": ["use", 0]}},
    }
    yield {
        "learn": {"class_type": "PEZLearnClassifier", "inputs": {**learned, "examples": "texts.csv"}},
        "show": {"class_type": "PreviewAny", "inputs": {"source": ["learn", 0]}},
    }


def _without_helpers(made: dict[str, Any]) -> dict[str, Any]:
    return {name: node for name, node in made.items() if not node["class_type"].startswith("Test")}


def _labelled(folder: Path) -> None:
    """Texts with labels, and a folder with two pictures."""
    (folder / "texts.csv").write_text(
        "text,label\n" + "".join(f"a day {i},{('good', 'bad')[i % 2]}\n" for i in range(8))
    )
    (folder / "few").mkdir()
    for name in ("penguin.png", "pizza.png"):
        shutil.copy(folder / name, folder / "few")


def _api_graph(workflow: dict[str, Any]) -> dict[str, Any]:
    """A saved workflow as the page would send it, with few steps and the embedded model."""
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    made: dict[str, Any] = {}
    for node in workflow["nodes"]:
        if node["type"] in UI_ONLY:
            continue
        values = list(node.get("widgets_values") or ())
        inputs: dict[str, Any] = {}
        for each in node.get("inputs", ()):
            if "widget" in each and values:
                inputs[each["name"]] = values.pop(0)
                if each["name"] == "seed" and values and values[0] in AFTER_SEED:
                    values.pop(0)
            if each.get("link") is not None:
                inputs[each["name"]] = links[each["link"]]
        if node["type"] == "PEZLoadModel":
            inputs["model"] = EMBEDDED
        if node["type"] in ("PEZInvert", "PEZDistill"):
            made["few"] = copy.deepcopy(FEW)
            inputs["settings"] = ["few", 0]
        if "steps" in inputs:
            inputs["steps"] = 2
        made[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return made


def _memory(server: Comfy, what: str) -> int:
    try:
        lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)

"""Adds results of searches to the metadata of the pictures that a graph saves.

ComfyUI writes every entry of `extra_pnginfo` into a saved picture. A node adds its own results when it runs: as an
entry `pez`, and in the embedded workflow, where the page looks for what its panels show. In a later run ComfyUI may
use its cache, and then the node does not run. So results are also remembered here, by the node's complete input, and
restored when the same graph is queued again. What a queued workflow holds of other runs is removed.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Any

from comfy_execution.utils import get_executing_context
from server import PromptServer

from .outcome import VERSION
from .wires import searches

ENTRY = "pez"
MOST = 256  # most entries remembered

_remembered: OrderedDict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = OrderedDict()


def record(hidden: Any, results: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> None:
    """Adds the results of the running node to the metadata, and its outcomes to the embedded workflow.

    hidden: its unique_id, prompt and extra_pnginfo. ComfyUI runs a node once for each item of a list: the results of later
    items come after those before.
    """
    node, context = str(hidden.unique_id), get_executing_context()
    key = _signature(hidden.prompt, node) if isinstance(hidden.prompt, dict) and node in hidden.prompt else None
    if key in _remembered and context and context.list_index:
        before = _remembered[key]
        results, outcomes = [*before[0], *results], [*before[1], *outcomes]
    if isinstance(hidden.extra_pnginfo, dict):
        _add(hidden.extra_pnginfo, node, results, outcomes)
    if key is not None:
        _remembered[key] = results, outcomes
        _remembered.move_to_end(key)
        while len(_remembered) > MOST:
            _remembered.popitem(last=False)


def restore(queued: dict[str, Any]) -> dict[str, Any]:
    """Puts the remembered results of a graph's nodes that search in place of those that it holds; nodes that run
    overwrite them."""
    graph = queued.get("prompt")
    if isinstance(graph, dict) and isinstance(queued.get("extra_data", {}), dict):
        for node, content in graph.items():
            if isinstance(content, dict) and searches(content.get("class_type")):
                known = _remembered.get(_signature(graph, node))
                information = queued.setdefault("extra_data", {}).setdefault("extra_pnginfo", {})
                if isinstance(information, dict):
                    if known is None:
                        _remove(information, node)
                    else:
                        _add(information, node, *known)
    return queued


def listen() -> None:
    """Makes every queued graph go through `restore` from now on."""
    PromptServer.instance.add_on_prompt_handler(restore)


def _add(information: dict[str, Any], node: str, results: list[Any], outcomes: list[Any]) -> None:
    if not isinstance(information.get(ENTRY), dict):
        information[ENTRY] = {}
    information[ENTRY][node] = results
    workflow = information.get("workflow")
    if not isinstance(workflow, dict):
        return
    if not isinstance(workflow.get("config"), dict):
        workflow["config"] = {}
    if _saved(information) is None:
        workflow["config"][ENTRY] = {"version": VERSION, "outcomes": {}}
    workflow["config"][ENTRY]["outcomes"][node] = outcomes


def _remove(information: dict[str, Any], node: str) -> None:
    saved = _saved(information)
    if saved is not None:
        saved.pop(node, None)


def _saved(information: dict[str, Any]) -> dict[str, Any] | None:
    """The outcomes in the embedded workflow, by nodes; None if there are none of this version."""
    found: Any = information
    for key in ("workflow", "config", ENTRY):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return None
    return found["outcomes"] if isinstance(found.get("outcomes"), dict) else None


def _signature(graph: dict[str, Any], node: str) -> str:
    """A key that is equal for nodes with the same inputs and the same nodes before them."""
    known: dict[str, str] = {}

    def of(each: str, path: tuple[str, ...]) -> str:
        if each not in known:
            content = _dict(graph.get(each))
            inputs = {}
            for name, value in sorted(_dict(content.get("inputs")).items()):
                linked = isinstance(value, list) and len(value) == 2 and str(value[0]) in graph
                if linked and str(value[0]) not in path:  # ComfyUI rejects a loop later
                    value = [of(str(value[0]), (*path, each)), value[1]]
                # A page sends the 0 of a slider as a whole number, which ComfyUI turns into 0.0 before a node runs.
                inputs[name] = int(value) if isinstance(value, float) and value.is_integer() else value
            text = json.dumps([content.get("class_type"), inputs], sort_keys=True, default=str)
            known[each] = hashlib.sha256(text.encode()).hexdigest()
        return known[each]

    return of(node, ())


def _dict(value: Any) -> dict[str, Any]:
    """The value if it is a dict, else an empty one: what is queued may be anything."""
    return value if isinstance(value, dict) else {}

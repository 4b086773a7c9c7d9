"""Results of searches in the metadata of the pictures that a graph saves.

ComfyUI writes every entry of `extra_pnginfo` into a saved picture. A node adds its own while it runs. In a later
run ComfyUI may answer from its cache, and the node does not run at all. So results are also kept here, by the node's
whole input, and put back when such a graph is queued again.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from server import PromptServer

import nodes

from .wires import NodeResult, PezResult

ENTRY = "pez"
MOST = 256  # entries remembered

_remembered: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()


def record(hidden: Any, kind: str, results: Sequence[NodeResult]) -> None:
    """Adds the results of the node that runs to the metadata. `hidden`: its unique_id, prompt and extra_pnginfo."""
    entry = [{"node": kind, **each.to_json()} for each in results]
    if isinstance(hidden.extra_pnginfo, dict):
        hidden.extra_pnginfo.setdefault(ENTRY, {})[str(hidden.unique_id)] = entry
    if isinstance(hidden.prompt, dict) and str(hidden.unique_id) in hidden.prompt:
        key = _signature(hidden.prompt, str(hidden.unique_id))
        _remembered[key] = entry
        _remembered.move_to_end(key)
        while len(_remembered) > MOST:
            _remembered.popitem(last=False)


def restore(queued: dict[str, Any]) -> dict[str, Any]:
    """Puts back what is remembered of a graph's nodes that search; they overwrite it if they run."""
    graph = queued.get("prompt")
    if isinstance(graph, dict):
        for node, content in graph.items():
            if isinstance(content, dict) and _searches(content.get("class_type")):
                entry = _remembered.get(_signature(graph, node))
                information = queued.setdefault("extra_data", {}).setdefault("extra_pnginfo", {})
                if entry is not None and isinstance(information, dict):
                    information.setdefault(ENTRY, {})[node] = entry
    return queued


def listen() -> None:
    """From now on, every queued graph goes through `restore`."""
    PromptServer.instance.add_on_prompt_handler(restore)


def _searches(kind: Any) -> bool:
    """Whether nodes of this kind search, which their output says."""
    known = nodes.NODE_CLASS_MAPPINGS.get(kind) if isinstance(kind, str) else None
    return PezResult.io_type in (getattr(known, "RETURN_TYPES", None) or ())


def _signature(graph: dict[str, Any], node: str) -> str:
    """The same for nodes whose inputs, and whatever these come from, are the same."""
    known: dict[str, str] = {}

    def of(each: str, path: tuple[str, ...]) -> str:
        if each not in known:
            content = graph.get(each, {})
            inputs = {}
            for name, value in sorted(content.get("inputs", {}).items()):
                linked = isinstance(value, list) and len(value) == 2 and str(value[0]) in graph
                if linked and str(value[0]) not in path:  # a loop is refused by ComfyUI, later
                    value = [of(str(value[0]), (*path, each)), value[1]]
                inputs[name] = value
            text = json.dumps([content.get("class_type"), inputs], sort_keys=True, default=str)
            known[each] = hashlib.sha256(text.encode()).hexdigest()
        return known[each]

    return of(node, ())

"""Adds results of searches to the metadata of the pictures that a graph saves.

ComfyUI writes every entry of `extra_pnginfo` into a saved picture. A node adds its own when it runs. In a later
run ComfyUI may use its cache, and then the node does not run. So results are also remembered here, by the node's
complete input, and restored when the same graph is queued again.
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
MOST = 256  # most entries remembered

_remembered: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()


def record(hidden: Any, kind: str, results: Sequence[NodeResult]) -> None:
    """Adds the results of the running node to the metadata. `hidden`: its unique_id, prompt and extra_pnginfo."""
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
    """Restores the remembered results of a graph's nodes that search; nodes that run overwrite them."""
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
    """Makes every queued graph go through `restore` from now on."""
    PromptServer.instance.add_on_prompt_handler(restore)


def _searches(kind: Any) -> bool:
    """Whether nodes of this kind search, which their outputs show."""
    known = nodes.NODE_CLASS_MAPPINGS.get(kind) if isinstance(kind, str) else None
    return PezResult.io_type in (getattr(known, "RETURN_TYPES", None) or ())


def _signature(graph: dict[str, Any], node: str) -> str:
    """A key that is equal for nodes with the same inputs and the same nodes before them."""
    known: dict[str, str] = {}

    def of(each: str, path: tuple[str, ...]) -> str:
        if each not in known:
            content = graph.get(each, {})
            inputs = {}
            for name, value in sorted(content.get("inputs", {}).items()):
                linked = isinstance(value, list) and len(value) == 2 and str(value[0]) in graph
                if linked and str(value[0]) not in path:  # ComfyUI rejects a loop later
                    value = [of(str(value[0]), (*path, each)), value[1]]
                inputs[name] = value
            text = json.dumps([content.get("class_type"), inputs], sort_keys=True, default=str)
            known[each] = hashlib.sha256(text.encode()).hexdigest()
        return known[each]

    return of(node, ())

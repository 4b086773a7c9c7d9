"""Tells the page what a node does before, between and after the steps of a search."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management
from server import PromptServer

from .outcome import VERSION
from .wires import searches

SECONDS = 0.2  # least time between two reports of a download
LOADING, DOWNLOADING, PREPARING, SEARCHING = "loading", "downloading", "preparing", "searching"
DONE, CANCELLED, ERROR = "done", "cancelled", "error"


class Speaker:
    """Sends the states of one node to the page that started the run.

    hidden: the node's prompt and extra_pnginfo, and its unique_id unless `node` is its id. The panels that show them are its own, if it has one, and
    those of the searching nodes after it.
    """

    def __init__(self, hidden: Any, node: str | None = None):
        workflow = hidden.extra_pnginfo.get("workflow") if isinstance(hidden.extra_pnginfo, dict) else None
        self._node = str(node or hidden.unique_id)
        self._workflow = workflow.get("id") if isinstance(workflow, dict) else None
        self._panels = _panels(hidden.prompt if isinstance(hidden.prompt, dict) else {}, self._node)
        self._said_at = 0.0

    def send(self, event: str, **values: Any) -> None:
        """Sends an event about this node."""
        server = PromptServer.instance
        own = {"version": VERSION, "node": self._node, "workflow": self._workflow}
        server.send_sync(event, own | values, server.client_id)

    def say(self, state: str, **values: Any) -> None:
        """Sends the event `pez.state`."""
        plain = {
            "run": None,
            "model": "",
            "part": 0,
            "parts": 1,
            "done": 0,
            "total": 0,
            "message": "",
            "thumbnail": None,
        }
        self.send("pez.state", panels=self._panels, state=state, **plain | values)

    def downloaded(self, model: str, done: int, total: int) -> None:
        """Reports a download of a model, in bytes. ComfyUI's interrupt passes through."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        now = time.monotonic()
        if now - self._said_at >= SECONDS or done >= total > 0:
            self._said_at = now
            self.say(DOWNLOADING, model=model, done=done, total=total)

    @contextmanager
    def ending(self, **values: Any) -> Iterator[None]:
        """Says how what is done here ended, unless it ended well."""
        try:
            yield
        except comfy.model_management.InterruptProcessingException:
            self.say(CANCELLED, **values)
            raise
        except Exception as error:
            self.say(ERROR, message=str(error), **values)
            raise


def _panels(graph: dict[str, Any], node: str) -> list[str]:
    """The searching nodes among `node` and those after it."""
    if searches(graph.get(node, {}).get("class_type")):
        return [node]
    after: dict[str, list[str]] = {}
    for name, content in graph.items():
        for value in (content.get("inputs") or {}).values():
            if isinstance(value, list) and len(value) == 2:
                after.setdefault(str(value[0]), []).append(name)
    found, waiting = {node}, [node]
    while waiting:
        for name in after.get(waiting.pop(), []):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return sorted(name for name in found if searches(graph.get(name, {}).get("class_type")))

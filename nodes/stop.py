"""Stops searches and keeps their best prompts. Their ids are sent only to the page that started them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from aiohttp import web
from server import PromptServer


@dataclass
class _Run:
    """part: the prompt that is searched, from 0. asked: whether that one should end. all: whether all that follow should."""

    part: int = 0
    asked: bool = False
    all: bool = False


_running: dict[str, _Run] = {}


def begin() -> str:
    """Registers a new run and returns its id."""
    run = uuid.uuid4().hex
    _running[run] = _Run()
    return run


def next_part(run: str, part: int) -> None:
    """Says that the run searches another prompt now."""
    _running[run].part, _running[run].asked = part, False


def was_asked(run: str) -> bool:
    """Whether the present search should end."""
    known = _running.get(run)
    return known is not None and (known.asked or known.all)


def end(run: str) -> None:
    """Removes the id of a run that has ended."""
    _running.pop(run, None)


def ask(run: str, part: int | None = None) -> bool:
    """Asks a run to end its present search, if that is `part`; None: this one and all that follow.

    Returns False if no such run is known.
    """
    known = _running.get(run)
    if known is None:
        return False
    known.all |= part is None
    known.asked |= part == known.part
    return True


def listen() -> None:
    """Serves POST /pez/stop/{run}/{part} and, for all parts, /pez/stop/{run}: status 204, or 404 if the run is over."""

    async def stop(request: web.Request) -> web.Response:
        part = request.match_info.get("part")
        if ask(request.match_info["run"], None if part is None else int(part)):
            return web.Response(status=204)
        return web.json_response({"error": "No search with this id is running."}, status=404)

    PromptServer.instance.routes.post("/pez/stop/{run}")(stop)
    PromptServer.instance.routes.post("/pez/stop/{run}/{part:[0-9]{1,9}}")(stop)

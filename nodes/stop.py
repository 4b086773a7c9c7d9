"""Stops searches and keeps their best prompts. Their ids are sent only to the page that started them."""

from __future__ import annotations

import uuid

from aiohttp import web
from server import PromptServer

_running: dict[str, bool] = {}  # whether each search was asked to stop, by id


def begin() -> str:
    """Registers a new search and returns its id."""
    run = uuid.uuid4().hex
    _running[run] = False
    return run


def was_asked(run: str) -> bool:
    """Whether the search was asked to stop."""
    return _running.get(run, False)


def end(run: str) -> None:
    """Removes the id of a search that has ended."""
    _running.pop(run, None)


def listen() -> None:
    """Serves POST /pez/stop/{run}: status 204, or 404 if no search with that id is running."""

    @PromptServer.instance.routes.post("/pez/stop/{run}")
    async def stop(request: web.Request) -> web.Response:
        run = request.match_info["run"]
        if run not in _running:
            return web.json_response({"error": "No search with this id is running."}, status=404)
        _running[run] = True
        return web.Response(status=204)

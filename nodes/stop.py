"""Stop and keep the best: the searches that run, by ids that only their own page is told."""

from __future__ import annotations

import uuid

from aiohttp import web
from server import PromptServer

_running: dict[str, bool] = {}  # by id, whether it was asked to stop


def begin() -> str:
    """The id of a search that begins."""
    run = uuid.uuid4().hex
    _running[run] = False
    return run


def was_asked(run: str) -> bool:
    """Whether the search was asked to stop."""
    return _running.get(run, False)


def end(run: str) -> None:
    """The search is over: its id is no longer known."""
    _running.pop(run, None)


def listen() -> None:
    """Serves POST /pez/stop/{run}: 204, or 404 for an id that is not that of a running search."""

    @PromptServer.instance.routes.post("/pez/stop/{run}")
    async def stop(request: web.Request) -> web.Response:
        run = request.match_info["run"]
        if run not in _running:
            return web.json_response({"error": "No search with this id is running."}, status=404)
        _running[run] = True
        return web.Response(status=204)

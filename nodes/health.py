"""What is missing for the pack to work, in sentences with the cure. Runs in every version of ComfyUI."""

from __future__ import annotations

import logging
import re
import sys
from functools import lru_cache
from importlib.util import find_spec

from ..pez_core.errors import PezError

log = logging.getLogger(__name__)

LEAST_COMFYUI = "0.19.0"  # as in pyproject.toml
MODULES = ("torch", "open_clip", "safetensors", "PIL", "numpy", "tqdm")  # of requirements.txt


@lru_cache(maxsize=1)
def problems() -> tuple[str, ...]:
    """All that is missing; empty if nothing is."""
    return tuple(filter(None, (old_comfyui(), missing_modules())))


def old_comfyui() -> str:
    """A sentence if this ComfyUI is too old for the nodes, else ''."""
    version = comfyui_version()
    if _numbers(version) >= _numbers(LEAST_COMFYUI):
        return ""
    return f"PEZ Inversion needs ComfyUI {LEAST_COMFYUI} or newer, this is {version}: update ComfyUI and restart it."


def comfyui_version() -> str:
    """Such as 0.33.0; 'older' where it does not say."""
    try:
        from comfyui_version import __version__ as version
    except ImportError:  # before 0.3.10
        return "older"
    return version


def missing_modules() -> str:
    """A sentence if required Python packages are missing, else ''."""
    missing = [name for name in MODULES if find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"PEZ Inversion needs Python packages that are not installed ({', '.join(missing)}): run "
        f"{sys.executable} -m pip install -r requirements.txt in the folder of the pack and restart ComfyUI."
    )


def require() -> None:
    """Raises PezError if a Python package is missing."""
    if missing := missing_modules():
        raise PezError(missing)


def listen() -> None:
    """Logs missing packages, and serves all problems to the page as GET /pez/health. (ComfyUI logs what is raised.)"""
    from aiohttp import web
    from server import PromptServer

    if missing := missing_modules():
        log.warning(missing)

    @PromptServer.instance.routes.get("/pez/health")
    async def health(request: web.Request) -> web.Response:
        return web.json_response({"version": 1, "problems": problems()})


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version: (0, 3, 64) of 0.3.64."""
    return tuple(map(int, re.findall(r"(?:^|(?<=\.))\d+", version)))

"""ComfyUI's way in."""

from __future__ import annotations

from typing import Any

from .nodes import health

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


async def comfy_entrypoint() -> Any:
    """The extension. Raises PezError if ComfyUI is too old; the nodes are imported only if it is not."""
    health.listen()
    if too_old := health.old_comfyui():
        raise health.PezError(too_old)
    from .nodes.extension import PezExtension

    return PezExtension()

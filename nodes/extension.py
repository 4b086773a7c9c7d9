"""The list of this pack's nodes."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .invert import PEZInvert
from .load import PEZLoadModel


class PezExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [PEZLoadModel, PEZInvert]


async def comfy_entrypoint() -> PezExtension:
    return PezExtension()

"""The base class of this pack's nodes."""

from __future__ import annotations

import functools
from typing import Any

from comfy_api.latest import io

from ..pez_core import PezError


class PEZ(Exception):  # noqa: N818 - ComfyUI shows the name of an error's class before its message
    """An error that a person caused and can cure, as ComfyUI shows it."""


PEZ.__module__ = "builtins"  # ComfyUI shows the names of all other modules, here the path of the pack


class PezNode(io.ComfyNode):
    """A node whose `execute` may raise PezError."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        own = cls.__dict__.get("execute")
        if own is not None and not hasattr(own.__func__, "__wrapped__"):  # ComfyUI clones classes that are wrapped
            cls.execute = classmethod(_plain(own.__func__))


def _plain(execute: Any) -> Any:
    @functools.wraps(execute)
    def run(*args: Any, **inputs: Any) -> io.NodeOutput:
        try:
            return execute(*args, **inputs)
        except PezError as error:
            raise PEZ(str(error)) from error

    return run

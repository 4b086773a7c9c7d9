"""The base class of this pack's nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.errors import shorten

_WIDGETS = {"STRING", "INT", "FLOAT", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
_GROWING = "COMFY_AUTOGROW_V3"  # inputs by name; all of ours are connections
_VALUES = {"PEZ_WORDS", "PEZ_SETTINGS"}  # carry the values of widgets by name


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
            if (schema := getattr(args[0], "SCHEMA", None)) is not None:  # ComfyUI has registered the node
                _check_connections(schema, inputs)
            return execute(*args, **inputs)
        except PezError as error:
            raise PEZ(str(error)) from error

    return run


def not_text(**given: Any) -> str:
    """What is said of a value of a widget that is no text, or '': graphs that programs send may hold anything. None is a
    connection."""
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            return f"{name} must be text, not {shorten(repr(value))}."
    return ""


def _check_connections(schema: io.Schema, inputs: Mapping[str, Any]) -> None:
    """Raises PezError for a plain value in place of a connection: ComfyUI lets graphs pass that have one."""
    for each in schema.inputs:
        kinds = set(each.get_io_type().split(","))
        if kinds & _WIDGETS or each.id not in inputs:
            continue
        given = inputs[each.id]
        if kinds == {_GROWING} and isinstance(given, Mapping):
            given = list(given.values())
        elif not schema.is_input_list:
            given = [given]
        plain: tuple[type, ...] = (str, int, float)
        if kinds & _VALUES:
            plain = (*plain, list)
        elif "PEZ_" in each.get_io_type() or kinds <= {
            "IMAGE",
            "MASK",
            _GROWING,
        }:  # ComfyUI's others may be lists or dicts
            plain = (*plain, list, dict)
        for value in given if isinstance(given, list) else [given]:
            if value is None and kinds <= {"MODEL", "CLIP", "CLIP_VISION", "VAE"} and not each.optional:
                raise PezError(
                    f"{each.id} is None: the checkpoint that it comes from may have none. Connect a node that loads it."
                )
            missing = value is None and not each.optional and "IMAGE" not in kinds  # nodes say what picture they need
            if missing or isinstance(value, plain):
                raise PezError(f"{each.id} must be connected, not {shorten(repr(value))}: connect it to a node.")

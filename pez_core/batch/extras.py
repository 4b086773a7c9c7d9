"""Packages that only parts of a batch need, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import PezError

_EXTRAS = {"pyarrow": "pyarrow", "webdataset": "webdataset", "ray": '"ray[data]"'}


def needed(module: str, why: str) -> Any:
    """The module, imported.

    Raises PezError with the line that installs its package, if it is missing; `why`: what it is needed for.
    """
    package = _EXTRAS[module.partition(".")[0]]
    try:
        return import_module(module)
    except ImportError as error:
        name = package.strip('"')
        raise PezError(f"{why[0].upper()}{why[1:]} needs the package {name}: pip install {package}") from error

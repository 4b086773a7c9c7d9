"""Local files of weights: what is in them, and why one does not fit."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from ..errors import PezError, first_line

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_NAMED = 4  # tensors named in a message; more would hide the point
_RESIZED = ("positional_embedding", "logit_scale", "logit_bias", "position_ids")  # open_clip mends these itself


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Name and shape of each tensor of a checkpoint, without reading the tensors.

    Raises PezError when the file is missing, of another kind, damaged, or needs code to be run.
    """
    if not path.is_file():
        raise PezError(f"There is no checkpoint {str(path)!r}: check the name and the folder.")
    if path.suffix not in SUFFIXES:
        raise PezError(f"{path.name!r} is not a checkpoint: one ends in {', '.join(SUFFIXES)}.")
    try:
        shapes = _safetensors_shapes(path) if path.suffix == ".safetensors" else _pickle_shapes(path)
    except Exception as error:  # a damaged pickle can make its reader raise anything
        raise PezError(
            f"{path.name} cannot be read as a checkpoint: it is damaged, cut short, or another kind of file; "
            f"fetch it again, as .safetensors if there is a choice. ({first_line(error)})"
        ) from error
    if not shapes:
        raise PezError(f"{path.name} holds no tensors: it is not a checkpoint of a CLIP model.")
    return shapes


def _safetensors_shapes(path: Path) -> dict[str, list[int]]:
    with safe_open(path, framework="pt") as file:
        return {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - not a dict


def _pickle_shapes(path: Path) -> dict[str, list[int]]:
    loaded = torch.load(path, map_location="meta", weights_only=True)
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    return {key: list(value.shape) for key, value in state.items() if isinstance(value, torch.Tensor)}


def misfit(module: nn.Module, shapes: dict[str, list[int]]) -> str:
    """Which tensors of a file (see `tensor_shapes`) do not fit `module`, in words; '' when all do."""
    own = {key: list(value.shape) for key, value in module.state_dict().items()}
    given = {key.removeprefix("module."): shape for key, shape in shapes.items()}
    if "text.positional_embedding" in own and "positional_embedding" in given:  # the older way to name a text tower
        given = {key if key.startswith(("visual.", "logit_")) else f"text.{key}": shape for key, shape in given.items()}
    compared = {key for key in own.keys() | given.keys() if not key.endswith(_RESIZED)}
    wrong = [
        f"{key} is {given[key]} in the file and {own[key]} in the architecture"
        for key in sorted(compared & own.keys() & given.keys())
        if own[key] != given[key]
    ]
    wrong += [f"{key} is missing" for key in sorted(compared & own.keys() - given.keys())]
    wrong += [f"{key} does not belong" for key in sorted(compared & given.keys() - own.keys())]
    more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return "; ".join(wrong[:_NAMED]) + more

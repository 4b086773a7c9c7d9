"""Local weight files: their tensors, and why one does not fit a model."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from pickletools import genops
from typing import IO

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import PezError, first_line, kind_of, one_line, shorten

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_NAMED = 4  # most tensors named in a message
_LONGEST_WORD = 20_000  # letters in a pickle
_SHOWN = 100  # most characters of such a name, which the file decides
_RESIZED = ("positional_embedding", "logit_scale", "logit_bias", "position_ids")  # open_clip adapts these itself


def checkpoint_tensors(path: Path) -> dict[str, Tensor]:
    """Each tensor of a checkpoint by name, on the meta device: its shape and format, without reading its values.

    Raises PezError when the file is missing, of another kind, damaged or quantized, or needs code to be run.
    """
    if kind_of(path) != "file":
        raise PezError(f"There is no checkpoint {str(path)!r}: check the name and the folder.")
    if path.suffix.lower() not in SUFFIXES:
        raise PezError(f"{path.name!r} is not a checkpoint: its name must end in {', '.join(SUFFIXES)}.")
    try:
        tensors = _of_safetensors(path) if is_safetensors(path) else _of_pickle(path)
    except Exception as error:  # a damaged pickle can make its reader raise anything
        raise PezError(f"{path.name} cannot be read as a checkpoint: {_why(error)}") from error
    if not tensors:
        raise PezError(f"{path.name} contains no tensors: it is not a checkpoint of a CLIP model.")
    whole = [name for name, value in tensors.items() if value.ndim > 1 and not value.is_floating_point()]
    whole = [name for name in whole if not name.endswith(_RESIZED)]
    if whole:
        raise PezError(
            f"{path.name} is quantized: {one_line(whole[0], _SHOWN)} is {str(tensors[whole[0]].dtype).removeprefix('torch.')}. Use the "
            "same model in float32, float16 or bfloat16."
        )
    return tensors


def is_safetensors(path: Path) -> bool:
    """Whether the file's name ends in .safetensors, in upper or lower case."""
    return path.suffix.lower() == ".safetensors"


def _of_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        shapes = {name: file.get_slice(name) for name in names}
        return {
            name: torch.empty(part.get_shape(), dtype=_SAFETENSORS.get(part.get_dtype(), torch.float32), device="meta")
            for name, part in shapes.items()
        }


_SAFETENSORS = {"BOOL": torch.bool, "I8": torch.int8, "U8": torch.uint8, "I16": torch.int16, "I32": torch.int32}
_SAFETENSORS |= {"I64": torch.int64, "U16": torch.int32, "U32": torch.int64, "U64": torch.int64}


def _of_pickle(path: Path) -> dict[str, Tensor]:
    check_pickle(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the kind of archive, which the error names too
        loaded = torch.load(path, map_location="meta", weights_only=True)
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    named = state.items() if isinstance(state, dict) else ()
    return {key: value for key, value in named if isinstance(key, str) and isinstance(value, Tensor)}


def check_pickle(path: Path) -> None:
    """Raises PezError for an archive with code and for a compressed one, which torch writes neither for plain weights, and
    for a pickle with an endless word: torch searches its own messages, which quote it, in the square of its length."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            _check_names(file)
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.endswith("/constants.pkl") or "/code/" in entry.filename for entry in entries):
        raise PezError(
            "it is a TorchScript archive, such as OpenAI's own files, which contains code as well as weights. Fetch the "
            "same model as .safetensors or as a plain weight file."
        )
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise PezError(
            "it is a compressed archive, which torch does not write: fetch the model from its original source."
        )
    with zipfile.ZipFile(path) as archive:
        for entry in entries:
            if entry.filename.endswith("/data.pkl"):
                _check_names(BytesIO(archive.read(entry)))


def _check_names(pickled: IO[bytes]) -> None:
    """See `check_pickle`. Whatever else is wrong with a pickle is found when it is loaded."""
    longest = after = 0
    try:
        while True:  # pickles may follow each other
            for _, argument, _ in genops(pickled):
                after = pickled.tell()
                if isinstance(argument, str):
                    longest = max([longest, *map(len, argument.split())])
    except Exception:  # noqa: BLE001 - pickletools raises anything for what is no pickle, as the values after the last one
        pickled.seek(after)
        if pickled.read(1) == b"c":  # a name of code that pickletools could not read
            longest = max(longest, *(len(pickled.readline(_LONGEST_WORD + 1)) for _ in range(2)))
    if longest > _LONGEST_WORD:
        raise PezError(f"it contains a word of more than {_LONGEST_WORD} letters: fetch the model again.")


def _why(error: Exception) -> str:
    if isinstance(error, PezError):
        return str(error)
    if isinstance(error, PermissionError):
        return "the current user may not read the file. Change its permissions."
    said = first_line(error)
    if isinstance(error, pickle.UnpicklingError):  # torch's message advises loading the file with its code
        code = re.search(r"GLOBAL ([\w.]{1,100})\s", str(error))
        if code:
            return f"it contains {code[1]} besides weights, and loading that would run code. Fetch the same model as .safetensors."
        said = "not a pickle of weights"
    return (
        "it is damaged, cut short, or another kind of file; fetch it again, as .safetensors if there is a choice. "
        f"({said})"
    )


def misfit(module: nn.Module, tensors: dict[str, Tensor]) -> str:
    """A description of the tensors (see `checkpoint_tensors`) that do not fit `module`; '' if all do."""
    own = {key: list(value.shape) for key, value in module.state_dict().items()}
    given = {key.removeprefix("module."): list(value.shape) for key, value in tensors.items()}
    if "text.positional_embedding" in own and "positional_embedding" in given:  # an older naming of the text tower
        given = {key if key.startswith(("visual.", "logit_")) else f"text.{key}": shape for key, shape in given.items()}
    compared = {key for key in own.keys() | given.keys() if not key.endswith(_RESIZED)}
    wrong = [
        f"{key} is {shorten(str(given[key]))} in the file and {own[key]} in the architecture"
        for key in sorted(compared & own.keys() & given.keys())
        if own[key] != given[key]
    ]
    wrong += [f"{key} is missing" for key in sorted(compared & own.keys() - given.keys())]
    wrong += [f"{one_line(key, _SHOWN)} does not belong" for key in sorted(compared & given.keys() - own.keys())]
    more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return "; ".join(wrong[:_NAMED]) + more


def check_values(module: nn.Module, name: str) -> None:
    """Raises PezError for weights that are not finite, and for a tower that is all zeros."""
    filled = {True: False, False: False}
    for key, weight in module.named_parameters():
        low, high = torch.aminmax(weight.detach()) if weight.numel() else (weight.sum(), weight.sum())
        if not torch.isfinite(low + high):
            raise PezError(
                f"The weights of {name} are damaged: {key} contains NaN or infinite values. Fetch the file again."
            )
        filled[key.startswith("visual.")] |= weight.ndim > 1 and bool(low != high)
    if not all(filled.values()):
        which = "text" if filled[True] else "image"
        raise PezError(f"The weights of {name} are damaged: its {which} tower is all zeros. Fetch the file again.")

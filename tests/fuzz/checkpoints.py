"""Weights of a tiny CLIP: safetensors and pickles, whole, damaged, lying, and with code in them."""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle
import random
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save

from pez_core.models.checkpoints import checkpoint_tensors
from pez_core.models.loading import load_model

from .damage import damaged, damaged_tree

TINY = "tiny-clip-of-the-fuzzing"
SHAPE = {
    "embed_dim": 4,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 8, "head_width": 4, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 4, "heads": 1, "layers": 1},
}
CANARY = "harmed"


class Harm:
    """An object whose pickle runs code when it is loaded: it makes a file."""

    def __init__(self, way: int = 0):
        self.way = way

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            (Path.touch, (Path(CANARY),)),
            (os.system, (f"touch {CANARY}",)),
            (builtins.eval, (f"open({CANARY!r}, 'w').close()",)),
            (builtins.exec, (f"open({CANARY!r}, 'w').close()",)),
            (subprocess.Popen, (("touch", CANARY),)),
            (open, (CANARY, "w")),
            (torch.load, (CANARY,)),
            (getattr, (Path(CANARY), "touch")),
        )[self.way % 8]


class Checkpoints:
    """See `Kind`."""

    name = "checkpoints"
    most_bytes = 2**29

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        whole = _weights()
        half = {name: value.half() if value.is_floating_point() else value for name, value in whole.items()}
        yield "whole.safetensors", save(half)
        yield "WHOLE.SAFETENSORS", save(half)
        yield "whole.pt", _pickled(half)
        yield "old.bin", _pickled(half, _use_new_zipfile_serialization=False)
        yield (
            "nested.pth",
            _pickled({"state_dict": {f"module.{name}": value for name, value in half.items()}, "epoch": 3}),
        )
        small = {name: value[:1].clone() if value.ndim else value for name, value in half.items()}
        yield "other.safetensors", save(small)
        yield "other.pt", _pickled(small)
        yield "other.bin", _pickled(small, _use_new_zipfile_serialization=False)
        yield "not finite.safetensors", save({name: value * torch.nan for name, value in half.items()})
        yield "quantized.safetensors", save({name: value.to(torch.int8) for name, value in half.items()})
        yield "zeros.pt", _pickled({name: value * 0 for name, value in half.items()})
        yield "no tensor.safetensors", save({})
        yield "no tensor.pt", _pickled({"a": 1, 5: [None]})
        for way in range(8):
            yield f"code {way}.pt", _pickled({"text_projection": Harm(way)})
            yield f"code {way}.bin", pickle.dumps({"text_projection": Harm(way)}, protocol=2)
        yield "nested code.pt", _pickled({"state_dict": {**small, "more": [Harm(5)]}})
        yield from _headers()
        yield from _archives(half)
        yield "deep.bin", b"\x80\2" + b"(" * 10**6 + b"."
        yield "deep lists.bin", b"\x80\2" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."
        yield "large frame.bin", b"\x80\4\x95" + struct.pack("<Q", 2**63) + b"N."
        yield "large number.bin", b"\x80\2\x8b" + struct.pack("<I", 2**31 - 1) + b"\1."
        yield "page.safetensors", b"<!doctype html><html></html>"
        yield "pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"
        yield "nothing.safetensors", b""
        yield "nothing.pt", b""

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`. Small files half of the time, whose damage is more likely to be where it matters."""
        if name.lower().endswith(".safetensors") and rng.random() < 0.6:
            header = damaged_tree(_HEADER, rng)
            return _safetensors(json.dumps(header).encode(), b"\0" * 64)
        if len(data) > 10**5 and rng.random() < 0.9:
            data = _small() if name.endswith(".pt") else _small(_use_new_zipfile_serialization=False)
        return damaged(data, other[: 10**5], rng)

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`."""
        if file.stat().st_size < 10**5 and rng.random() < 0.8:
            checkpoint_tensors(file)
        else:
            _register()
            load_model(TINY, file)


@cache
def _register() -> None:
    """Makes the tiny architecture known to open_clip."""
    folder = Path(tempfile.gettempdir(), f"{TINY}-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    file = folder / f"{TINY}.json"
    file.write_text(json.dumps(SHAPE))
    open_clip.add_model_config(file)
    file.unlink()
    folder.rmdir()


def _weights() -> dict[str, torch.Tensor]:
    _register()
    torch.manual_seed(0)
    return open_clip.create_model(TINY).state_dict()


@cache
def _small(**more: Any) -> bytes:
    return _pickled({"text_projection": torch.ones(2, 2), "logit_scale": torch.ones(())}, **more)


def _pickled(value: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **more)
    return file.getvalue()


_HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "text_projection": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "positional_embedding": {"dtype": "F16", "shape": [4, 2], "data_offsets": [16, 32]},
    "logit_scale": {"dtype": "F64", "shape": [], "data_offsets": [32, 40]},
}


def _safetensors(header: bytes, data: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _headers() -> Iterator[tuple[str, bytes]]:
    whole = json.dumps(_HEADER).encode()
    lies = {
        "large length": _safetensors(whole, b"", 2**63),
        "length beyond": _safetensors(whole, b"", len(whole) + 1),
        "no end": _safetensors(whole[:-3], b""),
        "no data": _safetensors(whole, b""),
        "no text": _safetensors(b"\xff" * 40, b""),
        "a list": _safetensors(b"[1, 2]", b""),
        "deep": _safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b""),
        "spaces": _safetensors(whole + b" " * 10**7, b"\0" * 40),
        "twice": _safetensors(whole[:-1] + b", " + whole[1:], b"\0" * 40),
    }
    for name, data in lies.items():
        yield f"{name}.safetensors", data
    for name, entry in {
        "overflow": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]},
        "large": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]},
        "negative": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]},
        "backwards": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]},
        "no kind": {"dtype": "F33", "shape": [4], "data_offsets": [0, 16]},
        "empty": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
        "dimensions": {"dtype": "U8", "shape": [1] * 10_000, "data_offsets": [0, 1]},
        "eight bits": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]},
    }.items():
        yield f"{name}.safetensors", _safetensors(json.dumps({"text_projection": entry}).encode(), b"\0" * 16)
    names = {f"{'x' * 1000}{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(5000)}
    yield "long names.safetensors", _safetensors(json.dumps(names).encode(), b"")
    lines = {"a\nb\x1b[31m\0": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    yield "names of several lines.safetensors", _safetensors(json.dumps(lines).encode(), b"")


def _archives(half: dict[str, torch.Tensor]) -> Iterator[tuple[str, bytes]]:
    whole = _pickled(half)
    yield "bomb.pt", _archive({"bomb/data.pkl": b"\0" * 5 * 10**8, "bomb/version": b"3"}, zipfile.ZIP_DEFLATED)
    yield "packed.pt", _packed(whole)
    yield "torchscript.pt", _archive({"a/data.pkl": pickle.dumps({}), "a/constants.pkl": b"", "a/code/x.py": b"1"})
    yield "no weights.pt", _archive({"a/readme": b"hello"})
    yield "climbing.pt", _archive({"../../a/data.pkl": pickle.dumps({}), "a/version": b"3"})
    yield "twice.pt", _archive({"a/data.pkl": pickle.dumps({}), "a/version": b"3", "b/data.pkl": pickle.dumps({})})
    lying = bytearray(_archive({"a/data.pkl": b"\0" * 1000, "a/version": b"3"}))
    place = lying.rfind(b"PK\1\2")
    lying[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
    yield "lying sizes.pt", bytes(lying)
    yield "many entries.pt", _archive({f"a/data/{i}": b"" for i in range(20_000)})


def _archive(files: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return made.getvalue()


def _packed(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _archive({name: archive.read(name) for name in archive.namelist()}, zipfile.ZIP_DEFLATED)

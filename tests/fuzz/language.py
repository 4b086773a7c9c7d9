"""Language models: GGUF files, and the files of a folder of transformers."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import struct
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import tiny_language
from safetensors.torch import save

from pez_core.models.language import load_classifying_model, load_language_model

from .checkpoints import CANARY, Harm
from .damage import damaged, damaged_text, damaged_tree

OWN_CODE = f"from pathlib import Path\nPath({CANARY!r}).touch()\n"


class Language:
    """See `Kind`. A file other than a GGUF replaces that of its name in a whole folder."""

    name = "language"
    most_bytes = 2**30

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        whole = _folder()
        yield from whole.items()
        config = json.loads(whole["config.json"])
        yield "config.json", b"[" * 10**5
        yield "tokenizer.json", b"[" * 10**5
        yield "config.json", b"{}"
        for changes in (
            {"vocab_size": 10**12},
            {"hidden_size": 2**40},
            {"num_hidden_layers": 10**9},
            {"num_attention_heads": 0},
            {"max_position_embeddings": -1},
            {"model_type": "../../x"},
            {"model_type": "bert", "architectures": ["BertModel"]},
            {"auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}, "model_type": "own"},
            {"auto_map": {"AutoConfig": "someone/model--own.Own"}, "model_type": "own"},
            {"quantization_config": {"quant_method": "bitsandbytes"}},
        ):
            yield "config.json", json.dumps({**config, **changes}).encode()
        yield "pytorch_model.bin", pickle.dumps({"model.embed_tokens.weight": Harm()}, protocol=2)
        yield "own.py", OWN_CODE.encode()
        yield "plain.gguf", _gguf()
        for name, data in _lies().items():
            yield f"{name}.gguf", data

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`."""
        if name.endswith(".json") and rng.random() < 0.7:
            try:
                return json.dumps(damaged_tree(json.loads(data), rng)).encode()
            except (ValueError, RecursionError):
                return damaged_text(data[:5000], rng)
        return damaged(data, other, rng)

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`."""
        load: Any = load_language_model if rng.random() < 0.5 else load_classifying_model
        if file.suffix == ".gguf":
            load(file)
            return
        beside = [Path(name) for name in _folder() if name != file.name and not _replaced(name, file.name)]
        for each in beside:
            each.write_bytes(_folder()[each.name])
        try:
            load(file.parent)
        finally:
            for each in beside:
                each.unlink()


def _replaced(name: str, other: str) -> bool:
    return name == "model.safetensors" and other == "pytorch_model.bin"


@cache
def _folder() -> dict[str, bytes]:
    model = tiny_language.causal()
    folder = Path(tempfile.mkdtemp())
    try:
        model.module.config.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        made = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    finally:
        shutil.rmtree(folder)
    weights = {name: value.half() for name, value in model.module.state_dict().items()}
    return {**made, "model.safetensors": save(weights, {"format": "pt"})}


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _gguf(tensors: int = 1, pairs: int | None = None, version: int = 3) -> bytes:
    """The header of a GGUF file of a tiny llama with one tensor."""
    kinds = {"general.architecture": "llama", "general.name": "tiny", "tokenizer.ggml.model": "gpt2"}
    numbers = {"block_count": 1, "embedding_length": 32, "context_length": 64, "attention.head_count": 2}
    numbers |= {"feed_forward_length": 32, "attention.head_count_kv": 2, "vocab_size": 300}
    told = b"".join(_text(name) + struct.pack("<I", 8) + _text(value) for name, value in kinds.items())
    told += b"".join(_text(f"llama.{name}") + struct.pack("<II", 4, value) for name, value in numbers.items())
    words = [*"w1", *(f"w{i}" for i in range(298))]
    told += _text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, len(words)) + b"".join(map(_text, words))
    told += _text("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 1) + _text("w 1")
    count = len(kinds) + len(numbers) + 2 if pairs is None else pairs
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, count) + told
    head += _text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, 300, 0, 0)
    return head + b"\0" * (-len(head) % 32) + b"\0" * (4 * 32 * 300)


def _lies() -> dict[str, bytes]:
    whole = _gguf()
    return {
        "many tensors": _gguf(2**62),
        "many pairs": _gguf(1, 2**62),
        "another version": _gguf(version=99),
        "cut": whole[:100],
        "only a head": whole[:24],
        "long text": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62) + b"a",
        "long list": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text("a") + struct.pack("<IIQ", 9, 0, 2**62),
        "nested lists": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text("a") + struct.pack("<IIQ", 9, 9, 1) * 5000,
        "no kind": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text("a") + struct.pack("<I", 99),
        "nothing": b"",
        "not one": b"\x93NUMPY",
    }

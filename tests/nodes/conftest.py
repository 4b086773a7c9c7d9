"""What the tests of the nodes share: a second model, and the nodes' modules without a server."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import open_clip
import pytest
import torch
from comfy_server import Comfy
from safetensors.torch import save_file

ROOT = Path(__file__).parents[2]
PACK = "pack_under_test"  # ComfyUI also imports this pack under a different name


@pytest.fixture(scope="session")
def second_model(comfy: Comfy) -> dict[str, str]:
    """Inputs of PEZ Load Model for a ViT-B-32 of random weights, chosen as a file: what a user without internet does."""
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in open_clip.create_model("ViT-B-32").state_dict().items()}
    save_file(weights, comfy.base / "models" / "open_clip" / "b32.safetensors")
    return {"model": "Small and quick (ViT-B-32 laion2b_s34b_b79k)", "checkpoint": "b32.safetensors"}


@pytest.fixture(scope="module")
def pack() -> Iterator[Callable[..., ModuleType]]:
    """Imports a module of the pack by its name; `modules` stand in for those of ComfyUI's that it needs.

    The pack is imported once more beside the `pez_core` of other tests: use its own classes.
    """
    root = ModuleType(PACK)
    root.__path__ = [str(ROOT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, PACK, root)

        def load(name: str, modules: dict[str, ModuleType] | None = None) -> ModuleType:
            for each, module in (modules or {}).items():
                patch.setitem(sys.modules, each, module)
            return importlib.import_module(f"{PACK}.{name}")

        yield load
    for name in [name for name in sys.modules if name.startswith(f"{PACK}.")]:
        del sys.modules[name]

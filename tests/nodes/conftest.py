"""A second model that the tests of the nodes share."""

from __future__ import annotations

import open_clip
import pytest
import torch
from comfy_server import Comfy
from safetensors.torch import save_file


@pytest.fixture(scope="session")
def second_model(comfy: Comfy) -> dict[str, str]:
    """Inputs of PEZ Load Model for a ViT-B-32 of random weights, chosen as a file: what a person offline does."""
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in open_clip.create_model("ViT-B-32").state_dict().items()}
    save_file(weights, comfy.base / "models" / "open_clip" / "b32.safetensors")
    return {"model": "Small and quick (ViT-B-32 laion2b_s34b_b79k)", "checkpoint": "b32.safetensors"}

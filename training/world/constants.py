"""Small tensors of fixed numbers."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def constant(device: torch.device, *values: float) -> Tensor:
    """float32 [1, len(values), 1, 1], made once for each device: making one waits for a GPU to finish its work."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)

"""The number format of a search, checked against float32."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import PezError

log = logging.getLogger(__name__)

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
_FEATURE = 0.05  # largest distance of unit features; similarities then differ by far less
_GRADIENT = 0.9  # least cosine of gradients

Sample = Callable[[torch.dtype], tuple[Tensor, Tensor]]
"""From a format to unit features [N, F] of some prompts and gradients [N, L, D] of a function of them."""


def choose(precision: str, device: torch.device, sample: Sample | None, name: str) -> torch.dtype:
    """The format for searches with a tower.

    sample: from a format to the tower's results in it; None for a tower that runs only in float32.
    precision: as in the configuration. "auto" uses half precision on CUDA and ROCm if it agrees with float32 on
        the sample (fp16 before bf16: same speed, eight times finer), otherwise float32.

    Raises PezError if the requested format does not agree with float32.
    """
    if precision == "fp32" or (precision == "auto" and (device.type != "cuda" or sample is None)):
        return torch.float32
    if sample is None:
        raise PezError(f"The text tower of {name} runs in fp32 only: choose precision auto or fp32, not {precision}.")
    true_features, true_gradients = sample(torch.float32)
    for each in ("fp16", "bf16") if precision == "auto" else (precision,):
        features, gradients = sample(DTYPES[each])
        distance = (features - true_features).norm(dim=-1).max().item()
        cosine = torch.cosine_similarity(gradients.flatten(1), true_gradients.flatten(1)).min().item()
        agrees = distance <= _FEATURE and cosine >= _GRADIENT  # False for NaN
        log.info("%s in %s: features within %.1e of fp32, cosine of gradients %.3f.", name, each, distance, cosine)
        if agrees:
            return DTYPES[each]
    if precision == "auto":
        return torch.float32
    raise PezError(f"precision {precision} is too coarse for the text tower of {name}: choose auto or fp32.")

"""The number format of a search, checked against float32, and whether it may use the fused kernels."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import PezError, first_line

log = logging.getLogger(__name__)

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
_FEATURE = 0.05  # largest distance of unit features; similarities then differ by far less
_GRADIENT = 0.9  # least cosine of gradients


class Sample(Protocol):
    """Runs a tower on some prompts."""

    def __call__(self, dtype: torch.dtype, fused: bool = False) -> tuple[Tensor, Tensor]:
        """Unit features [N, F] and gradients [N, L, D] of a function of them, in a format; with the fused kernels or not."""
        ...


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
    exact = sample(torch.float32)
    for each in ("fp16", "bf16") if precision == "auto" else (precision,):
        if _agree(sample(DTYPES[each]), exact, f"{name} in {each}"):
            return DTYPES[each]
    if precision == "auto":
        return torch.float32
    raise PezError(f"precision {precision} is too coarse for the text tower of {name}: choose auto or fp32.")


def fused_agrees(dtype: torch.dtype, device: torch.device, sample: Sample, name: str) -> bool:
    """Whether the kernels of `fused/` run on `device` and agree with the usual ones; False in float32.

    They need CUDA and Triton, and Triton needs a C compiler: where one of them is missing, the usual kernels run.
    """
    if device.type != "cuda" or dtype == torch.float32:
        return False
    try:
        return _agree(sample(dtype, fused=True), sample(dtype), f"{name} with fused kernels")
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # Triton raises errors of many kinds
        log.info("%s runs without fused kernels: %s", name, first_line(error), exc_info=True)
        return False


@dataclass(frozen=True)
class Agreement:
    """How near results are to exact ones. distance: the largest of unit features. cosine: the least of gradients."""

    distance: float
    cosine: float

    def __str__(self) -> str:
        return f"features within {self.distance:.1e}, cosine of gradients {self.cosine:.3f}"

    @property
    def holds(self) -> bool:
        """Whether that is near enough to search with. False for NaN."""
        return self.distance <= _FEATURE and self.cosine >= _GRADIENT


def compare(found: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor]) -> Agreement:
    """Compares the results of two runs of a `Sample`."""
    (features, gradients), (true_features, true_gradients) = found, exact
    distance = (features - true_features).norm(dim=-1).max().item()
    cosine = torch.cosine_similarity(gradients.flatten(1), true_gradients.flatten(1)).min().item()
    return Agreement(distance, cosine)


def _agree(found: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor], what: str) -> bool:
    agreement = compare(found, exact)
    log.info("%s: %s.", what, agreement)
    return agreement.holds

"""What a check has found, and whom it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..models.clip import ClipModel
from ..objectives.protocol import nothing

OK, SLOW, WRONG, SKIPPED = "ok", "slow", "wrong", "skipped"
STATUSES = (OK, SLOW, WRONG, SKIPPED)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    status: one of STATUSES. Slow: results are right, but take longer than they could. Skipped: cannot be checked here.
    figure: what was measured or seen; for a skipped check, why. advice: what to do, unless the status is ok.
    name: of the check, filled in by the doctor.
    """

    status: str
    figure: str
    advice: str = ""
    name: str = ""


def skipped(why: str) -> Finding:
    """The finding of a check that is not possible here."""
    return Finding(SKIPPED, why)


@dataclass
class Patient:
    """The model that is looked at: its name, its local file of weights if it has one, its device, and, once it is loaded,
    the model itself. between: called within checks that take long; what it raises ends the examination."""

    name: str
    checkpoint: str | Path | None
    device: torch.device
    loaded: ClipModel | None = None
    between: Callable[[], None] = nothing

    @property
    def model(self) -> ClipModel:
        """The loaded model."""
        assert self.loaded is not None  # the doctor skips checks of a model that could not be loaded
        return self.loaded


Check = Callable[[Patient], Finding]

"""The doctor: looks at a machine and a model there, and says in one report what is right, slow or wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from . import __version__
from .checks import machine, steps, towers
from .checks.finding import OK, SLOW, STATUSES, WRONG, Check, Finding, Patient, skipped
from .errors import PezError, first_line, shorten
from .models.clip import ClipModel
from .models.presets import EMBEDDED
from .objectives.protocol import nothing
from .towers.plain import plain_torch

MACHINE: dict[str, Check] = {
    "versions": machine.versions,
    "devices": machine.devices,
    "compilers": machine.compilers,
    "embedded files": machine.embedded_files,
    "language model": machine.language_wheel,
    "weights": machine.weights,
}
MODEL: dict[str, Check] = {
    "lean tower": towers.lean_tower,
    "half precision": towers.half_precision,
    "fused kernels": towers.fused_kernels,
    "CUDA graph": towers.graph,
    "CLIP pair": towers.pair,
    "inversion": steps.inversion,
    "memory": steps.memory,
    **{f"step of {restarts}": steps.step_of(restarts) for restarts in (1, 8, 16)},
}
LOADING = "model"
CHECKS = (*MACHINE, LOADING, *MODEL)
_WIDTH = max(map(len, CHECKS))
_LONGEST = 600  # letters of a line
_BROKEN = (  # what a check may raise where something is broken. Not all of Exception: ComfyUI's interrupt passes through
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, OSError, RuntimeError),
    *(TypeError, ValueError),
)


@dataclass(frozen=True)
class Report:
    """What the doctor has found. model, device: what was looked at. seconds: that it took."""

    model: str
    device: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def wrong(self) -> bool:
        """Whether something is wrong, not only slow."""
        return any(finding.status == WRONG for finding in self.findings)

    def text(self) -> str:
        """The report as one block, to be pasted into an issue."""
        return "\n".join([heading(self.model, self.device), *map(line, self.findings), self.summary()])

    def summary(self) -> str:
        """The last line: how many findings of each status there are."""
        counts = {status: sum(finding.status == status for finding in self.findings) for status in STATUSES}
        return f"{', '.join(f'{count} {status}' for status, count in counts.items() if count)}, in {self.seconds:.0f} s"

    def to_json(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {
            "version": __version__,
            "model": self.model,
            "device": self.device,
            "wrong": self.wrong,
            "seconds": round(self.seconds, 1),
            "findings": [asdict(finding) for finding in self.findings],
        }


@plain_torch()
def examine(
    name: str = EMBEDDED,
    checkpoint: str | Path | None = None,
    device: str | torch.device = "cpu",
    on_finding: Callable[[Finding], object] | None = None,
    model: ClipModel | None = None,
    between: Callable[[], None] = nothing,
) -> Report:
    """Looks at this machine and at a model on it.

    Args:
        name, checkpoint, device: as in `load_model`. Weights that are not here are fetched only if `name` needs them.
        on_finding: called with each finding as soon as it is there. What it raises passes through.
        model: a loaded model to look at instead of loading one; `name`, `checkpoint` and `device` are then ignored.
        between: called within checks that take long. What it raises passes through.

    Returns:
        A finding for each of CHECKS, in their order. No path and no user name is in them.

    Example:
        >>> report = examine("ViT-L-14/openai", device="cuda")
        >>> print(report.text())
    """
    started = time.perf_counter()
    if model is None:
        patient = Patient(name, checkpoint, torch.device(device), between=between)
    else:
        patient = Patient(model.name, None, model.device, model, between)
    findings: list[Finding] = []

    def take(check: Check, named: str) -> None:
        found = _run(check, patient)
        advice = shorten(without_paths(found.advice), _LONGEST)
        findings.append(
            replace(found, figure=shorten(without_paths(found.figure), _LONGEST), advice=advice, name=named)
        )
        if on_finding:
            on_finding(findings[-1])

    brought = _run(_load, patient) if model is not None else None  # first: the machine's lines name its device
    for named, check in MACHINE.items():
        take(check, named)
    take(_load if brought is None else lambda _: brought, LOADING)
    for named, check in MODEL.items():
        take(_on_model(check) if patient.loaded else _without_model, named)
    return Report(without_paths(patient.name), str(patient.device), tuple(findings), time.perf_counter() - started)


def heading(model: str, device: str) -> str:
    """The first line of a report."""
    return f"PEZ doctor {__version__}: {without_paths(model)} on {device}"


def line(finding: Finding) -> str:
    """A finding as a line, with what to do in a second one."""
    said = f"{finding.name:{_WIDTH}}  {finding.status:7}  {finding.figure}"
    return f"{said}\n{'':{_WIDTH}}  -> {finding.advice}" if finding.advice else said


def without_paths(text: str) -> str:
    """The text without the folders of this machine: of each absolute path only the last name is left."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return _PATH.sub("...", _QUOTED.sub("...", text))


_ROOT = r"(?:~|[A-Za-z]:)?[/\\]"
_QUOTED = re.compile(
    rf"""(?<=['"]){_ROOT}[^'"\n]*(?=[/\\]+[^/\\'"\n]+['"])"""
)  # folders up to the last name; may have spaces
_PATH = re.compile(rf"""(?<![\w/\\:.~-]){_ROOT}+[^\s/\\'"]+(?:[/\\]+[^\s/\\'"]+)*(?=[/\\]+[^\s/\\'"]+)""")


def _run(check: Check, patient: Patient) -> Finding:
    try:
        return check(patient)
    except PezError as error:
        return Finding(WRONG, "refused", str(error))  # the message has the cure
    except torch.cuda.OutOfMemoryError as error:
        return Finding(SLOW, f"not enough memory: {first_line(error)}", "End other programs that use the device.")
    except _BROKEN as error:
        return Finding(WRONG, f"{type(error).__name__}: {first_line(error)}", towers.REPORT)


def _load(patient: Patient) -> Finding:
    """Loads the model."""
    started = time.perf_counter()
    if patient.loaded is None:
        from .models.loading import load_model  # imported late: where open_clip is broken, other lines still say so

        patient.loaded = load_model(patient.name, patient.checkpoint, patient.device)
    model = patient.model.ready()
    patient.device = model.device  # a placement may have chosen another one
    text = ", ".join(f"width {tower.width}, {'lean' if tower.lean else 'full length'}" for tower in model.text.towers)
    seconds = time.perf_counter() - started
    return Finding(OK, f"{model.name}: text tower of {text}, {model.vocabulary.size} tokens, ready in {seconds:.1f} s")


def _on_model(check: Check) -> Check:
    def prepared(patient: Patient) -> Finding:
        patient.model.ready()  # a program that manages memory may have moved it since the check before
        return check(patient)

    return prepared


def _without_model(patient: Patient) -> Finding:
    return skipped("the model could not be loaded")

"""Checks of the search on a machine: how long a step takes, what it needs of memory, and a whole inversion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from ..config import InversionConfig
from ..inversion import invert, template_for
from ..models.clip import ClipModel
from ..models.presets import EMBEDDED_FOLDER
from ..objectives.match import MatchObjective
from ..result import Progress
from ..run.memory import search_bytes
from ..search import make_stepper, starts
from ..search.pez import PezSearch, PezState
from ..targets.pictures import as_rgb
from ..targets.target import Target
from .finding import OK, SLOW, WRONG, Check, Finding, Patient, skipped
from .floor import Floor
from .measuring import extra_megabytes, in_turn, milliseconds

MOST_STEPS = 10_000
SECONDS = 0.5  # about what the times of one number of restarts may take
MOST_TURNS = 25
CUDA_STEPS = 20  # in a turn: one is too short to time
MOST_RATIO = 4.0  # of a step to its matrix products
LEAST_PRODUCTS = 5.0  # milliseconds of matrix products; below, what surrounds them takes longer than they do
WORKSPACES = 64  # MiB that libraries take for themselves on CUDA, whatever the model; programs keep more than that free
RESCORED = 1e-4  # most by which a reported score may differ from that of the text encoded again
SAMPLE = EMBEDDED_FOLDER / "samples" / "penguin.png"
SHORT = InversionConfig(method="pez", restarts=4, steps=20)


def pez_search(model: ClipModel, restarts: int) -> tuple[PezSearch, PezState]:
    """A PEZ search for the sample picture, and the state before its first step. The same each time."""
    config = InversionConfig(method="pez", restarts=restarts, steps=MOST_STEPS)
    objective = MatchObjective(model, [_target(model)], template_for(model, config), config.precision)
    generators = [torch.Generator().manual_seed(config.seed)]
    start, _ = starts([objective.space.of(0)], config, (), (), generators)
    search = PezSearch(objective, config, MOST_STEPS, generators)
    return search, search.begin(start)


def step_of(restarts: int) -> Check:
    """The check of how long a step of this many restarts takes, beside only its matrix products."""

    def check(patient: Patient) -> Finding:
        model, device = patient.model, patient.device
        search, state = pez_search(model, restarts)
        stepper = make_stepper(search, state, device)
        floor = _floor(patient, restarts)
        works = [stepper.advance, *([floor] if floor else [])]
        times = CUDA_STEPS if device.type == "cuda" else 1
        for work in works:
            patient.between()
            work()  # libraries initialize in the first call
        turn = sum(milliseconds(work, device, times) for work in works) * times
        patient.between()
        turns = int(min(MOST_TURNS, max(1, SECONDS * 1000 / max(turn, 1e-3))))
        step, *least = in_turn(works, device, turns, times)
        figure = f"{step:.2f} ms"
        if not least:
            return Finding(OK, f"{figure}; without a lean way there are no matrix products to compare with")
        ratio = step / least[0]
        figure += f", {ratio:.1f} times its matrix products"
        if ratio > MOST_RATIO and least[0] > LEAST_PRODUCTS:
            return Finding(
                SLOW,
                figure,
                "End other programs that compute on this device, and run this again. If it stays, paste this report into an issue.",
            )
        return Finding(OK, figure)

    return check


def memory(patient: Patient) -> Finding:
    """The peak memory of a search against what is kept free for it."""
    if patient.device.type != "cuda":
        return skipped(f"the peak is measured on CUDA only, and this is {patient.device}")
    config = InversionConfig(steps=SHORT.steps)
    target = _target(patient.model)
    peak = extra_megabytes(lambda: invert(patient.model, target, config, _listener(patient)), patient.device)
    estimate = search_bytes(patient.model, config) / 2**20
    figure = f"{peak:.0f} MiB above the weights, {estimate:.0f} MiB estimated"
    if peak is None or peak > estimate + WORKSPACES:
        return Finding(
            WRONG,
            figure,
            "ComfyUI may run out of memory in a search. Paste this report into an issue: the estimate is too low.",
        )
    return Finding(OK, figure)


def inversion(patient: Patient) -> Finding:
    """A sample picture inverted: the reported score against that of the text and the picture, encoded again."""
    model = patient.model
    result = invert(model, _target(model), SHORT, _listener(patient))
    again = (model.encode_texts([result.prompt]) @ model.encode_images(as_rgb(SAMPLE)).T).item()
    figure = f"{result.prompt!r}: {result.similarity:.4f} reported, {again:.4f} encoded again, {result.seconds:.1f} s"
    if not math.isfinite(again) or abs(again - result.similarity) > RESCORED:
        return Finding(
            WRONG, figure, "The score is not that of the text. Paste this report into an issue: it is a bug."
        )
    return Finding(OK, figure)


def _listener(patient: Patient) -> Callable[[Progress], None]:
    """Hears of a search's progress, and never asks it to end."""
    return lambda _: patient.between()


def _floor(patient: Patient, restarts: int) -> Any:
    """The matrix products of a step of PEZ, as one graph on CUDA; None for a model that has no lean way, or several towers."""
    (text, *others), device = patient.model.text.towers, patient.device
    if others or not text.lean:
        return None
    words = int(template_for(patient.model, SHORT).allowed.sum())
    floor = Floor(text, restarts, SHORT.length, text.chosen("auto")[0], text.table[:words])
    if device.type != "cuda":
        return floor
    captured = torch.cuda.CUDAGraph()
    floor()
    with torch.cuda.graph(captured):
        floor()
    return captured.replay


def _target(model: ClipModel) -> Target:
    return Target.from_images(model, SAMPLE)

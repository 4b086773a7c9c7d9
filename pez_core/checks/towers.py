"""Checks of a model: each fast way of computing against the plain one, and whether its two halves belong together."""

from __future__ import annotations

import torch

from ..errors import first_line
from ..models import pairing
from ..search.stepping import GraphStepper, Stepper
from ..towers.precision import DTYPES, compare
from ..towers.text_tower import LEAN_TOLERANCE
from .finding import OK, SLOW, WRONG, Finding, Patient, skipped
from .steps import pez_search

REPORT = "Paste this report into an issue: it is a bug."
STEPS = 8  # in which a graph is compared
RESTARTS = 8
APART = 0.01  # most by which the similarities of both may differ then, in half precision
_FULL_LENGTH = "searches run at full length, so there is no other way to compare"


def lean_tower(patient: Patient) -> Finding:
    """The least work that a causal tower needs, against the model's own encoding at full length."""
    errors = [tower.lean_error() for tower in patient.model.text.towers]
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        return Finding(
            SLOW,
            "this architecture has no lean way: searches run at full length",
            "Nothing is wrong with the results. For speed, choose a CLIP with a causal text tower, such as ViT-L-14.",
        )
    figure = f"features within {max(known):.1e} of full length"
    if not all(error <= LEAN_TOLERANCE for error in known):
        figure += f", more than {LEAN_TOLERANCE:g}"
        if all(tower.lean for tower in patient.model.text.towers):
            return Finding(WRONG, figure, f"Searches optimize something else than the score. {REPORT}")
        return Finding(WRONG, figure, f"Searches run at full length instead: right, but slow. {REPORT}")
    return Finding(OK, figure)


def half_precision(patient: Patient) -> Finding:
    """Half precision against float32."""
    towers = patient.model.text.towers
    if not all(tower.lean for tower in towers):
        return skipped(_FULL_LENGTH)
    said, good = [], []
    for name, dtype in DTYPES.items():
        if dtype != torch.float32:
            results = [compare(tower.run_sample(dtype), tower.run_sample(torch.float32)) for tower in towers]
            worst = min(results, key=lambda result: (result.holds, -result.distance))
            said.append(f"{name}: {worst}")
            good += [name] if worst.holds else []
    figure = "; ".join(said)
    if not good:
        return Finding(SLOW, figure, "Searches of this model compute in float32: leave precision on auto.")
    used = {str(tower.chosen("auto")[0]).removeprefix("torch.") for tower in towers}
    return Finding(OK, f"{figure}; searches here use {' and '.join(sorted(used))}")


def fused_kernels(patient: Patient) -> Finding:
    """The kernels of towers/fused against the usual ones."""
    towers = patient.model.text.towers
    if patient.device.type != "cuda":
        return skipped(f"they need CUDA, and this is {patient.device}")
    if not all(tower.lean for tower in towers):
        return skipped(_FULL_LENGTH)
    formats = [tower.chosen("auto")[0] for tower in towers]
    if torch.float32 in formats:
        return skipped("they need half precision, and searches of this model compute in float32")
    try:
        pairs = zip(towers, formats, strict=True)
        results = [compare(tower.run_sample(each, fused=True), tower.run_sample(each)) for tower, each in pairs]
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Triton raises errors of many kinds
        return Finding(
            SLOW,
            f"they do not run: {first_line(error)}",
            "Searches use the usual kernels. See the line about compilers; if both are there, paste this into an issue.",
        )
    worst = min(results, key=lambda result: (result.holds, -result.distance))
    if not worst.holds:
        return Finding(WRONG, str(worst), f"Searches use the usual kernels instead. {REPORT}")
    return Finding(OK, str(worst))


def graph(patient: Patient) -> Finding:
    """A captured CUDA graph against the same steps one operation at a time."""
    if patient.device.type != "cuda":
        return skipped(f"graphs need CUDA, and this is {patient.device}")
    plain = Stepper(*pez_search(patient.model, RESTARTS))
    try:
        captured = GraphStepper(*pez_search(patient.model, RESTARTS), patient.device)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        return Finding(
            SLOW, f"a step cannot be captured: {first_line(error)}", f"Searches run without a graph. {REPORT}"
        )
    for _ in range(STEPS):
        plain.advance()
        captured.advance()
    apart = (plain.state.best_value - captured.state.best_value).abs().max().item()
    same = int((plain.state.best_ids == captured.state.best_ids).all(-1).sum())
    figure = f"after {STEPS} steps similarities within {apart:.1e}, {same} of {RESTARTS} restarts have the same tokens"
    if not apart <= APART:
        return Finding(WRONG, figure, REPORT)
    return Finding(OK, figure)


def pair(patient: Patient) -> Finding:
    """Whether image and text tower agree on plain colors."""
    model = patient.model
    share = pairing.chance(model.encode_images(pairing.color_pictures()), model.encode_texts(pairing.COLORS))
    figure = f"{share:.1%} of random orders of the names match plain colors as well as the right one"
    if share >= pairing.CHANCE:
        return Finding(
            WRONG,
            f"{figure}: pictures and texts do not belong together",
            "The weights are damaged or those of two models: fetch them again, or choose another checkpoint.",
        )
    return Finding(OK, figure)

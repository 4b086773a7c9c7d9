"""Lets a generator choose among prompts: the one under which it denoises the picture best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .errors import PezError, shorten
from .models.clip import ClipModel
from .models.generator import Generator, Noises, OnPass
from .targets.target import Target, check_target

NOISES = 8
LEAST_NOISES, MOST_NOISES = 2, 1000
SURE = 0.95  # a difference is resolved if its interval at this level, for all differences of a run together, excludes 0
_ANGLES = 100_000  # points of the integral in `_margin`


@dataclass(frozen=True)
class Chosen:
    """A prompt as the generator sees it. All numbers are shares of the loss without a prompt.

    gain: how much smaller the loss is than without a prompt; below 0, the prompt hurts. error: its standard error.
    lag: how far its gain is below that of the best prompt, 0 for the best itself. lag_error: the standard error of that
    paired difference. resolved: whether the difference is larger than chance explains (always False for the best itself).
    place: its place among the given prompts, from 1.
    """

    prompt: str
    gain: float
    error: float
    lag: float
    lag_error: float
    resolved: bool
    place: int


@dataclass(frozen=True)
class Choice:
    """The prompts in the generator's order.

    ranked: best first, each prompt once. noises: pairs of noise and time for each picture. pictures: how many.
    passes: prompts read by the generator, the empty one included. seconds: wall time.
    """

    ranked: tuple[Chosen, ...]
    generator: str
    noises: int
    pictures: int
    seed: int
    passes: int
    seconds: float

    @property
    def best(self) -> Chosen:
        """The prompt with the largest gain."""
        return self.ranked[0]

    @property
    def second(self) -> Chosen | None:
        """The next best one, if there is another."""
        return self.ranked[1] if len(self.ranked) > 1 else None

    @property
    def first_given(self) -> Chosen:
        """The prompt that came first among those given: CLIP's own choice, if a search gave them."""
        return next(each for each in self.ranked if each.place == 1)

    def table(self) -> str:
        """The prompts, best first, and what can be said of the best, as text of fixed-width columns."""
        return "\n".join([table(self.ranked, "gain", _percent), "", *self.verdict()])

    def verdict(self) -> list[str]:
        """What the numbers say, in sentences."""
        said = []
        if self.second:
            surely = "is resolved" if self.second.resolved else "is not resolved: more noises may tell"
            said.append(f"The difference between the best and the second {surely}.")
        if self.first_given is self.best:
            said.append("The best is the first of those given.")
        else:
            surely = "" if self.first_given.resolved else ", a difference that is not resolved"
            said.append(f"The first of those given is at place {self.ranked.index(self.first_given) + 1}{surely}.")
        if self.best.gain <= 0:
            said.append("No prompt helps the generator more than no prompt at all.")
        return said

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {
            "best": self.best.prompt,
            "candidates": [asdict(each) for each in self.ranked],
            "generator": self.generator,
            "noises": self.noises,
            "pictures": self.pictures,
            "seed": self.seed,
            "passes": self.passes,
            "seconds": round(self.seconds, 3),
        }


def choose_painted(
    model: ClipModel, target: Target, prompts: Sequence[str], paintings: Sequence[Sequence[Image.Image]]
) -> tuple[Chosen, ...]:
    """Orders prompts by how similar their paintings are to the target, best first.

    `gain` of each is the mean similarity of its paintings according to the model, -1 to 1, and so are the other numbers.

    Args:
        model: one that searched none of the prompts judges more fairly.
        paintings: for each prompt two or more, by the same seeds in the same order: they are compared seed by seed.

    Raises:
        PezError: a target of another model, fewer than two paintings.
    """
    check_target(target, model)
    if any(len(each) < LEAST_NOISES for each in paintings):
        raise PezError(f"Each prompt needs at least {LEAST_NOISES} paintings to be compared.")
    seen = [target.similarity(model.encode_images(each)).double().cpu() for each in paintings]
    return _ranked(prompts, torch.stack(seen, dim=1))


def choose(
    generator: Generator,
    prompts: Sequence[str],
    pictures: Sequence[Any],
    noises: int = NOISES,
    seed: int = 0,
    on_pass: OnPass | None = None,
) -> Choice:
    """Orders prompts by how well the generator denoises the pictures under each of them: forward passes only.

    Each pair of noise and time is one measurement of every prompt, so prompts are compared pair by pair: what a noise or a time
    does to all of them cancels out. A measurement is the share of the loss without a prompt that the prompt takes away (for
    the idea, a diffusion model as a classifier by its denoising loss, see arXiv 2303.16203). No prompt is dropped early: with
    as few pairs as this takes, that would save little and leave errors of different sizes.

    Args:
        prompts: at least one; repeated ones are measured once. The first is what the others are compared with besides the best.
        pictures: at least one, as the generator takes them; the mean over them counts.
        noises: pairs of noise and time for each picture, 2 to 1000.
        seed: of the noises, 0 to 2^64 - 1. The same seed gives the same order on the same device.

    Raises:
        PezError: no prompt, no picture, a number out of range, or losses that are not finite.

    Example:
        >>> choose(PainterGenerator(load_painter()), ["a red bird", "a blue bird"], [picture]).best.prompt
    """
    if isinstance(prompts, str):
        raise PezError(f"choose takes a list of prompts, not {shorten(repr(prompts))}: put a single one into a list.")
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise PezError(f"choose takes a list of prompts, not {shorten(repr(prompt))} in it.")
    distinct = list(dict.fromkeys(prompts))
    if not distinct:
        raise PezError("There is no prompt to choose: give at least one.")
    if not len(pictures):
        raise PezError("There is no picture to compare the prompts by: give at least one.")
    if not isinstance(noises, int) or not LEAST_NOISES <= noises <= MOST_NOISES:
        raise PezError(f"noises must be a whole number from {LEAST_NOISES} to {MOST_NOISES}, not {noises!r}.")
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise PezError(f"seed must be a whole number from 0 to 2^64 - 1, not {seed!r}.")
    begun = time.perf_counter()
    read = ["", *(prompt for prompt in distinct if prompt)]
    each, measured = len(read) * noises, []
    for number, picture in enumerate(pictures):

        def told(done: int, _: int, before: int = number * each) -> None:
            if on_pass:
                on_pass(before + done, each * len(pictures))

        measured.append(generator.losses(read, picture, Noises(noises, (seed + number * noises) % 2**64), told))
    losses = torch.cat(measured).double()  # [M, 1 + N]
    if not losses.isfinite().all():
        raise PezError(
            f"{generator.name} predicted values that are not numbers: load it in another precision, such as bfloat16 or float32."
        )
    gains = 1 - losses / losses[:, :1]
    columns = [read.index(prompt) for prompt in distinct]
    return Choice(
        ranked=_ranked(distinct, gains[:, columns]),
        generator=generator.name,
        noises=noises,
        pictures=len(pictures),
        seed=seed,
        passes=each * len(pictures),
        seconds=time.perf_counter() - begun,
    )


def _ranked(prompts: Sequence[str], gains: Tensor) -> tuple[Chosen, ...]:
    """The prompts by their mean gains, from gains [M, N]."""
    count = len(gains)
    means, errors = gains.mean(0), _error(gains)
    order = [int(i) for i in means.argsort(descending=True, stable=True)]
    lags = gains[:, order[:1]] - gains
    lag, lag_errors = lags.mean(0), _error(lags)
    margin = _margin(1 - (1 - SURE) / max(len(prompts) - 1, 1), count - 1)
    return tuple(
        Chosen(
            prompt=prompts[i],
            gain=means[i].item(),
            error=errors[i].item(),
            lag=lag[i].item(),
            lag_error=lag_errors[i].item(),
            resolved=bool(lag[i] > margin * lag_errors[i]),
            place=i + 1,
        )
        for i in order
    )


def _error(values: Tensor) -> Tensor:
    """The standard error of the mean of each column. The pairs lie at times of their own, so it counts what changes with time as
    chance too: rather too large than too small."""
    return values.std(0) / math.sqrt(len(values))


def _margin(level: float, freedom: int) -> float:
    """How many standard errors a difference of this level must exceed: the two-sided quantile of Student's distribution.

    With t = sqrt(freedom) * tan(angle) its density is cos(angle) ^ (freedom - 1), which is summed. The level is that of all
    comparisons with the best together (Bonferroni).
    """
    angles = (torch.arange(_ANGLES, dtype=torch.float64) + 0.5) * (math.pi / 2 / _ANGLES)
    below = angles.cos().pow(freedom - 1).cumsum(0)
    angle = angles[int(torch.searchsorted(below, level * below[-1]))].item()
    return math.sqrt(freedom) * math.tan(angle)


def table(ranked: Sequence[Chosen], what: str, form: Callable[[float, str], str]) -> str:
    """Prompts, best first, as text of fixed-width columns; `what` their gains are, and how a number is written with a sign."""
    rows = [[what, "±", "behind", "±", "resolved", "given", "prompt"]]
    for each in ranked:
        lag = ["", "", ""]
        if each is not ranked[0]:
            lag = [form(each.lag, ""), form(each.lag_error, ""), "yes" if each.resolved else "no"]
        rows.append([form(each.gain, "+"), form(each.error, ""), *lag, f"{each.place}.", each.prompt])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _percent(share: float, sign: str) -> str:
    return f"{100 * share:{sign}.2f} %"

"""Inversion: from pictures, texts or blends of them to the prompts that match them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from .config import InversionConfig
from .errors import PezError, short_of_memory
from .models.clip import ClipModel
from .objectives.contributions import contributions
from .objectives.judge import MatchJudge
from .objectives.match import MatchObjective
from .result import InversionResult, Progress
from .run.loop import OnProgress, Run
from .run.memory import search_bytes
from .targets.target import Target
from .text.template import Template, template_of
from .towers.plain import plain_torch


def invert(
    model: ClipModel,
    target: Target,
    config: InversionConfig | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
    accept: Callable[[str], bool] | None = None,
) -> InversionResult:
    """Searches for the prompt that matches `target` best.

    Args:
        model: searched and scored with.
        target: made with this model.
        config: None for the defaults.
        on_progress: called every 10 steps, or every quarter of a second where steps are slower, and once at the end.
            Returning True stops the run, which then returns its best. What it raises passes through.
        accept: whether a text may be returned; others are skipped. None accepts all.

    Returns:
        Candidates, best first. Every similarity is that of the returned text, tokenized again, at full length, in
        float32; the trace and the restarts of a progress are the search's estimates.

    Raises:
        PezError: config, model and target do not fit together; or there is not enough memory.
        NothingAccepted: `accept` refused every prompt.

    Example:
        >>> model = load_model()
        >>> result = invert(model, Target.from_images(model, "penguin.png"), InversionConfig(length=6))
        >>> print(result.prompt, result.similarity)
    """
    report = (lambda progress: on_progress(progress[0])) if on_progress else None
    (result,) = invert_all(model, [target], config, report, accept)
    return result


@plain_torch()
def invert_all(
    model: ClipModel,
    targets: Sequence[Target],
    config: InversionConfig | None = None,
    on_progress: OnProgress | None = None,
    accept: Callable[[str], bool] | None = None,
) -> list[InversionResult]:
    """Searches for a prompt for each of the targets, side by side in one step: each gets what `invert` gives it alone.

    on_progress gets the progress of all targets, in their order, and stops all of them by returning True. For the
    rest see `invert`.
    """
    config = config or InversionConfig()
    if not targets:
        return []
    for target in targets:
        target.check(model)
    template = template_for(model, config)
    words = template.start_ids(config.words) if config.start == "words" else []
    copies = [Target(target.features.clone(), target.weights.clone()) for target in targets]  # not inference tensors
    try:
        model.ready(search_bytes(model, config, len(targets)))
        objective = MatchObjective(model, copies, template, config.precision)
    except torch.cuda.OutOfMemoryError as error:
        raise short_of_memory(model.device, model.name) from error
    judge = MatchJudge(model, copies, template)
    return Run(objective, judge, config, model.name, template.kept, words, on_progress, accept).go()


def template_for(model: ClipModel, config: InversionConfig) -> Template:
    """The fixed part of the configuration's prompts for `model`.

    Raises PezError where the two do not fit together.
    """
    fixed = (config.prefix, config.suffix, config.keep, config.banned, config.vocabulary)
    return template_of(model.vocabulary, model.name, config.length, *fixed)


@plain_torch()
def pick(model: ClipModel, target: Target, result: InversionResult, number: int) -> InversionResult:
    """The result with its candidate `number`, from 1, in front; the last one where there are fewer.

    Raises PezError for a number below 1.
    """
    if number < 1:
        raise PezError(f"The number of a candidate must be 1 or more, not {number!r}.")
    place = min(number, len(result.candidates)) - 1
    if place == 0:
        return result
    first, others = result.candidates[place], result.candidates[:place] + result.candidates[place + 1 :]
    return replace(result, candidates=(first, *others), tokens=contributions(model.ready(), target, first.text))

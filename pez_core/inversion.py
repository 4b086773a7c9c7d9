"""Inversion: from pictures, texts or blends of them to the prompts that match them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, TypeVar

import torch

from .config import MAX_SEED, InversionConfig
from .errors import PezError, require, short_of_memory, shorten
from .models.caption_model import CaptionModel, embedded_caption_model
from .models.clip import ClipModel
from .objectives.contributions import contributions
from .objectives.fluency import LanguageModel
from .objectives.judge import MatchJudge
from .objectives.match import MatchObjective
from .objectives.protocol import Judge, Objective
from .objectives.reading import Reading
from .result import InversionResult, Progress
from .run.loop import OnProgress, Run
from .run.memory import search_bytes
from .run.reading import Reader
from .search.front import Units, ids_of
from .targets.target import Target, check_target, count_mismatch
from .text.own_words import OwnWords, read_own_words
from .text.template import Template, template_of
from .towers.plain import plain_torch

log = logging.getLogger(__name__)
AnyObjective = TypeVar("AnyObjective", bound=Objective)
AnyJudge = TypeVar("AnyJudge", bound=Judge)

UNUSED = "The language model ({}) has no effect while readability is 0."


def invert(
    model: ClipModel,
    target: Target,
    config: InversionConfig | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
    accept: Callable[[str], bool] | None = None,
    language: LanguageModel | None = None,
) -> InversionResult:
    """Searches for the prompt that matches `target` best.

    Args:
        model: used for the search and the scores.
        target: made with this model.
        config: None for the defaults.
        on_progress: called every 10 steps, or every quarter of a second where steps are slower, and once at the end.
            Returning True stops the run, which then returns its best prompts. Exceptions pass through.
        accept: whether a text may be returned; others are skipped. None accepts all.
        language: what says how a prompt reads, if the configuration asks for readability; None for the embedded caption
            model.

    Returns:
        Candidates, best first. Every similarity is that of the returned text, tokenized again, at full length, in
        float32; `trace` and `Progress.restarts` are the search's estimates.

    Raises:
        PezError: config, model and target do not fit together, or there is not enough memory.
        NothingAccepted: `accept` refused every prompt.

    Example:
        >>> model = load_model()
        >>> result = invert(model, Target.from_images(model, "penguin.png"), InversionConfig(length=6))
        >>> print(result.prompt, result.similarity)
    """
    report = (lambda progress: on_progress(progress[0])) if on_progress else None
    (result,) = invert_all(model, [target], config, report, accept, language)
    return result


def invert_all(
    model: ClipModel,
    targets: Sequence[Target],
    config: InversionConfig | None = None,
    on_progress: OnProgress | None = None,
    accept: Callable[[str], bool] | None = None,
    language: LanguageModel | None = None,
    seeds: Sequence[int] | None = None,
) -> list[InversionResult]:
    """Searches for a prompt for each of the targets, side by side; each result is that of `invert` alone.

    on_progress is called with the progress of all targets, in their order; returning True stops all of them.
    seeds: one for each target; None: the configuration's for all. For the rest see `invert`.
    """
    return search_with(model, targets, config, MatchObjective, MatchJudge, on_progress, accept, language, seeds)


def invert_each(
    model: ClipModel,
    targets: Sequence[Target],
    config: InversionConfig,
    following: Callable[[int], tuple[Target, int] | None],
    on_progress: OnProgress | None = None,
    language: LanguageModel | None = None,
    seeds: Sequence[int] | None = None,
) -> Iterator[list[tuple[int, InversionResult]]]:
    """Like `invert_all`, but results come as searches end, some at once, each with the place of its target.

    following: called with each place that has become free while others go on, after its result was taken; returns the
    target that is searched there from now on, with its seed, or None. A target has as many features as the one before it. It
    is not called, and all results come at the end, where places cannot be taken: see `Run`.
    """
    with plain_torch():
        aim, own, more = _prepared(model, targets, config, MatchObjective, MatchJudge, language, seeds)
        warnings = _warned(model, config, language)

    def follow(place: int) -> int | None:
        new = following(place)
        if new is None:
            return None
        target, seed = _copy(new[0]), new[1]
        target.check(model)
        aim.put(place, target)
        own.put(place, target)
        return seed

    found = Run(aim, own, config, on_progress=on_progress, following=follow, **more).each()
    while True:
        with plain_torch():  # not while the caller does something else
            some = next(found, None)
        if some is None:
            return
        yield [(place, replace(result, warnings=warnings)) for place, result in some]


@plain_torch()
def search_with(
    model: ClipModel,
    targets: Sequence[Target],
    config: InversionConfig | None,
    objective: Callable[[ClipModel, Sequence[Target], Template, str], Objective],
    judge: Callable[[ClipModel, Sequence[Target], Template], Judge],
    on_progress: OnProgress | None = None,
    accept: Callable[[str], bool] | None = None,
    language: LanguageModel | None = None,
    seeds: Sequence[int] | None = None,
) -> list[InversionResult]:
    """What every verb over a CLIP model and targets does: checks, fixed text, room in memory, the run.

    objective: makes the objective from the model, the targets, the template and the precision. judge: makes its judge.
    For the rest see `invert_all`.
    """
    config = config or InversionConfig()
    targets = _list_of(targets)
    if not targets:
        return []
    aim, own, more = _prepared(model, targets, config, objective, judge, language, seeds)
    run = Run(aim, own, config, on_progress=on_progress, accept=accept, **more)
    warnings = _warned(model, config, language, targets)
    return [
        replace(result, warnings=(*warnings, *target.warnings))
        for result, target in zip(run.go(), targets, strict=True)
    ]


def _prepared(
    model: ClipModel,
    targets: Sequence[Target],
    config: InversionConfig,
    objective: Callable[[ClipModel, Sequence[Target], Template, str], AnyObjective],
    judge: Callable[[ClipModel, Sequence[Target], Template], AnyJudge],
    language: LanguageModel | None,
    seeds: Sequence[int] | None,
) -> tuple[AnyObjective, AnyJudge, dict[str, Any]]:
    """The objective, the judge, and the other arguments of a run; see `search_with`."""
    require(config, InversionConfig, "An InversionConfig", "give one, such as InversionConfig.preset('fast')")
    if language is not None and not callable(getattr(language, "following", None)):
        raise PezError(f"A language model is needed, not {shorten(repr(language))}: load one with load_language_model.")
    for target in targets:
        check_target(target, model)
    seeds = None if seeds is None else _checked(seeds, len(targets))
    template = template_for(model, config)
    own = _own_words(model, config, template)
    if own:
        template = own.template
        words = [[i for i in ids_of(units) if template.allowed[i]] for units in own.texts]
    else:
        words, _ = template.starts_of(config.own_texts, config.restarts)
    copies = [_copy(target) for target in targets]
    try:
        model.ready(search_bytes(model, config, len(targets)))
        aim = objective(model, copies, template, config.precision)
        reader = _reader(model, config, template, own.texts if own else (), language) if config.readability else None
    except torch.cuda.OutOfMemoryError as error:
        raise short_of_memory(model.device, model.name) from error
    more = {"name": model.name, "kept": template.kept, "words": words, "reader": reader, "seeds": seeds}
    return aim, judge(model, copies, template), more


def _copy(target: Target) -> Target:
    """A target without inference tensors."""
    return Target(target.features.clone(), target.weights.clone())


def _warned(
    model: ClipModel, config: InversionConfig, language: LanguageModel | None, targets: Sequence[Target] = ()
) -> tuple[str, ...]:
    """The warnings of a search, which are logged, as are those of its targets."""
    warnings = warnings_of(model, config, language)
    for warning in dict.fromkeys((*warnings, *(each for target in targets for each in target.warnings))):
        log.warning(warning)
    return warnings


def _reader(
    model: ClipModel, config: InversionConfig, template: Template, own: Sequence[Units], language: LanguageModel | None
) -> Reader:
    """What makes prompts readable with `language`, None for the embedded caption model."""
    language = language or embedded_caption_model()
    if isinstance(language, CaptionModel):
        language = language.to(model.device)  # small: it computes beside the search
    return Reader(Reading(language, model.vocabulary, template), config, template.kept, own)


def _own_words(model: ClipModel, config: InversionConfig, template: Template) -> OwnWords | None:
    """The user's own words, which a readable search keeps unless others match better; None if it starts from none."""
    texts = config.own_texts if config.readability else ()
    return read_own_words(model.vocabulary, template, texts, model.name) if texts else None


def template_for(model: ClipModel, config: InversionConfig) -> Template:
    """The fixed part of the configuration's prompts for `model`.

    Raises PezError if the two do not fit together.
    """
    fixed = (config.prefix, config.suffix, config.keep, config.banned, config.vocabulary)
    return template_of(model.vocabulary, model.name, config.length, *fixed)


def warnings_of(model: ClipModel, config: InversionConfig, language: LanguageModel | None = None) -> tuple[str, ...]:
    """What a person should know before a search: sentences about fixed words, bans, start words and a language model that
    have no effect.

    Raises PezError if the two do not fit together.
    """
    template = template_for(model, config)
    own = _own_words(model, config, template)
    told = own.warnings if own else template.starts_of(config.own_texts, config.restarts)[1]
    unused = () if language is None or config.readability else (UNUSED.format(language.name),)
    return (*template.warnings, *told, *unused)


@plain_torch()
def pick(model: ClipModel, target: Target, result: InversionResult, number: int) -> InversionResult:
    """The result with candidate `number` (from 1) moved to the front; the last one if there are fewer.

    Raises PezError for a number below 1.
    """
    require(result, InversionResult, "A result", "give that of a search")
    candidates = result.candidates_from(number)
    check_target(target, model)
    if candidates[0] is result.candidates[0]:
        return result
    return replace(result, candidates=candidates, tokens=contributions(model.ready(), target, candidates[0].text))


def _list_of(targets: Any) -> list[Any]:
    several = isinstance(targets, Iterable) and not isinstance(targets, str | Target)
    return list(targets) if several else [targets]


def _checked(seeds: Any, targets: int) -> list[int]:
    """The seeds of the targets as plain numbers."""
    require(seeds, Collection, "A list of seeds", "give one for each target")
    if len(seeds) != targets:
        raise PezError(count_mismatch(targets, "seed", "target", len(seeds)))
    for seed in seeds:
        if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) <= MAX_SEED:
            raise PezError(f"A seed must be a whole number from 0 to 2^64 - 1, not {shorten(repr(seed))}.")
    return [int(seed) for seed in seeds]

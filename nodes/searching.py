"""The common part of nodes that search: targets, runs with reports, the chosen candidate, metadata, outputs."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io

from ..pez_core import ClipModel, InversionConfig, PictureSource, Target, escape_for_comfyui, invert, make_target, pick
from ..pez_core.errors import NothingAccepted
from ..pez_core.inversion import warnings_of
from ..pez_core.objectives.fluency import LanguageModel
from ..pez_core.targets.sources import Source
from .memory import name_of, remember
from .metadata import record
from .node import PezNode
from .outcome import outcome, thumbnail
from .reporting import Reporter
from .wired_clip import WiredClip
from .wires import NodeResult

HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo]
"""The hidden inputs that a node that searches needs."""


def search(
    node: type[PezNode],
    model: ClipModel,
    wanted: Sequence[Sequence[Source]],
    config: InversionConfig,
    candidate: int,
    clip: Any = None,
    language: LanguageModel | None = None,
) -> io.NodeOutput:
    """Searches for a prompt for each of the `wanted` blends.

    node: the running node, with HIDDEN. candidate: which one becomes the prompt, from 1.
    clip: ComfyUI's CLIP, which must tokenize prompts as they were scored; None for no check.
    language: what says how prompts read; None for the embedded caption model.

    Raises PezError for input that cannot be searched, and if `clip` accepts no prompt.
    """
    found = found_by(node, model, [(sources, config) for sources in wanted], candidate, clip, language)
    results = [each.result for each in found]
    return io.NodeOutput(
        [escape_for_comfyui(result.prompt) for result in results],
        [result.similarity for result in results],
        [escape_for_comfyui(candidate.text) for result in results for candidate in result.candidates],
        found,
        ui=shown(node, found),
    )


def found_by(
    node: type[PezNode],
    model: ClipModel,
    wanted: Sequence[tuple[Sequence[Source], InversionConfig]],
    candidate: int,
    clip: Any = None,
    language: LanguageModel | None = None,
) -> list[NodeResult]:
    """The results of a search for each of the `wanted` blends with its own configuration; for the rest see `search`.
    All configurations have the same seed."""
    found = []
    with Reporter(node.hidden, len(wanted), wanted[0][1].seed, model.name) as report:
        wired = WiredClip(clip, model) if clip is not None else None
        warnings = tuple(dict.fromkeys(each for _, config in wanted for each in warnings_of(model, config, language)))
        targets = [_target(model, sources) for sources, _ in wanted]
        for part, (target, (sources, config)) in enumerate(zip(targets, wanted, strict=True)):
            pictures = _pictures(sources)
            report.begin_part(part, thumbnail(pictures), (*warnings, *target.warnings))
            found.append(_search_one(model, target, config, candidate, report, wired, pictures, language))
    return found


def shown(node: type[PezNode], found: list[NodeResult]) -> dict[str, list[Any]]:
    """What the page shows of the results of a node; they are also added to the metadata of saved pictures.

    The path is that of the running node: a sub-graph that is used twice has it twice.
    """
    kind = node.SCHEMA.node_id
    outcomes = [outcome(kind, each) for each in found]
    record(node.hidden, [{"node": kind, **each.to_json()} for each in found], outcomes)
    return {"text": [each.result.prompt for each in found], "pez": outcomes, "pez_path": [str(node.hidden.unique_id)]}


def _target(model: ClipModel, sources: Sequence[Source]) -> Target:
    throw_exception_if_processing_interrupted()  # encoding many pictures takes long
    return make_target(model, sources)


def _search_one(
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    candidate: int,
    report: Reporter,
    wired: WiredClip | None,
    pictures: tuple[Any, ...],
    language: LanguageModel | None,
) -> NodeResult:
    """The result with the chosen candidate first."""
    accept, reader = (wired.accepts, wired.reader) if wired else (None, None)
    by = (reader, language and weakref.ref(language))
    try:
        result = remember(
            lambda: invert(model, target, config, report, accept, language), model, target, config, candidate, by
        )
    except NothingAccepted as nothing:
        assert wired is not None
        raise wired.refused_all(nothing) from nothing
    number = min(candidate, len(result.candidates))
    name = name_of(model, target, config, language.name if language else "")
    return NodeResult(pick(model, target, result, candidate), config, pictures, number, name)


def _pictures(sources: Sequence[Source]) -> tuple[Any, ...]:
    return tuple(each for source in sources if isinstance(source, PictureSource) for each in source.pictures)

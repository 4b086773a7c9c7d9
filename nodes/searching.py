"""The common part of nodes that search: targets, runs with reports, the chosen candidate, metadata, outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io

from ..pez_core import ClipModel, InversionConfig, InversionResult, PictureSource, Target, invert, make_target, pick
from ..pez_core.errors import NothingAccepted
from ..pez_core.targets.sources import Source
from .memory import remember
from .metadata import record
from .reporting import Reporter
from .wired_clip import WiredClip
from .wires import NodeResult, result_output

HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo]
"""The hidden inputs that a node that searches needs."""


def search(
    node: type[io.ComfyNode],
    model: ClipModel,
    wanted: Sequence[Sequence[Source]],
    config: InversionConfig,
    candidate: int,
    clip: Any = None,
) -> io.NodeOutput:
    """Searches for a prompt for each of the `wanted` blends.

    node: the running node, with HIDDEN. candidate: which one becomes the prompt, from 1.
    clip: ComfyUI's CLIP, which must tokenize prompts as they were scored; None for no check.

    Raises PezError for input that cannot be searched, and if `clip` accepts no prompt.
    """
    wired = WiredClip(clip, model) if clip is not None else None
    targets = [_target(model, sources) for sources in wanted]
    results = []
    with Reporter(node.hidden, len(targets)) as report:
        for target, sources in zip(targets, wanted, strict=True):
            result = _search_one(model, target, config, candidate, report, wired)
            results.append(NodeResult(result, config, _pictures(sources)))
            report.next_part()
    record(node.hidden, node.SCHEMA.node_id, results)
    return result_output(results)


def _target(model: ClipModel, sources: Sequence[Source]) -> Target:
    throw_exception_if_processing_interrupted()  # encoding many pictures takes long
    return make_target(model, sources)


def _search_one(
    model: ClipModel, target: Target, config: InversionConfig, candidate: int, report: Reporter, wired: WiredClip | None
) -> InversionResult:
    """The result with the chosen candidate first."""
    accept, reader = (wired.accepts, wired.reader) if wired else (None, None)
    try:
        result = remember(
            lambda: invert(model, target, config, report, accept), model, target, config, candidate, reader
        )
    except NothingAccepted as nothing:
        assert wired is not None
        raise wired.refused_all(nothing) from nothing
    return pick(model, target, result, candidate)


def _pictures(sources: Sequence[Source]) -> tuple[Any, ...]:
    return tuple(each for source in sources if isinstance(source, PictureSource) for each in source.pictures)

"""Remembers results of searches, so that choosing another candidate needs no new search."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

import torch

from ..pez_core import ClipModel, InversionConfig, InversionResult, Target
from ..pez_core.run.stopping import PATIENCE, STEPS

WHOLE = (STEPS, PATIENCE)  # ends of complete searches
MOST = 256  # most results remembered


class Ended(Protocol):
    """What is remembered: a result that knows why its search ended."""

    @property
    def stopped(self) -> str: ...


R = TypeVar("R", bound=Ended)
_results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # with the candidate last chosen


def remember(
    search: Callable[[], InversionResult],
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    candidate: int = 1,
    reader: Hashable = None,
) -> InversionResult:
    """The result of an inversion, or the remembered one. See `remember_as`.

    reader: what decided which prompts may be returned and how they read; hashable.
    """
    return remember_as((weakref.ref(model), _digest(target), config, reader), search, candidate)


def remember_as(key: Hashable, search: Callable[[], R], candidate: int = 1) -> R:
    """The result of `search`, or the remembered one of the same search.

    A search that was stopped or ran out of time is repeated when it is run again, but not when only another candidate
    is chosen: then the user picks among what it returned.

    key: the same for the same search. candidate: the number of the chosen candidate.
    """
    result, before = _results.pop(key, (None, candidate))
    if result is None or (result.stopped not in WHOLE and before == candidate):
        result = search()
    _results[key] = result, candidate  # newest last
    while len(_results) > MOST:
        _results.popitem(last=False)
    return result


def name_of(model: ClipModel, target: Target, config: InversionConfig, language: str = "") -> str:
    """A name for a search, the same in every session: 16 hexadecimal digits. language: the name of a connected model."""
    return digest_name(f"{model.name} {config!r} {language}".encode() + _digest(target))


def digest_name(content: bytes) -> str:
    """A name for what these bytes describe: 16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def _digest(target: Target) -> bytes:
    content = torch.cat([target.features, target.weights[:, None]], dim=1).cpu().numpy().tobytes()
    return hashlib.sha256(content).digest()

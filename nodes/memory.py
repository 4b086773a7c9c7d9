"""Results of searches, so that choosing another candidate costs no search."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch

from ..pez_core import ClipModel, InversionConfig, InversionResult, Target
from ..pez_core.run.stopping import PATIENCE, STEPS

WHOLE = (STEPS, PATIENCE)  # why searches end that had all the steps they asked for
MOST = 256  # results remembered

_results: OrderedDict[Hashable, tuple[InversionResult, int]] = OrderedDict()  # and the candidate last asked for


def remember(
    search: Callable[[], InversionResult],
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    candidate: int = 1,
    reader: Hashable = None,
) -> InversionResult:
    """The result of `search`, or the one that the same search had before.

    A search that was stopped, or ran out of time, does not answer for its seed: asked for again, it is made again.
    Asked for another candidate, it is not: a person chooses among what it returned.

    candidate: the number that is asked for. reader: what decided which prompts may be returned, if anything did;
    it is compared and hashed.
    """
    content = torch.cat([target.features, target.weights[:, None]], dim=1).cpu().numpy().tobytes()
    key = (weakref.ref(model), hashlib.sha256(content).digest(), config, reader)
    result, before = _results.pop(key, (None, candidate))
    if result is None or (result.stopped not in WHOLE and before == candidate):
        result = search()
    _results[key] = result, candidate  # the newest comes last
    while len(_results) > MOST:
        _results.popitem(last=False)
    return result

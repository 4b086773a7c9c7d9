"""Results of whole searches, so that choosing another candidate costs no search."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

import torch

from ..pez_core import ClipModel, InversionConfig, InversionResult, Target
from ..pez_core.run.stopping import PATIENCE, STEPS

WHOLE = (STEPS, PATIENCE)  # a search that was ended otherwise would find more: it must not answer for its seed
MOST = 64  # results of a model

_results: WeakKeyDictionary[ClipModel, OrderedDict[Hashable, InversionResult]] = WeakKeyDictionary()


def remembered(
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    search: Callable[[], InversionResult],
    reader: Hashable = None,
) -> InversionResult:
    """The result of `search`, or the one that the same search had before. Only whole searches are remembered.

    reader: what decided which prompts may be returned, if anything did; it is compared and hashed.
    """
    results = _results.setdefault(model, OrderedDict())
    content = torch.cat([target.features, target.weights[:, None]], dim=1).cpu().numpy().tobytes()
    key = (hashlib.sha256(content).digest(), config, reader)
    result = results.pop(key, None) or search()
    if result.stopped in WHOLE:
        results[key] = result  # the newest comes last
        while len(results) > MOST:
            results.popitem(last=False)
    return result

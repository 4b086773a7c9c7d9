"""What the restarts of a search begin with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective
from .state import NOTHING, with_kept

BEST = 64  # tokens that a start from the best single ones is drawn from
CHOSEN = 0.5  # of a person's words, in every restart but the first


def starts(objective: Objective, config: InversionConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Token ids [R, L], and which of them are kept [R, L] (see SearchState); drawn on the CPU so that every device
    begins alike.

    "random": allowed tokens. "tokens": of those that fit the target best by themselves. "words": a person's,
    cut or filled up with random ones; the first restart has all of them, each other one about half. Kept words
    stand elsewhere in each restart: the better places win.
    """
    shape = (config.restarts, config.length)
    allowed = objective.allowed
    if config.start == "tokens":
        alone = objective.similarity(allowed[:, None])
        allowed = allowed[alone.topk(min(BEST, len(allowed))).indices.sort().values]
    ids = allowed[torch.randint(len(allowed), shape, generator=generator).to(allowed.device)]
    if config.start == "words":
        own = torch.tensor(objective.own_ids[: config.length], dtype=torch.long, device=allowed.device)
        chosen = torch.rand(config.restarts, len(own), generator=generator) < CHOSEN
        chosen[0] = True
        ids[:, : len(own)] = torch.where(chosen.to(allowed.device), own, ids[:, : len(own)])
    kept = _places(objective.kept_ids, config, generator).to(allowed.device)
    return with_kept(ids, kept), kept


def _places(phrases: Sequence[Sequence[int]], config: InversionConfig, generator: torch.Generator) -> Tensor:
    """Where each restart keeps the phrases, [R, L]: in any order, with the searched tokens anywhere between them."""
    kept = torch.full((config.restarts, config.length), NOTHING)
    free = config.length - sum(map(len, phrases))
    for row in kept if phrases else ():
        order = torch.randperm(len(phrases), generator=generator).tolist()
        gaps = torch.randint(free + 1, (len(phrases),), generator=generator).sort().values.tolist()
        taken = 0
        for gap, phrase in zip(gaps, (phrases[i] for i in order), strict=True):
            row[gap + taken : gap + taken + len(phrase)] = torch.tensor(phrase)
            taken += len(phrase)
    return kept

"""What the restarts of a search begin with."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objective import Objective

BEST = 64  # tokens that a start from the best single ones is drawn from
KEPT = 0.5  # of a person's words, in every restart but the first


def starts(objective: Objective, config: InversionConfig, generator: torch.Generator) -> Tensor:
    """Token ids [R, L], drawn on the CPU so that every device begins alike.

    "random": allowed tokens. "tokens": of those that fit the target best by themselves. "words": a person's,
    cut or filled up with random ones; the first restart has all of them, each other one about half.
    """
    shape = (config.restarts, config.length)
    allowed = objective.allowed
    if config.start == "tokens":
        alone = objective.similarity(allowed[:, None])
        allowed = allowed[alone.topk(min(BEST, len(allowed))).indices.sort().values]
    ids = allowed[torch.randint(len(allowed), shape, generator=generator).to(allowed.device)]
    if config.start == "words":
        own = torch.tensor(objective.own_ids[: config.length], dtype=torch.long, device=allowed.device)
        kept = torch.rand(config.restarts, len(own), generator=generator) < KEPT
        kept[0] = True
        ids[:, : len(own)] = torch.where(kept.to(allowed.device), own, ids[:, : len(own)])
    return ids

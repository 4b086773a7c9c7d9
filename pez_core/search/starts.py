"""What the restarts of a search begin with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..objectives.protocol import Objective
from .state import NOTHING, Settings, with_kept

BEST = 64  # tokens that a start from the best single ones is drawn from
CHOSEN = 0.5  # of a person's words, in every restart but the first


def best_tokens(objective: Objective) -> list[Tensor]:
    """For each problem the allowed tokens that are best by themselves, BEST of them or all, ascending.

    A pass for every allowed token; `objective.between` is called on the way.
    """
    best = []
    for problem in range(len(objective.parts)):
        allowed = objective.space.of(problem)
        alone = objective.value(allowed[:, None], torch.full_like(allowed, problem))
        best.append(allowed[alone.topk(min(BEST, len(allowed))).indices.sort().values])
        objective.between()
    return best


def starts(
    tokens: Sequence[Tensor],
    settings: Settings,
    kept: Sequence[Sequence[int]],
    words: Sequence[int],
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor]:
    """Token ids [N, L], and which of them are kept [N, L] (see SearchState); drawn on the CPU so that every device
    begins alike.

    tokens: for each problem those to draw from. kept: the ids of each kept phrase; they stand elsewhere in each
    restart, and the better places win. words: a person's, cut or filled up with drawn ones; the first restart has
    all of them, each other one about half.
    """
    drawn = [_draw(own, settings, kept, words, each) for own, each in zip(tokens, generators, strict=True)]
    ids, places = (torch.cat(each) for each in zip(*drawn, strict=True))
    return with_kept(ids, places), places


def _draw(
    tokens: Tensor,
    settings: Settings,
    kept: Sequence[Sequence[int]],
    words: Sequence[int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The same for one problem, [R, L] each."""
    drawn = torch.randint(len(tokens), (settings.restarts, settings.length), generator=generator)
    ids = tokens[drawn.to(tokens.device)]
    if words:
        own = torch.tensor(words[: settings.length], dtype=torch.long, device=tokens.device)
        chosen = torch.rand(settings.restarts, len(own), generator=generator) < CHOSEN
        chosen[0] = True
        ids[:, : len(own)] = torch.where(chosen.to(tokens.device), own, ids[:, : len(own)])
    return ids, _places(kept, settings, generator).to(tokens.device)


def _places(phrases: Sequence[Sequence[int]], settings: Settings, generator: torch.Generator) -> Tensor:
    """Where each restart keeps the phrases, [R, L]: in any order, with the searched tokens anywhere between them."""
    kept = torch.full((settings.restarts, settings.length), NOTHING)
    free = settings.length - sum(map(len, phrases))
    for row in kept if phrases else ():
        order = torch.randperm(len(phrases), generator=generator).tolist()
        gaps = torch.randint(free + 1, (len(phrases),), generator=generator).sort().values.tolist()
        taken = 0
        for gap, phrase in zip(gaps, (phrases[i] for i in order), strict=True):
            row[gap + taken : gap + taken + len(phrase)] = torch.tensor(phrase)
            taken += len(phrase)
    return kept

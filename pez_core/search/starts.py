"""The prompts that restarts begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ..objectives.protocol import Objective
from .state import NOTHING, Settings, with_kept

BEST = 64  # tokens to draw from when starting from the best single tokens
CHOSEN = 0.5  # share of the user's words in every restart except the first


def best_tokens(objective: Objective, problems: Iterable[int]) -> list[Tensor]:
    """For each of the problems, the BEST allowed tokens that score highest as one-token prompts (or all), ascending.

    Takes a pass for every allowed token, and calls `objective.between` in between.
    """
    best = []
    for problem in problems:
        allowed = objective.space.of(problem)
        alone = objective.value(allowed[:, None], torch.full_like(allowed, problem))
        best.append(allowed[alone.topk(min(BEST, len(allowed))).indices.sort().values])
        objective.between()
    return best


def starts(
    tokens: Sequence[Tensor],
    settings: Settings,
    kept: Sequence[Sequence[int]],
    words: Sequence[Sequence[int]],
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor]:
    """Token ids [N, L], and the kept tokens [N, L] (see SearchState), drawn on the CPU so that all devices start alike.

    tokens: for each problem, the tokens to draw from. kept: the ids of each kept phrase, whose place is random in each
    restart. words: the ids of each of the user's texts, cut or filled up with random tokens, which restarts take in turn; the
    first restart of a text has all of it, the others about half.
    """
    drawn = [_draw(own, settings, kept, words, each) for own, each in zip(tokens, generators, strict=True)]
    ids, places = (torch.cat(each) for each in zip(*drawn, strict=True))
    return with_kept(ids, places), places


def _draw(
    tokens: Tensor,
    settings: Settings,
    kept: Sequence[Sequence[int]],
    words: Sequence[Sequence[int]],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The starts of one problem, [R, L] each."""
    drawn = torch.randint(len(tokens), (settings.restarts, settings.length), generator=generator)
    ids = tokens[drawn.to(tokens.device)]
    for number, text in enumerate(words):
        own = torch.tensor(text[: settings.length], dtype=torch.long, device=tokens.device)
        rows = ids[number :: len(words), : len(own)]
        chosen = torch.rand(rows.shape, generator=generator) < CHOSEN
        chosen[:1] = True
        rows.copy_(torch.where(chosen.to(tokens.device), own, rows))
    return ids, _places(kept, settings, generator).to(tokens.device)


def _places(phrases: Sequence[Sequence[int]], settings: Settings, generator: torch.Generator) -> Tensor:
    """The kept tokens of each restart, [R, L]: phrases in random order, with random gaps for the searched tokens."""
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

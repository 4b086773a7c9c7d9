"""Objectives for tests: built like `invert` builds its own, and one without any model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pez_core import ClipModel, InversionConfig, Target
from pez_core.inversion import template_for
from pez_core.objectives.match import MatchObjective
from pez_core.objectives.protocol import Measure, Space
from pez_core.towers import Alike


def matching(model: ClipModel, targets: Target | Sequence[Target], config: InversionConfig) -> MatchObjective:
    each = [targets] if isinstance(targets, Target) else targets
    return MatchObjective(model, each, template_for(model, config), config.precision)


def first(ids: Tensor) -> Tensor:
    """The problem of each row where there is only one."""
    return torch.zeros(len(ids), dtype=torch.long, device=ids.device)


class Nearness:
    """How near the embeddings of a prompt are to wanted ones, one prompt for each problem: minus the squared distance."""

    measure = Measure("nearness", 1e-6)
    together = 10_000

    def __init__(self, table: Tensor, wanted: Tensor):
        tokens = torch.arange(len(table))
        self.space = Space(tokens[None], (len(tokens),), len(tokens), (table.shape[1],), lambda ids: table[ids])
        self.parts = (1,) * len(wanted)
        self._wanted = wanted  # [P, L, D]

    def between(self) -> None:
        pass

    def within(self, space: Space) -> Nearness:
        other = Nearness.__new__(Nearness)
        other.__dict__ = {**self.__dict__, "space": space}
        return other

    def value(self, ids: Tensor, problem: Tensor, alike: Alike | None = None) -> Tensor:
        return -(self.space.embed(ids) - self._wanted[problem]).square().sum((1, 2))

    def value_and_gradient(self, ids: Tensor, problem: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.value(ids, problem), -2 * (self.space.embed(ids) - self._wanted[problem])

"""Several text towers that read the same tokens, used as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import PezError
from .alike import Alike
from .text_tower import PromptEncoder, TextTower


class JointTextTower:
    """Towers side by side: embeddings and features are concatenated.

    `shares`: how much each tower counts, above 0, with the sum 1.
    """

    def __init__(self, towers: Sequence[TextTower], shares: Sequence[float]):
        self.towers = tuple(towers)
        self._shares = tuple(shares)

    @property
    def device(self) -> torch.device:
        """The device of the weights. Raises PezError if the towers are on different devices."""
        devices = dict.fromkeys(tower.device for tower in self.towers)
        if len(devices) > 1:
            raise PezError(f"The combined models are on different devices ({', '.join(map(str, devices))}): use one.")
        return self.towers[0].device

    @property
    def widths(self) -> tuple[int, ...]:
        """The lengths of the towers' parts of a token embedding."""
        return tuple(tower.width for tower in self.towers)

    @property
    def features(self) -> int:
        """F, the length of a feature."""
        return sum(tower.features for tower in self.towers)

    def embed(self, ids: Tensor) -> Tensor:
        """The token embeddings float32 [..., D] of `ids` [...]."""
        return torch.cat([tower.embed(ids) for tower in self.towers], dim=-1)

    def positions(self, tokens: int) -> int:
        """How many positions a prompt of this many tokens takes in the tower that needs the most."""
        return max(tower.positions(tokens) for tower in self.towers)

    def prompt_encoder(
        self, before: Sequence[int] = (), after: Sequence[int] = (), precision: str = "fp32"
    ) -> PromptEncoder:
        """See `TextTower.prompt_encoder`."""
        encoders = [tower.prompt_encoder(before, after, precision) for tower in self.towers]

        def encode(embeddings: Tensor, ids: Tensor, alike: Alike | None = None) -> Tensor:
            parts = embeddings.split(self.widths, dim=-1)
            return join([each(part, ids, alike) for each, part in zip(encoders, parts, strict=True)], self._shares)

        return encode

    @torch.no_grad()
    def encode(self, rows: Tensor) -> Tensor:
        """See `TextTower.encode`."""
        return join([tower.encode(rows) for tower in self.towers], self._shares)


def join(features: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Joins the towers' unit features [N, F_k] to unit features [N, F]; `shares`: the weights of the towers, with the sum 1.

    Each is scaled by the square root of its share. So the dot product of two joined features is the mean of the
    towers' cosines, weighted by their shares.
    """
    return torch.cat([each * share**0.5 for each, share in zip(features, shares, strict=True)], dim=-1)

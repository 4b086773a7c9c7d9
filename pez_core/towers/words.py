"""The words that a language model may say, ready on its device: a step that reads them copies nothing from the host.

Letters of shapes as in `language`: M rows, T tokens of the longest text, W words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stem:
    """Words with the same tokens before their last one.

    ids: int64 [S], those tokens; `tokens` has them as numbers. last: int64 [w], the last token of each word.
    """

    ids: Tensor
    tokens: tuple[int, ...]
    last: Tensor

    def after(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The texts [M, T] with the tokens of the stem right after each, see `append`."""
        return append(ids, lengths, self.ids)


class Words:
    """The W words with these tokens, each at least one."""

    def __init__(self, words: Sequence[Sequence[int]], device: torch.device | str = "cpu"):
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, word in enumerate(words):
            groups.setdefault(tuple(word[:-1]), []).append(place)
        self._stems = [
            Stem(
                torch.tensor(tokens, dtype=torch.long, device=device),
                tokens,
                torch.tensor([words[place][-1] for place in own], device=device),
            )
            for tokens, own in groups.items()
        ]
        order = [place for own in groups.values() for place in own]
        self._order = torch.tensor(sorted(range(len(order)), key=order.__getitem__), device=device)

    def read(self, of: Callable[[Stem], Tensor]) -> Tensor:
        """[M, W] from a function that is called once for each stem, and returns a column for each of its words."""
        return torch.cat([of(stem) for stem in self._stems], dim=1).index_select(1, self._order)


def append(ids: Tensor, lengths: Tensor, more: Tensor) -> Tensor:
    """The texts [M, T] with the tokens `more` [S] right after each: [M, T + S], padded as before."""
    if not len(more):
        return ids
    across = torch.arange(len(more), device=ids.device)
    longer = torch.cat([ids, ids.new_zeros(len(ids), len(more))], dim=1)
    return longer.scatter(1, lengths[:, None] + across, more.expand(len(ids), -1))

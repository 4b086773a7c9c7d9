"""A plain restatement of PEZ as published: our search is tested and timed against it.

It works at full length, with two passes of the tower per step. In each step it normalizes the vocabulary again, uses
torch's AdamW, fetches values to the host and decodes the tokens. Two things that the published code fixes are
parameters here: the ids to start from, and the tokens that may be projected to (all, in the published code).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

START, END, PADDING = 49406, 49407, 0  # OpenAI's byte-pair tokens


@dataclass
class PublishedRun:
    """ids: the projected ids [L] of each step; similarities: their scores; best: the best of them."""

    ids: list[list[int]]
    similarities: list[float]
    best: float


def encode_embeddings(model: nn.Module, embeddings: Tensor, ids: Tensor) -> Tensor:
    """Features [R, F] of embeddings [R, 77, D], read at the end token of `ids` [R, 77]."""
    x = embeddings + model.positional_embedding
    x = model.transformer(x, attn_mask=model.attn_mask)
    x = model.ln_final(x)
    return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ model.text_projection


def project(prompt: Tensor, table: Tensor, allowed: Tensor | None) -> Tensor:
    """Nearest allowed token of each embedding by cosine; normalizes everything on each call."""
    queries = F.normalize(prompt.reshape(-1, prompt.shape[-1]), dim=-1)
    keys = F.normalize(table, dim=-1)
    if allowed is None:
        return (queries @ keys.T).argmax(-1).view(prompt.shape[:-1])
    return allowed[(queries @ keys[allowed].T).argmax(-1)].view(prompt.shape[:-1])


class PublishedLoop:
    """The loop, one step at a time, from the ids `start` [1, L] towards the features `target` [B, F].

    `allowed`: ids [A]; None allows all. `decode`: returns the text of ids; called in every step, as in the published
    code.
    """

    def __init__(
        self,
        model: nn.Module,
        target: Tensor,
        start: Tensor,
        allowed: Tensor | None = None,
        learning_rate: float = 0.1,
        weight_decay: float = 0.1,
        decode: Callable[[Sequence[int]], str] | None = None,
    ):
        self._model, self._allowed, self._decode = model, allowed, decode
        self._table = model.token_embedding.weight
        self._length = start.shape[1]
        row = torch.full((1, 77), PADDING)
        row[0, 0], row[0, self._length + 1] = START, END
        row[0, 1 : self._length + 1] = 1
        self._row = row.to(start.device)
        self._target = F.normalize(target, dim=-1)
        self._prompt = self._table[start].detach().clone().requires_grad_()
        self._optimizer = torch.optim.AdamW([self._prompt], lr=learning_rate, weight_decay=weight_decay)
        self.done = PublishedRun([], [], -1.0)

    def step(self) -> None:
        """Takes one step and adds its outcome to `done`."""
        with torch.no_grad():
            ids = project(self._prompt, self._table, self._allowed)
            similarity = self._similarity(self._table[ids], ids).item()
        at = self._table[ids].detach().clone().requires_grad_()
        loss = 1 - self._similarity(at, ids)
        (self._prompt.grad,) = torch.autograd.grad(loss, [at])
        self._optimizer.step()
        self._optimizer.zero_grad()
        found = ids[0].tolist()
        if self._decode:
            self._decode(found)
        self.done.ids.append(found)
        self.done.similarities.append(similarity)
        self.done.best = max(self.done.best, similarity)

    def _similarity(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        whole = self._table[self._row].detach().clone()
        whole[:, 1 : ids.shape[1] + 1] = embeddings
        feature = F.normalize(encode_embeddings(self._model, whole, self._row), dim=-1)
        return (feature @ self._target.T).mean()


def run(
    model: nn.Module, target: Tensor, start: Tensor, allowed: Tensor | None, steps: int, **settings: float
) -> PublishedRun:
    """Runs `steps` steps of the loop."""
    loop = PublishedLoop(model, target, start, allowed, **settings)
    for _ in range(steps):
        loop.step()
    return loop.done

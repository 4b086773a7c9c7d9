"""PEZ as it was published, restated plainly: the oracle for our search and the loop that it is timed against.

Full length, two passes of the tower a step, the vocabulary normalised anew each step, torch's own AdamW.
Two things are parameters that the published code fixes: the ids to start from, and the tokens that may
be projected to (there: all).
"""

from __future__ import annotations

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


def project(prompt: Tensor, table: Tensor, allowed: Tensor) -> Tensor:
    """Nearest allowed token of each embedding by cosine; everything normalised here and now."""
    queries = F.normalize(prompt.reshape(-1, prompt.shape[-1]), dim=-1)
    keys = F.normalize(table, dim=-1)[allowed]
    return allowed[(queries @ keys.T).argmax(-1)].view(prompt.shape[:-1])


def run(
    model: nn.Module,
    target: Tensor,
    start: Tensor,
    allowed: Tensor,
    steps: int,
    learning_rate: float = 0.1,
    weight_decay: float = 0.1,
) -> PublishedRun:
    """`steps` steps from the ids `start` [1, L] towards the features `target` [B, F]."""
    table = model.token_embedding.weight
    length = start.shape[1]
    row = torch.full((1, 77), PADDING)
    row[0, 0], row[0, length + 1] = START, END
    row[0, 1 : length + 1] = 1
    target = F.normalize(target, dim=-1)
    prompt = table[start].detach().clone().requires_grad_()
    optimiser = torch.optim.AdamW([prompt], lr=learning_rate, weight_decay=weight_decay)
    done = PublishedRun([], [], -1.0)
    for _ in range(steps):
        with torch.no_grad():
            ids = project(prompt, table, allowed)
            whole = table[row].clone()
            whole[:, 1 : length + 1] = table[ids]
            feature = F.normalize(encode_embeddings(model, whole, row), dim=-1)
            similarity = (feature @ target.T).mean().item()
        at = table[ids].detach().clone().requires_grad_()
        whole = table[row].detach().clone()
        whole[:, 1 : length + 1] = at
        feature = F.normalize(encode_embeddings(model, whole, row), dim=-1)
        loss = 1 - (feature @ target.T).mean()
        (prompt.grad,) = torch.autograd.grad(loss, [at])
        optimiser.step()
        optimiser.zero_grad()
        done.ids.append(ids[0].tolist())
        done.similarities.append(similarity)
        done.best = max(done.best, similarity)
    return done

"""A plain restatement of the paper's text-to-text loop (arXiv 2302.03668, section 5): our search is tested and timed against it.

It reads prompt, text and suffix whole for every example, pads them to the longest, normalizes the vocabulary again in each step and
takes the gradient through transformers' model as it is. It keeps the continuous prompt, which the newest commit of the published
code loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class PublishedTextLoop:
    """The loop, one step at a time, from the ids `start` [L].

    module: a causal language model of transformers. texts: the tokens of each text with its suffix. words: for each label one
    token. allowed: ids [A] that may be projected to; None for all.
    """

    def __init__(
        self,
        module: Any,
        start: Tensor,
        texts: Sequence[Sequence[int]],
        labels: Sequence[int],
        words: Sequence[int],
        allowed: Tensor | None = None,
        learning_rate: float = 0.3,
    ):
        from transformers.optimization import Adafactor

        self._module, self._allowed = module, allowed
        self._table = module.get_input_embeddings().weight
        self.prompt = torch.nn.Parameter(self._table[start].detach().float().clone())
        self._optimizer = Adafactor(
            [self.prompt], lr=learning_rate, relative_step=False, scale_parameter=False, warmup_init=False
        )
        device = self._table.device
        longest = max(map(len, texts))
        self._ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
        self._last = torch.tensor([len(start) + len(text) - 1 for text in texts], device=device)
        self._labels, self._words = (torch.tensor(each, device=device) for each in (labels, words))

    def project(self) -> Tensor:
        """The allowed token nearest to each embedding [L] by cosine; normalizes everything on each call."""
        table = self._table if self._allowed is None else self._table[self._allowed]
        nearest = (F.normalize(self.prompt.detach(), dim=1) @ F.normalize(table.float(), dim=1).T).argmax(1)
        return nearest if self._allowed is None else self._allowed[nearest]

    def step(self) -> float:
        """Takes a step; returns the loss at the projected prompt."""
        at = self._table[self.project()].detach().clone().requires_grad_()
        whole = torch.cat([at.expand(len(self._ids), -1, -1), self._table[self._ids]], dim=1)
        mask = torch.arange(whole.shape[1], device=whole.device) <= self._last[:, None]
        logits = self._module(inputs_embeds=whole, attention_mask=mask.long()).logits
        answers = logits[torch.arange(len(whole)), self._last][:, self._words].float()
        loss = F.cross_entropy(answers, self._labels)
        (gradient,) = torch.autograd.grad(loss, at)
        self.prompt.grad = gradient.float()
        torch.nn.utils.clip_grad_norm_([self.prompt], 1.0)
        self._optimizer.step()
        return float(loss.detach())

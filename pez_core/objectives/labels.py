"""How well a language model names the labels of texts after a prompt: the paper's text-to-text objective."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from ..targets.labelled import Examples
from ..targets.task import Labels, LabelTask, padded
from ..text.template import Template
from ..towers import Alike
from ..towers.language import LanguageTower, State
from .calibration import ROUNDS as CALIBRATION_ROUNDS
from .calibration import shares_of, shifts_for
from .protocol import Measure, Space

ROWS = 64  # prompts with a text each that are read at once: bounds memory


class LabelObjective:
    """Mean log-probability of the right label over examples, for token sequences in a template. See `protocol.Objective`.

    Gradients use the drawn examples, of all that are given, and so does the value that comes with them. Values without a
    gradient use a fixed part of the examples, which is the same for all prompts.

    task, examples: what is learned. compared: how many examples values without a gradient use.
    batch: the number of examples that are drawn at each step. fluency: from 0 to 1, the weight of the prompt's own
    log-probability for each token; the rest is that of the labels. calibrated: whether the labels of each prompt are shifted
    so that their shares among the examples it is tried on are those of all: then it only counts how well the prompt tells
    texts apart.
    """

    measure = Measure("log-probability of the label", 1e-4, sampled=True)

    def __init__(
        self,
        tower: LanguageTower,
        task: LabelTask,
        examples: Examples,
        template: Template,
        batch: int,
        compared: int,
        fluency: float = 0.0,
        calibrated: bool = False,
    ):
        device, vocabulary = tower.device, tower.vocabulary
        allowed = template.allowed.nonzero()[:, 0].to(device)
        self.space = Space(allowed[None], (len(allowed),), vocabulary.size, (tower.width,), tower.embed)
        self.parts = (len(examples),)
        self.together = ROWS
        self._tower, self._fluency = tower, fluency
        self._labels = Labels(task, vocabulary, device)
        taken = template.length + len(template.before) + len(template.after)
        most = vocabulary.room - taken - self._labels.longest
        self._ids, self._lengths = padded(task.encode(vocabulary, "", examples.texts, most), device)
        self._wanted = torch.tensor(examples.labels, device=device)
        self._batch = min(batch, len(examples))
        self._compared = torch.arange(min(compared, len(examples)), device=device)
        self._before, self._after = (
            torch.tensor(ids, dtype=torch.long, device=device) for ids in (template.before, template.after)
        )
        self._bans = template.bans.to(device) if template.bans else None
        self._shares = shares_of(examples).to(device) if calibrated else None

    def between(self) -> None:
        """Called between splits; a run replaces it."""

    def within(self, space: Space) -> LabelObjective:
        """The same objective for another space; `together` is reset."""
        other = copy.copy(self)
        other.space, other.together = space, ROWS
        return other

    @torch.no_grad()
    def value(self, ids: Tensor, problem: Tensor, alike: Alike | None = None) -> Tensor:
        """See `protocol.Objective`."""
        del problem, alike  # there is one problem, and every prompt is read whole
        embeddings = self.space.embed(ids)
        state = self._tower.begin(self._whole(embeddings))
        every = self._splits(len(ids), self._compared)
        said = torch.cat([self._said(state, *each) for each in every])
        shifts = self._shifts(said, len(self._compared))
        value = self._of_right(said, torch.cat([own for _, own in every]), shifts).view(len(ids), -1).mean(1)
        if self._fluency:
            value = (1 - self._fluency) * value + self._fluency * self._read(embeddings, ids)
        return self._unless_banned(ids, value)

    def value_and_gradient(self, ids: Tensor, problem: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `protocol.Objective`."""
        del problem
        # The number of drawn examples is known, so that their places need no host: all True come first in a stable order.
        examples = (
            self._compared if drawn is None else drawn[0].int().sort(descending=True, stable=True)[1][: self._batch]
        )
        with torch.enable_grad():
            embeddings = self.space.embed(ids).requires_grad_()
            state = self._tower.begin(self._whole(embeddings))
            leaves = tuple(tensor.detach().requires_grad_() for tensor in state)
            sums, values = [torch.zeros_like(leaf, dtype=torch.float32) for leaf in leaves], []
            shifts = self._shifts_beforehand(state, len(ids), examples)
            for rows, own in self._splits(len(ids), examples):
                said = self._said(leaves, rows, own)
                some = self._shifts(said.detach(), len(examples)) if shifts is None else shifts[rows]
                each = self._of_right(said, own, some)
                values.append(each.detach())
                for total, part in zip(sums, torch.autograd.grad(each.sum() / len(examples), leaves), strict=True):
                    total += part
            along = [total.to(tensor.dtype) for total, tensor in zip(sums, state, strict=True)]
            (gradient,) = torch.autograd.grad(state, embeddings, along)
            value = torch.cat(values).view(len(ids), -1).mean(1)
            if self._fluency:
                read = self._read(embeddings, ids)
                (own_gradient,) = torch.autograd.grad(read.sum(), embeddings)
                gradient = (1 - self._fluency) * gradient + self._fluency * own_gradient
                value = (1 - self._fluency) * value + self._fluency * read.detach()
        return self._unless_banned(ids, value), gradient.float()

    def _whole(self, embeddings: Tensor) -> Tensor:
        before, after = (self._tower.embed(ids).expand(len(embeddings), -1, -1) for ids in (self._before, self._after))
        return torch.cat([before, embeddings, after], dim=1)

    def _read(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        before, after = (fixed.expand(len(ids), -1) for fixed in (self._before, self._after))
        return self._tower.prompt_log_probability(self._whole(embeddings), torch.cat([before, ids, after], dim=1))

    def _splits(self, prompts: int, examples: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        """Pairs of a prompt's row and an example, in the order of the prompts, as many at once as fit: whole prompts, if one
        fits."""
        rows = torch.arange(prompts, device=examples.device).repeat_interleave(len(examples))
        own = examples.repeat(prompts)
        many = self.together // len(examples) * len(examples) or self.together
        return list(zip(rows.split(many), own.split(many), strict=True))

    def _shifts(self, said: Tensor, count: int) -> Tensor | None:
        """The shifts [M, C] for log-probabilities [M, C] of the labels of whole prompts, each with `count` examples; None for
        none."""
        if self._shares is None:
            return None
        shifts = shifts_for(said.view(-1, count, said.shape[1]), self._shares, CALIBRATION_ROUNDS)
        return shifts.repeat_interleave(count, 0)

    @torch.no_grad()
    def _shifts_beforehand(self, state: State, prompts: int, examples: Tensor) -> Tensor | None:
        """The shifts [N, C] where the examples of a prompt do not fit at once; None if they do, or for none."""
        if self._shares is None or self.together >= len(examples):
            return None
        said = torch.cat([self._said(state, *each) for each in self._splits(prompts, examples)])
        shifts = self._shifts(said, len(examples))
        return None if shifts is None else shifts[:: len(examples)]

    def _of_right(self, said: Tensor, examples: Tensor, shifts: Tensor | None) -> Tensor:
        """The log-probability [M] of the right label of each example, from those of all labels [M, C], with their shifts.

        Shifts have no gradient: at the best ones a small change of them changes nothing.
        """
        said = said if shifts is None else (said + shifts).log_softmax(1)
        return said.gather(1, self._wanted[examples][:, None])[:, 0]

    def _said(self, state: State, rows: Tensor, examples: Tensor) -> Tensor:
        """Log-probabilities [M, C] of the labels of each example after each prompt."""
        self.between()
        ids, lengths = self._ids[examples], self._lengths[examples]
        if ids.device.type == "cpu":  # elsewhere, asking for the longest would wait for the device
            ids = ids[:, : int(lengths.max())]
        said = self._tower.read(tuple(each[rows] for each in state), ids, lengths, self._labels.words)
        return self._labels.log_probabilities(said)

    def _unless_banned(self, ids: Tensor, value: Tensor) -> Tensor:
        if self._bans is None:
            return value
        before, after = (fixed.expand(len(ids), -1) for fixed in (self._before, self._after))
        return value.masked_fill(self._bans.match(torch.cat([before, ids, after], dim=1)), -torch.inf)

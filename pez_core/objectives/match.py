"""How well prompts match targets: the cosine similarity of their text features with the target features."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from ..models.clip import ClipModel
from ..targets.target import Target
from ..text.template import Template
from ..towers import Alike
from .protocol import Measure, Space

POSITIONS = 2048  # in the tower at once: bounds memory (3 GB for ViT-H in float32) at no cost in speed


class MatchObjective:
    """Similarity of token sequences, placed in a template, to P targets. See `protocol.Objective`.

    precision: the tower's number format, as in the configuration.

    The model's text towers must be on their device, and stay there while the objective is used.
    """

    measure = Measure("similarity", 1e-4)

    def __init__(self, model: ClipModel, targets: Sequence[Target], template: Template, precision: str = "fp32"):
        device = model.device
        allowed = template.allowed.nonzero()[:, 0].to(device)
        self.space = Space(
            allowed[None], (len(allowed),), model.vocabulary.size, tuple(model.text.widths), model.text.embed
        )
        self.parts = tuple(map(len, targets))
        # On the device before the first step: a step that copies them from the host cannot be captured.
        self._before, self._after = (
            torch.tensor(ids, dtype=torch.long, device=device) for ids in (template.before, template.after)
        )
        self._bans = template.bans.to(device) if template.bans else None
        self._encode = model.text.prompt_encoder(template.before, template.after, precision)
        fixed = len(template.before) + len(template.after)
        self._most = self.together = max(1, POSITIONS // model.text.positions(fixed + template.length))
        self._features = _pad([target.features for target in targets]).to(device)  # [P, most parts, F]
        self._weights = _pad([target.weights for target in targets]).to(device)  # [P, most parts]
        self._parts = torch.tensor(self.parts, device=device)[:, None]  # [P, 1]
        self._whole = torch.stack([target.weights @ target.features for target in targets]).to(device)  # [P, F]

    def between(self) -> None:
        """Called between splits; a run replaces it."""

    def put(self, problem: int, target: Target) -> None:
        """Replaces the target of one problem by another with as many parts, where a captured step finds it."""
        self._features[problem, : len(target)] = target.features.to(self._features.device)
        self._weights[problem, : len(target)] = target.weights.to(self._weights.device)
        self._whole[problem] = (target.weights @ target.features).to(self._whole.device)

    def within(self, space: Space) -> MatchObjective:
        """The same objective for another space; `together` is reset."""
        other = copy.copy(self)
        other.space, other.together = space, self._most
        return other

    @torch.no_grad()
    def value(self, ids: Tensor, problem: Tensor, alike: Alike | None = None) -> Tensor:
        """See `protocol.Objective`."""
        values, most = [], self.together
        if alike and most < alike.rows:
            alike = None
        if alike:
            most -= most % alike.rows  # no split within rows that begin alike
        for rows, own in zip(ids.split(most), problem.split(most), strict=True):
            if values:
                self.between()
            values.append((self._encode(self.space.embed(rows), rows, alike) * self._whole[own]).sum(-1))
        return self._unless_banned(ids, torch.cat(values))

    def value_and_gradient(self, ids: Tensor, problem: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `protocol.Objective`."""
        towards = self._whole if drawn is None else self._sum_drawn(drawn)
        values, gradients = [], []
        for rows, own in zip(ids.split(self.together), problem.split(self.together), strict=True):
            if values:
                self.between()
            with torch.enable_grad():
                embeddings = self.space.embed(rows).requires_grad_()
                features = self._encode(embeddings, rows)
                (gradient,) = torch.autograd.grad((features * towards[own]).sum(), embeddings)
            values.append((features.detach() * self._whole[own]).sum(-1))
            gradients.append(gradient)
        return self._unless_banned(ids, torch.cat(values)), torch.cat(gradients)

    def _sum_drawn(self, drawn: Tensor) -> Tensor:
        """[P, F]: the drawn parts' share of the target, scaled so that its mean over all draws is the whole target."""
        share = self._parts / drawn.sum(1, keepdim=True)
        return ((self._weights * drawn)[:, None] @ self._features)[:, 0] * share

    def _unless_banned(self, ids: Tensor, value: Tensor) -> Tensor:
        if self._bans is None:
            return value
        before, after = (fixed.expand(len(ids), -1) for fixed in (self._before, self._after))
        return value.masked_fill(self._bans.match(torch.cat([before, ids, after], dim=1)), -torch.inf)


def _pad(each: Sequence[Tensor]) -> Tensor:
    """The tensors [B_p, ...] as one [P, most B, ...], padded with zeros."""
    return torch.nn.utils.rnn.pad_sequence(list(each), batch_first=True)

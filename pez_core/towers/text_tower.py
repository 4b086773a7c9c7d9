"""A model's text tower, and the choice between two ways through it.

The plain way runs the model's own `encode_text` at full length, with the output of its token embedding
replaced by ours: correct for every architecture. The lean way (causal.py) does the least work that a
causal tower needs. Whether it gives the same features is tested once, when the tower is created.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import PezError
from ..text.vocabulary import Vocabulary
from .alike import Alike
from .causal import CausalEncoder, CausalWeights
from .placement import MovePlacement, Placement, device_of
from .precision import choose, fused_agrees

log = logging.getLogger(__name__)

LEAN_TOLERANCE = 1e-5  # largest difference in a coordinate of a unit feature, float32 against float32


class PromptEncoder(Protocol):
    """An encoder of searched tokens between fixed ones."""

    def __call__(self, embeddings: Tensor, ids: Tensor, alike: Alike | None = None) -> Tensor:
        """Unit features float32 [R, F] of searched tokens, given as embeddings [R, L, D] and as ids [R, L].

        Values come from the embeddings, which receive gradients; the ids only say which positions are read.
        alike: lets an encoder compute what the rows have in common once. It need not; there are no gradients then.
        """
        ...


class TextTower:
    """The text tower of a model: from ids to features, and from embeddings to features.

    `model`: an open_clip model (its `encode_text` takes int64 [N, context_length]); its parameters are
    frozen. `name` is used in messages.

    Attributes:
        module: the model.
        features: F, the length of a feature.
        lean: whether the lean way is used. False means full length.
        placement: decides where the tower computes (see `ClipModel.ready`).

    Raises PezError when the tower has no token embedding that gradients can reach.
    """

    placement: Placement

    def __init__(self, model: nn.Module, vocabulary: Vocabulary, name: str):
        self.module = model
        self._vocabulary = vocabulary
        self._name = name
        embedding = _token_embedding(model)
        if embedding is None:
            raise PezError(f"The text tower of {name} cannot be searched: it has no table of token embeddings.")
        self._embedding = embedding
        if _replacement not in embedding._forward_hooks.values():
            embedding.register_forward_hook(_replacement)
        model.requires_grad_(False)
        self.placement = MovePlacement(device_of(model))
        self._chosen: dict[tuple[str, torch.device], tuple[torch.dtype, bool]] = {}  # formats already checked
        self.features = self.encode(vocabulary.rows(self._sample(1))).shape[1]
        self.lean = self._lean_is_exact()
        if not self.lean:
            self._check_differentiable()
            log.info("%s: the text tower runs at full length: the lean way is not exact for it.", name)

    @property
    def table(self) -> Tensor:
        """The token embeddings float32 [V, D], on the model's device."""
        return self._embedding.weight

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.table.device

    @property
    def towers(self) -> tuple[TextTower, ...]:
        """Itself: a text tower may also be made of several (joint.py)."""
        return (self,)

    @property
    def width(self) -> int:
        """D, the length of a token embedding."""
        return self.table.shape[1]

    @property
    def widths(self) -> tuple[int, ...]:
        """The lengths of the towers' parts of a token embedding."""
        return (self.width,)

    def embed(self, ids: Tensor) -> Tensor:
        """The token embeddings float32 [..., D] of `ids` [...]."""
        return self.table.detach()[ids].float()

    def positions(self, tokens: int) -> int:
        """The most positions that a prompt of this many tokens takes in the tower."""
        words = self._vocabulary
        return len(words.start_ids) + tokens + 1 if self.lean else words.context_length

    def prompt_encoder(
        self, before: Sequence[int] = (), after: Sequence[int] = (), precision: str = "fp32"
    ) -> PromptEncoder:
        """A differentiable encoder for searched tokens between the fixed ids `before` and `after`.

        `precision`: "auto", "fp32", "bf16" or "fp16", see `precision.choose`.

        It refers to the weights where they are now: make a new one when the model has moved.
        """
        dtype, fused = self.chosen(precision)
        if not self.lean:
            return self._full_length(before, after)
        encode = self._lean(before, after, self.table.dtype if dtype == torch.float32 else dtype, fused)
        return lambda embeddings, ids, alike=None: encode(embeddings, alike)

    def chosen(self, precision: str) -> tuple[torch.dtype, bool]:
        """The format that searches compute in on the present device, and whether the fused kernels are used.

        Raises PezError if the requested format does not agree with float32.
        """
        device = self.table.device
        chosen = self._chosen.get((precision, device))
        if chosen is None:
            dtype = choose(precision, device, self.run_sample if self.lean else None, self._name)
            fused = fused_agrees(dtype, device, self.run_sample, self._name)
            chosen = self._chosen[precision, device] = dtype, fused
        return chosen

    @torch.no_grad()
    def encode(self, rows: Tensor) -> Tensor:
        """Unit features [N, F] of padded rows int64 [N, context_length]: the model's own encoding."""
        return F.normalize(self._encode_text(rows).float(), dim=-1)

    def _encode_text(self, rows: Tensor) -> Tensor:
        encode: Any = self.module.encode_text
        return encode(rows)

    def _lean(
        self, before: Sequence[int], after: Sequence[int], dtype: torch.dtype, fused: bool = False
    ) -> CausalEncoder:
        weights = CausalWeights.of_open_clip(self.module)
        assert weights is not None
        table, words = self.table, self._vocabulary
        fixed = [[*words.start_ids, *before], [*after, *(words.end_ids or [words.pad_id])]]
        first, last = (table[torch.tensor(ids, dtype=torch.long, device=table.device)] for ids in fixed)
        return CausalEncoder(weights, first, last, dtype, fused)

    def _full_length(self, before: Sequence[int], after: Sequence[int]) -> PromptEncoder:
        first = len(self._vocabulary.start_ids) + len(before)
        empty: dict[int, Tensor] = {}  # rows with zeros for the searched tokens, by how many there are

        def encode(embeddings: Tensor, ids: Tensor, alike: Alike | None = None) -> Tensor:
            length = ids.shape[1]
            if length not in empty:
                empty[length] = self._vocabulary.rows(torch.tensor([[*before, *[0] * length, *after]])).to(ids.device)
            rows = empty[length].repeat(len(ids), 1)
            rows[:, first : first + length] = ids
            fixed = self._embedding(rows).detach()
            replaced = torch.cat([fixed[:, :first], embeddings, fixed[:, first + length :]], dim=1)
            with _replacing(self._embedding, replaced):
                return F.normalize(self._encode_text(rows), dim=-1)

        return encode

    def _sample(self, length: int, seed: int = 0) -> Tensor:
        """Random tokens [1, L], the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self._vocabulary.size // 2, (1, length), generator=generator).to(self.table.device)

    def run_sample(self, dtype: torch.dtype, fused: bool = False) -> tuple[Tensor, Tensor]:
        """The features and gradients of a few random prompts the lean way: a `precision.Sample`."""
        ids = torch.cat([self._sample(min(8, self._vocabulary.room), seed) for seed in range(4)])
        with torch.enable_grad():
            embeddings = self._embedding(ids).detach().requires_grad_()
            features = self._lean((), (), dtype, fused)(embeddings)
            towards = features.detach().roll(1, dims=0)  # the target of each text is another one
            (gradients,) = torch.autograd.grad((features * towards).sum(), embeddings)
        return features.detach(), gradients

    def _check_differentiable(self) -> None:
        ids = self._sample(min(4, self._vocabulary.room))
        with torch.enable_grad():
            embeddings = self._embedding(ids).detach().requires_grad_()
            feature = self._full_length((), ())(embeddings, ids)
            reached = feature.requires_grad
            if reached:
                (gradient,) = torch.autograd.grad(feature.sum(), embeddings, allow_unused=True)
                reached = gradient is not None and bool(torch.isfinite(gradient).all())
        if not reached:
            raise PezError(
                f"The text tower of {self._name} cannot be searched: no gradient reaches its token embeddings."
            )

    def _lean_is_exact(self) -> bool:
        apart = self.lean_error()
        return apart is not None and apart <= LEAN_TOLERANCE

    @torch.no_grad()
    def lean_error(self) -> float | None:
        """The largest difference in a coordinate of a unit feature between the lean way and full length, in float32, for
        a few random prompts; infinite or NaN where they cannot be compared; None where the architecture has no lean way.
        """
        if CausalWeights.of_open_clip(self.module) is None:
            return None
        room = self._vocabulary.room
        samples = [self._sample(length) for length in sorted({1, min(8, room), room})]
        full = self.encode(torch.cat([self._vocabulary.rows(ids) for ids in samples]).to(self.device))
        apart = []
        for ids, expected in zip(samples, full, strict=True):
            text = ids[0].tolist()
            searched = len(text) - len(text) // 3  # the rest is before and after it
            first = len(text) // 6
            encode = self._lean(text[:first], text[first + searched :], self.table.dtype)
            found = encode(self._embedding(ids[:, first : first + searched]))[0]
            if found.shape != expected.shape:
                return float("inf")
            apart.append((found - expected).abs().max())
        return torch.stack(apart).max().item()  # NaN if one is


_REPLACED: ContextVar[tuple[nn.Embedding, Tensor] | None] = ContextVar("replaced token embeddings", default=None)
"""A table of token embeddings, and the output that replaces its own, in this thread only."""


@contextmanager
def _replacing(embedding: nn.Embedding, output: Tensor) -> Iterator[None]:
    token = _REPLACED.set((embedding, output))
    try:
        yield
    finally:
        _REPLACED.reset(token)


def _replacement(module: nn.Module, _inputs: Any, _output: Any) -> Tensor | None:
    """The hook on every tower's table. It stays: a temporary hook would also affect other threads.

    None keeps the output. A module-level function, so that models can be copied and pickled.
    """
    replaced = _REPLACED.get()
    return replaced[1] if replaced is not None and replaced[0] is module else None


def _token_embedding(model: nn.Module) -> nn.Embedding | None:
    """The table of token embeddings, wherever the architecture keeps it; None if there is none."""
    for owner in (model, getattr(model, "text", None)):
        table = getattr(owner, "token_embedding", None)
        if isinstance(table, nn.Embedding):
            return table
    inner = getattr(getattr(model, "text", None), "transformer", None)  # a Hugging Face text model
    find = getattr(inner, "get_input_embeddings", None)
    table = find() if callable(find) else None
    return table if isinstance(table, nn.Embedding) else None

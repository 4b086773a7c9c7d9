"""The text tower as a differentiable function of token embeddings.

Two ways lead through it. The plain way runs the model's own `encode_text` at full length, with the
output of its token embedding replaced by ours: right for every architecture. The short way stops at the
end token: in a causal tower nothing behind it reaches the feature, so prompt + 2 positions do. Whether
that holds is found out by trying, once, when the tower is made.
"""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import PezError
from .vocabulary import Vocabulary

log = logging.getLogger(__name__)

SHORT_TOLERANCE = 1e-5  # largest difference in a coordinate of a unit feature


class TextTower:
    """Token embeddings in, unit features out; gradients reach the embeddings and nothing else.

    `model`: an open_clip model (its `encode_text` takes int64 [N, context_length]); its parameters are
    frozen. `name` is used in messages.

    Attributes:
        short: whether the tower runs at the length of the text. False means full length.

    Raises PezError when the tower has no token embedding that gradients can reach.
    """

    def __init__(self, model: nn.Module, vocabulary: Vocabulary, name: str):
        self._model = model
        self._vocabulary = vocabulary
        self._embedding = _token_embedding(model)
        if self._embedding is None:
            raise PezError(f"The text tower of {name} cannot be searched: it has no table of token embeddings.")
        model.requires_grad_(False)
        self._check_differentiable(name)
        self._causal = _CausalTower.of(model)
        self.short = self._causal is not None and self._short_is_exact()
        if not self.short:
            log.info("%s: the text tower runs at its full length, the short way is not exact for it.", name)

    @property
    def table(self) -> Tensor:
        """The token embeddings [V, D], on the model's device."""
        return self._embedding.weight

    @property
    def width(self) -> int:
        """D, the length of a token embedding."""
        return self._embedding.weight.shape[1]

    def __call__(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        """Unit features [R, F] of whole texts given as embeddings [R, T, D], with their `ids` [R, T].

        Both run from the start token to the end token, without padding. `ids` only say which positions
        are read; the values come from `embeddings`.
        """
        if self.short:
            assert self._causal is not None
            return F.normalize(self._causal(embeddings), dim=-1)
        return self._plain(embeddings, ids)

    def _plain(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        rows = self._vocabulary.padded(ids)
        padding = self._embedding(rows[:, ids.shape[1] :])
        replaced = torch.cat([embeddings, padding], dim=1)
        hook = self._embedding.register_forward_hook(lambda *_: replaced)
        try:
            return F.normalize(self._model.encode_text(rows), dim=-1)
        finally:
            hook.remove()

    @torch.no_grad()
    def encode(self, rows: Tensor) -> Tensor:
        """Unit features [N, F] of padded rows int64 [N, context_length]: the model's own encoding, nothing of ours."""
        return F.normalize(self._model.encode_text(rows).float(), dim=-1)

    def _sample(self, length: int, count: int = 2) -> Tensor:
        """Texts of random tokens, framed [count, T]; fixed seed."""
        generator = torch.Generator().manual_seed(length)
        ids = torch.randint(self._vocabulary.size // 2, (count, length), generator=generator)
        return self._vocabulary.framed(ids.to(self.table.device))

    def _check_differentiable(self, name: str) -> None:
        ids = self._sample(min(4, self._vocabulary.room), count=1)
        with torch.enable_grad():
            embeddings = self._embedding(ids).detach().requires_grad_()
            feature = self._plain(embeddings, ids)
            reached = feature.requires_grad
            if reached:
                (gradient,) = torch.autograd.grad(feature.sum(), embeddings, allow_unused=True)
                reached = gradient is not None and bool(torch.isfinite(gradient).all())
        if not reached:
            raise PezError(f"The text tower of {name} cannot be searched: no gradient reaches its token embeddings.")

    @torch.no_grad()
    def _short_is_exact(self) -> bool:
        assert self._causal is not None
        for length in {1, min(8, self._vocabulary.room), self._vocabulary.room}:
            ids = self._sample(length)
            embeddings = self._embedding(ids)
            full = self._plain(embeddings, ids)
            short = F.normalize(self._causal(embeddings), dim=-1)
            if full.shape != short.shape or not (full - short).abs().max() <= SHORT_TOLERANCE:
                return False
        return True


def _token_embedding(model: nn.Module) -> nn.Embedding | None:
    """The table that turns token ids into vectors, wherever the architecture keeps it."""
    for owner in (model, getattr(model, "text", None)):
        table = getattr(owner, "token_embedding", None)
        if isinstance(table, nn.Embedding):
            return table
    inner = getattr(getattr(model, "text", None), "transformer", None)  # a Hugging Face text model
    find = getattr(inner, "get_input_embeddings", None)
    table = find() if callable(find) else None
    return table if isinstance(table, nn.Embedding) else None


class _CausalTower:
    """open_clip's causal text transformer at the length of its input, pooled at the last position."""

    def __init__(self, parts: nn.Module):
        self._parts = parts

    @classmethod
    def of(cls, model: nn.Module) -> _CausalTower | None:
        """For a model whose text tower has the parts of a causal one; whether the result is right is checked apart."""
        parts = getattr(model, "text", model)
        needed = ("transformer", "positional_embedding", "attn_mask", "ln_final", "text_projection")
        if not all(hasattr(parts, name) for name in needed) or parts.attn_mask is None:
            return None
        return cls(parts) if getattr(parts, "cls_emb", None) is None else None

    def __call__(self, embeddings: Tensor) -> Tensor:
        parts, length = self._parts, embeddings.shape[1]
        x = embeddings + parts.positional_embedding[:length]
        x = parts.transformer(x, attn_mask=parts.attn_mask[:length, :length])
        pooled = parts.ln_final(x[:, -1])
        projection = parts.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection

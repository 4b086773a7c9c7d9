"""The embedded caption model as a tower that reads prompts and texts, for classification without a download."""

from __future__ import annotations

import torch
from torch import Tensor

from ..towers.language import State
from ..towers.words import Stem, Words
from .caption_model import CaptionModel


class CaptionTower:
    """See `towers.language.LanguageTower`."""

    reads_prompts = True

    def __init__(self, model: CaptionModel):
        self.name, self.vocabulary = model.name, model.vocabulary
        self.width = model.net.config.width
        self._model = model

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._model.device

    def in_format(self, dtype: torch.dtype) -> CaptionTower:
        """See `LanguageTower`. So small a model always computes in float32."""
        del dtype
        return self

    def embed(self, ids: Tensor) -> Tensor:
        """See `LanguageTower`."""
        return self._model.read_embeddings(ids)

    def begin(self, prompts: Tensor) -> State:
        """See `LanguageTower`."""
        _, pairs = self._model.net.read(self._whole(prompts))
        return tuple(tensor for pair in pairs for tensor in pair)

    def read(self, state: State, ids: Tensor, lengths: Tensor, words: Words) -> Tensor:
        """See `LanguageTower`."""
        before = list(zip(state[::2], state[1::2], strict=True))
        rows = torch.arange(len(ids), device=ids.device)

        def read(stem: Stem) -> Tensor:
            hidden, _ = self._model.net.read(self.embed(stem.after(ids, lengths)), before)
            at = [hidden[rows, lengths - 1 + number] for number in range(len(stem.tokens) + 1)]
            said = [self._model.log_probability_of(at[n], token) for n, token in enumerate(stem.ids.unbind())]
            each = [sum(said, self._model.log_probability_of(at[-1], token)) for token in stem.last.unbind()]
            return torch.stack(each, dim=1)

        return words.read(read)

    def prompt_log_probability(self, prompts: Tensor, ids: Tensor) -> Tensor:
        """See `LanguageTower`."""
        hidden, _ = self._model.net.read(self._whole(prompts)[:, :-1])
        each = self._model.log_probability_of(hidden.flatten(0, 1), ids.flatten())
        return each.view(ids.shape).mean(1)

    def _whole(self, prompts: Tensor) -> Tensor:
        return torch.cat([self._model.net.start.expand(len(prompts), 1, -1), prompts], dim=1)

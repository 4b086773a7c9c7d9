"""Encoder-decoder language models (T5): the encoder reads prompt and text, the decoder is asked for the word."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from ..errors import PezError
from ..text.vocabulary import Vocabulary
from .language import State
from .words import Stem, Words, append


class EncoderDecoderTower:
    """A model such as T5ForConditionalGeneration. See `language.LanguageTower`.

    Its encoder sees text in both directions, so nothing of a prompt can be shared between texts.
    """

    reads_prompts = False

    def __init__(self, module: Any, vocabulary: Vocabulary, name: str):
        self.name, self.vocabulary = name, vocabulary
        self._module = module
        self.width: int = module.get_input_embeddings().embedding_dim
        around = (vocabulary.start_ids, vocabulary.end_ids, [module.config.decoder_start_token_id or 0])
        self._before, self._after, self._asked = (
            torch.tensor(ids, dtype=torch.long, device=module.device) for ids in around
        )

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._module.device

    def in_format(self, dtype: torch.dtype) -> EncoderDecoderTower:
        """See `LanguageTower`."""
        if dtype == self._module.dtype:
            return self
        other = copy.copy(self)
        other._module = copy.deepcopy(self._module).to(dtype)
        return other

    def embed(self, ids: Tensor) -> Tensor:
        """See `LanguageTower`."""
        return self._module.get_input_embeddings()(ids).float()

    def begin(self, prompts: Tensor) -> State:
        """See `LanguageTower`."""
        before = self.embed(self._before.to(self.device)).expand(len(prompts), -1, -1)
        return (torch.cat([before, prompts], dim=1),)

    def read(self, state: State, ids: Tensor, lengths: Tensor, words: Words) -> Tensor:
        """See `LanguageTower`."""
        (prompts,) = state
        ids, lengths = append(ids, lengths, self._after.to(ids.device)), lengths + len(self._after)
        whole = torch.cat([prompts, self.embed(ids)], dim=1).to(self._module.dtype)
        mask = torch.arange(whole.shape[1], device=ids.device) < (prompts.shape[1] + lengths)[:, None]
        encoded = self._module.get_encoder()(inputs_embeds=whole, attention_mask=mask.long())

        def read(stem: Stem) -> Tensor:
            asked = torch.cat([self._asked.to(ids.device), stem.ids]).expand(len(ids), -1)
            out = self._module(encoder_outputs=encoded, attention_mask=mask.long(), decoder_input_ids=asked)
            each = out.logits.float().log_softmax(-1)
            values = each[:, len(stem.tokens)].index_select(1, stem.last)
            for number, token in enumerate(stem.tokens):
                values = values + each[:, number, token, None]
            return values

        return words.read(read)

    def prompt_log_probability(self, prompts: Tensor, ids: Tensor) -> Tensor:
        """See `LanguageTower`."""
        raise PezError(f"{self.name} cannot say how natural a prompt reads, for it has an encoder: set fluency to 0.")

"""The tower of a language model: what classification reads with."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from ..errors import PezError
from ..text.byte_level import LanguageVocabulary
from ..towers.encoder_decoder import EncoderDecoderTower
from ..towers.language import CausalTower, LanguageTower
from .caption_model import CaptionModel
from .caption_tower import CaptionTower
from .language import EncoderDecoderModel, TransformersModel

_MADE = "_pez_tower"  # kept on the model, so that its vocabulary is looked through once


def tower_of(model: Any) -> LanguageTower:
    """The tower of a language model, made once; the model is brought to where it computes.

    Raises PezError for a model that gradients do not pass, such as the one inside a connected CLIP.
    """
    if isinstance(model, TransformersModel):
        model.ready()
    made = getattr(model, _MADE, None)
    if made is None:
        made = _make(model)
        setattr(model, _MADE, made)
    return made


@singledispatch
def _make(model: Any) -> LanguageTower:
    name = getattr(model, "name", type(model).__name__)
    raise PezError(
        f"{name} cannot learn to classify, for gradients do not pass it: load a language model from a folder or a GGUF file."
    )


@_make.register
def _(model: CaptionModel) -> LanguageTower:
    return CaptionTower(model)


@_make.register
def _(model: TransformersModel) -> LanguageTower:
    return CausalTower(model.module, _vocabulary(model), model.name)


@_make.register
def _(model: EncoderDecoderModel) -> LanguageTower:
    return EncoderDecoderTower(model.module, _vocabulary(model), model.name)


def _vocabulary(model: TransformersModel | EncoderDecoderModel) -> LanguageVocabulary:
    config: Any = model.module.config
    rows = model.module.get_input_embeddings().num_embeddings
    longest = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512
    return LanguageVocabulary(model.tokenizer, rows, longest)

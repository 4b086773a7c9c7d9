"""Checks how a connected CLIP reads a prompt."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Hashable
from typing import Any

from ..pez_core import ClipModel, PezError, escape_for_comfyui
from ..pez_core.errors import NothingAccepted, shorten

log = logging.getLogger(__name__)

CLIP_KEYS = ("l", "g", "h")  # ComfyUI's tokenizers that split text as CLIP does


class WiredClip:
    """ComfyUI's CLIP object, used only to check whether it tokenizes a prompt as `model` scored it.

    Raises PezError if it has no CLIP tokenizer.
    """

    def __init__(self, clip: Any, model: ClipModel):
        self._clip, self._model = clip, model
        answer = clip.tokenize("a")
        if not isinstance(answer, dict) or not any(key in answer for key in CLIP_KEYS):
            kinds = ", ".join(answer) if isinstance(answer, dict) else type(answer).__name__
            raise PezError(
                f"The connected CLIP has no CLIP tokenizer (its tokenizer is {kinds}), so prompts cannot be checked "
                "against it: disconnect it."
            )

    @property
    def reader(self) -> Hashable:
        """An identity of the way it tokenizes, shared by CLIPs that differ only in their weights, as with a LoRA."""
        return weakref.ref(getattr(self._clip, "tokenizer", self._clip))

    def accepts(self, text: str) -> bool:
        """Whether the escaped text is read as the scored tokens, with weights of 1 and in one chunk."""
        words = self._model.vocabulary
        expected = [*words.start_ids, *words.encode(text), *words.end_ids]
        for key, chunks in self._clip.tokenize(escape_for_comfyui(text)).items():
            if key not in CLIP_KEYS:
                continue
            if len(chunks) != 1 or any(pair[1] != 1.0 for pair in chunks[0]):
                return self._refuse(text)
            if [pair[0] for pair in chunks[0][: len(expected)]] != expected:
                return self._refuse(text)
        return True

    def refused_all(self, nothing: NothingAccepted) -> PezError:
        """The error for a search with no prompt that it accepts."""
        return PezError(
            f"The connected CLIP tokenizes {shorten(nothing.best)!r} differently than {self._model.name}, and every other "
            "candidate as well: choose the vocabulary 'dictionary', or disconnect the CLIP."
        )

    def _refuse(self, text: str) -> bool:
        log.info("The connected CLIP tokenizes %r differently: the prompt is skipped.", text)
        return False

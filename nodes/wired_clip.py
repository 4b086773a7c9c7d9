"""How a CLIP of the graph reads a prompt."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Hashable
from typing import Any

from ..pez_core import ClipModel, PezError, escape_for_comfyui
from ..pez_core.errors import NothingAccepted, shorten

log = logging.getLogger(__name__)

CLIP_KEYS = ("l", "g", "h")  # of ComfyUI's tokenizers, those that split text as CLIP does


class WiredClip:
    """ComfyUI's CLIP object, asked for tokens only: would it read a prompt as `model` scored it?

    Raises PezError where it has no tokenizer of CLIP's.
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
        """Stands for the way it reads. CLIPs that differ only in their weights, as with a LoRA, share it."""
        return weakref.ref(getattr(self._clip, "tokenizer", self._clip))

    def accepts(self, text: str) -> bool:
        """Whether the escaped text is read as the tokens that were scored, with weights of 1 and in one piece."""
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
        """What to tell a person when it accepts no prompt of a search."""
        return PezError(
            f"The connected CLIP tokenizes {shorten(nothing.best)!r} differently than {self._model.name}, and every other "
            "candidate as well: choose the vocabulary 'words', or disconnect the CLIP."
        )

    def _refuse(self, text: str) -> bool:
        log.info("The connected CLIP tokenizes %r differently: the prompt is skipped.", text)
        return False

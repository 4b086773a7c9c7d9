"""How a CLIP of the graph reads a prompt."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from ..pez_core import ClipModel, InversionResult, PezError, Target, escape_for_comfyui
from ..pez_core.models.clip import shorten
from ..pez_core.objectives.contributions import importance

log = logging.getLogger(__name__)

CLIP_KEYS = ("l", "g", "h")  # of ComfyUI's tokenizers, those that split text as CLIP does


class WiredClip:
    """ComfyUI's CLIP object, asked for tokens only.

    Raises PezError where it has no tokenizer of CLIP's.
    """

    def __init__(self, clip: Any):
        self._clip = clip
        found = clip.tokenize("a")
        if not isinstance(found, dict) or not any(key in found for key in CLIP_KEYS):
            kinds = ", ".join(found) if isinstance(found, dict) else type(found).__name__
            raise PezError(
                f"The connected CLIP does not read as CLIP does (its tokenizer is {kinds}): prompts cannot be checked "
                "against it. Take it off."
            )

    def reads(self, text: str, ids: list[int], model: ClipModel) -> bool:
        """Whether `text`, escaped, is read as the tokens `ids` with weights of 1 and in one piece."""
        words = model.vocabulary
        expected = [*words.start_ids, *ids, *words.end_ids]
        for key, chunks in self._clip.tokenize(escape_for_comfyui(text)).items():
            if key not in CLIP_KEYS:
                continue
            if len(chunks) != 1 or any(pair[1] != 1.0 for pair in chunks[0]):
                return False
            if [pair[0] for pair in chunks[0][: len(expected)]] != expected:
                return False
        return True

    def readable(self, result: InversionResult, model: ClipModel, target: Target) -> InversionResult:
        """The result with only those candidates that are read as they were scored.

        Raises PezError where there is none.
        """
        ids = model.vocabulary.encode_all([candidate.text for candidate in result.candidates])
        kept = [
            candidate
            for candidate, own in zip(result.candidates, ids, strict=True)
            if self.reads(candidate.text, own, model)
        ]
        if not kept:
            raise PezError(
                f"The connected CLIP splits {shorten(result.prompt)!r} into other tokens than {model.name}, and every "
                "other candidate as well: choose the vocabulary 'words', or take the CLIP off."
            )
        if kept[0] is result.candidates[0]:
            return replace(result, candidates=tuple(kept))
        log.warning("The connected CLIP reads %r otherwise: the next best prompt is taken.", result.prompt)
        return replace(result, candidates=tuple(kept), tokens=importance(model, target, kept[0].text))

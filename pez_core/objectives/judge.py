"""The exact scores of final texts: tokenized again, at full length, in float32."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.clip import ClipModel
from ..result import Candidate, Token
from ..targets.target import Target
from ..text.template import Template
from .contributions import contributions


class MatchJudge:
    """Scores texts by their similarity to P targets. See `protocol.Judge`."""

    measure = "similarity"

    def __init__(self, model: ClipModel, targets: Sequence[Target], template: Template):
        self._model, self._targets, self._template = model, list(targets), template

    def put(self, problem: int, target: Target) -> None:
        """Replaces the target of one problem."""
        self._targets[problem] = target

    def between(self) -> None:
        """See `protocol.Judge`; texts are scored in one go."""

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt of searched ids."""
        return self._template.text(ids)

    def score(self, texts: Sequence[str], problem: int) -> list[Candidate]:
        """The texts that fit the context and contain no banned word, best first, with their scores."""
        texts = [text for text, good in zip(texts, self._template.permits(texts), strict=True) if good]
        if not texts:
            return []
        target = self._targets[problem]
        features = self._model.encode_texts(texts)
        similarities = target.similarity(features).tolist()
        parts = target.by_part(features, self._model.parts)
        found = [Candidate(*each) for each in zip(texts, similarities, parts, strict=True)]
        return sorted(found, key=lambda each: -each.similarity)

    def contributions(self, text: str, problem: int) -> tuple[Token, ...]:
        """How much each token of a text contributes to its similarity."""
        return contributions(self._model, self._targets[problem], text)

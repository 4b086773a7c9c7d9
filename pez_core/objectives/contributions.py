"""What each word of a prompt is worth: the similarity that is lost without it."""

from __future__ import annotations

from ..models.clip import ClipModel
from ..result import Token
from ..targets.target import Target


def importance(model: ClipModel, target: Target, prompt: str) -> tuple[Token, ...]:
    """The tokens of `prompt` in their order; each is left out of the text, which is then encoded afresh.

    Raises PezError for a text that does not fit the model's context.
    """
    vocabulary = model.vocabulary
    ids = vocabulary.encode(prompt)
    without = [vocabulary.decode(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]
    whole, *scores = target.similarity(model.encode_texts([prompt, *without])).tolist()
    return tuple(Token(vocabulary.token_texts[i], whole - score) for i, score in zip(ids, scores, strict=True))

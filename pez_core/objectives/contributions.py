"""How much each word of a prompt contributes: the similarity lost without it."""

from __future__ import annotations

from ..models.clip import ClipModel
from ..result import Token
from ..targets.target import Target
from ..text.spans import Span, token_spans


def contributions(model: ClipModel, target: Target, prompt: str) -> tuple[Token, ...]:
    """The tokens of `prompt`, in order, with their contributions: the similarity lost when only the characters of that
    token are cut out and the text is encoded again.

    Raises PezError for a text that does not fit the model's context.
    """
    spans = token_spans(model.vocabulary, prompt)
    without = [prompt[:start] + prompt[end:] for start, end in spans]
    for i, ids in enumerate(model.vocabulary.encode_all(without)):
        if len(ids) > model.vocabulary.room:  # the rest of a word may take more tokens than the whole word
            start, end = _word_around(prompt, spans[i])
            without[i] = prompt[:start] + prompt[end:]
    whole, *scores = target.similarity(model.encode_texts([prompt, *without])).tolist()
    return tuple(
        Token(prompt[start:end], whole - score, start, end) for (start, end), score in zip(spans, scores, strict=True)
    )


def _word_around(text: str, span: Span) -> Span:
    start = max(text.rfind(" ", 0, span[0]), 0)
    end = text.find(" ", span[1])
    return start, len(text) if end < 0 else end

"""Where each token of a text stands in it."""

from __future__ import annotations

import re

from .vocabulary import Vocabulary

Span = tuple[int, int]
"""The characters of a text from the first number up to the second."""


def token_spans(vocabulary: Vocabulary, text: str) -> list[Span]:
    """The characters of each token of `text`, in their order.

    Tokens that share a character (an emoji of several byte tokens) are one span. Where the tokens cannot be laid
    over the text, because the tokenizer rewrites it or does not spell its tokens in bytes, the spans are those of
    words.
    """
    spelled = vocabulary.spell(vocabulary.encode(text))
    sizes = [0 if character.isspace() else len(character.lower().encode()) for character in text]
    if spelled is None or sum(map(len, spelled)) != sum(sizes) or b"".join(spelled) != _squeeze(text):
        return [match.span() for match in re.finditer(r"\S+", text)]
    spans: list[Span] = []
    ends = [end for end, size in enumerate(sizes, 1) for _ in range(size)]  # of the character that each byte is part of
    first = 0
    for piece in spelled:
        start, end = ends[first] - 1, ends[first + len(piece) - 1]
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        first += len(piece)
    return spans


def pieces(vocabulary: Vocabulary, text: str) -> list[str]:
    """What the tokens of `text` spell, one after the other."""
    return [text[start:end] for start, end in token_spans(vocabulary, text)]


def _squeeze(text: str) -> bytes:
    return "".join(character.lower() for character in text if not character.isspace()).encode()

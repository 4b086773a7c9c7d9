"""The characters that each token of a text covers."""

from __future__ import annotations

import re

from .vocabulary import Vocabulary

Span = tuple[int, int]
"""A range of characters: from the first number up to, but not including, the second."""


def token_spans(vocabulary: Vocabulary, text: str) -> list[Span]:
    """The characters of each token of `text`, in order.

    Tokens that share a character (an emoji of several byte tokens) share one span. Where tokens cannot be aligned
    with the text, because the tokenizer rewrites it or has no byte spelling of its tokens, the spans are those of words.
    """
    spelled = vocabulary.spell(vocabulary.encode(text))
    sizes = [0 if character.isspace() else len(character.lower().encode()) for character in text]
    if spelled is None or sum(map(len, spelled)) != sum(sizes) or b"".join(spelled) != _squeeze(text):
        return [match.span() for match in re.finditer(r"\S+", text)]
    spans: list[Span] = []
    ends = [
        end for end, size in enumerate(sizes, 1) for _ in range(size)
    ]  # end of the character that each byte belongs to
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
    """What the tokens of `text` spell, in order."""
    return [text[start:end] for start, end in token_spans(vocabulary, text)]


def _squeeze(text: str) -> bytes:
    return "".join(character.lower() for character in text if not character.isspace()).encode()

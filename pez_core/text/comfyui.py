"""Prompts as ComfyUI's CLIP Text Encode writes and reads them: parentheses are weights unless they are escaped."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import PezError, shorten

_RESERVED = ("embedding:", "<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>")
_OPEN, _CLOSE = "\0o", "\0c"  # stand for parentheses that are letters
_DEEPEST = 100  # pairs of parentheses in each other; CLIP Text Encode calls itself for each pair, and fails in the end


def escape_for_comfyui(text: str) -> str:
    """The text as it must be given to CLIP Text Encode, so that its parentheses are letters, not weights.

    Raises PezError for text that cannot be written there: names of embeddings and of special tokens.
    """
    _check(text)
    return text.replace("(", "\\(").replace(")", "\\)")


def read_like_comfyui(text: str) -> str:
    """The words that CLIP Text Encode reads in `text`: without weights, parentheses that mean them, and escapes.

    Raises PezError for text that names embeddings or special tokens, which are no words, and for more than 100 pairs
    of parentheses in each other.
    """
    _check(text)
    letters = text.replace("\\(", _OPEN).replace("\\)", _CLOSE)
    return _remove_weights(letters).replace(_OPEN, "(").replace(_CLOSE, ")")


def _check(text: str) -> None:
    for mark in _RESERVED:
        if mark in text.lower():
            raise PezError(f"{mark!r} has a special meaning in CLIP Text Encode: remove it from {shorten(text)!r}.")


def _remove_weights(text: str, deep: int = 0) -> str:
    if deep > _DEEPEST:
        raise PezError(
            f"More than {_DEEPEST} pairs of parentheses are in each other: write \\\\( and \\\\) for letters."
        )
    return "".join(
        _remove_weights(_without_weight(piece[1:-1]), deep + 1) if piece[:1] == "(" and piece[1:][-1:] == ")" else piece
        for piece in _pieces(text)
    )


def _without_weight(inner: str) -> str:
    """What is in a pair of parentheses, less `:1.2` at its end."""
    words, colon, number = inner.rpartition(":")
    if not words or not colon:
        return inner
    try:
        float(number)
    except ValueError:
        return inner
    return words


def _pieces(text: str) -> Iterator[str]:
    """The text cut before and after its outermost pairs of parentheses; one that has no partner cuts nothing."""
    start = depth = 0
    for i, letter in enumerate(text):
        if letter == "(":
            if depth == 0:
                yield text[start:i]
                start = i
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield text[start : i + 1]
                start = i + 1
    yield text[start:]

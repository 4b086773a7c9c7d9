"""Prompts as ComfyUI's CLIP Text Encode writes and reads them: parentheses are weights unless they are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import PezError, require, shorten

SPECIAL_TOKENS = ("<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>")
_RESERVED = ("embedding:", *SPECIAL_TOKENS)
_OPEN, _CLOSE = "\0o", "\0c"  # stand for literal parentheses
_DEEPEST = 100  # nested parentheses; CLIP Text Encode recurses for each pair and fails at some depth


def escape_for_comfyui(text: str) -> str:
    """The text as CLIP Text Encode needs it: with its parentheses escaped, so that they are not read as weights.

    Raises PezError for text that cannot be escaped: names of embeddings and special tokens.
    """
    _check(text)
    return text.replace("(", "\\(").replace(")", "\\)")


def read_like_comfyui(text: str) -> str:
    """The words that CLIP Text Encode reads in `text`, without weights, their parentheses, and escapes.

    Raises PezError for text with names of embeddings or special tokens, and for parentheses nested more than 100 deep.
    """
    _check(text)
    letters = text.replace("\\(", _OPEN).replace("\\)", _CLOSE)
    return _shown(_remove_weights(letters))


def _shown(letters: str) -> str:
    return letters.replace(_OPEN, "(").replace(_CLOSE, ")")


def _check(text: str) -> None:
    require(text, str, "A text", "give a string")
    for mark in _RESERVED:
        if mark in text.lower():
            raise PezError(f"{mark!r} has a special meaning in CLIP Text Encode: remove it from {shorten(text)!r}.")


def _remove_weights(text: str, deep: int = 0) -> str:
    if deep > _DEEPEST:
        raise PezError(f"More than {_DEEPEST} pairs of parentheses are nested: write \\( and \\) for literal ones.")
    return _joined(
        _remove_weights(_without_weight(piece[1:-1]), deep + 1) if piece[:1] == "(" and piece[1:][-1:] == ")" else piece
        for piece in _pieces(text)
    )


def _joined(parts: Iterable[str]) -> str:
    """The parts in a row. ComfyUI tokenizes each by itself, so those that would form one token are set apart: "sun(set:1.2)" is
    two words."""
    text = ""
    for part in parts:
        pair = _shown(text)[-1:] + _shown(part)[:1]
        apart = len(pair) == 2 and (pair.isalpha() or not any(each.isalnum() or each.isspace() for each in pair))
        text += f" {part}" if apart else part
    return text


def _without_weight(inner: str) -> str:
    """The inside of a pair of parentheses, without a weight such as `:1.2` at its end."""
    words, colon, number = inner.rpartition(":")
    if not words or not colon:
        return inner
    try:
        float(number)
    except ValueError:
        return inner
    return words


def _pieces(text: str) -> Iterator[str]:
    """The text, split before and after its outermost pairs of parentheses; an unpaired one splits nothing."""
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

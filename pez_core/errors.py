"""The errors that this library raises on purpose."""

import math
from pathlib import Path

MOST_LETTERS = 1500  # of a message: it may quote a value


class PezError(ValueError):
    """An input that cannot be used; the message names the value and how to fix it.

    The message is one visible line, whatever it quotes (see `one_line`).
    """

    def __init__(self, message: str):
        super().__init__(one_line(message, MOST_LETTERS))


class ShortOfMemoryError(PezError):
    """A device that has no room for what was asked."""


class FetchError(PezError):
    """Weights that are not on this machine and could not be fetched; the message says where to get them."""


def require(value: object, kind: type | tuple[type, ...], what: str, cure: str) -> None:
    """Raises PezError for a value of another kind: `what` is needed; `cure`: what to do."""
    if not isinstance(value, kind):
        raise PezError(f"{what} is needed, not {shorten(repr(value))}: {cure}.")


def as_number(value: object) -> float:
    """A number of any kind as float; NaN for what is none, and for one that is too large."""
    if isinstance(value, str | bytes):
        return math.nan
    try:
        return float(value)  # pyright: ignore[reportArgumentType] - which says whether it is one
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def kind_of(path: Path, shown: str = "") -> str:
    """What is at a path that a person gave: "file", "folder", "other", or "" for nothing. shown: what messages call it.

    Raises PezError where that cannot be said: for a name that is too long, or a folder that may not be entered.
    """
    try:
        if path.is_file():
            return "file"
        return "folder" if path.is_dir() else "other" if path.exists() else ""
    except OSError as error:
        named = shown or shorten(str(path), 200)
        raise PezError(f"{named!r} cannot be read: {error.strerror}. Give another name.") from error


def first_line(error: BaseException, most: int = 300) -> str:
    """The first line of an error's message as `one_line` shows it; its kind if the message is empty."""
    said = str(error).strip()
    return one_line(said.splitlines()[0], most) if said else type(error).__name__


def one_line(text: str, most: int = 300) -> str:
    """Text from a file for messages: at most `most` characters, those that cannot be seen or end a line escaped."""
    seen = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: most + 1])
    return shorten(seen, most)


def shorten(text: str, most: int = 60) -> str:
    """The text, or its beginning with an ellipsis, for messages."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


class NothingAccepted(PezError):  # noqa: N818 - reads better where it is caught
    """The caller accepts no prompt of the search. `best`: the best of them."""

    def __init__(self, best: str):
        super().__init__(f"No prompt of this search was accepted; the best was {shorten(best)!r}: try another seed.")
        self.best = best


def short_of_memory(device: object, name: str) -> ShortOfMemoryError:
    """The error for a `device` that has no room to search with the model `name`."""
    return ShortOfMemoryError(
        f"Not enough memory on {device} to search with {name}: free some, or use a smaller model or another device."
    )

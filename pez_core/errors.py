"""The errors that this library raises on purpose."""


class PezError(ValueError):
    """Something the caller gave cannot be used; the message names the value and the cure."""


class FetchError(PezError):
    """Weights are not on this machine and could not be fetched; the message says where they are."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; the error's kind when it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def shorten(text: str, most: int = 60) -> str:
    """The text, or its beginning with an ellipsis, for messages."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


class NothingAccepted(PezError):  # noqa: N818 - reads better where it is caught
    """No prompt that was found may be returned, according to whoever asked for the search. `best`: the best of them."""

    def __init__(self, best: str):
        super().__init__(f"No prompt of this search was accepted; the best was {shorten(best)!r}: try another seed.")
        self.best = best


def short_of_memory(device: object, name: str) -> PezError:
    """The error for a `device` that has no room to search with the model `name`."""
    return PezError(
        f"Not enough memory on {device} to search with {name}: free some, or use a smaller model or another device."
    )

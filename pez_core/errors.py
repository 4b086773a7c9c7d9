"""The errors that this library raises on purpose."""


class PezError(ValueError):
    """Something the caller gave cannot be used; the message names the value and the cure."""


class FetchError(PezError):
    """Weights are not on this machine and could not be fetched; the message says where they are."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; the error's kind when it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__

"""The errors that this library raises on purpose."""


class PezError(ValueError):
    """Something the caller gave cannot be used; the message names the value and the cure."""


class FetchError(PezError):
    """Weights are not on this machine and could not be fetched; the message says where they are."""

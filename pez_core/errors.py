"""The one error that this library raises on purpose."""


class PezError(ValueError):
    """Something the caller gave cannot be used; the message names the value and the cure."""

"""Why a run ends."""

from __future__ import annotations

STEPS, PATIENCE, TIME_LIMIT, ASKED = "steps", "patience", "time limit", "asked to"


class Stopped(Exception):  # noqa: N818 - not an error
    """Ends a step early, with the reason; the state before the step remains."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason

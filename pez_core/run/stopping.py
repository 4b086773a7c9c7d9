"""Why a run ends before its last step."""

from __future__ import annotations

STEPS, PATIENCE, TIME_LIMIT, ASKED = "steps", "patience", "time limit", "asked to"


class Stopped(Exception):  # noqa: N818 - not an error: it carries the reason out of a long step
    """Ends a step that is under way; the state before it stands."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason

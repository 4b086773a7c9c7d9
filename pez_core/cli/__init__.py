"""The command line: `python -m pez_core invert | blend | distill | score | models`."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import PezError
from .output import complain, escape_what_cannot_be_said, plain_warnings

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # the last two as shells say them: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; results go to standard output, everything else to standard error.

    Returns the exit status: 0, also for a search that was stopped and has printed its best; 2 for bad input, and for
    output or a plot that cannot be written; 130 after Ctrl-C; 141 where the reader of our output went away.
    """
    try:
        with escape_what_cannot_be_said(), plain_warnings():
            from .commands import make_parser  # here: it takes seconds, and Ctrl-C may come meanwhile

            given = make_parser().parse_args(arguments)
            return given.run(given)
    except PezError as error:
        complain(f"error: {error}")
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE

"""The command line: `python -m pez_core invert | blend | distill | score | batch | evaluate | classify | paint | doctor | models`."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import PezError
from .output import complain, escape_unencodable, plain_warnings

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # the last two as in shells: 128 plus the signal's number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; results go to standard output, everything else to standard error.

    Returns the exit status: 0, also for a stopped search that has printed its best prompt; 1 if
    `doctor` has found something wrong; 2 for bad input, and for output or a plot that cannot be written; 130 after
    Ctrl-C; 141 if the output pipe was closed; 3 for a batch some of whose pictures failed.
    """
    try:
        with escape_unencodable(), plain_warnings():
            from .commands import make_parser  # imported late: it takes seconds, in which Ctrl-C may come

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

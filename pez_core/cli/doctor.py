"""The command `doctor`."""

from __future__ import annotations

import argparse

from ..models.presets import EMBEDDED
from .options import add_device, device_of
from .output import PROGRAM, say, say_json

WRONG = 1  # the exit status if something is wrong


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.set_defaults(run=_doctor)
    parser.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help=f"see `{PROGRAM} models` (default: %(default)s); fetched if it is not on this machine",
    )
    parser.add_argument("--checkpoint", metavar="FILE", help="weights for the model's architecture from a local file")
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, at the end")


def _doctor(given: argparse.Namespace) -> int:
    from ..doctor import examine, heading, line  # imported late: only this command needs every part of the library

    device = device_of(given)
    if not given.json:
        say(heading(given.model, str(device)))
    report = examine(given.model, given.checkpoint, device, None if given.json else lambda finding: say(line(finding)))
    if given.json:
        say_json(report.to_json())
    else:
        say(report.summary())
    return WRONG if report.wrong else 0

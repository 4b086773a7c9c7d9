"""Runs cases for a while and prints a table of how they ended; see `--help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-ins that all tests share

from .graphs import GRAPHS
from .kinds import KINDS
from .running import run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Hostile files and graphs. Each case must be read, or refused in one line; what failed is kept in out/fuzz.",
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join([*KINDS, GRAPHS])} (default: all)")
    parser.add_argument("--seconds", type=float, default=120, help="for all of them together (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="another one damages in other ways (default: %(default)s)")
    parser.add_argument("--without", action="append", default=[], metavar="KIND", help="leave it out; may be repeated")
    parser.add_argument("--case", type=int, metavar="N", help="only the one of this number, of one KIND")
    given = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        parser.error("memory is measured as Linux tells it: run it there")
    if unknown := {*given.kinds, *given.without} - {*KINDS, GRAPHS}:
        parser.error(f"there is no kind {', '.join(sorted(unknown))}")
    wanted = [name for name in given.kinds or [*KINDS, GRAPHS] if name not in given.without]
    sys.exit(run(wanted, given.seconds, given.seed, given.case))

"""Runs the pack for long and looks at what stays behind; by hand, as it takes minutes.

    python -m tests.soak python [--curve FILE.png]     searches in one Python process
    python -m tests.soak threads                       eight threads with one model
    python -m tests.soak comfyui [--curve FILE.png]    prompts to one real ComfyUI
    python -m tests.soak kills                         a ComfyUI that is killed in mid-search

    --runs N        searches, prompts or kills (default: 500, 3 of each kind for threads, 20 kills)
    --seconds S     ends the prompts to ComfyUI earlier

It prints a table in Markdown and ends with status 1 if memory grew, if a file or a thread was left, or if a result differs
from that of a fresh process. The curve shows the memory. Linux only. `comfyui` and `kills` need what the tests of the nodes need.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-ins that all tests share

from .curve import draw
from .watching import HEAD

COUNTS = {"python": 500, "threads": 3, "comfyui": 500, "kills": 20}
SAMPLE = 20  # results compared with those of a fresh process


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=COUNTS)
    parser.add_argument("--runs", type=int, metavar="N", help="searches, prompts or kills")
    parser.add_argument("--seconds", type=float, default=math.inf, metavar="S", help="ends prompts to ComfyUI earlier")
    parser.add_argument("--curve", type=Path, metavar="FILE.png", help="where to draw the memory")
    given = parser.parse_args()
    count, watch = given.runs or COUNTS[given.part], None
    if given.part in ("python", "threads"):
        from . import in_python as part  # imported here: that of ComfyUI needs more

        if given.part == "python":
            line, watch, well = part.one_process(count, SAMPLE)
        else:
            line, well = part.many_threads(part.shareable(count))
    else:
        from . import in_comfyui as part

        if given.part == "comfyui":
            line, watch, well = part.one_server(count, SAMPLE, given.seconds)
        else:
            line, well = part.kills(range(count))
    for each in (HEAD, ["---"] * len(HEAD), line):
        print(f"| {' | '.join(each)} |")
    if given.curve and watch:
        draw(watch.memory, f"Resident memory in MiB, {line[0]}, by run", given.curve)
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())

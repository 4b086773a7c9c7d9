"""Runs the tests of the core with other versions of Python and of the packages, each in an environment of its own.

    python tests/versions.py "PYTHON [REQUIREMENT]..." ... [-- OPTIONS OF PYTEST]

    python tests/versions.py "python3.10 torch==2.6.0 torchvision==0.21.0 open_clip_torch==3.0.0" "python3.13"

PYTHON is an interpreter; packages that are not named are the newest. Environments are made in the folder for temporary
files (TMPDIR moves it; torch takes several gigabytes), one at a time, and removed afterwards. It prints a table in Markdown
and ends with status 1 if a test failed anywhere. pip's own variables hold: with
PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu it fetches smaller builds of torch.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN = ("torch", "open_clip_torch", "transformers", "pillow", "numpy")
COUNTS = ("passed", "skipped", "failed")
LAST = 40  # lines of what pytest says that are shown
ASK = """
import importlib.metadata, json, platform, sys
print(json.dumps([platform.python_version(), *map(importlib.metadata.version, sys.argv[1:])]))
"""


def main(given: list[str]) -> int:
    end = given.index("--") if "--" in given else len(given)
    if not given[:end]:
        print(__doc__)
        return 2
    rows, failed = [], False
    for wanted in given[:end]:
        python, *requirements = wanted.split()
        with tempfile.TemporaryDirectory(prefix="pez-versions-") as folder:
            row, status = tested(python, requirements, Path(folder), given[end + 1 :])
        rows.append(row)
        failed |= status != 0
    head = ("Python", *SHOWN, *COUNTS)
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")
    return int(failed)


def tested(python: str, requirements: list[str], folder: Path, options: list[str]) -> tuple[list[str], int]:
    """The row of the table, and the status of pytest."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = next(path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists())
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, *requirements, "-r", ROOT / "requirements-dev.txt"], check=True)
    asked = subprocess.run([own, "-c", ASK, *SHOWN], check=True, capture_output=True, text=True)
    run = subprocess.run(
        [own, "-m", "pytest", "tests/core", "-q", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    lines = run.stdout.splitlines() or ["pytest said nothing"]
    print(f"--- {python} {' '.join(requirements)}", *lines[-LAST:], sep="\n", file=sys.stderr)
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", lines[-1])}
    counts["failed"] = sum(counts.get(name, 0) for name in ("failed", "error", "errors"))
    return [*json.loads(asked.stdout), *(str(counts.get(name, 0)) for name in COUNTS)], run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

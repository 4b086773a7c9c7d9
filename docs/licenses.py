"""Prints the licenses of the direct requirements, from the metadata of the installed packages.

    python docs/licenses.py > docs/licenses.md

All of them have to be installed: requirements-dev.txt, and the optional packages (pip install .[language,parquet]).
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
TEXT = """# Licenses of what this pack requires

Printed by `python docs/licenses.py` from the metadata of the installed packages. None of them is included in this
repository. What is included has its licenses in `pez_core/embedded/README.md` and `pez_core/text/dictionary-licenses.txt`.

| package | needed for | license |
|---|---|---|
"""
_CLASSIFIER = "License :: OSI Approved :: "


def requirements() -> dict[str, str]:
    """What each directly required package is needed for, by its name."""
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    groups = {
        "everything": _lines("requirements.txt"),
        **{f"optional: {extra}": packages for extra, packages in optional.items()},
        "tests and linters": _lines("requirements-dev.txt"),
    }
    found: dict[str, str] = {}
    for use, lines in groups.items():
        for line in lines:
            name = re.match(r"[A-Za-z0-9][\w.-]*", line)
            if name:  # not "-r requirements.txt"
                found.setdefault(name[0], use)
    return found


def license_of(package: str) -> str:
    """The license that the package states, '' if it states none.

    Raises PackageNotFoundError if it is not installed.
    """
    about = metadata(package)
    named = about.get("License-Expression") or (about.get("License") or "").strip().split("\n")[0]
    classified = [each.removeprefix(_CLASSIFIER) for each in about.get_all("Classifier") or () if _CLASSIFIER in each]
    return named or ", ".join(classified)


def _lines(file: str) -> list[str]:
    return (ROOT / file).read_text("utf-8").splitlines()


def main() -> int:
    rows, missing = [], []
    for package, use in requirements().items():
        try:
            rows.append(f"| {package} | {use} | {license_of(package) or 'not stated in its metadata'} |")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        print(f"Not installed: {', '.join(missing)}.", file=sys.stderr)
        return 1
    print(TEXT + "\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

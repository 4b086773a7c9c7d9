"""The wheel and the source distribution hold everything: what each installs is the same, and runs the demo elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SOURCES = ("pez_core", "pyproject.toml", "requirements.txt", "README.md", "LICENSE", "__init__.py")


def run(*command: str | Path, at: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=at, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with both distributions, built from a copy: a build leaves files beside its sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy)
    for kind in ("build_sdist", "build_wheel"):
        run(sys.executable, "-c", f"from setuptools.build_meta import {kind}; {kind}({str(out)!r})", at=copy)
    return out


@pytest.fixture(scope="module", params=["whl", "tar.gz"])
def installed(request, built, tmp_path_factory) -> Path:
    """The Python of a new environment with the distribution in it; everything else comes from the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", at=folder).strip())
    (site / "rest.pth").write_text(sysconfig.get_path("purelib"))
    (distribution,) = built.glob(f"*.{request.param}")
    install = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", distribution)
    run(sys.executable, "-m", "pip", "--python", python, *install, at=folder)
    return python


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    """A digest of every installed file: those of the distribution that is tested first."""
    return {}


@pytest.mark.slow
def test_the_demo_runs_from_an_empty_folder(installed, seen, tmp_path):
    """From the first distribution; the other one installs the same files."""
    code = "import importlib.util as i; print(i.find_spec('pez_core').submodule_search_locations[0])"
    package = Path(run(installed, "-c", code, at=tmp_path).strip())
    assert package.is_relative_to(installed.parents[1])
    own = [file for file in package.rglob("*") if is_own(file)]
    files = {str(file.relative_to(package)): hashlib.sha256(file.read_bytes()).hexdigest() for file in own}
    if seen:
        assert files == seen
        return
    sample = package / "embedded" / "samples" / "penguin.png"
    (tmp_path / "out").mkdir()
    said = run(
        installed.with_name("pez"),
        "invert",
        sample,
        "--steps",
        "20",
        "--restarts",
        "2",
        "--plot",
        "out/demo.png",
        at=tmp_path,
    )
    assert said.startswith("prompt")
    assert "similarity" in said
    with Image.open(tmp_path / "out" / "demo.png") as plot:
        assert plot.size == (1200, 600)
    seen.update(files)


def is_own(file: Path) -> bool:
    """Whether it is a file that was installed, not one that Python made of it."""
    return file.is_file() and file.suffix != ".pyc"


@pytest.mark.slow
def test_license_and_types_are_installed(installed, tmp_path):
    code = "import importlib.metadata as m; d = m.distribution('pez-inversion'); print(d.metadata['License-Expression'], *d.files)"
    listed = run(installed, "-c", code, at=tmp_path).split()
    assert listed[0] == "MIT"
    assert "pez_core/py.typed" in listed
    assert any(file.endswith("licenses/LICENSE") for file in listed)

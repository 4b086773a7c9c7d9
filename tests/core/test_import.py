"""What an import costs: ComfyUI imports the pack at every start, used or not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pez_core

AFTER = "import sys; print([name for name in {names} if name in sys.modules])"


def loaded(statement: str, *names: str) -> str:
    code = f"{statement}\n{AFTER.format(names=list(names))}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_library_alone_imports_no_torch():
    assert loaded("import pez_core", "torch", "PIL", "open_clip") == "[]"


@pytest.mark.slow
def test_only_a_model_needs_open_clip():
    used = "from pez_core import ClipModel, InversionConfig, PezError, Target, escape_for_comfyui, invert"
    before = f"{used}\nimport pez_core.cli.commands\n{AFTER.format(names=['open_clip', 'torchvision', 'transformers'])}"
    assert loaded(f"{before}\nfrom pez_core import load_model", "open_clip").splitlines() == ["[]", "['open_clip']"]


def test_every_public_name_is_there():
    for name in set(pez_core.__all__) - {"__version__"}:
        assert getattr(pez_core, name).__module__.startswith("pez_core.")
    assert set(pez_core.__all__) <= set(dir(pez_core))
    assert not hasattr(pez_core, "no_such_name")

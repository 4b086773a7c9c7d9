"""What all tests share: the embedded model, a real ComfyUI, and a rule that keeps pytest away from ComfyUI's entry file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from comfy_server import Comfy, served
from groups import (  # noqa: F401 - hooks
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)

if not torch.cuda.is_available():
    # The fused kernels then run on the CPU. It is read when open_clip imports Triton, which the conftests of parts may do.
    os.environ["TRITON_INTERPRET"] = "1"

if TYPE_CHECKING:
    from pez_core import ClipModel

ROOT = Path(__file__).parents[1]


class _RootIsNoPackage:
    """Without it pytest imports the `__init__.py` at the pack's root, which only ComfyUI can do."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Dir | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_RootIsNoPackage())  # a plugin, because a conftest has no effect above its own folder


@pytest.fixture(scope="session")
def model() -> ClipModel:
    """The embedded model."""
    from pez_core import load_model

    return load_model()


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """A real ComfyUI with this pack, in a separate process."""
    yield from served(tmp_path_factory.mktemp("comfyui"))


@pytest.fixture(scope="session")
def comfy_newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """The same with the newest frontend, which the tests' own Python has."""
    package = pytest.importorskip("comfyui_frontend_package", reason="pip install -r requirements-dev.txt")
    page = Path(package.__file__).parent / "static"
    yield from served(tmp_path_factory.mktemp("newest"), "--front-end-root", str(page))

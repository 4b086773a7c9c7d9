"""What is said where ComfyUI is too old or a package is missing. Needs no ComfyUI."""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def health(pack):
    own = pack("nodes.health")
    own.problems.cache_clear()
    yield own
    own.problems.cache_clear()


@pytest.fixture
def comfyui(monkeypatch):
    """Sets the version of ComfyUI; None: one that has no such module."""

    def of(version: str | None):
        module = ModuleType("comfyui_version")
        module.__version__ = version
        monkeypatch.setitem(sys.modules, "comfyui_version", module if version else None)

    return of


def served(monkeypatch) -> dict:
    routes, server, aiohttp = {}, ModuleType("server"), ModuleType("aiohttp")
    get = lambda path: lambda answer: routes.setdefault(path, answer)  # noqa: E731
    server.PromptServer = SimpleNamespace(instance=SimpleNamespace(routes=SimpleNamespace(get=get)))
    aiohttp.web = SimpleNamespace(Request=object, Response=object, json_response=lambda answer: answer)
    monkeypatch.setitem(sys.modules, "server", server)
    monkeypatch.setitem(sys.modules, "aiohttp", aiohttp)
    return routes


@pytest.mark.parametrize("version", ["0.19.0", "0.33.0", "0.100.1", "1.0", "0.19.0-rc1"])
def test_a_new_comfyui_is_fine(health, comfyui, version):
    comfyui(version)
    assert health.problems() == ()


@pytest.mark.parametrize("version", ["0.3.64", "0.18.9", None])
def test_an_old_comfyui_is_named_with_the_cure(health, comfyui, version):
    comfyui(version)
    (said,) = health.problems()
    assert "needs ComfyUI 0.19.0 or newer" in said
    assert (version or "older") in said
    assert "update ComfyUI" in said


def test_an_old_comfyui_gets_one_sentence_and_no_node_is_imported(comfyui, monkeypatch):
    """ComfyUI logs what its entry point raises as one line."""
    comfyui("0.3.64")
    routes = served(monkeypatch)
    spec = importlib.util.spec_from_file_location("old", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    entry = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "old", entry)
    spec.loader.exec_module(entry)
    with pytest.raises(ValueError, match=r"needs ComfyUI 0\.19\.0 or newer, this is 0\.3\.64"):
        entry.comfy_entrypoint().send(None)  # its first step; a loop may be running here
    assert list(routes) == ["/pez/health"]  # so that the page can say it
    assert "old.nodes.extension" not in sys.modules
    for name in [name for name in sys.modules if name.startswith("old.")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_missing_package_is_logged_served_and_raised_with_the_command(health, comfyui, monkeypatch, caplog):
    comfyui("0.33.0")
    monkeypatch.setattr(health, "find_spec", lambda name: None if name == "open_clip" else object())
    routes = served(monkeypatch)
    with caplog.at_level(logging.WARNING):
        health.listen()
    (record,) = caplog.records
    assert "(open_clip)" in record.message
    assert f"{sys.executable} -m pip install -r requirements.txt" in record.message
    assert health.problems() == (record.message,)
    assert list(routes) == ["/pez/health"]
    with pytest.raises(health.PezError, match="open_clip"):
        health.require()


def test_the_least_version_is_that_of_the_registry(health):
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.findall(r'requires-comfyui = ">=(.+)"', project) == [health.LEAST_COMFYUI]


def test_every_requirement_is_looked_for(health):
    names = {"open_clip_torch": "open_clip", "pillow": "PIL"}
    required = [re.split(r"[<>=]", line)[0] for line in (ROOT / "requirements.txt").read_text("utf-8").split()]
    assert [names.get(name, name) for name in required] == list(health.MODULES)

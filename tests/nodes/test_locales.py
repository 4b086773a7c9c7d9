"""Translations: complete, and served by a real ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LOCALES = Path(__file__).parents[2] / "locales"
LANGUAGES = sorted(folder.name for folder in LOCALES.iterdir())


def in_english(info: dict[str, Any]) -> dict[str, Any]:
    """What a node's schema says, in the form of a translation."""
    inputs = {}
    for kind in ("required", "optional"):
        for name, (_, options) in info["input"].get(kind, {}).items():
            growing = options.get("template", {}).get("input", {}).get("required", {})
            (said,) = [each[1]["tooltip"] for each in growing.values()] or [options["tooltip"]]
            inputs[name] = {"name": name, "tooltip": said}
    outputs = {
        str(i): {"name": name, "tooltip": said}
        for i, (name, said) in enumerate(zip(info["output_name"], info["output_tooltips"], strict=True))
    }
    return {
        "display_name": info["display_name"],
        "description": info["description"],
        "inputs": inputs,
        "outputs": outputs,
    }


@pytest.fixture(scope="module")
def schemas(comfy) -> dict[str, Any]:
    every = comfy.get("/object_info")
    return {name: in_english(info) for name, info in every.items() if info["python_module"].endswith("pez")}


def texts(found: Any, path: str = "") -> dict[str, str]:
    """Every text by its place."""
    if isinstance(found, str):
        return {path: found}
    return {place: text for name, inner in found.items() for place, text in texts(inner, f"{path}/{name}").items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated(comfy, schemas, language):
    translated = json.loads((LOCALES / language / "nodeDefs.json").read_text("utf-8"))
    own, english = texts(translated), texts(schemas)
    assert own.keys() == english.keys()
    assert all(text.strip() for text in own.values())
    if language == "en":
        assert own == english
    else:
        same = [place for place in own if place.endswith(("tooltip", "description")) and own[place] == english[place]]
        assert not same
    assert comfy.get("/i18n")[language]["nodeDefs"]["PEZInvert"] == translated["PEZInvert"]


def test_the_panel_speaks_the_same_languages():
    words = (LOCALES.parent / "web" / "js" / "panel" / "words.js").read_text("utf-8")
    assert LANGUAGES == ["de", "en", "fr", "ja", "zh"]
    assert all(f"\n  {language}: {{" in words for language in LANGUAGES)

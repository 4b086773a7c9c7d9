"""Translations: complete, up to date, and served by a real ComfyUI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACK = Path(__file__).parents[2]
LOCALES = PACK / "locales"
DOCS = PACK / "web" / "docs"
LANGUAGES = sorted(file.parent.name for file in LOCALES.glob("*/nodes.json"))
NODES = sorted(page.stem for page in DOCS.glob("*.md"))
PAGES = sorted((file.parent.name, file.stem) for file in DOCS.glob("*/*.md") if file.stem != "en")
"""The translated ones; the page shows English for the others."""
PLACEHOLDER = re.compile(r"\{\w+\}")
NAMES = [
    *("pez+swaps", "pez", "swaps", "autoprompt", "autoprompt-sgd", "fluentprompt"),
    *("fp32", "bf16", "fp16", "JSON Lines", "CSV"),
    *("SD 1.5 (ViT-L-14 openai)", "SD 2.x, Midjourney (ViT-H-14 laion2b_s32b_b79k)"),
    "Flux.2, Z-Image, Qwen-Image, Wan (ViT-L-14 datacomp_xl_s13b_b90k)",
    "SDXL, Stable Cascade (ViT-bigG-14 laion2b_s39b_b160k)",
]
"""Choices of widgets that are the same in every language."""
OWN_CHOICES = {"checkpoint": 0, "language_model": 1, "examples": 2}
"""Lists of files: how many choices before the files have translations."""


def in_english(info: dict[str, Any]) -> dict[str, Any]:
    """What a node's schema says, in the form of a translation."""
    inputs = {}
    for kind in ("required", "optional"):
        for name, (_, options) in info["input"].get(kind, {}).items():
            growing = options.get("template", {}).get("input", {}).get("required", {})
            (said,) = [each[1]["tooltip"] for each in growing.values()] or [options["tooltip"]]
            inputs[name] = {"name": name, "tooltip": said}
            for option in options.get("options", ()):  # those of a choice have inputs of their own
                for more in option["inputs"].values() if isinstance(option, dict) else ():
                    for inner, (_, said) in more.items():
                        inputs[f"{name}_{inner}"] = {"name": inner, "tooltip": said["tooltip"]}
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


def choices(inputs: dict[str, Any]) -> Iterator[str]:
    """What a person can choose in these inputs, and in those that a choice brings. Lists of files are none of ours."""
    for name, (_, options) in ((name, spec) for kind in inputs.values() for name, spec in kind.items()):
        for option in options.get("options", ())[: OWN_CHOICES.get(name)]:
            yield option["key"] if isinstance(option, dict) else option
            yield from choices(option["inputs"]) if isinstance(option, dict) else ()


def texts(found: Any, path: str = "") -> dict[str, str]:
    """Every text by its place."""
    if isinstance(found, str):
        return {path: found}
    return {place: text for name, inner in found.items() for place, text in texts(inner, f"{path}/{name}").items()}


def read(language: str, name: str) -> dict[str, Any]:
    return json.loads((LOCALES / language / name).read_text("utf-8"))


def page(node: str, language: str) -> str:
    file = DOCS / f"{node}.md" if language == "en" else DOCS / node / f"{language}.md"
    return file.read_text("utf-8")


def test_the_languages_are_those_that_have_been_there():
    assert {"de", "fr", "ja", "zh"} <= set(LANGUAGES)


def test_what_the_script_writes_is_up_to_date():
    run = subprocess.run([sys.executable, "-m", "locales.expand", "--check"], cwd=PACK, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_nodes_is_translated(comfy, schemas, language):
    translated = read(language, "nodeDefs.json")
    own, english = texts(translated), texts(schemas)
    assert own.keys() == english.keys()
    assert all(text.strip() for text in own.values())
    assert not [place for place in own if place.endswith(("tooltip", "description")) and own[place] == english[place]]
    served = comfy.get("/i18n")[language]
    assert served["nodeDefs"].items() >= translated.items()
    assert served["pez"] == read(language, "main.json")["pez"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_of_several_nodes_is_translated_once(language):
    own = [
        (kind, key, text["tooltip"])
        for node in read(language, "nodes.json").values()
        for kind in ("inputs", "outputs")
        for key, text in node.get(kind, {}).items()
    ]
    assert len(own) == len(set(own))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_panel_is_translated(language):
    script = (PACK / "web" / "js" / "panel" / "words.js").read_text("utf-8")
    (table,) = re.findall(r"^const ENGLISH = \{\n(.*?)^\};", script, re.DOTALL | re.MULTILINE)
    english = dict(re.findall(r'^  "?([\w ]+?)"?: "(.*)",$', table, re.MULTILINE))
    assert len(english) == len(table.splitlines())
    panel = read(language, "main.json")["pez"]["panel"]
    assert panel.keys() == english.keys()
    for key, text in panel.items():
        assert text.strip()
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_choice_is_translated(comfy, language):
    every = [info for info in comfy.get("/object_info").values() if info["python_module"].endswith("pez")]
    own = {
        choice
        for info in every
        for choice in choices({kind: info["input"].get(kind, {}) for kind in ("required", "optional")})
    }
    values = read(language, "main.json")["pez"]["values"]
    assert values.keys() == own - set(NAMES)
    assert len({*values.values()}) == len(values)
    assert comfy.get("/i18n")[language]["pez"]["values"] == values


def test_every_node_has_a_help_page(schemas):
    assert sorted(schemas) == NODES
    for node in NODES:
        assert page(node, "en").splitlines()[0] == f"# {schemas[node]['display_name']}"
    for language in ("de", "fr", "ja", "zh"):
        assert [node for node, other in PAGES if other == language] == NODES


def test_the_workflows_that_help_pages_name_are_there():
    named = {
        name
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"!\[[^\]]*\*([^*\]]+)\*\]\(images/", page.read_text("utf-8"))
    }
    assert len(named) > 8
    assert named <= {file.stem for file in (PACK / "example_workflows").glob("*.json")}


def test_the_english_pages_are_where_the_page_asks_first():
    for node in NODES:
        assert page(node, "en") == (DOCS / node / "en.md").read_text("utf-8")


@pytest.mark.parametrize(("node", "language"), PAGES)
def test_a_translated_help_page_says_what_the_english_one_says(node, language):
    text, english = page(node, language), page(node, "en")
    assert text.splitlines()[0] == f"# {read(language, 'nodes.json')[node]['display_name']}"
    for pattern in (r"\]\((.+?)\)", r"^(#+) ", r"^(-) ", r"^(\|)"):
        assert re.findall(pattern, text, re.MULTILINE) == re.findall(pattern, english, re.MULTILINE)
    assert all((DOCS / picture).is_file() for picture in re.findall(r"\]\((.+?)\)", text))
    prose = [line for line in text.splitlines() if len(line) > 40 and not line.startswith("|")]
    assert prose
    assert not set(english.splitlines()).intersection(prose)

"""Writes what follows from the translations: each nodeDefs.json, and the tables of settings in the help pages.

    python -m locales.expand            writes them
    python -m locales.expand --check    only names those that are out of date, and ends with status 1

English is in the code: the nodes' schemas and web/js/panel/words.js. Every other language is a folder here:

    main.json        the panel's words; under "values" the choices of widgets, by the English ones
    settings.json, commands.json    the page of settings, the commands
    nodes.json       each node's own texts, and under "shared" the groups that it takes from shared.json
    shared.json      texts of several nodes, in groups; under "table" the words of the help pages' tables
    nodeDefs.json    written by this script: nodes.json with its groups filled in

ComfyUI serves main.json and nodeDefs.json. Help pages are web/docs/<node>.md in English, web/docs/<node>/<language>.md
in other languages; a table goes between `<!-- settings -->` and `<!-- /settings -->`. ComfyUI asks for the page of a
language first, also for English, so this script copies <node>.md to <node>/en.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pez_core.config import RARE, SETTINGS, Setting
from pez_core.search import METHODS

LOCALES = Path(__file__).parent
DOCS = LOCALES.parent / "web" / "docs"
TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
ENGLISH_HEAD = {
    "setting": "Setting",
    "range": "range",
    "default": "default",
    "help": "What it does",
    "methods": "only with",
}


class Row(NamedTuple):
    """A setting in English: the name of its widget, its key in translations, its help; its methods ('' for all), its
    range ('' for a choice), its default."""

    name: str
    key: str
    help: str
    methods: str
    range: str
    default: str


def settings_rows() -> list[Row]:
    """The settings of PEZ Search Settings, in the order of their declarations."""
    return [_row(setting) for setting in SETTINGS.values() if setting.widget and setting.node == RARE]


def _row(setting: Setting) -> Row:
    values = ""  # a widget lists its choices
    if setting.kind in ("whole", "number"):
        low, high = setting.widget_limits
        values = f"{low:g} – {high:,.0f}"
    methods = ", ".join(name for name, method in METHODS.items() if setting.name in method.settings)
    key = f"method_{setting.widget}" if methods else setting.widget  # as the page writes the input `method.NAME`
    return Row(setting.widget, key, setting.tooltip, methods, values, str(setting.widget_default))


def languages() -> list[str]:
    """All except English."""
    return sorted(file.parent.name for file in LOCALES.glob("*/nodes.json"))


def node_definitions(language: str) -> dict[str, Any]:
    """The content of nodeDefs.json: a node's own texts go before those of its groups."""
    groups = _read(language, "shared.json")["groups"]
    definitions = {}
    for node, own in _read(language, "nodes.json").items():
        texts = {"display_name": own["display_name"], "description": own["description"]}
        for kind in ("inputs", "outputs"):
            shared = {key: text for name in own.get("shared", []) for key, text in groups[name].get(kind, {}).items()}
            texts[kind] = dict(sorted((shared | own.get(kind, {})).items()))
        definitions[node] = texts
    return definitions


def settings_table(language: str) -> str:
    """Those settings as a table in Markdown, of two columns: ComfyUI shows it beside the graph."""
    head, texts, choices = ENGLISH_HEAD, {}, {}
    if language != "en":
        shared = _read(language, "shared.json")
        head, texts = shared["table"], shared["groups"]["rare"]["inputs"]
        choices = _read(language, "main.json")["pez"]["values"]
    lines = [f"| {head['setting']} | {head['help']} |", "|---|---|"]
    for row in settings_rows():
        text = texts.get(row.key, {"name": row.name, "tooltip": row.help})
        default = choices.get(row.default, row.default)
        shown = {"methods": row.methods, "range": row.range, "default": default}
        values = "; ".join(f"{head[key]}: {value}" for key, value in shown.items() if value)
        lines.append(f"| **{text['name']}** | {text['tooltip']}<br>*{values}* |")
    return "".join(f"{line}\n" for line in lines)


def files() -> Iterator[tuple[Path, str]]:
    """Every file that this script writes, with its content."""
    for language in languages():
        text = json.dumps(node_definitions(language), ensure_ascii=False, indent=2)
        yield LOCALES / language / "nodeDefs.json", f"{text}\n"
    for page in sorted(DOCS.rglob("*.md")):
        language = "en" if page.parent == DOCS else page.stem
        text = page.read_text("utf-8")
        if TABLE.search(text):
            table = settings_table(language)
            text = TABLE.sub(lambda _, table=table: table, text)
            if page.stem != "en":
                yield page, text
        if page.parent == DOCS:
            yield DOCS / page.stem / "en.md", text


def _read(language: str, name: str) -> dict[str, Any]:
    return json.loads((LOCALES / language / name).read_text("utf-8"))


def main() -> int:
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path, _ in stale:
            print(f"{path.relative_to(LOCALES.parent)} is out of date: run python -m locales.expand")
        return 1 if stale else 0
    for path, text in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

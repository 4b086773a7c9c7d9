"""A small search in ComfyUI's page: its workflow, what the server would say about it, and what the page shows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PANEL = "Prompt search"
LOADER, PICTURE, INVERT, TEXT = 1, 2, 3, 4
EMBEDDED = "Embedded (emoji-like pictures, no download)"
SERIALIZED = "() => JSON.parse(JSON.stringify(window.app.rootGraph.serialize()))"
# Which nodes lie on each other, as pairs of their types.
COVERED = """() => {
    const boxes = window.app.graph.nodes.map(({ type, pos: [x, y], size }) => ({
        type, from: [x, y - window.LiteGraph.NODE_TITLE_HEIGHT], end: [x + size[0], y + size[1]] }))
    const meet = (a, b) => [0, 1].every(axis => a.from[axis] < b.end[axis] && b.from[axis] < a.end[axis])
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => meet(a, b)).map(b => `${a.type} and ${b.type}`))
}"""
BOTH = pytest.mark.parametrize(  # each frontend and each renderer, without all four pairs: opening a page takes long
    ("server", "vue"), [("own frontend", False), ("newest frontend", True)], indirect=["server"], ids=["own", "newest"]
)


def workflow(**values: Any) -> dict[str, Any]:
    """Load Model and a sample picture into PEZ Invert into Preview as Text. `values`: widgets of PEZ Invert."""
    widgets = {
        "pictures": "one prompt for all",
        "preset": "fast",
        "length": 4,
        "seed": 7,
        "control": "fixed",
        "candidate": 1,
        "readability": 0,
    }
    assert set(values) <= set(widgets)
    nodes = [
        _node(
            LOADER, "PEZLoadModel", [0, 0], [400, 106], [], [("pez_model", "PEZ_MODEL", [1])], [EMBEDDED, "", "none"]
        ),
        _node(PICTURE, "PEZSamplePicture", [0, 200], [300, 60], [], [("image", "IMAGE", [2])], ["penguin"]),
        _node(
            INVERT,
            "PEZInvert",
            [450, 0],
            [400, 330],
            [
                ("pez_model", "PEZ_MODEL", 1),
                ("image", "IMAGE,PEZ_TARGET", 2),
                ("words", "PEZ_WORDS", None),
                ("settings", "PEZ_SETTINGS", None),
                ("clip", "CLIP", None),
            ],
            [
                ("prompt", "STRING", [3]),
                ("similarity", "FLOAT", []),
                ("candidates", "STRING", []),
                ("result", "PEZ_RESULT", []),
            ],
            list((widgets | values).values()),
        ),
        _node(TEXT, "PreviewAny", [950, 0], [300, 130], [("source", "*", 3)], [], []),
    ]
    links = [
        [1, LOADER, 0, INVERT, 0, "PEZ_MODEL"],
        [2, PICTURE, 0, INVERT, 1, "IMAGE"],
        [3, INVERT, 0, TEXT, 0, "STRING"],
    ]
    top = {"id": "0a2b6c1e-1f51-4a3e-9d0e-6c2f3c1f7a10", "revision": 0, "last_node_id": TEXT, "last_link_id": 3}
    return {**top, "nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {}, "version": 0.4}


def _node(
    number: int, kind: str, pos: list[int], size: list[int], inputs: list[Any], outputs: list[Any], values: list[Any]
) -> dict[str, Any]:
    return {
        "id": number,
        "type": kind,
        "pos": pos,
        "size": size,
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [{"name": name, "type": type_, "link": link} for name, type_, link in inputs],
        "outputs": [{"name": name, "type": type_, "links": links} for name, type_, links in outputs],
        "properties": {},
        "widgets_values": values,
    }


def outcome(text: str = "red penguin snow", **values: Any) -> dict[str, Any]:
    """What a node that searches gives back for one prompt."""
    tokens, at = [], 0
    for word, contribution in zip(text.split(), (0.3, 0.12, -0.02, 0.1), strict=False):
        at = text.index(word, at)
        tokens.append({"text": word, "start": at, "end": at + len(word), "contribution": contribution})
    candidates = [
        {"text": text, "delivered": text, "similarity": 0.8912},
        {"text": "ice (bird)", "delivered": r"ice \(bird\)", "similarity": 0.8821},
        {"text": "blue sea", "delivered": "blue sea", "similarity": 0.85},
    ]
    return {
        "version": 1,
        "id": "0123456789abcdef",
        "node": "PEZInvert",
        "model": "Embedded",
        "seed": 7,
        "candidate": 1,
        "text": text,
        "delivered": text,
        "similarity": 0.8912,
        "tokens": tokens,
        "candidates": candidates,
        "trace": [[step, 0.9 - 0.5 / step] for step in range(1, 80, 4)],
        "steps": 80,
        "most": 88,
        "seconds": 12.4,
        "stopped": "patience",
        "settings": {},
        "warnings": [],
        "pictures": 1,
        "thumbnail": None,
    } | values


def saved_with(*outcomes: Any, form: Any = None, **values: Any) -> dict[str, Any]:
    """The workflow as it was saved after a run; `form`: instead of what the page saves."""
    saved = workflow(**values)
    saved["config"] = {"pez": form if form is not None else {"version": 1, "outcomes": {str(INVERT): list(outcomes)}}}
    return copy.deepcopy(saved)


def say(page: Page, kind: str, **values: Any) -> None:
    """The server's word about the search: "pez.state" or "pez.progress"."""
    known = {
        "version": 1,
        "node": str(INVERT),
        "panels": [str(INVERT)],
        "workflow": None,
        "run": "ab",
        "part": 0,
        "parts": 1,
    }
    if kind == "pez.state":
        known |= {"model": "ViT-L-14", "done": 0, "total": 0, "message": "", "thumbnail": None, "warnings": []}
    else:
        known |= {
            "seed": 7,
            "prompt": "a b",
            "delivered": "a b",
            "similarity": 0.5,
            "best": 0.5,
            "step": 1,
            "steps": 88,
        }
        known |= {"left": 12.0, "restarts": {}}
    page.evaluate("([kind, detail]) => window.app.api.dispatchCustomEvent(kind, detail)", [kind, known | values])


def give(page: Page, *outcomes: dict[str, Any]) -> None:
    """Outcomes of the node, as the page gets them after a run."""
    page.evaluate(
        "([id, pez]) => { window.app.nodeOutputs = { ...window.app.nodeOutputs, [id]: { pez } } }",
        [str(INVERT), list(outcomes)],
    )


def panel(page: Page) -> Locator:
    return page.get_by_role("group", name=PANEL).first


def state(page: Page) -> Locator:
    return panel(page).locator(".pez-state")


def widget(page: Page, name: str, node: int = INVERT) -> Any:
    """The value of a widget; "control" is what happens to the seed after a run."""
    return page.evaluate(
        """([id, name]) => {
            const widgets = window.app.graph.getNodeById(id).widgets
            const at = widgets.findIndex(each => each.name === (name === "control" ? "seed" : name))
            return widgets[name === "control" ? at + 1 : at].value
        }""",
        [node, name],
    )


def set_widgets(page: Page, node: int = INVERT, **values: Any) -> None:
    """Changes widgets as a person does."""
    page.evaluate(
        """([id, values]) => {
            const node = window.app.graph.getNodeById(id)
            for (const [name, value] of Object.entries(values)) {
                const at = node.widgets.findIndex(each => each.name === (name === "control" ? "seed" : name))
                const widget = node.widgets[name === "control" ? at + 1 : at]
                widget.value = value
                widget.callback?.(value)
            }
            window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState()
        }""",
        [node, values],
    )


def run(page: Page) -> None:
    page.evaluate("() => window.app.queuePrompt(0, 1)")


def settled(page: Page) -> None:
    """Waits until the page has laid out its nodes: no size has changed for a while."""
    page.evaluate("() => { window.seen = '' }")
    page.wait_for_function(
        """() => {
            const sizes = JSON.stringify(window.app.graph.nodes.map(each => [...each.size]))
            const same = sizes === window.seen
            window.seen = sizes
            return same
        }""",
        polling=800,
    )

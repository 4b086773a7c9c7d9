"""What people type into ComfyUI's search of nodes, and what they find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chromium import opened

WORKFLOW = Path(__file__).parents[2] / "example_workflows" / "picture to prompt.json"
FIRST = [
    *("image to prompt", "prompt from image", "picture to prompt", "img2prompt", "image2prompt", "reverse prompt"),
    *("interrogate", "clip interrogator", "caption", "describe image", "hard prompts", "textual inversion"),
]
AMONG = {"pez": 6}
"""ComfyUI puts ids and titles that begin with the word first, the shortest before the others: PEZPlot before PEZInvert."""
RESULTS = "() => [...document.querySelectorAll('[role=option]')].map(each => each.innerText)"


@pytest.fixture(scope="module", params=["comfy", "comfy_newest"])
def found(request, browser):
    """The results for a text, in order."""
    server = request.getfixturevalue(request.param)
    page, _ = opened(browser, server.address, json.loads(WORKFLOW.read_text("utf-8")))
    page.evaluate("() => window.app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    box = page.locator("input[role=combobox]").first
    box.wait_for()

    def of(typed: str) -> list[str]:
        box.fill("PEZ Sample Picture")
        page.wait_for_function(f"() => ({RESULTS})()[0]?.startsWith('PEZ Sample Picture')")
        box.fill(typed)
        page.wait_for_function(f"() => !({RESULTS})()[0]?.startsWith('PEZ Sample Picture')")
        return page.evaluate(RESULTS)

    yield of
    page.close()


@pytest.mark.parametrize("typed", FIRST)
def test_pez_invert_is_the_first_answer(found, typed):
    assert found(typed)[0].startswith("PEZ Invert")


@pytest.mark.parametrize(("typed", "place"), AMONG.items())
def test_pez_invert_is_among_the_first(found, typed, place):
    assert any(each.startswith("PEZ Invert") for each in found(typed)[:place])

"""From an empty graph to a prompt in six actions of mouse and keyboard, in both renderers and both frontends."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from chromium import leave, opened
from playwright.sync_api import expect
from search_page import settled, workflow

EMPTY = workflow() | {"nodes": [], "links": [], "last_node_id": 0, "last_link_id": 0}
CLEAR = "() => !document.elementFromPoint(320, 420).closest('[role=dialog], .p-dialog-mask, .p-overlay-mask')"
PLACE = """() => {
    const [node] = window.app.graph.nodes, { canvas, ds } = window.app.canvas, box = canvas.getBoundingClientRect()
    const at = (axis, shift, edge) => (node.pos[axis] + ds.offset[axis] + shift) * ds.scale + edge
    return [at(0, 60, box.left), at(1, -12, box.top)]
}"""


@pytest.mark.parametrize("vue", [pytest.param(False, marks=pytest.mark.slow), True], ids=["classic", "vue"])
def test_from_an_empty_graph_to_a_prompt(server, browser, vue):
    page, errors = opened(browser, server.address, EMPTY, vue)
    page.evaluate("() => Object.assign(window.app.canvas.ds, { scale: 1, offset: [0, 0] })")
    box = page.get_by_role("combobox").or_(page.get_by_role("searchbox")).or_(page.get_by_role("textbox"))
    for timeout in (5_000, 5_000, 30_000):  # a page that is still busy takes two clicks for two single ones
        page.wait_for_timeout(500)
        page.mouse.dblclick(300, 300)  # 1: ask for a node
        with suppress(AssertionError):
            expect(box.and_(page.locator(":focus"))).to_have_count(1, timeout=timeout)
            break
    else:
        pytest.fail("A double click opens no search for nodes.")
    page.keyboard.type("sample picture")  # 2: name it
    expect(page.get_by_text("PEZ Sample Picture").first).to_be_visible(timeout=30_000)
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.app.graph.nodes.length === 1 && window.app.canvas.state.ghostNodeId !== null")
    page.wait_for_function(CLEAR)
    page.mouse.click(320, 420)  # 3: place it
    page.wait_for_function("() => window.app.canvas.state.ghostNodeId === null")
    settled(page)
    page.mouse.click(*page.evaluate(PLACE), button="right")  # 4: its menu
    page.get_by_text("Find prompt (PEZ)").last.click()  # 5: a search for it
    page.get_by_role("button", name="Run", exact=True).first.click()  # 6: run
    found = page.locator(".pez-panel")
    expect(found.locator(".pez-state")).to_have_text(re.compile(r"seed \d+$"), timeout=240_000)
    assert len(found.locator(".pez-prompts .pez-text").inner_text().split()) > 3
    assert not errors
    leave(page)

"""PEZ Invert in the real page, in headless Chromium: what a person sees on the node."""

from __future__ import annotations

import pytest
from chromium import opened
from playwright.sync_api import expect

FOUND = "Found prompt and its similarity"
WORKFLOW = {
    "version": 0.4,
    "last_node_id": 4,
    "last_link_id": 3,
    "nodes": [
        {
            "id": 1,
            "type": "PEZLoadModel",
            "pos": [20, 60],
            "size": [400, 140],
            "outputs": [{"name": "pez_model", "type": "PEZ_MODEL", "links": [1]}],
            "widgets_values": ["Embedded (emoji-like pictures, no download)", "", "none"],
        },
        {
            "id": 2,
            "type": "LoadImage",
            "pos": [20, 260],
            "size": [300, 320],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [2]}],
            "widgets_values": ["penguin.png", "image"],
        },
        {
            "id": 3,
            "type": "PEZInvert",
            "pos": [460, 60],
            "size": [400, 520],
            "inputs": [
                {"name": "pez_model", "type": "PEZ_MODEL", "link": 1},
                {"name": "image", "type": "IMAGE", "link": 2},
            ],
            "outputs": [{"name": "prompt", "type": "STRING", "links": [3]}],
            "widgets_values": [
                "one prompt for all",
                "balanced",
                6,
                1,
                "fixed",
                "",
                "",
                "",
                "",
                "",
                400,
                4,
                "pez",
                "found",
                "words",
                0.1,
                0.1,
                0,
                -1,
                0,
                "auto",
            ],
        },
        {
            "id": 4,
            "type": "PreviewAny",
            "pos": [900, 60],
            "size": [300, 120],
            "inputs": [{"name": "source", "type": "*", "link": 3}],
        },
    ],
    "links": [[1, 1, 0, 3, 0, "PEZ_MODEL"], [2, 2, 0, 3, 1, "IMAGE"], [3, 3, 0, 4, 0, "STRING"]],
}


@pytest.mark.slow
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
def test_the_node_shows_the_run_and_the_prompt_that_is_delivered(comfy, browser, vue):
    page, errors = opened(browser, comfy.address, WORKFLOW, vue)
    area = page.get_by_label(FOUND)
    expect(area).to_be_visible(timeout=30_000)
    expect(area).to_have_value("")
    page.evaluate(
        "steps => { window.app.graph.getNodeById(3).widgets.find(w => w.name === 'steps').value = steps }", 400 + vue
    )
    page.evaluate("() => window.app.queuePrompt(0, 1)")
    page.wait_for_function(f"""() => document.querySelector('[aria-label="{FOUND}"]').value.includes(', step ')""")
    page.wait_for_function(
        f"""() => /^[^,]+\\n-?[0-9.]+$/.test(document.querySelector('[aria-label="{FOUND}"]').value)""", timeout=120_000
    )
    prompt, similarity = area.input_value().split("\n")
    newest = max(comfy.get("/history").values(), key=lambda run: run["prompt"][0])
    assert newest["outputs"]["3"]["text"] == [prompt]
    assert newest["outputs"]["3"]["similarity"][0] == pytest.approx(float(similarity), abs=5e-5)
    assert newest["outputs"]["4"]["text"][0] in (prompt, [prompt])
    assert not errors
    page.close()

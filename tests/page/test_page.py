"""PEZ Invert in the real page, in headless Chromium: what a person sees on the node."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FOUND = "Found prompt and its similarity"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
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
                400,
                4,
                "pez",
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("NO CHROMIUM: install Debian's chromium; without it nothing of the page is tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


def opened(browser: Browser, address: str, vue: bool) -> tuple[Page, list[str]]:
    """The page with the workflow in it, and its list of errors that name this pack."""
    page, errors = browser.new_page(viewport={"width": 1400, "height": 900}), []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "pez" in m.text.lower() else None)
    page.on("pageerror", lambda error: errors.append(str(error)) if "pez" in (error.stack or "").lower() else None)
    page.goto(f"http://{address}")
    page.wait_for_function("() => window.app?.extensionManager && window.app.graph", timeout=90_000)
    page.wait_for_function("() => window.LiteGraph?.registered_node_types?.PEZInvert", timeout=90_000)
    page.evaluate("vue => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)", vue)
    page.evaluate("workflow => window.app.loadGraphData(workflow)", WORKFLOW)
    return page, errors


@pytest.mark.slow
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
def test_the_node_shows_the_run_and_the_prompt_that_is_delivered(comfy, browser, vue):
    page, errors = opened(browser, comfy.address, vue)
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

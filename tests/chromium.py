"""ComfyUI's page in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@contextmanager
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("NO CHROMIUM: install Debian's package chromium. The page is not tested.")
    from playwright.sync_api import sync_playwright  # other tests run without it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


def opened(browser: Browser, address: str, workflow: dict[str, Any], vue: bool = False) -> tuple[Page, list[str]]:
    """The page with the workflow in it, and its list of errors that name this pack."""
    page, errors = browser.new_page(viewport={"width": 1400, "height": 1100}), []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "pez" in m.text.lower() else None)
    page.on("pageerror", lambda error: errors.append(str(error)) if "pez" in (error.stack or "").lower() else None)
    page.goto(f"http://{address}")
    page.wait_for_function("() => window.app?.extensionManager && window.app.graph", timeout=90_000)
    page.wait_for_function("() => window.LiteGraph?.registered_node_types?.PEZInvert", timeout=90_000)
    page.evaluate("vue => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)", vue)
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    look_at(page)
    return page, errors


def look_at(page: Page) -> None:
    """Brings the first node that searches into view: the page hides what is outside."""
    page.evaluate(
        """() => {
            const node = window.app.graph.nodes.find(each => each.outputs?.some(one => one.type === "PEZ_RESULT"))
            if (!node) return
            Object.assign(window.app.canvas.ds, { scale: 0.8, offset: [250 - node.pos[0], 120 - node.pos[1]] })
            window.app.canvas.setDirty(true, true)
        }"""
    )

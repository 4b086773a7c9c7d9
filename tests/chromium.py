"""ComfyUI's page in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
        _left.clear()
        _kept.clear()
        browser.close()


@dataclass
class Kept:
    """A page that tests share, one after the other. key: of what it shows. errors: those that name this pack."""

    key: tuple[str, bool]
    errors: list[str] = field(default_factory=list)


# At sixty frames a second a page takes 7 % of a core, and Playwright's waiting as much.
FEWER_FRAMES = """(() => {
    window.requestAnimationFrame = callback => setTimeout(() => callback(performance.now()), 50)
    window.cancelAnimationFrame = id => clearTimeout(id)
})()"""

# A page that nobody looks at need not draw at all.
NO_MORE_FRAMES = """() => {
    const own = window.requestAnimationFrame, waiting = []
    window.requestAnimationFrame = callback => { waiting.push(callback); return 0 }
    window.drawAgain = () => {
        window.requestAnimationFrame = own
        waiting.forEach(callback => own(callback))
    }
}"""

# A run tells of its end a moment after its last node has told what it found.
NOTES_RUNS = """() => {
    const note = (event, running) => window.app.api.addEventListener(event, () => { window.running = running })
    note("execution_start", true)
    for (const end of ["execution_success", "execution_error", "execution_interrupted"]) note(end, false)
}"""

_kept: dict[Page, Kept] = {}
_left: dict[tuple[str, bool], Page] = {}


def opened(browser: Browser, address: str, workflow: dict[str, Any], vue: bool = False) -> tuple[Page, list[str]]:
    """The page with the workflow in it, and its list of errors that name this pack.

    A page that a test has left is used again, with another workflow: to open one takes seconds. A test that fails leaves
    none, and one that changes what a workflow does not bring closes its own.
    """
    page = _left.pop((address, vue), None)
    if page is None:
        page = _opened(browser, address, vue)
    else:
        page.evaluate("() => window.drawAgain()")
        page.wait_for_function("() => !window.running")  # a run may have been queued by one test and begun after it
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    look_at(page)
    return page, _kept[page].errors


def leave(page: Page) -> None:
    """For the next test. Nodes show nothing while a run of another workflow is under way, so that this waits for its end."""
    page.wait_for_function("() => !window.running")
    page.unroute_all()
    page.mouse.move(0, 0)
    page.evaluate(
        """() => {
            delete navigator.clipboard.writeText // a test's own
            window.app.nodeOutputs = {}
            sessionStorage.clear()
            return window.app.loadGraphData({ nodes: [], links: [], version: 0.4, last_node_id: 0, last_link_id: 0 })
        }"""
    )
    page.evaluate(NO_MORE_FRAMES)
    _left[_kept[page].key] = page


def _opened(browser: Browser, address: str, vue: bool) -> Page:
    page, kept = browser.new_page(viewport={"width": 1400, "height": 1100}), Kept((address, vue))
    page.add_init_script(FEWER_FRAMES)
    errors = kept.errors
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "pez" in m.text.lower() else None)
    page.on("pageerror", lambda error: errors.append(str(error)) if "pez" in (error.stack or "").lower() else None)
    page.goto(f"http://{address}")
    page.wait_for_function("() => window.app?.extensionManager && window.app.graph", timeout=90_000)
    page.wait_for_function("() => window.LiteGraph?.registered_node_types?.PEZInvert", timeout=90_000)
    page.evaluate(NOTES_RUNS)
    page.evaluate("vue => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)", vue)
    _kept[page] = kept
    return page


def look_at(page: Page) -> None:
    """Brings the first node that searches into view: the page hides what is outside."""
    page.evaluate(
        """() => {
            const node = window.app.graph.nodes.find(each => each.outputs?.some(
                one => ["PEZ_RESULT", "PEZ_CLASSIFIER"].includes(one.type)))
            if (!node) return
            Object.assign(window.app.canvas.ds, { scale: 0.8, offset: [250 - node.pos[0], 120 - node.pos[1]] })
            window.app.canvas.setDirty(true, true)
        }"""
    )

"""Makes the pictures of the panel and of a help page in docs/images, from real searches with the embedded model.

    python docs/examples/panel.py

It needs what the tests of the page need (ComfyUI, Chromium), and a font with Japanese letters (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chromium import chromium, opened
from comfy_server import Comfy, find_comfyui, prepare
from PIL import Image

IMAGES = ROOT / "docs" / "images"
SINGLE, SEVERAL = "picture to prompt", "one prompt for each picture"
PLACE = """() => {
    const node = window.app.graph.nodes.find(each => each.type === "PEZInvert"), { canvas, ds } = window.app.canvas
    Object.assign(ds, { scale: 1, offset: [300 - node.pos[0], 130 - node.pos[1]] })
    window.app.canvas.deselectAll()
    window.app.canvas.setDirty(true, true)
    const box = canvas.getBoundingClientRect()
    return { x: box.left + 286, y: box.top + 90, width: node.size[0] + 28, height: node.size[1] + 54 }
}"""
READABLE = """() => {
    const node = window.app.graph.nodes.find(each => each.type === "PEZInvert")
    node.widgets.find(each => each.name === "readability").value = 0.6
}"""
HELP = """() => {
    const { canvas } = window.app, node = window.app.graph.nodes.find(each => each.type === "PEZInvert")
    Object.assign(canvas.ds, { scale: 0.8, offset: [300 - node.pos[0], 170 - node.pos[1]] })
    canvas.selectNode(node)
    canvas.setDirty(true, true)
}"""


def workflow(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "example_workflows" / f"{name}.json").read_text("utf-8"))


def draw(page: Any, name: str) -> None:
    page.evaluate(PLACE)
    page.wait_for_timeout(1000)  # the node takes the height of its panel
    shot = page.screenshot(clip=page.evaluate(PLACE))
    Image.open(BytesIO(shot)).convert("RGB").save(IMAGES / f"panel-{name}.jpg", quality=88)


def draw_help(page: Any) -> None:
    """The whole page, with the help of the selected node beside the graph."""
    page.set_viewport_size({"width": 1000, "height": 770})
    page.wait_for_timeout(1000)  # opening a workflow clears the selection a moment later
    page.evaluate(HELP)
    page.locator("[data-testid=info-button]").click()
    page.wait_for_function("() => document.querySelector('.node-help-content img')?.naturalWidth > 0")
    page.evaluate(HELP)
    page.wait_for_timeout(1000)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(IMAGES / "help.jpg", quality=85)


def run(page: Any, until: str) -> None:
    page.evaluate(PLACE)
    page.evaluate("() => window.app.queuePrompt(0, 1)")
    page.locator(".pez-state").filter(has_text=re.compile(until)).wait_for(timeout=600_000)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        server = Comfy(Path(folder), find_comfyui())
        try:
            with chromium() as browser:
                make(opened(browser, server.address, workflow(SINGLE))[0])
        finally:
            server.stop()


def make(page: Any) -> None:
    def setting(name: str, value: Any) -> None:
        page.evaluate("([name, value]) => window.app.extensionManager.setting.set(name, value)", [name, value])
        page.wait_for_timeout(1000)

    def reopened(graph: dict[str, Any]) -> None:
        page.evaluate("workflow => window.app.loadGraphData(workflow)", graph)

    draw(page, "idle")
    run(page, r"step (1\d|[2-9]\d) of")
    draw(page, "running")
    page.locator(".pez-state").filter(has_text=re.compile(r"seed \d+$")).wait_for(timeout=600_000)
    page.locator(".pez-candidates summary").click()
    draw(page, "done")
    setting("Comfy.ColorPalette", "light")
    draw(page, "light")
    setting("Comfy.ColorPalette", "dark")
    found = page.evaluate("() => JSON.parse(JSON.stringify(window.app.graph.serialize()))")
    page.evaluate(READABLE)
    run(page, r"^1\d\d steps.*seed \d+$")
    draw(page, "readable")
    setting("Comfy.Locale", "ja")
    page.reload()  # titles are translated when the page opens
    page.wait_for_function("() => window.LiteGraph?.registered_node_types?.PEZInvert", timeout=90_000)
    page.wait_for_timeout(3000)  # it opens what was open before
    reopened(found)
    draw(page, "japanese")
    setting("Comfy.Locale", "en")
    reopened(workflow(SEVERAL))
    run(page, r"seed \d+$")
    draw(page, "several")
    reopened(found)
    draw_help(page)


if __name__ == "__main__":
    main()

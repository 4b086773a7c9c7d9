"""Contrast of the panel in ComfyUI's six palettes and both renderers, computed from what the page draws."""

from __future__ import annotations

import pytest
from chromium import leave, opened
from playwright.sync_api import expect
from search_page import give, outcome, panel, say, workflow

PALETTES = ("dark", "light", "solarized", "arc", "nord", "github")
TEXT, LINE = 4.5, 3.0
CONTRASTS = """() => {
    const canvas = document.createElement("canvas")
    canvas.width = canvas.height = 1
    const context = canvas.getContext("2d")
    const painted = (color, under) => {
        context.fillStyle = `rgb(${under})`
        context.fillRect(0, 0, 1, 1)
        context.fillStyle = color
        context.fillRect(0, 0, 1, 1)
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
    }
    const light = color => color.map(v => v / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
    const contrast = (a, b) => {
        const [high, low] = [light(a), light(b)].sort((x, y) => y - x)
        return (high + 0.05) / (low + 0.05)
    }
    const panel = document.querySelector(".pez-panel")
    const ground = painted(getComputedStyle(panel).backgroundColor, [0, 0, 0])
    const seen = { text: {}, line: {} }
    const note = (kind, name, color) => {
        const value = contrast(painted(color, ground), ground)
        seen[kind][name] = Math.min(seen[kind][name] ?? 99, value)
    }
    for (const element of panel.querySelectorAll("*")) {
        if (!element.getClientRects().length) continue
        const style = getComputedStyle(element)
        const own = [...element.childNodes].some(each => each.nodeType === Node.TEXT_NODE && each.textContent.trim())
        const name = element.getAttribute("class") || element.tagName
        if (style.backgroundColor !== "rgba(0, 0, 0, 0)" || style.opacity !== "1") throw new Error(`${name} has a ground of its own`)
        if (own) note("text", name, style.color)
        for (const side of ["Top", "Bottom", "Left", "Right"])
            if (parseFloat(style[`border${side}Width`]) > 0 && !element.matches(".pez-fold")) note("line", name, style[`border${side}Color`])
        if (element.tagName === "polyline") note("line", name, style.stroke)
    }
    note("line", "panel", getComputedStyle(panel).borderTopColor)
    return { ...seen, ground }
}"""


@pytest.mark.slow
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
def test_text_and_lines_stand_out_in_every_palette(comfy, browser, vue):
    page, errors = opened(browser, comfy.address, workflow(), vue)
    grounds = set()
    try:
        for palette in PALETTES:
            page.evaluate("id => window.app.extensionManager.setting.set('Comfy.ColorPalette', id)", palette)
            say(page, "pez.state", state="searching", warnings=["A warning."])
            for step in (1, 2, 3):
                say(page, "pez.progress", step=step, best=0.5 + step / 10, restarts={"0": 0.1 * step})
            page.evaluate("() => { document.querySelector('.pez-panel .pez-stop').disabled = true }")
            page.wait_for_timeout(500)
            running = page.evaluate(CONTRASTS)
            give(page, outcome(warnings=["A warning."], seed=99, candidate=1, id=palette))
            expect(panel(page).locator(".pez-chart")).to_be_visible()
            page.evaluate("() => { document.querySelector('.pez-panel details').open = true }")
            page.wait_for_timeout(500)
            done = page.evaluate(CONTRASTS)
            for seen in (running, done):
                assert {name: value for name, value in seen["text"].items() if value < TEXT} == {}, palette
                assert {name: value for name, value in seen["line"].items() if value < LINE} == {}, palette
            assert {"pez-best", "pez-restart"} <= set(running["line"])
            assert {"pez-token", "pez-summary", "pez-number", "pez-similarity"} <= set(done["text"])
            grounds.add(tuple(done["ground"]))
    finally:
        page.evaluate("() => window.app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
    assert len(grounds) > 3  # it follows the palette
    assert not errors
    leave(page)

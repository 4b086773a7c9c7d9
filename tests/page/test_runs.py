"""Real searches in the real page: shown, stopped, kept, picked from, cancelled, saved with a picture."""

from __future__ import annotations

import json
import re
from typing import Any

from chromium import leave, look_at, opened
from PIL import Image
from playwright.sync_api import Page, expect
from search_page import BOTH, INVERT, SERIALIZED, TEXT, panel, run, set_widgets, state, widget, workflow

SETTINGS = 20


def long(**values: Any) -> dict[str, Any]:
    """A search that goes on until it is stopped: PEZ Search Settings before the node."""
    made = workflow(**values)
    node = {
        "id": SETTINGS,
        "type": "PEZSearchSettings",
        "pos": [0, 320],
        "size": [400, 300],
        "flags": {},
        "order": 0,
        "mode": 0,
    }
    node |= {"inputs": [], "outputs": [{"name": "settings", "type": "PEZ_SETTINGS", "links": [9]}], "properties": {}}
    made["nodes"].append(node)
    made["nodes"][2]["inputs"][3]["link"] = 9
    made["links"].append([9, SETTINGS, 0, INVERT, 3, "PEZ_SETTINGS"])
    return made | {"last_node_id": SETTINGS, "last_link_id": 9}


def newest(server: Any) -> dict[str, Any]:
    return max(server.get("/history").values(), key=lambda each: each["prompt"][0])["outputs"]


def ended(page: Page, why: str = "") -> None:
    expect(state(page)).to_have_text(re.compile(rf"^\d+ steps · .*{why}.* · seed \d+$"), timeout=120_000)
    page.wait_for_timeout(1000)  # for the nodes after it


def text(page: Page) -> str:
    return panel(page).locator(".pez-prompts .pez-text").inner_text()


@BOTH
def test_a_run_is_shown_stopped_kept_and_picked_from(server, browser, vue):
    page, errors = opened(browser, server.address, long(seed=100 + vue, control="randomize"), vue)
    set_widgets(page, SETTINGS, steps=20_000, patience=-1)
    run(page)
    expect(state(page)).to_have_text(re.compile(r"step \d+ of 20000 · .+ left"), timeout=120_000)
    expect(panel(page).locator("polyline.pez-best")).to_be_visible(timeout=60_000)
    panel(page).get_by_role("button", name="Stop and keep the best").click()
    ended(page, "stopped by you")
    (found,) = newest(server)[str(INVERT)]["pez"]
    assert (found["stopped"], found["seed"]) == ("asked to", 100 + vue)
    assert text(page) == found["text"]
    assert newest(server)[str(TEXT)]["text"][0] == found["delivered"]
    assert widget(page, "control") == "randomize"

    page.wait_for_timeout(2000)  # the page saves its draft on its own clock
    page.reload()
    page.wait_for_function("() => window.app?.graph?.nodes?.some(each => each.type === 'PEZInvert')", timeout=90_000)
    look_at(page)
    expect(panel(page).locator(".pez-prompts .pez-text")).to_have_text(found["text"], timeout=90_000)
    assert not errors
    page.close()


def test_a_pick_delivers_the_text_that_was_clicked(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(seed=11, control="randomize"))
    run(page)
    ended(page)
    assert widget(page, "seed") != 11
    panel(page).get_by_text("Candidates (").click()
    clicked = panel(page).locator(".pez-choice .pez-text").nth(1).inner_text()
    panel(page).locator(".pez-choice").nth(1).click()
    for _ in range(2):
        run(page)
        expect(panel(page).locator(".pez-which")).to_have_text(re.compile(r"^candidate 2 of \d+$"), timeout=60_000)
        page.wait_for_timeout(1500)
        (picked,) = newest(comfy)[str(INVERT)]["pez"]
        assert picked["text"] == clicked == text(page)
        assert newest(comfy)[str(TEXT)]["text"][0] == picked["delivered"]
    set_widgets(page, length=3)  # anything else goes back to the best
    assert widget(page, "candidate") == 1
    run(page)
    expect(panel(page).locator(".pez-which")).to_have_text(re.compile(r"^candidate 1 of \d+$"), timeout=60_000)
    page.wait_for_timeout(1500)
    (best,) = newest(comfy)[str(INVERT)]["pez"]
    assert best["text"] == best["candidates"][0]["text"]
    assert not errors
    leave(page)


def test_a_saved_picture_opens_with_the_prompt_that_made_it(comfy, browser):
    made = workflow(seed=21)
    saver = {"id": 30, "type": "SaveImage", "pos": [950, 250], "size": [300, 300], "flags": {}, "order": 9, "mode": 0}
    saver |= {
        "inputs": [{"name": "images", "type": "IMAGE", "link": 8}],
        "outputs": [],
        "properties": {},
        "widgets_values": ["pez_test"],
    }
    plot = {
        "id": 31,
        "type": "PEZPlot",
        "pos": [950, 600],
        "size": [300, 60],
        "flags": {},
        "order": 8,
        "mode": 0,
        "properties": {},
    }
    plot |= {
        "inputs": [{"name": "result", "type": "PEZ_RESULT", "link": 7}],
        "outputs": [{"name": "image", "type": "IMAGE", "links": [8]}],
    }
    made["nodes"] += [saver, plot]
    made["nodes"][2]["outputs"][3]["links"] = [7]
    made["links"] += [[7, INVERT, 3, 31, 0, "PEZ_RESULT"], [8, 31, 0, 30, 0, "IMAGE"]]
    page, errors = opened(browser, comfy.address, made)
    texts = []
    for seed in (21, 22):
        set_widgets(page, seed=seed, control="fixed")
        run(page)
        expect(state(page)).to_have_text(re.compile(rf"seed {seed}$"), timeout=120_000)
        page.wait_for_timeout(2500)
        texts.append(text(page))
    pictures = sorted((comfy.base / "output").glob("pez_test*.png"))[-2:]
    for picture, wanted, seed in zip(pictures, texts, (21, 22), strict=True):
        saved = json.loads(Image.open(picture).text["workflow"])
        page.evaluate("workflow => window.app.loadGraphData(workflow)", saved)
        expect(panel(page).locator(".pez-prompts .pez-text")).to_have_text(wanted)
        expect(state(page)).to_have_text(re.compile(rf"seed {seed}$"))
    assert not errors
    leave(page)


def test_a_cancelled_run_says_so(comfy, browser):
    page, errors = opened(browser, comfy.address, long(seed=31))
    set_widgets(page, SETTINGS, steps=20_000, patience=-1)
    run(page)
    expect(state(page)).to_have_text(re.compile(r"step \d+ of 20000"), timeout=120_000)
    page.evaluate("() => window.app.api.interrupt()")
    expect(state(page)).to_have_text("Canceled", timeout=60_000)
    expect(panel(page).locator(".pez-prompts")).to_have_text("")
    assert "pez" not in page.evaluate(SERIALIZED)["config"]
    assert not errors
    leave(page)


def test_an_error_of_the_search_is_read_on_its_panel(comfy, browser):
    page, errors = opened(browser, comfy.address, long(seed=41, length=60))
    page.evaluate(
        """() => {
            const graph = window.app.graph
            const words = window.LiteGraph.createNode("PEZWords")
            graph.add(words)
            words.widgets.find(each => each.name === "prefix").value = "red ".repeat(40)
            words.connect(0, graph.getNodeById(3), 2)
        }"""
    )
    run(page)
    expect(state(page)).to_have_text("Error", timeout=60_000)
    expect(panel(page).locator(".pez-error")).to_have_text(re.compile("length must be from 1 to 35, not 60"))
    assert not errors
    leave(page)


def test_several_nodes_and_another_tab_do_not_disturb_each_other(comfy, browser):
    other, other_errors = opened(browser, comfy.address, workflow())
    page, errors = opened(browser, comfy.address, workflow(seed=51, length=3))
    page.evaluate(
        """() => {
            const graph = window.app.graph
            const second = graph.getNodeById(3).clone()
            second.pos = [450, 700]
            graph.add(second)
            graph.getNodeById(1).connect(0, second, 0)
            graph.getNodeById(2).connect(0, second, 1)
            for (const [name, value] of [["seed", 52], ["length", 5]]) second.widgets.find(each => each.name === name).value = value
        }"""
    )
    run(page)
    expect(page.locator(".pez-state", has_text=re.compile(r"seed 5[12]$"))).to_have_count(2, timeout=120_000)
    lengths = page.evaluate(
        """() => window.app.graph.nodes.filter(each => each.type === "PEZInvert").map(node => node.widgets.find(
            each => each.name === "pez_panel").element.querySelector(".pez-prompts .pez-text").textContent.split(" ").length)"""
    )
    assert lengths == [3, 5]
    expect(panel(other)).to_contain_text("The prompt appears here.")
    assert not errors + other_errors
    leave(page)
    other.close()


def test_what_a_run_finds_stays_out_of_another_workflow(comfy, browser):
    page, errors = opened(browser, comfy.address, long(seed=61))
    set_widgets(page, SETTINGS, steps=300, patience=-1)
    page.evaluate(
        """() => {
            const end = done => window.app.api.addEventListener("execution_success", () => setTimeout(done, 500))
            window.ended = new Promise(end)
        }"""
    )
    run(page)
    expect(state(page)).to_contain_text("step", timeout=60_000)
    name = "() => window.app.extensionManager.workflow.activeWorkflow.filename"
    names = [page.evaluate(name)]
    other = workflow(seed=62) | {"id": "7d1b3a52-6c0e-4f5e-9b63-3f8f0a5f2b11"}
    page.evaluate("workflow => window.app.loadGraphData(workflow)", other)
    expect(panel(page)).to_contain_text("The prompt appears here.")
    page.evaluate("() => window.ended")
    expect(panel(page)).to_contain_text("The prompt appears here.")
    names.append(page.evaluate(name))
    for tab, words in zip(
        names, ("seed 61", "The prompt appears here."), strict=True
    ):  # also when they are shown again
        page.locator(".workflow-tabs").get_by_text(tab, exact=True).click()
        expect(panel(page)).to_contain_text(words)
    assert "pez" not in page.evaluate(SERIALIZED)["config"]
    run(page)  # its own run is shown
    expect(state(page)).to_contain_text("seed 62", timeout=60_000)
    assert not errors
    page.close()

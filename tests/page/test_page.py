"""PEZ Invert's panel in the real page, in headless Chromium: with ComfyUI's own frontend and the newest, in both renderers."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from chromium import look_at, opened
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.slow

WORKFLOW = json.loads((Path(__file__).parents[2] / "example_workflows" / "picture to prompt.json").read_text("utf-8"))
PANEL = "Prompt search"
ESTIMATE = re.compile(r"^Search's estimate by step: -?\d\.\d\d to -?\d\.\d\d$")
LONG = {"steps": 20_000, "patience": -1, "method": "pez"}  # all restarts run to the end
SHORT = {"preset": "fast", "length": 4}


def invert_node(workflow: dict[str, Any]) -> dict[str, Any]:
    return next(node for node in workflow["nodes"] if node["type"] == "PEZInvert")


def set_widgets(page: Page, **values: Any) -> None:
    page.evaluate(
        """values => {
            const node = window.app.graph.nodes.find(each => each.type === "PEZInvert")
            for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value
        }""",
        values,
    )


def run(page: Page) -> None:
    page.evaluate("() => window.app.queuePrompt(0, 1)")


def shown(page: Page) -> str:
    """The prompt on the panel."""
    return page.locator(".pez-panel .pez-text").inner_text()


def newest(server) -> dict[str, Any]:
    return max(server.get("/history").values(), key=lambda each: each["prompt"][0])["outputs"]


def of(outputs: dict[str, Any], workflow: dict[str, Any], kind: str) -> dict[str, Any]:
    return outputs[str(next(node["id"] for node in workflow["nodes"] if node["type"] == kind))]


@pytest.fixture(params=["own frontend", "newest frontend"])
def server(request, comfy):
    return comfy if request.param == "own frontend" else request.getfixturevalue("comfy_newest")


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
def test_a_run_is_shown_stopped_kept_and_picked_from(server, browser, vue):
    page, errors = opened(browser, server.address, WORKFLOW, vue)
    panel = page.get_by_role("group", name=PANEL)
    expect(panel).to_contain_text("The prompt appears here.", timeout=30_000)
    expect(panel.get_by_role("button", name="Stop and keep the best")).to_be_hidden()

    set_widgets(page, seed=100 + vue, **LONG)
    run(page)
    expect(panel.locator(".pez-state")).to_have_text(re.compile(r"step \d+ of 20000 · \d+ s left"), timeout=60_000)
    expect(panel.locator("polyline.pez-best")).to_be_visible()
    assert panel.locator("polyline.pez-restart").count() >= 2
    expect(panel.get_by_role("img", name=ESTIMATE)).to_be_visible()
    panel.get_by_role("button", name="Stop and keep the best").click()
    expect(panel.locator(".pez-state")).to_have_text(
        re.compile(r"^\d+ steps in [\d.]+ s \(stopped by you\)$"), timeout=60_000
    )
    expect(panel.get_by_role("button", name="Stop and keep the best")).to_be_hidden()

    expect(panel.locator(".pez-caption")).to_have_text(ESTIMATE)
    page.wait_for_timeout(1000)  # for the nodes after it
    outputs = newest(server)
    (found,) = of(outputs, WORKFLOW, "PEZInvert")["pez"]
    assert shown(page) == found["text"]
    assert found["stopped"] == "asked to"
    assert of(outputs, WORKFLOW, "PreviewAny")["text"][0] == found["delivered"]
    assert panel.locator(".pez-similarity").inner_text() == f"{found['similarity']:.4f}"

    page.wait_for_timeout(2000)  # the page saves its draft on its own clock
    page.reload()
    page.wait_for_function("() => window.app?.graph?.nodes?.some(each => each.type === 'PEZInvert')", timeout=90_000)
    look_at(page)
    expect(panel.locator(".pez-similarity")).to_have_text(f"{found['similarity']:.4f}", timeout=90_000)
    assert shown(page) == found["text"]

    panel.get_by_text("Other candidates").click()
    choices = panel.locator(".pez-list button")
    assert choices.count() == len(found["candidates"]) > 1
    choices.nth(1).click()
    expect(panel.locator(".pez-state")).to_have_text("Candidate 2 will be used from the next run.")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
    run(page)
    expect(panel.locator(".pez-similarity")).to_have_text(f"{found['candidates'][1]['similarity']:.4f}", timeout=60_000)
    page.wait_for_timeout(1000)
    (picked,) = of(newest(server), WORKFLOW, "PEZInvert")["pez"]
    assert picked["text"] == found["candidates"][1]["text"] == shown(page)
    assert picked["seconds"] == found["seconds"]  # not searched again
    assert not errors
    page.close()


def test_the_outcome_is_saved_with_the_workflow_and_copied_with_the_node(comfy, browser):
    page, errors = opened(browser, comfy.address, WORKFLOW)
    set_widgets(page, seed=7, **SHORT)
    before = page.evaluate("() => window.app.graph.serialize()")
    run(page)
    panel = page.get_by_role("group", name=PANEL)
    expect(panel.locator(".pez-state")).to_contain_text("steps in", timeout=60_000)
    prompt = shown(page)
    saved = page.evaluate("() => window.app.graph.serialize()")
    copied = page.evaluate(
        """() => {
            const node = window.app.graph.nodes.find(each => each.type === "PEZInvert")
            const clone = node.clone()
            window.app.graph.add(clone)
            return clone.widgets.find(w => w.name === "pez_panel").element.querySelector(".pez-text").textContent
        }"""
    )
    assert copied == prompt
    page.evaluate("workflow => window.app.loadGraphData(workflow)", before)  # as undo does
    look_at(page)
    expect(page.get_by_role("group", name=PANEL).locator(".pez-similarity")).to_be_visible(timeout=30_000)
    assert shown(page) == prompt
    page.close()
    page, more = opened(browser, comfy.address, saved)
    expect(page.get_by_role("group", name=PANEL).locator(".pez-similarity")).to_be_visible(timeout=30_000)
    assert shown(page) == prompt
    assert not errors + more
    page.close()


def test_several_nodes_and_another_tab_do_not_disturb_each_other(comfy, browser):
    workflow = copy.deepcopy(WORKFLOW)
    second = copy.deepcopy(invert_node(workflow))
    second |= {"id": 90, "pos": [600, 900], "outputs": [{**each, "links": None} for each in second["outputs"]]}
    links = {link[0]: link for link in workflow["links"]}
    for number, socket in enumerate(each for each in second["inputs"] if each.get("link") is not None):
        made = 900 + number
        old = links[socket["link"]]
        slot = next(i for i, each in enumerate(second["inputs"]) if each["name"] == socket["name"])
        workflow["links"].append([made, old[1], old[2], 90, slot, old[5]])
        socket["link"] = made
    workflow["nodes"] += [
        second,
        {
            "id": 91,
            "type": "PreviewAny",
            "pos": [1100, 900],
            "size": [300, 120],
            "inputs": [{"name": "source", "type": "*", "link": 990}],
        },
    ]
    second["outputs"][0]["links"] = [990]
    workflow["links"].append([990, 90, 0, 91, 0, "STRING"])
    workflow |= {"last_node_id": 91, "last_link_id": 990}
    other, other_errors = opened(browser, comfy.address, WORKFLOW)
    page, errors = opened(browser, comfy.address, workflow)
    page.evaluate(
        """() => window.app.graph.nodes.filter(each => each.type === "PEZInvert").forEach((node, i) => {
            for (const [name, value] of [["seed", 31 + i], ["preset", "fast"], ["length", 3 + i]])
                node.widgets.find(w => w.name === name).value = value
        })"""
    )
    run(page)
    expect(page.locator(".pez-state", has_text="steps in")).to_have_count(2, timeout=60_000)
    page.wait_for_timeout(500)
    outputs = newest(comfy)
    texts = page.evaluate(
        """() => Object.fromEntries(window.app.graph.nodes.filter(each => each.type === "PEZInvert").map(node => [node.id,
            node.widgets.find(w => w.name === "pez_panel").element.querySelector(".pez-text").textContent]))"""
    )
    assert {id_: len(text.split()) for id_, text in texts.items()} == {str(invert_node(WORKFLOW)["id"]): 3, "90": 4}
    for id_, text in texts.items():
        assert outputs[id_]["text"] == [text]
    expect(other.get_by_role("group", name=PANEL)).to_contain_text("The prompt appears here.")
    assert not errors + other_errors
    page.close()
    other.close()


def test_inside_a_sub_graph(comfy, browser):
    page, errors = opened(browser, comfy.address, WORKFLOW)
    set_widgets(page, seed=8, **SHORT)
    page.evaluate(
        """() => {
            const graph = window.app.graph
            const node = graph.nodes.find(each => each.type === "PEZInvert")
            graph.convertToSubgraph(new Set([node]))
        }"""
    )
    run(page)
    page.wait_for_function(
        """() => {
            const inner = [...window.app.rootGraph.subgraphs.values()][0].nodes.find(each => each.type === "PEZInvert")
            return inner.properties.pez_found?.length === 1
        }""",
        timeout=60_000,
    )
    assert not errors
    page.close()


def test_every_node_with_a_result_has_a_panel_and_no_other(server, browser):
    info = server.get("/object_info")
    own = {name: "PEZ_RESULT" in each["output"] for name, each in info.items() if each["python_module"].endswith("pez")}
    page, errors = opened(browser, server.address, WORKFLOW)
    panels = page.evaluate(
        """names => Object.fromEntries(names.map(name => {
            const node = window.LiteGraph.createNode(name)
            window.app.graph.add(node)
            return [name, (node.widgets ?? []).some(widget => widget.name === "pez_panel")]
        }))""",
        list(own),
    )
    assert panels == own
    assert {True, False} == set(own.values())
    assert not errors
    page.close()


def saved_with(text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """The workflow, saved after a run that gave this prompt."""
    workflow = copy.deepcopy(WORKFLOW)
    found = {"text": text, "delivered": text, "similarity": 0.5, "tokens": tokens, "candidates": [], "trace": []}
    invert_node(workflow)["properties"]["pez_found"] = [found | {"steps": 88, "seconds": 0.7, "stopped": "patience"}]
    return workflow


def token(text: str, of: str, contribution: float) -> dict[str, Any]:
    start = of.index(text)
    return {"text": text, "contribution": contribution, "start": start, "end": start + len(text)}


def test_a_prompt_is_shown_as_its_text_each_token_shaded(comfy, browser):
    prompt = "🐧 a (blue) bird:"
    tokens = [token(part, prompt, value) for part, value in [("🐧", 0.4), ("a", -0.1), ("blue", 0.2), ("bird", 0.1)]]
    page, errors = opened(browser, comfy.address, saved_with(prompt, tokens))
    panel = page.get_by_role("group", name=PANEL)
    expect(panel.locator(".pez-state")).to_have_text("88 steps in 0.7 s (no more gain)", timeout=30_000)
    assert shown(page) == prompt
    shaded = panel.locator(".pez-token")
    assert shaded.all_inner_texts() == ["🐧", "a", "blue", "bird"]
    shares = [each.evaluate("e => e.style.getPropertyValue('--pez-share')") for each in shaded.all()]
    assert shares == ["45%", "0%", "23%", "11%"]
    expect(shaded.nth(2)).to_have_attribute("title", "contributes 0.200")
    assert not errors
    page.close()


def test_older_outcomes_without_spans_show_their_text(comfy, browser):
    prompt = "a (blue) bird:"
    older = [{"text": part, "importance": 0.1} for part in ("a", "(", "blue", ")", "bird", ":")]
    page, errors = opened(browser, comfy.address, saved_with(prompt, older))
    expect(page.locator(".pez-panel .pez-similarity")).to_have_text("0.5000", timeout=30_000)
    assert shown(page) == prompt
    assert page.locator(".pez-panel .pez-token").count() == 0
    assert not errors
    page.close()


@pytest.mark.parametrize(
    ("locale", "idle"),
    [("ja", "ここにプロンプトが表示されます。"), ("zh-TW", "提示词将显示在这里。"), ("ko", "The prompt appears here.")],
)
def test_the_panel_speaks_the_language_of_the_page(comfy, browser, locale, idle):
    page, errors = opened(browser, comfy.address, WORKFLOW)
    page.evaluate("locale => window.app.extensionManager.setting.set('Comfy.Locale', locale)", locale)
    page.evaluate("workflow => window.app.loadGraphData(workflow)", WORKFLOW)
    try:
        expect(page.locator(".pez-panel .pez-prompts").last).to_have_text(idle, timeout=30_000)
    finally:
        page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Locale', 'en')")
    assert not errors
    page.close()


@pytest.mark.parametrize("body", [None, "no JSON"], ids=["no answer", "a wrong answer"])
def test_the_panel_speaks_english_without_translations(comfy, browser, body):
    def answered(route: Route) -> None:
        if body is None:
            route.abort()
        else:
            route.fulfill(body=body)

    page, errors = opened(browser, comfy.address, WORKFLOW)
    page.route("**/api/i18n", answered)
    page.reload()
    page.wait_for_function("() => window.app?.graph?.nodes?.some(each => each.type === 'PEZInvert')", timeout=90_000)
    look_at(page)
    expect(page.get_by_role("group", name=PANEL)).to_contain_text("The prompt appears here.", timeout=30_000)
    assert not errors
    page.close()


@pytest.mark.parametrize(
    ("locale", "line"),
    [("fr", "Cherche un court prompt de vrais mots"), ("ko", "Searches for a short prompt of real words")],
)
def test_help_is_in_the_language_of_the_page_and_has_its_picture(comfy, browser, locale, line):
    page, errors = opened(browser, comfy.address, WORKFLOW)
    try:
        page.evaluate("locale => window.app.extensionManager.setting.set('Comfy.Locale', locale)", locale)
        page.wait_for_function(
            """() => {
                if (document.querySelector(".node-help-content")) return true
                app.canvas.selectNode(app.graph.nodes.find(each => each.type === "PEZInvert"))
                document.querySelector("[data-testid=info-button]")?.click()
            }""",
            polling=1000,  # opening a workflow clears the selection a moment later
        )
        help_page = page.locator(".node-help-content")
        expect(help_page).to_contain_text(line, timeout=30_000)
        page.wait_for_function("() => document.querySelector('.node-help-content img')?.naturalWidth > 0")
        expect(help_page.locator("tr", has_text="86,400")).to_have_count(1)  # time_limit's range
    finally:
        page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Locale', 'en')")
    assert not errors
    page.close()

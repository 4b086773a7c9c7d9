"""What the pack adds around its nodes: menus, commands, settings, presets, found prompts, wires."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from chromium import leave, opened
from playwright.sync_api import Page, expect
from search_page import (
    BOTH,
    COVERED,
    EMBEDDED,
    INVERT,
    LOADER,
    PICTURE,
    give,
    outcome,
    panel,
    run,
    say,
    state,
    widget,
    workflow,
)

CHOOSE = """([id, words, within]) => {
    const items = window.app.collectNodeMenuItems(window.app.graph.getNodeById(id)).filter(Boolean)
    let item = items.find(each => each.content === words)
    if (within) item = item.submenu.options.find(each => each.content === within)
    return item.callback()
}"""
WIRES = ("PEZ_MODEL", "PEZ_LANGUAGE_MODEL", "PEZ_TARGET", "PEZ_RESULT", "PEZ_WORDS", "PEZ_SETTINGS", "PEZ_CLASSIFIER")
WORDS = (
    "id => window.app.collectNodeMenuItems(window.app.graph.getNodeById(id)).filter(Boolean).map(each => each.content)"
)


def choose(page: Page, node: int, words: str, within: str = "") -> None:
    page.evaluate(CHOOSE, [node, words, within])


def kinds(page: Page) -> list[str]:
    return page.evaluate("() => window.app.graph.nodes.map(each => each.type)")


def wired(page: Page, kind: str, name: str) -> list[Any]:
    """What an input of the newest node of that type is connected to: [type, output]."""
    return page.evaluate(
        """([kind, name]) => {
            const graph = window.app.graph
            const node = graph.nodes.filter(each => each.type === kind).at(-1)
            const link = graph.getLink(node.inputs.find(each => each.name === name).link)
            return link ? [graph.getNodeById(link.origin_id).type, link.origin_slot] : []
        }""",
        [kind, name],
    )


@BOTH
def test_a_search_is_made_from_any_picture_and_undone_at_once(server, browser, vue):
    page, errors = opened(browser, server.address, workflow(), vue)
    words = "Find prompt (PEZ)"
    assert words in page.evaluate(WORDS, PICTURE)
    assert words not in page.evaluate(WORDS, 4)
    steps = "() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"
    page.wait_for_timeout(800)
    page.evaluate("() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState()")
    before = page.evaluate(steps)
    choose(page, PICTURE, words)
    assert kinds(page).count("PEZInvert") == 2
    assert kinds(page).count("PEZLoadModel") == 1  # the one that is there
    assert wired(page, "PEZInvert", "image") == ["PEZSamplePicture", 0]
    assert wired(page, "PEZInvert", "pez_model") == ["PEZLoadModel", 0]
    assert page.evaluate(steps) == before + 1
    assert page.evaluate(COVERED) == []
    preview = page.evaluate(
        """() => {
            const node = window.LiteGraph.createNode("PreviewImage")
            window.app.graph.add(node)
            window.app.graph.getNodeById(2).connect(0, node, 0)
            return Number(node.id)
        }"""
    )
    assert words in page.evaluate(WORDS, preview)
    assert not errors
    leave(page)


def laid_out(page: Page) -> None:
    """Waits for a frame: with it a panel makes room for what it shows."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


def test_what_is_made_lies_on_nothing(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    give(page, outcome())
    expect(panel(page)).to_contain_text("red penguin snow")
    laid_out(page)
    page.evaluate("() => window.app.graph.remove(window.app.graph.getNodeById(1))")  # so that a model is made as well
    choose(page, PICTURE, "Find prompt (PEZ)")
    for words in ("Use as start words", *["Make CLIP Text Encode from this prompt"] * 2):
        laid_out(page)
        choose(page, INVERT, words)
    made = kinds(page)
    assert [made.count(each) for each in ("PEZLoadModel", "PEZInvert", "PEZWords", "CLIPTextEncode")] == [1, 2, 1, 2]
    assert page.evaluate(COVERED) == []
    assert not errors
    leave(page)


def test_what_a_found_prompt_can_become(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(seed=1, control="randomize"))
    give(page, outcome(seed=77))
    page.evaluate("() => { navigator.clipboard.writeText = text => { window.copied = text } }")
    choose(page, INVERT, "Copy the prompt")
    assert page.evaluate("() => window.copied") == "red penguin snow"
    choose(page, INVERT, "Make CLIP Text Encode from this prompt")
    assert wired(page, "CLIPTextEncode", "text") == ["PEZInvert", 0]
    for _ in range(2):  # the second time it uses the node that is there
        choose(page, INVERT, "Use as start words")
    assert kinds(page).count("PEZWords") == 1
    assert wired(page, "PEZInvert", "words") == ["PEZWords", 0]
    started = page.evaluate(
        "() => window.app.graph.nodes.find(n => n.type === 'PEZWords').widgets.find(w => w.name === 'start_words').value"
    )
    assert started == "red penguin snow"
    choose(page, INVERT, "Use this seed")
    assert [widget(page, name) for name in ("seed", "control")] == [77, "fixed"]
    assert not errors
    leave(page)


def test_start_words_take_the_place_of_what_is_wired_there(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    give(page, outcome())
    page.evaluate(
        """() => {
            const graph = window.app.graph
            const [words, text] = ["PEZWords", "PrimitiveString"].map(kind => window.LiteGraph.createNode(kind))
            graph.add(words), graph.add(text)
            text.connect(0, words, words.inputs.findIndex(each => each.name === "start_words"))
            words.connect(0, graph.getNodeById(3), graph.getNodeById(3).inputs.findIndex(each => each.name === "words"))
        }"""
    )
    assert wired(page, "PEZWords", "start_words") == ["PrimitiveString", 0]
    choose(page, INVERT, "Use as start words")
    assert wired(page, "PEZWords", "start_words") == []
    words = page.evaluate("() => window.app.graph.nodes.find(each => each.type === 'PEZWords').id")
    assert widget(page, "start_words", words) == "red penguin snow"
    assert not errors
    leave(page)


def test_keys_stop_and_copy(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    asked: list[str] = []
    page.route("**/pez/stop/**", lambda route: (asked.append(route.request.url), route.fulfill(status=204)))
    page.evaluate("() => { navigator.clipboard.writeText = text => { window.copied = text } }")
    say(page, "pez.state", state="searching")
    say(page, "pez.progress", prompt="so far", delivered="so far")
    page.mouse.click(1200, 800)
    page.keyboard.press("Alt+Shift+KeyC")
    page.wait_for_function("() => window.copied === 'so far'")
    with page.expect_response("**/pez/stop/**"):
        page.keyboard.press("Alt+Shift+KeyS")
    expect(state(page)).to_have_text("Stopping …")
    assert len(asked) == 1
    assert not errors
    leave(page)


def test_settings_of_a_node_are_saved_as_a_preset(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(length=13, preset="thorough", seed=5))
    page.evaluate("() => { window.app.extensionManager.dialog.prompt = async () => 'my own' }")
    choose(page, INVERT, "Save settings as preset")
    page.wait_for_timeout(500)
    page.close()
    page, more = opened(browser, comfy.address, workflow(length=2, preset="fast", seed=6))  # another session
    page.wait_for_function(f"() => ({WORDS})(3).includes('Delete preset')")
    choose(page, INVERT, "Use preset", "my own")
    assert [widget(page, name) for name in ("length", "preset", "seed")] == [13, "thorough", 6]
    choose(page, INVERT, "Delete preset", "my own")
    page.wait_for_function(f"() => !({WORDS})(3).includes('Delete preset')")
    for words, readability in (("For generators with a language model", 0.5), ("For generators with CLIP", 0.2)):
        choose(page, INVERT, "Use preset", words)  # these come with the pack
        assert [widget(page, name) for name in ("readability", "length", "seed")] == [readability, 13, 6]
    assert "Use preset" not in page.evaluate(WORDS, LOADER)
    assert not errors + more
    leave(page)


def test_found_prompts_are_kept_in_the_users_folder_and_inserted(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    page.evaluate("pez => window.app.graph.getNodeById(3).onExecuted({ pez: [pez] })", outcome("first one"))
    page.evaluate(
        "pez => window.app.graph.getNodeById(3).onExecuted({ pez: [pez] })",
        outcome("second (one)", id="b" * 16, delivered=r"second \(one\)"),
    )
    page.wait_for_timeout(1000)
    page.close()
    kept = json.loads((comfy.base / "user" / "default" / "pez" / "history.json").read_text("utf-8"))
    assert [each["text"] for each in kept][:2] == ["second (one)", "first one"]
    page, more = opened(browser, comfy.address, workflow())
    page.get_by_role("button", name="Found prompts").click()
    rows = page.get_by_role("group", name="Found prompts").locator(".pez-row")
    expect(rows.first).to_contain_text("second (one)")
    expect(rows.first).to_contain_text("0.8912")
    rows.first.get_by_role("button", name="Insert").click()
    text = "() => window.app.graph.nodes.filter(n => n.type === 'CLIPTextEncode').map(n => n.widgets[0].value)"
    assert page.evaluate(text) == [r"second \(one\)"]
    rows.nth(1).get_by_role("button", name="Insert").click()  # into the selected one
    assert page.evaluate(text) == ["first one"]
    page.evaluate(
        """() => {
            const encode = window.app.graph.nodes.find(each => each.type === "CLIPTextEncode")
            window.app.graph.getNodeById(3).connect(0, encode, encode.inputs.findIndex(each => each.name === "text"))
        }"""
    )
    rows.first.get_by_role("button", name="Insert").click()  # in place of the wire
    assert wired(page, "CLIPTextEncode", "text") == []
    assert page.evaluate(text) == [r"second \(one\)"]
    count = rows.count()
    rows.first.get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(count - 1)
    assert not errors + more
    page.close()


def test_the_settings_say_what_new_nodes_begin_with_and_what_the_panel_shows(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(preset="balanced"))
    give(page, outcome())
    setting = "([id, value]) => window.app.extensionManager.setting.set(id, value)"
    expect(panel(page).locator(".pez-chart")).to_be_visible()
    try:
        page.evaluate(setting, ["PEZ.Panel.Chart", False])
        expect(panel(page).locator(".pez-chart")).to_be_hidden()
        page.evaluate(setting, ["PEZ.Panel.Candidates", False])
        expect(panel(page).locator(".pez-candidates")).to_be_hidden()
        page.evaluate(setting, ["PEZ.Default.Preset", "thorough"])
        made = "() => window.LiteGraph.createNode('PEZInvert').widgets.find(each => each.name === 'preset').value"
        assert page.evaluate(made) == "thorough"
        page.evaluate(setting, ["PEZ.Default.Model", "Other (by name)"])
        loader = "() => window.LiteGraph.createNode('PEZLoadModel').widgets.map(each => [each.name, each.value, !!each.hidden])"
        shown = {name: rest for name, *rest in page.evaluate(loader)}
        assert shown["model"][0] == "Other (by name)"
        assert not shown["name"][1]  # where it is to be written
        assert widget(page, "preset") == "balanced"
        page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow(preset="fast"))
        assert widget(page, "preset") == "fast"  # a saved one keeps its own
    finally:
        for id_ in ("PEZ.Panel.Chart", "PEZ.Panel.Candidates"):
            page.evaluate(setting, [id_, True])
        for id_ in ("PEZ.Default.Preset", "PEZ.Default.Model"):
            page.evaluate(setting, [id_, ""])
    assert not errors
    leave(page)


def test_wires_have_their_colors_and_a_wire_from_a_picture_suggests_the_search(server, browser):
    page, errors = opened(browser, server.address, workflow())
    colors = page.evaluate(
        """types => types.map(type => [
            window.LGraphCanvas.link_type_colors[type],
            getComputedStyle(document.documentElement).getPropertyValue(`--color-datatype-${type}`)])""",
        list(WIRES),
    )
    assert all(classic and vue for classic, vue in colors)
    assert len({classic for classic, _ in colors}) == len(WIRES)
    assert "PEZInvert" in page.evaluate("() => window.LiteGraph.slot_types_default_out.IMAGE")
    assert not errors
    leave(page)


def test_load_model_shows_its_name_only_where_it_is_used(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    hidden = "() => window.app.graph.getNodeById(1).widgets.find(each => each.name === 'name').hidden"
    assert page.evaluate(hidden)
    assert page.evaluate("() => window.LiteGraph.createNode('PEZLoadModel').size[0]") >= 400  # its labels are long
    page.evaluate(
        """() => {
            const model = window.app.graph.getNodeById(1).widgets.find(each => each.name === "model")
            model.value = "Other (by name)"
            model.callback(model.value)
        }"""
    )
    assert not page.evaluate(hidden)
    choose_text = """([widget, text]) => {
        const found = window.app.graph.getNodeById(1).widgets.find(each => each.name === widget)
        found.value = text
        found.callback(text)
    }"""
    page.evaluate(choose_text, ["name", "ViT-B-32"])
    page.evaluate(choose_text, ["model", EMBEDDED])
    assert not page.evaluate(hidden)  # ComfyUI refuses it beside that model: it can be cleared
    page.evaluate(choose_text, ["name", ""])
    assert page.evaluate(hidden)
    page.evaluate(
        """() => {
            const text = window.LiteGraph.createNode("PrimitiveNode")
            window.app.graph.add(text)
            const loader = window.app.graph.getNodeById(1)
            text.connect(0, loader, loader.inputs.findIndex(each => each.name === "model"))
        }"""
    )
    assert not page.evaluate(hidden)  # nobody knows which model comes
    assert not errors
    page.close()


@pytest.mark.slow
def test_a_save_that_failed_does_not_hold_up_the_next(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    wrong = {"times": 0}

    def unavailable(route):
        wrong["times"] += 1
        route.fulfill(status=503)

    page.route("**/userdata/pez*", unavailable)
    kept = """async () => {
        const { UserFile } = await import("/extensions/pez/js/page/user_file.js")
        window.kept ??= new UserFile("test")
        await window.kept.change(entries => [...entries, { at: entries.length }])
        return window.kept.read()
    }"""
    assert page.evaluate(kept) == []
    assert wrong["times"] == 2  # it read before it would have written, and nothing was written
    page.unroute_all()
    assert page.evaluate(kept) == [{"at": 0}]
    assert page.evaluate(kept) == [{"at": 0}, {"at": 1}]
    assert not errors
    page.close()


@pytest.mark.slow
def test_the_chart_of_a_long_search(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    low, high = page.evaluate(
        """async () => {
            const { Chart } = await import("/extensions/pez/js/panel/chart.js")
            const chart = new Chart(), point = step => [step, step / 1e6]
            chart.draw([point(1), point(2)], Array.from({ length: 300_000 }, (_, i) => [point(i)]), 9, "similarity")
            return [chart.place.low, chart.place.high]
        }"""
    )
    assert (low, high) == (0, 0.299999)
    assert not errors
    leave(page)


def test_the_positive_prompt_goes_into_clip_text_encode(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    number = page.evaluate(
        """() => {
            const node = window.LiteGraph.createNode("PEZPositiveAndNegative")
            window.app.graph.add(node)
            return Number(node.id)
        }"""
    )
    choose(page, number, "Make CLIP Text Encode from this prompt")
    assert wired(page, "CLIPTextEncode", "text") == ["PEZPositiveAndNegative", 0]
    assert not errors
    leave(page)


def test_what_is_missing_is_said_once_with_its_cure(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    line = "open_clip is missing: pip install open_clip_torch"
    page.route("**/pez/health", lambda route: route.fulfill(json={"version": 1, "problems": [line]}))
    page.reload()
    expect(page.get_by_text(line)).to_have_count(1, timeout=90_000)
    assert not errors
    leave(page)


@BOTH
def test_the_doctor_shows_its_report_as_it_comes_and_keeps_it(server, browser, vue):
    page, errors = opened(browser, server.address, workflow(), vue)
    page.evaluate(
        """() => {
            const { graph, canvas } = window.app
            graph.clear()
            const node = window.LiteGraph.createNode("PEZDoctor")
            graph.add(node)
            Object.assign(canvas.ds, { scale: 0.8, offset: [250 - node.pos[0], 120 - node.pos[1]] })
            canvas.setDirty(true, true)
        }"""
    )
    report = page.get_by_role("textbox", name="Report")
    expect(report).to_have_value("")
    expect(report).to_have_attribute("placeholder", re.compile("report appears here"))
    run(page)
    expect(report).to_have_value(re.compile(r"^versions +ok"), timeout=120_000)  # while it looks at the model
    expect(report).to_have_value(
        re.compile(r"^PEZ doctor .*\nversions +ok.*, in \d+ s\nComfyUI [\d.]+$", re.DOTALL), timeout=120_000
    )
    report.click()
    page.keyboard.press("Control+a")
    copied = "() => { const e = document.activeElement; return e.value.slice(e.selectionStart, e.selectionEnd) }"
    assert page.evaluate(copied) == report.input_value()
    page.keyboard.press("Delete")
    assert report.input_value()
    assert page.evaluate("() => window.app.graph.nodes.length") == 1  # nor did the key delete the node
    assert not errors
    leave(page)


def test_save_prompts_says_which_row_went_where(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    said = page.evaluate(
        """() => {
            const node = window.LiteGraph.createNode("PEZSavePrompts")
            window.app.graph.add(node)
            const rows = [2, 3, 4].map(row => ({ version: 1, file: "pez/prompts.csv", row, prompt: "a" }))
            const said = () => node.widgets.find(each => each.name === "pez_saved").element.textContent
            return [rows.slice(0, 1), rows].map(pez_saved => { node.onExecuted({ pez_saved }); return said() })
        }"""
    )
    assert said == ["row 2 in pez/prompts.csv", "rows 2 to 4 in pez/prompts.csv"]
    assert not errors
    leave(page)

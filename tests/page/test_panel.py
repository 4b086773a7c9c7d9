"""What the panel shows of a search that the server tells of, and of one that was saved: without a search, so in no time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from chromium import leave, opened
from playwright.sync_api import Page, expect
from search_page import (
    BOTH,
    INVERT,
    PANEL,
    SERIALIZED,
    give,
    outcome,
    panel,
    run,
    saved_with,
    say,
    set_widgets,
    settled,
    state,
    widget,
    workflow,
)

DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TRACKER = "window.app.extensionManager.workflow.activeWorkflow.changeTracker"
CORNER = """() => {
    const handle = document.querySelector("[data-node-id='3'] [data-corner=SE]")?.getBoundingClientRect()
    if (handle) return [handle.x + handle.width / 2, handle.y + handle.height / 2]
    const node = window.app.graph.getNodeById(3), { canvas, ds } = window.app.canvas, box = canvas.getBoundingClientRect()
    const at = (axis, edge) => (node.pos[axis] + node.size[axis] + ds.offset[axis]) * ds.scale + edge - 3
    return [at(0, box.left), at(1, box.top)]
}"""
RENDERERS = pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])


@RENDERERS
def test_it_says_what_happens_from_run_to_end(comfy, browser, vue):
    page, errors = opened(browser, comfy.address, workflow(), vue)
    shown = panel(page)
    expect(shown).to_contain_text("The prompt appears here.", timeout=30_000)
    stop = shown.get_by_role("button", name="Stop and keep the best")
    expect(stop).to_be_hidden()
    say(page, "pez.state", state="loading", run=None)
    expect(state(page)).to_have_text("Loading the model ViT-L-14 …")
    expect(stop).to_be_hidden()  # nothing can be kept yet
    say(page, "pez.state", state="downloading", run=None, done=300_000_000, total=890_000_000)
    expect(state(page)).to_have_text("Downloading ViT-L-14: 300 of 890 MB")
    expect(shown.get_by_role("progressbar")).to_be_visible()
    say(page, "pez.state", state="preparing")
    expect(state(page)).to_have_text("Preparing …")
    say(page, "pez.state", state="searching", warnings=["The model does not know 'style'."])
    expect(shown.locator(".pez-warning")).to_have_text("The model does not know 'style'.")
    for left, words in ((7765.0, "2 h 9 min left"), (300.0, "5 min left"), (8.2, "9 s left")):
        say(page, "pez.progress", left=left)
        expect(state(page)).to_have_text(f"step 1 of 88 · {words}")
    assert state(page).evaluate("e => e.getClientRects().length && e.offsetHeight < 24")  # one line
    expect(stop).to_be_visible()
    give(page, outcome(seconds=3721.0))
    expect(state(page)).to_have_text("80 steps · 1 h 2 min · no more gain · seed 7")
    expect(stop).to_be_hidden()
    _read_the_chart(page)
    assert not errors
    leave(page)


def test_a_result_that_was_known_keeps_the_lines_of_its_restarts(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    lines = panel(page).locator("polyline.pez-restart")
    for step in range(1, 4):
        say(page, "pez.state", state="searching")
        say(page, "pez.progress", step=step, best=0.1 * step, restarts={"0": 0.1 * step, "1": 0.05 * step})
    give(page, outcome())
    expect(lines).to_have_count(2)
    say(page, "pez.state", state="searching", run="cd")
    give(page, outcome())
    expect(state(page)).to_have_text(re.compile("seed 7$"))
    expect(lines).to_have_count(2)
    give(page, outcome(id="another"))
    expect(lines).to_have_count(0)
    assert not errors
    leave(page)


def _read_the_chart(page: Page) -> None:
    """With the mouse and with the keys: the trace of `outcome()` has 0.9 - 0.5 / step at the steps 1, 5, ... 77 of 88."""
    reader, reading = panel(page).get_by_role("slider", name="Estimate at a step"), panel(page).locator(".pez-reading")
    expect(reading).to_be_hidden()
    settled(page)
    box = reader.bounding_box()
    assert box
    for step, words in ((40, "step 41: 0.888"), (1, "step 1: 0.400"), (87, "step 77: 0.894")):
        page.mouse.move(box["x"] + box["width"] * step / 88, box["y"] + box["height"] / 2)
        expect(reading).to_have_text(words)
        expect(reading).to_be_visible()
        expect(panel(page).locator("polyline.pez-cursor")).to_have_count(1)
    page.mouse.move(box["x"], box["y"] - 100)
    expect(reading).to_be_hidden()
    expect(panel(page).locator(".pez-legend")).to_be_visible()
    reader.focus()
    for key, words in (("ArrowLeft", "step 73: 0.893"), ("Home", "step 1: 0.400"), ("ArrowRight", "step 5: 0.800")):
        page.keyboard.press(key)
        expect(reading).to_have_text(words)
        expect(reader).to_have_attribute("aria-valuetext", words)


def test_the_best_is_never_below_the_restarts_and_its_text_is_the_last_one(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    say(page, "pez.state", state="searching")
    best = 0.0
    for step in range(1, 9):
        best = max(best, 0.1 * step)
        restarts = {"0": 0.1 * step, "1": 0.05 * step}
        exact = 0.3 if step == 1 else None  # scoring is limited: later ones have no exact score
        say(page, "pez.progress", step=step, prompt=f"text {step}", similarity=exact, best=best, restarts=restarts)
    expect(panel(page).locator(".pez-text")).to_have_text("text 8")
    expect(panel(page).locator(".pez-similarity")).to_have_text("about 0.80")
    highest = page.evaluate(
        """() => {
            const ends = name => [...document.querySelectorAll(`polyline.${name}`)].map(
                line => Number(line.getAttribute("points").trim().split(" ").at(-1).split(",")[1]))
            return [Math.min(...ends("pez-best")), Math.min(...ends("pez-restart"))]
        }"""
    )
    assert highest[0] <= highest[1]  # y grows downwards
    last = panel(page).locator("polyline.pez-best").get_attribute("points").split()[-1]
    assert float(last.split(",")[0]) < 300 * 8 / 88 + 3  # x goes to all steps
    chart = panel(page).locator(".pez-chart")
    for name, number in (("high", "0.80"), ("low", "0.05"), ("from", "0"), ("to", "88 steps")):
        expect(chart.locator(f".pez-{name}")).to_have_text(number)
    expect(chart.locator(".pez-legend")).to_have_text("bestrestarts")
    expect(panel(page).get_by_role("img", name="Search's estimate by step: 0.10 to 0.80 in 88 steps")).to_be_visible()
    assert not errors
    leave(page)


@pytest.mark.parametrize(
    ("ending", "said", "shown"),
    [
        (("pez.state", {"state": "cancelled"}), "Canceled", ""),
        (("pez.state", {"state": "error", "message": "No memory: use less."}), "Error", "No memory: use less."),
        (("execution_interrupted", {}), "Canceled", ""),
        (("execution_error", {"node_id": "1"}), "Error", "The run ended with an error in another node."),
        (
            ("execution_error", {"node_id": "1", "exception_message": "No words.\n"}),
            "Error",
            "The run ended with an error in another node. No words.",
        ),
        (
            ("execution_error", {"node_id": str(INVERT), "exception_message": "Too long.\n"}),
            "Error",
            "Too long.",
        ),
    ],
    ids=["cancel", "error", "cancel before the search", "error before the search", "error elsewhere", "own error"],
)
def test_after_cancel_or_error_nothing_of_the_old_run_is_shown(comfy, browser, ending, said, shown):
    page, errors = opened(browser, comfy.address, saved_with(outcome()))
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow", timeout=30_000)
    if ending[0] == "pez.state":
        say(page, "pez.state", state="searching", run="cd")
        say(page, "pez.progress", run="cd", prompt="half found")
        say(page, *ending[:1], **ending[1])
    else:
        say(page, "pez.state", state="loading", run=None)
        page.evaluate("([kind, detail]) => window.app.api.dispatchCustomEvent(kind, detail)", list(ending))
    expect(state(page)).to_have_text(said)
    expect(panel(page).locator(".pez-prompts")).to_have_text(shown)
    expect(panel(page).locator(".pez-chart")).to_be_hidden()
    expect(panel(page).locator(".pez-candidates")).to_be_hidden()
    assert not errors
    leave(page)


def test_what_is_wrong_before_a_search_is_said_on_its_own_node(comfy, browser):
    """Also where nothing was loaded before, so that the panel shows no run."""
    page, errors = opened(browser, comfy.address, workflow())
    page.evaluate(
        """() => {
            const { graph } = window.app
            const node = window.LiteGraph.createNode("PEZDistill")
            graph.add(node)
            graph.getNodeById(1).connect(0, node, 0)
            graph.remove(graph.getNodeById(3))
        }"""
    )
    run(page)
    expect(state(page)).to_have_text("Error", timeout=60_000)
    expect(panel(page).locator(".pez-prompts")).to_have_text("The text to match is empty: give some words.")
    assert not errors
    leave(page)


def test_an_error_of_another_workflow_is_not_this_ones(comfy, browser):
    """Nodes of workflows in two tabs may have one id."""
    page, errors = opened(browser, comfy.address, saved_with(outcome()))
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow", timeout=30_000)
    page.route("**/api/prompt", lambda route: route.fulfill(json={"prompt_id": "x", "number": 1, "node_errors": {}}))
    page.evaluate(
        """async node_id => {
            const { api } = window.app
            await api.queuePrompt(0, { output: {}, workflow: { id: "another" } })
            api.dispatchCustomEvent("execution_start", { prompt_id: "x" })
            api.dispatchCustomEvent("execution_error", { node_id, prompt_id: "x", exception_message: "Too long." })
        }""",
        str(INVERT),
    )
    page.wait_for_timeout(300)
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow")
    assert "Too long." not in panel(page).inner_text()
    assert not errors
    leave(page)


def test_a_candidate_is_said_to_be_used_next_only_where_it_is(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    give(page, outcome(candidate=2))
    which = panel(page).locator(".pez-which")
    expect(which).to_have_text("candidate 1 of 3, used from the next run")
    for change, said in (
        ({"length": 9}, "candidate 1 of 3"),  # another search
        ({"length": 4}, "candidate 1 of 3, used from the next run"),
        ({"seed": 8}, "candidate 1 of 3"),
        ({"seed": 7, "control": "randomize"}, "candidate 1 of 3"),
    ):
        set_widgets(page, **change)
        page.evaluate("() => window.app.api.dispatchCustomEvent('graphChanged', {})")
        expect(which).to_have_text(said)
    assert not errors
    leave(page)


def test_no_sign_stands_before_a_zero(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    give(page, outcome("red bird", tokens=[{"text": "red", "start": 0, "end": 3, "contribution": -0.0001}]))
    assert panel(page).locator(".pez-prompt .pez-hidden").first.inner_text().endswith("red 0.00")
    assert panel(page).locator(".pez-token").first.get_attribute("title").endswith("0.000")
    assert "-" not in panel(page).locator(".pez-token").first.get_attribute("title")
    assert not errors
    leave(page)


def test_several_pictures_stop_one_by_one_and_are_shown_as_rows(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(pictures="one prompt for each"))
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url.split("/pez/stop/")[1])
        route.fulfill(status=204)

    page.route("**/pez/stop/**", answer)
    say(page, "pez.state", state="searching", parts=2, thumbnail=DOT)
    say(page, "pez.progress", parts=2, prompt="first one", step=5, left=None)
    expect(state(page)).to_have_text("prompt 1 of 2 · step 5 of 88")
    panel(page).get_by_role("button", name="Stop only this one and keep its best").click()
    expect(state(page)).to_have_text("Stopping …")
    say(page, "pez.state", state="searching", parts=2, part=1, thumbnail=DOT)
    say(page, "pez.progress", parts=2, part=1, prompt="second one", step=1, left=None)
    expect(state(page)).to_have_text("prompt 2 of 2 · step 1 of 88")
    expect(panel(page).locator(".pez-row")).to_have_count(2)
    panel(page).get_by_role("button", name="Stop all").click()
    expect(state(page)).to_have_text("Stopping …")
    assert asked == ["ab/0", "ab"]
    give(page, outcome("first one", thumbnail=DOT), outcome("second one", thumbnail=DOT, similarity=0.7))
    rows = panel(page).locator(".pez-row")
    expect(rows).to_have_count(2)
    for row, text, similarity in zip(rows.all(), ("first one", "second one"), ("0.8912", "0.7000"), strict=True):
        expect(row.locator(".pez-prompt .pez-text")).to_have_text(text)
        expect(row.locator(".pez-prompt .pez-similarity")).to_have_text(similarity)
        expect(row.locator("img")).to_have_attribute("src", DOT)
        expect(row.locator("summary")).to_have_text("Candidates (3)")
    page.evaluate("() => { navigator.clipboard.writeText = text => { window.copied = text } }")
    panel(page).get_by_role("button", name="Copy prompt 2").click()
    assert page.evaluate("() => window.copied") == "second one"
    which = panel(page).locator(".pez-which")
    expect(which).to_have_text("candidate 1 in every row")
    rows.nth(1).locator("summary").click()
    rows.nth(1).locator(".pez-choice").nth(1).click()
    expect(which).to_have_text("candidate 2 in every row, used from the next run")  # the node has one number for all
    expect(rows.locator(".pez-prompt .pez-text")).to_have_text(["ice (bird)", "ice (bird)"])
    expect(rows.locator(".pez-choice[aria-pressed=true] .pez-text")).to_have_text(["ice (bird)", "ice (bird)"])
    expect(rows.nth(1).locator(".pez-choice").nth(1)).to_be_focused()
    assert [widget(page, name) for name in ("seed", "control", "candidate")] == [7, "fixed", 2]
    panel(page).get_by_role("button", name="Copy", exact=True).click()
    assert page.evaluate("() => window.copied") == "ice \\(bird\\)\nice \\(bird\\)"
    give(page, *(outcome("ice (bird)", thumbnail=DOT, candidate=2) for _ in range(2)))
    expect(which).to_have_text("candidate 2 in every row")
    expect(rows.nth(1).locator(".pez-list")).to_be_visible()  # it stays open
    set_widgets(page, length=5)
    expect(which).to_have_text("candidate 1 in every row")  # the next run searches again
    assert not errors
    leave(page)


def test_it_says_with_which_of_several_texts_the_search_began(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(pictures="one prompt for each"))
    began = panel(page).locator(".pez-began")
    say(page, "pez.state", state="searching")
    give(page, outcome(began_with="a penguin, <b>a fish</b>"))
    expect(began).to_have_text("began with: a penguin, <b>a fish</b>")
    expect(panel(page).locator(".pez-which").last).to_have_text("candidate 1 of 3")
    panel(page).locator("summary").click()
    panel(page).locator(".pez-choice").nth(1).click()
    expect(began).to_have_text("began with: a penguin, <b>a fish</b>")  # so did the search for the others
    say(page, "pez.state", state="searching", run="cd")
    expect(began).to_have_count(0)
    give(page, outcome("first one", began_with="one"), outcome("second one"))
    expect(panel(page).locator(".pez-row").nth(0)).to_contain_text("began with: one")
    expect(began).to_have_count(1)
    assert not errors
    leave(page)


DAMAGED: list[Any] = [
    [{}],
    "text",
    [None],
    [[]],
    [outcome() | {"version": 2}],
    [outcome() | {"similarity": None}],
    [outcome() | {"trace": None}],
    [outcome() | {"trace": [[1]]}],
    [outcome() | {"tokens": [{"text": "a"}]}],
    [outcome() | {"candidates": [3]}],
    [outcome() | {"text": {"x": 1}}],
    [outcome() | {"warnings": None}],
    [outcome() | {"began_with": {"x": 1}}],
    [{"text": "a b", "similarity": 0.5}],
]


def test_a_foreign_damaged_or_older_outcome_is_dropped_and_the_workflow_opens(comfy, browser):
    page, errors = opened(browser, comfy.address, saved_with(outcome()))
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow", timeout=30_000)
    forms = [{"version": 1, "outcomes": {str(INVERT): each}} for each in DAMAGED]
    forms += [{"version": 2, "outcomes": {str(INVERT): [outcome()]}}, {"version": 1}, [], "x", 3]
    for form in forms:
        page.evaluate("workflow => window.app.loadGraphData(workflow)", saved_with(form=form))
        expect(panel(page)).to_contain_text("The prompt appears here.", timeout=10_000)
        assert page.evaluate("() => window.app.graph.nodes.length") == 4
    older = workflow()
    older["nodes"][2]["properties"]["pez_found"] = [{"text": "a b", "similarity": 0.5}]
    page.evaluate("workflow => window.app.loadGraphData(workflow)", older)
    expect(panel(page)).to_contain_text("The prompt appears here.", timeout=10_000)
    assert not errors
    leave(page)


def test_nothing_in_an_outcome_becomes_html_or_fetches(comfy, browser):
    evil = "<img src=x onerror=window.hacked=1>"
    made = outcome(evil, model=evil, stopped=evil, warnings=[evil], thumbnail="https://example.invalid/x.png")
    page, errors = opened(browser, comfy.address, saved_with(made))
    expect(panel(page).locator(".pez-text").first).to_have_text(evil, timeout=30_000)
    expect(panel(page).locator("img")).to_have_count(0)
    assert page.evaluate("() => window.hacked") is None
    assert not errors
    leave(page)


@BOTH
def test_the_node_is_as_high_as_what_the_panel_shows_or_as_a_person_makes_it_and_a_run_is_no_edit(server, browser, vue):
    page, errors = opened(browser, server.address, workflow(), vue)
    settled(page)
    measure = """() => {
        const content = document.querySelector(".pez-content"), box = content.parentElement
        return [box.offsetHeight - content.offsetHeight, box.scrollHeight <= box.clientHeight + 1, box.offsetHeight]
    }"""
    spare, _, empty = page.evaluate(measure)
    _capture(page)  # what the renderer itself changes at first
    page.evaluate(f"() => {TRACKER}.reset()")
    steps = page.evaluate(f"() => {TRACKER}.undoQueue.length")
    say(page, "pez.state", state="searching")
    say(page, "pez.progress", prompt="word " * 30)
    give(page, outcome("word " * 40 + "end"))
    settled(page)
    after, whole, high = page.evaluate(measure)
    assert abs(after - spare) < 4
    assert whole
    assert high > empty + 60
    _capture(page)
    assert page.evaluate(f"() => {TRACKER}.undoQueue.length") == steps
    panel(page).get_by_role("button", name="Details").click()
    page.wait_for_timeout(700)
    assert page.evaluate(measure)[2] < high - 60
    expect(panel(page).locator(".pez-chart")).to_be_hidden()
    panel(page).get_by_role("button", name="Details").click()
    expect(panel(page).locator(".pez-chart")).to_be_visible()
    page.evaluate("workflow => window.app.loadGraphData(workflow)", page.evaluate(SERIALIZED))
    expect(panel(page).locator(".pez-text").first).to_contain_text("end")
    _resize(page, measure)
    assert not errors
    leave(page)


def _resize(page: Page, measure: str) -> None:
    """A person drags the corner of the node: the panel takes the room, keeps it in a run, and has it when opened again."""
    settled(page)
    before = page.evaluate(measure)[0]
    x, y = page.evaluate(CORNER)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 80, steps=6)
    page.mouse.up()
    settled(page)
    spare, whole, _ = page.evaluate(measure)
    assert abs(spare - before - 80 / page.evaluate("() => window.app.canvas.ds.scale")) < 4
    assert whole
    give(page, outcome("short"))
    settled(page)
    assert abs(page.evaluate(measure)[0] - spare) < 4
    wide = page.evaluate("() => window.app.graph.getNodeById(3).size[0]")
    high = []
    for _ in range(2):  # it does not grow from time to time
        page.evaluate("workflow => window.app.loadGraphData(workflow)", page.evaluate(SERIALIZED))
        expect(panel(page).locator(".pez-text").first).to_have_text("short")
        settled(page)
        again, _, box = page.evaluate(measure)
        assert again > spare - 4
        assert abs(page.evaluate("() => window.app.graph.getNodeById(3).size[0]") - wide) < 1
        high.append(box)
    assert abs(high[0] - high[1]) < 1


@BOTH
def test_the_dial_goes_from_the_closest_to_the_most_readable(server, browser, vue):
    """Each step reads better and matches less; a candidate that does neither better than another is not on it."""
    page, errors = opened(browser, server.address, workflow(), vue)
    pairs = zip(outcome()["candidates"], ((0.8912, 5.5), (0.8998, 8.1), (0.8001, 2.3)), strict=True)
    read = [{**each, "similarity": value, "nll": 5.0, "price": price} for each, (value, price) in pairs]
    read.append({**read[0], "text": "dull", "similarity": 0.85, "price": 6.0})
    give(page, outcome())
    expect(panel(page).locator(".pez-dial")).to_be_hidden()  # nothing was read
    give(page, outcome(candidates=read))
    slider = panel(page).get_by_role("slider", name="Readability")
    expect(slider).to_have_value("1")
    expect(slider).to_have_attribute("max", "2")
    text = panel(page).locator(".pez-prompts .pez-text")
    for key, words, number in (
        ("ArrowRight", "blue sea", 3),
        ("ArrowLeft", "red penguin snow", 1),
        ("Home", "ice (bird)", 2),
    ):
        slider.press(key)
        expect(text).to_have_text(words)
        expect(slider).to_have_attribute("aria-valuetext", words)
        assert widget(page, "candidate") == number
    assert not errors
    leave(page)


def _capture(page: Page) -> None:
    """What a click does: ComfyUI looks whether the workflow has changed."""
    page.evaluate(f"() => {TRACKER}.captureCanvasState()")


@BOTH
def test_undo_and_redo_work_across_a_run_and_the_outcome_stays(server, browser, vue):
    page, errors = opened(browser, server.address, workflow(), vue)
    settled(page)
    _capture(page)  # what the renderer itself changes at first
    for length in (9, 12):
        set_widgets(page, length=length)
    page.evaluate(f"() => {TRACKER}.undo()")
    assert widget(page, "length") == 9
    give(page, outcome())
    text = panel(page).locator(".pez-prompts .pez-text")
    expect(text).to_have_text("red penguin snow")
    settled(page)
    _capture(page)
    page.evaluate(f"() => {TRACKER}.redo()")
    assert widget(page, "length") == 12  # a run does not empty what can be redone
    for length in (9, 4):
        page.evaluate(f"() => {TRACKER}.undo()")
        assert widget(page, "length") == length
        expect(text).to_have_text("red penguin snow")
        settled(page)
        _capture(page)
    give(page, outcome("another one"))
    expect(text).to_have_text("another one")  # the panel in the page is that of the node
    assert not errors
    leave(page)


def test_the_outcome_is_saved_with_the_workflow_and_copied_with_the_node(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    give(page, outcome())
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow")
    tracked = page.evaluate(
        "() => JSON.parse(JSON.stringify(window.app.extensionManager.workflow.activeWorkflow.changeTracker.activeState))"
    )
    assert tracked["config"]["pez"]["outcomes"][str(INVERT)][0]["text"] == "red penguin snow"  # what Ctrl+S writes
    saved = page.evaluate(SERIALIZED)
    assert all("pez_found" not in node["properties"] for node in saved["nodes"])
    copied = page.evaluate(
        """() => {
            const clone = window.app.graph.getNodeById(3).clone()
            window.app.graph.add(clone)
            return clone.widgets.find(each => each.name === "pez_panel").element.querySelector(".pez-text").textContent
        }"""
    )
    assert copied == "red penguin snow"
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow())  # a template opened once more is empty
    expect(panel(page)).to_contain_text("The prompt appears here.")
    page.evaluate("workflow => window.app.loadGraphData(workflow)", saved)
    expect(panel(page).locator(".pez-text").first).to_have_text("red penguin snow")
    assert not errors
    leave(page)


def test_a_picked_candidate_is_shown_copied_and_given_up_when_something_else_changes(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(seed=3))
    give(page, outcome(seed=3))
    shown = panel(page)
    expect(shown.locator(".pez-which")).to_have_text("candidate 1 of 3")
    expect(shown.get_by_role("button", name="Use this seed")).to_be_hidden()
    page.evaluate(
        """() => {
            const node = window.app.graph.getNodeById(3), at = node.widgets.findIndex(each => each.name === "seed")
            node.widgets[at].value = 99
            node.widgets[at + 1].value = "randomize"
            navigator.clipboard.writeText = text => { window.copied = text }
        }"""
    )
    shown.get_by_text("Candidates (3)").click()
    shown.locator(".pez-choice").nth(1).click()
    expect(shown.locator(".pez-which")).to_have_text("candidate 2 of 3, used from the next run")
    expect(shown.locator(".pez-prompts .pez-text")).to_have_text("ice (bird)")
    assert [widget(page, name) for name in ("seed", "control", "candidate")] == [3, "fixed", 2]
    shown.get_by_role("button", name="Copy", exact=True).click()
    assert page.evaluate("() => window.copied") == r"ice \(bird\)"
    shown.get_by_role("button", name="Copy candidate 3").click()
    assert page.evaluate("() => window.copied") == "blue sea"
    queued = "async () => (await window.app.graphToPrompt()).output['3'].inputs.candidate"
    assert page.evaluate(queued) == 2
    page.evaluate(  # the picture before it is another one
        "() => { window.app.graph.getNodeById(2).widgets.find(each => each.name === 'picture').value = 'pizza' }"
    )
    assert page.evaluate(queued) == 1
    expect(shown.locator(".pez-which")).to_have_text("candidate 1 of 3")
    assert not errors
    leave(page)


def test_a_seed_can_be_used_again(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(seed=5, control="randomize"))
    give(page, outcome(seed=1234))
    expect(state(page)).to_contain_text("seed 1234")
    panel(page).get_by_role("button", name="Use this seed").click()
    assert [widget(page, name) for name in ("seed", "control")] == [1234, "fixed"]
    expect(panel(page).get_by_role("button", name="Use this seed")).to_be_hidden()
    assert not errors
    leave(page)


PROMOTED = """() => {
    const graph = window.app.graph
    const { subgraph, node } = graph.convertToSubgraph(new Set([graph.getNodeById(3)]))
    const [inner] = subgraph.nodes
    for (const name of ["seed", "candidate"]) {
        subgraph.addInput(name, "INT").connect(inner.inputs.find(each => each.widget?.name === name), inner)
    }
    return [String(node.id), String(inner.id)]
}"""
VALUES = """id => {
    const node = window.app.graph.getNodeById(id)
    return ["seed", "candidate"].map(name => node.widgets.find(each => each.name === name).value)
}"""


@BOTH
def test_what_a_sub_graph_shows_of_the_search_is_what_the_panel_changes(server, browser, vue):
    """The sub-graph's own seed and candidate count, not those of the node within it."""
    page, errors = opened(browser, server.address, workflow(), vue)
    page.wait_for_timeout(500)
    outer, inner = page.evaluate(PROMOTED)
    saved = page.evaluate(SERIALIZED)
    saved["config"] = {"pez": {"version": 1, "outcomes": {f"{outer}:{inner}": [outcome(seed=1234)]}}}
    page.evaluate("workflow => window.app.loadGraphData(workflow)", saved)
    look = "id => { const n = app.graph.getNodeById(id); Object.assign(app.canvas.ds, { offset: [250 - n.pos[0], 120 - n.pos[1]] }) }"
    page.evaluate(look, outer)
    shown = page.locator(".pez-panel", has_text="red penguin snow").locator("visible=true")
    expect(shown).to_have_count(1, timeout=10_000)
    queued = "async key => (await window.app.graphToPrompt()).output[key].inputs"

    def awaited(read: Callable[[], Any], wanted: list[int]) -> None:
        for _ in range(50):
            if read() == wanted:
                return
            page.wait_for_timeout(200)
        assert read() == wanted

    def sent() -> list[int]:
        inputs = page.evaluate(queued, f"{outer}:{inner}")
        return [inputs[name] for name in ("seed", "candidate")]

    settled(page)
    shown.get_by_text("Candidates (3)").click()
    shown.locator(".pez-choice").nth(1).click()
    awaited(lambda: page.evaluate(VALUES, outer), [1234, 2])
    awaited(sent, [1234, 2])
    expect(shown.locator(".pez-which")).to_have_text("candidate 2 of 3, used from the next run", timeout=15_000)
    expect(shown.get_by_role("button", name="Use this seed")).to_be_hidden()
    page.evaluate(
        "id => { window.app.graph.getNodeById(id).widgets.find(each => each.name === 'seed').value = 99 }", outer
    )
    awaited(sent, [99, 1])
    expect(shown.locator(".pez-which")).to_have_text("candidate 1 of 3", timeout=15_000)
    shown.get_by_role("button", name="Use this seed").click()
    awaited(sent, [1234, 1])
    page.evaluate(
        "id => { window.app.graph.getNodeById(id).widgets.find(each => each.name === 'candidate').value = 3 }", outer
    )
    page.evaluate("() => window.app.api.dispatchCustomEvent('graphChanged', {})")
    expect(shown.locator(".pez-which")).to_have_text("candidate 3 of 3, used from the next run", timeout=15_000)
    page.evaluate(  # the picture before the sub-graph is another one
        "() => { window.app.graph.getNodeById(2).widgets.find(each => each.name === 'picture').value = 'pizza' }"
    )
    awaited(sent, [1234, 1])
    second = page.evaluate(  # another use of the sub-graph has values of its own
        """first => {
            const { graph } = window.app, { subgraph, pos, size } = graph.getNodeById(first)
            const node = window.LiteGraph.createNode(subgraph.id)
            node.pos = [pos[0] + size[0] + 60, pos[1]]
            graph.add(node)
            return String(node.id)
        }""",
        outer,
    )
    path = f"{second}:{inner}"
    say(page, "pez.state", node=path, panels=[path], state="searching")
    page.evaluate(
        "([id, inner, pez]) => { const { subgraph } = app.graph.getNodeById(id);"
        " app.nodeOutputs = { ...app.nodeOutputs, [`${subgraph.id}:${inner}`]: { pez: [pez], pez_path: [`${id}:${inner}`] } } }",
        [second, inner, outcome("of the second", seed=777)],
    )
    page.evaluate(look, second)
    shown = page.locator(".pez-panel", has_text="of the second").locator("visible=true")
    shown.get_by_text("Candidates (3)").click(timeout=10_000)
    shown.locator(".pez-choice").nth(2).click()
    awaited(lambda: page.evaluate(VALUES, second), [777, 3])
    awaited(lambda: page.evaluate(VALUES, outer), [1234, 1])
    assert not errors
    leave(page)


def test_a_seed_from_another_node_is_set_there(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow(seed=5))
    page.evaluate(
        """() => {
            const number = window.LiteGraph.createNode("PrimitiveInt")
            number.id = 50
            window.app.graph.add(number)
            const node = window.app.graph.getNodeById(3)
            number.connect(0, node, node.inputs.findIndex(each => each.widget?.name === "seed"))
        }"""
    )
    give(page, outcome(seed=1234))
    panel(page).get_by_role("button", name="Use this seed").click()
    assert page.evaluate("() => window.app.graph.getNodeById(50).widgets[0].value") == 1234
    expect(panel(page).get_by_role("button", name="Use this seed")).to_be_hidden()
    assert widget(page, "seed") == 5  # nobody reads it
    assert not errors
    leave(page)


@RENDERERS
def test_the_wheel_and_the_middle_button_reach_the_canvas(comfy, browser, vue):
    page, errors = opened(browser, comfy.address, saved_with(outcome()), vue)
    expect(panel(page).locator(".pez-text").first).to_be_visible(timeout=30_000)
    page.wait_for_timeout(700)
    box = panel(page).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 12
    page.mouse.move(x, y)
    scale = page.evaluate("() => window.app.canvas.ds.scale")
    page.mouse.wheel(0, -240)
    page.wait_for_function("scale => window.app.canvas.ds.scale > scale", arg=scale)
    page.mouse.wheel(0, 240)
    page.wait_for_timeout(500)
    offset = page.evaluate("() => window.app.canvas.ds.offset[0]")
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x + 60, y + 10, steps=4)
    page.mouse.up(button="middle")
    page.wait_for_function("offset => Math.abs(window.app.canvas.ds.offset[0] - offset) > 20", arg=offset)
    assert not errors
    leave(page)


def test_it_speaks_at_start_and_end_and_seldom_between_and_keeps_the_focus(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    page.evaluate(
        """() => {
            window.said = []
            const live = document.querySelector(".pez-panel [aria-live]")
            new MutationObserver(() => window.said.push(live.textContent)).observe(live, { childList: true, characterData: true })
        }"""
    )
    say(page, "pez.state", state="searching")
    for step in range(1, 30):
        say(page, "pez.progress", step=step)
    stop = panel(page).get_by_role("button", name="Stop and keep the best")
    stop.focus()
    give(page, outcome())
    expect(panel(page).get_by_role("button", name="Copy", exact=True)).to_be_focused()
    expect(panel(page).locator("[aria-live]")).to_have_text("The search has ended. Prompt: red penguin snow")
    said = page.evaluate("() => window.said")
    assert said[0] == "The search has started."
    assert len(said) == 2
    assert page.locator(".pez-panel [aria-live]").count() == 1
    spoken = panel(page).locator(".pez-prompts .pez-hidden")
    expect(spoken).to_have_text("Contributions: red 0.30, penguin 0.12, snow -0.02")
    bars = panel(page).locator(".pez-token").evaluate_all("all => all.map(e => getComputedStyle(e).borderBottomWidth)")
    widths = [float(each.removesuffix("px")) for each in bars]
    assert widths[0] > widths[1] > widths[2] == 0  # not by color alone
    choice = panel(page).locator(".pez-choice").nth(1)
    panel(page).get_by_text("Candidates (3)").click()
    choice.focus()
    page.keyboard.press("Enter")
    expect(choice).to_be_focused()
    assert not errors
    leave(page)


def test_a_prompt_is_shown_as_its_text(comfy, browser):
    text = "🐧 a (blue) bird:"
    places = [("🐧", 0, 1), ("a", 2, 3), ("blue", 5, 9), ("bird", 11, 15)]
    tokens = [{"text": t, "start": s, "end": e, "contribution": 0.1} for t, s, e in places]
    page, errors = opened(browser, comfy.address, saved_with(outcome(text) | {"tokens": tokens}))
    expect(panel(page).locator(".pez-prompts .pez-text")).to_have_text(text, timeout=30_000)
    assert panel(page).locator(".pez-token").all_inner_texts() == ["🐧", "a", "blue", "bird"]
    assert not errors
    leave(page)


def test_the_panel_is_no_parameter(server, browser):
    page, errors = opened(browser, server.address, workflow(), vue=True)
    options = page.evaluate(
        """() => {
            const widget = window.app.graph.getNodeById(3).widgets.find(each => each.name === "pez_panel")
            return [widget.options.hideInPanel, widget.serialize, widget.label]
        }"""
    )
    assert options == [True, False, PANEL]
    made = page.evaluate("async () => Object.keys((await window.app.graphToPrompt()).output['3'].inputs)")
    assert "pez_panel" not in made
    assert not errors
    leave(page)


def test_every_node_with_a_result_has_a_panel_and_no_other(server, browser):
    info = server.get("/object_info")
    results = {"PEZ_RESULT", "PEZ_CLASSIFIER"}
    own = {
        name: not results.isdisjoint(each["output"])
        for name, each in info.items()
        if each["python_module"].endswith("pez")
    }
    page, errors = opened(browser, server.address, workflow())
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
    _two_prompts_have_the_names_of_their_outputs(page)
    assert not errors
    leave(page)


def _two_prompts_have_the_names_of_their_outputs(page: Page) -> None:
    node = page.evaluate("() => String(window.app.graph.nodes.find(each => each.type === 'PEZPositiveAndNegative').id)")
    told = {"node": node, "panels": [node], "parts": 2}
    say(page, "pez.state", **told, state="searching")
    for part in range(2):
        say(page, "pez.progress", **told, part=part, prompt=("fish", "bird")[part], left=None)
    shown = [["positive", "fish"], ["negative", "bird"]]
    read = """id => window.app.graph.getNodeById(id).widgets.find(each => each.name === "pez_panel").element"""
    rows = f"""id => [...({read})(id).querySelectorAll(".pez-row")].map(
        row => [".pez-name", ".pez-prompt .pez-text"].map(name => row.querySelector(name).textContent))"""
    assert page.evaluate(rows, node) == shown


@BOTH
def test_a_sub_graph_shows_the_search_on_its_outside_each_use_its_own(server, browser, vue):
    page, errors = opened(browser, server.address, workflow(), vue)
    page.wait_for_timeout(500)
    made = page.evaluate(
        """() => {
            const graph = window.app.graph
            const { node } = graph.convertToSubgraph(new Set([graph.getNodeById(3)]))
            return [String(node.id), [...window.app.rootGraph.subgraphs.values()][0].nodes.map(each => String(each.id))]
        }"""
    )
    path = f"{made[0]}:{made[1][0]}"
    say(page, "pez.state", node=path, panels=[path], state="searching")
    say(page, "pez.progress", node=path, prompt="seen outside", left=None)
    page.evaluate(
        "id => { const n = app.graph.getNodeById(id); Object.assign(app.canvas.ds, { offset: [250 - n.pos[0], 120 - n.pos[1]] });"
        " app.canvas.setDirty(true, true) }",
        made[0],
    )
    outside = page.locator(".pez-panel", has_text="seen outside").locator("visible=true")
    expect(outside).to_have_count(1, timeout=10_000)
    expect(outside.locator(".pez-state")).to_have_text("step 1 of 88")
    saved = page.evaluate(SERIALIZED)
    saved["config"] = {"pez": {"version": 1, "outcomes": {path: [outcome()]}}}
    height = next(node["size"][1] for node in saved["nodes"] if str(node["id"]) == made[0])
    page.evaluate("workflow => window.app.loadGraphData(workflow)", saved)
    expect(page.locator(".pez-panel", has_text="red penguin snow").locator("visible=true")).to_have_count(
        1, timeout=10_000
    )
    settled(page)
    _capture(page)
    again = page.evaluate(SERIALIZED)
    for node in again["nodes"]:
        if str(node["id"]) == made[0]:
            assert abs(node["size"][1] - height) < 1  # the panel outside is no edit
    assert again["config"]["pez"]["outcomes"][path][0]["text"] == "red penguin snow"
    _use_twice(page, *made)
    assert not errors
    leave(page)


def _use_twice(page: Page, outer: str, inner: list[str]) -> None:
    """Another node of the same sub-graph: each shows its own run, its own prompt, also after saving and opening."""
    second = page.evaluate(
        """id => {
            const first = window.app.graph.getNodeById(id)
            const node = window.LiteGraph.createNode(first.subgraph.id)
            node.pos = [first.pos[0] + first.size[0] + 60, first.pos[1]]
            window.app.graph.add(node)
            Object.assign(window.app.canvas.ds, { scale: 0.6 })
            return String(node.id)
        }""",
        outer,
    )
    paths = {each: f"{each}:{inner[0]}" for each in (outer, second)}
    for each, text in ((second, "of the second"), (outer, "of the first")):
        say(page, "pez.state", node=paths[each], panels=[paths[each]], state="searching")
        say(page, "pez.progress", node=paths[each], prompt=f"half {text}", left=None)
        expect(page.locator(".pez-panel", has_text=f"half {text}").locator("visible=true")).to_have_count(1)
        page.evaluate(
            "([id, path, pez]) => { const { subgraph } = app.graph.getNodeById(id); const [node] = subgraph.nodes;"
            " window.app.nodeOutputs = { ...window.app.nodeOutputs, [`${subgraph.id}:${node.id}`]: { pez: [pez], pez_path: [path] } } }",
            [each, paths[each], outcome(text)],
        )
    for reopened in (False, True):
        if reopened:
            page.evaluate("workflow => window.app.loadGraphData(workflow)", page.evaluate(SERIALIZED))
        for text in ("of the first", "of the second"):
            shown = page.locator(".pez-panel", has_text=text).locator("visible=true")
            expect(shown).to_have_count(1, timeout=10_000)
            expect(shown.locator(".pez-prompts .pez-text")).to_have_text(text)

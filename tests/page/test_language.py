"""The panel and the help in the language of the page."""

from __future__ import annotations

import pytest
from chromium import leave, look_at, opened
from playwright.sync_api import Page, Route, expect
from search_page import INVERT, give, outcome, panel, state, workflow

METHOD = """() => {
    const node = window.LiteGraph.createNode("PEZSearchSettings")
    node.pos = [950, 250]
    window.app.graph.add(node)
    const choose = (name, value) => { node.widgets.find(each => each.name === name).value = value }
    choose("method", "pez+swaps")
    choose("method.swap_from", "found")
    return Number(node.id)
}"""
DRAWN = "([id, name]) => window.app.graph.getNodeById(id).widgets.find(each => each.name === name)._displayValue"
SET = "locale => window.app.extensionManager.setting.set('Comfy.Locale', locale)"
SPOKEN = "locale => document.querySelector('#vue-app').__vue_app__.config.globalProperties.$i18n.locale === locale"


def speak(page: Page, locale: str) -> None:
    """Sets the language and waits for it: its words are fetched first, and help that is open keeps the old one."""
    page.evaluate(SET, locale)
    page.wait_for_function(SPOKEN, arg=locale)


@pytest.mark.parametrize(
    ("locale", "server", "vue", "idle", "chart", "choices"),
    [
        pytest.param(
            "ja",
            "own frontend",
            False,
            "ここにプロンプトが表示されます。",
            "探索による推定値",
            ["高速 (fast)", "見つかった単語 (found)"],
            marks=pytest.mark.slow,
        ),
        (
            "zh-TW",
            "own frontend",
            True,
            "提示词将显示在这里。",
            "搜索自身的估计",
            ["快速 (fast)", "已找到的词 (found)"],
        ),
        (
            "fr",
            "newest frontend",
            True,
            "Le prompt apparaît ici.",
            "Estimation de la recherche",
            ["rapide (fast)", "trouvés (found)"],
        ),
        ("ko", "newest frontend", False, "The prompt appears here.", "Search's estimate", ["fast", "found"]),
    ],
    indirect=["server"],
    ids=["ja", "zh", "fr newest", "ko newest"],
)
def test_panel_and_choices_are_in_the_language_of_the_page(server, browser, locale, vue, idle, chart, choices):
    page, errors = opened(browser, server.address, workflow(), vue)
    speak(page, locale)
    try:
        page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow())
        expect(page.locator(".pez-panel .pez-prompts").last).to_have_text(idle, timeout=30_000)
        give(page, outcome())
        label = page.locator(".pez-panel svg").last.get_attribute("aria-label")
        assert label.startswith(chart)
        method = page.evaluate(METHOD)
        if vue:
            for node, words in zip((INVERT, method), choices, strict=True):
                expect(page.locator(f"[data-node-id='{node}']").get_by_text(words, exact=True)).to_be_visible()
        else:  # what the canvas draws
            drawn = [page.evaluate(DRAWN, place) for place in ([INVERT, "preset"], [method, "method.swap_from"])]
            assert drawn == choices
        made = page.evaluate("async () => (await window.app.graphToPrompt()).output")
        assert made[str(INVERT)]["inputs"]["preset"] == "fast"  # the same in every language
    finally:
        speak(page, "en")
    assert not errors
    leave(page)


@pytest.mark.slow
@pytest.mark.parametrize("body", [pytest.param(None, id="no answer"), pytest.param("no JSON", id="a wrong answer")])
def test_the_panel_speaks_english_without_translations(comfy, browser, body):
    def answered(route: Route) -> None:
        if body is None:
            route.abort()
        else:
            route.fulfill(body=body)

    page, errors = opened(browser, comfy.address, workflow())
    page.route("**/api/i18n", answered)
    page.reload()
    page.wait_for_function("() => window.app?.graph?.nodes?.some(each => each.type === 'PEZInvert')", timeout=90_000)
    look_at(page)
    expect(panel(page)).to_contain_text("The prompt appears here.", timeout=30_000)
    expect(state(page)).to_have_text("Ready")
    assert not errors
    page.close()


@pytest.mark.parametrize(
    ("locale", "line"),
    [
        pytest.param("fr", "Cherche un court prompt de vrais mots", marks=pytest.mark.slow),
        pytest.param("ko", "Searches for a short prompt of real words", marks=pytest.mark.slow),
    ],
)
def test_help_is_in_the_language_of_the_page_and_has_its_picture(comfy, browser, locale, line):
    page, errors = opened(browser, comfy.address, workflow())
    try:
        speak(page, locale)
        page.wait_for_function(
            """() => {
                if (document.querySelector(".node-help-content")) return true
                app.canvas.selectNode(app.graph.nodes.find(each => each.type === "PEZInvert"))
                document.querySelector("[data-testid=info-button]")?.click()
            }""",
            polling=1000,  # opening a workflow clears the selection a moment later
        )
        expect(page.locator(".node-help-content")).to_contain_text(line, timeout=30_000)
        page.wait_for_function("() => document.querySelector('.node-help-content img')?.naturalWidth > 0")
    finally:
        page.evaluate(SET, "en")
    assert not errors
    page.close()  # with its help


def test_settings_and_commands_are_translated(comfy, browser):
    page, errors = opened(browser, comfy.address, workflow())
    own = page.evaluate(
        """() => {
            const { setting, command } = window.app.extensionManager
            const mine = ids => ids.filter(id => id.startsWith("PEZ.")).map(id => id.replaceAll(".", "_")).sort()
            return [mine(Object.keys(setting.settings)), mine(command.commands.map(each => each.id))]
        }"""
    )
    assert len(own[0]) == 5
    assert own[1] == ["PEZ_Copy", "PEZ_Stop"]
    served = comfy.get("/i18n")
    for language in ("de", "fr", "ja", "zh"):
        for kind, keys in zip(("settings", "commands"), own, strict=True):
            texts = served[language][kind]
            assert all(text.strip() for key in keys for text in texts[key].values()), language
    assert not errors
    leave(page)

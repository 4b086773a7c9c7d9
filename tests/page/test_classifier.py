"""The panel of a search for a prompt that classifies: the same as of others, with accuracies."""

from __future__ import annotations

import re
from typing import Any

from chromium import leave, opened
from playwright.sync_api import expect
from search_page import INVERT, SERIALIZED, panel, run, say, state, widget

WORDS = "happy|warm, sad|lonely"
VALUES = ["Moods (sample)", "", WORDS, " feeling", 4, 1, "fixed", 20, 20, 1]


def learning() -> dict[str, Any]:
    """PEZ Learn Classifier Prompt alone, in the place of the node that searches elsewhere."""
    outputs = [("prompt", "STRING"), ("accuracy", "FLOAT"), ("candidates", "STRING"), ("classifier", "PEZ_CLASSIFIER")]
    node = {
        "id": INVERT,
        "type": "PEZLearnClassifier",
        "pos": [450, 0],
        "size": [400, 500],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [{"name": "language_model", "type": "PEZ_LANGUAGE_MODEL", "link": None}],
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind in outputs],
        "properties": {},
        "widgets_values": VALUES,
    }
    top = {"id": "5b0a6c1e-1f51-4a3e-9d0e-6c2f3c1f7a11", "revision": 0, "last_node_id": INVERT, "last_link_id": 0}
    return {**top, "nodes": [node], "links": [], "groups": [], "config": {}, "extra": {}, "version": 0.4}


def test_accuracy_stands_in_the_place_of_similarity(comfy, browser):
    page, errors = opened(browser, comfy.address, learning())
    shown = panel(page)
    say(page, "pez.state", state="searching", warnings=["Line 3: the text is empty."])
    expect(shown.locator(".pez-warning")).to_have_text("Line 3: the text is empty.")
    for step, value in ((1, 0.6875), (2, 0.979)):
        say(page, "pez.progress", step=step, steps=20, measure="accuracy", similarity=value, best=value)
    expect(shown.locator(".pez-similarity")).to_have_text("accuracy 97.9 %")
    expect(shown.get_by_role("group", name="Best prompt and its accuracy")).to_be_visible()
    expect(shown.get_by_role("img", name="Accuracy by step: 69 % to 98 % in 20 steps")).to_be_visible()
    expect(shown.locator(".pez-key-best")).to_have_text("accuracy")
    expect(shown.locator(".pez-key-restart")).to_be_hidden()
    expect(shown.locator("polyline.pez-restart")).to_have_count(0)
    shown.get_by_role("slider", name="Accuracy at a step").focus()
    expect(shown.locator(".pez-reading")).to_have_text("step 2: 97.9 %")

    say(page, "pez.state", state="cancelled")
    run(page)
    expect(state(page)).to_have_text(re.compile(r"^20 steps · .* · seed 1$"), timeout=120_000)
    expect(shown.locator(".pez-prompts .pez-similarity")).to_have_text(re.compile(r"^accuracy \d+\.\d\s%$"))
    expect(shown.locator(".pez-which").first).to_have_text(re.compile(r"^without a prompt: \d+\.\d\s%$"))
    expect(shown.get_by_role("slider", name="Readability")).to_be_hidden()
    shown.locator(".pez-summary").click()
    second = shown.locator(".pez-choice").nth(1)
    expect(second.locator(".pez-similarity")).to_have_text(re.compile(r"^\d+\.\d\s%$"))
    second.click()
    assert widget(page, "candidate") == 2
    expect(shown.locator(".pez-which").last).to_contain_text("used from the next run")
    saved = page.evaluate(SERIALIZED)
    assert saved["config"]["pez"]["outcomes"][str(INVERT)][0]["measure"] == "accuracy"
    (node,) = saved["nodes"]
    assert node["widgets_values"][:4] == VALUES[:4]  # the suffix keeps its space
    assert not errors
    leave(page)

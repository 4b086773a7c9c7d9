"""What a person sees and can do while it searches: states, stops, cancel, errors; in a real ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import graph, shown

ENDLESS = {"steps": 100_000, "patience": -1, "swap_from": "any"}


def two_pictures(**settings: Any) -> dict[str, Any]:
    made = graph(pictures="one prompt for each", **settings)
    made["second"] = {"class_type": "LoadImage", "inputs": {"image": "pizza.png"}}
    made["batch"] = {"class_type": "ImageBatch", "inputs": {"image1": ["image", 0], "image2": ["second", 0]}}
    made["invert"]["inputs"]["image"] = ["batch", 0]
    return made


def states(run: Any) -> list[tuple[str, str]]:
    return [(data["node"], data["state"]) for data in run.of("pez.state")]


@pytest.fixture
def fresh(comfy):
    """Without anything that ComfyUI has cached."""
    comfy.post("/free", {"unload_models": True, "free_memory": True})
    comfy.run(graph(seed=900, steps=2))
    return comfy


def test_the_panel_is_told_what_happens_before_the_first_step_and_after_the_last(fresh):
    made = graph(seed=901)
    made["model"]["inputs"]["name"] = ""  # another signature for the cache
    run = fresh.run(made)
    assert states(run) == [
        ("model", "loading"),
        *(("invert", state) for state in ("preparing", "searching", "done")),
    ]
    loading, preparing, searching, done = run.of("pez.state")
    assert loading["panels"] == searching["panels"] == ["invert"]
    assert (loading["model"], preparing["model"]) == (made["model"]["inputs"]["model"], "embedded")
    assert searching["thumbnail"].startswith("data:image/webp;base64,")
    assert preparing["run"] == searching["run"] == done["run"] == run.of("pez.progress")[0]["run"]
    assert all(data["version"] == 1 for data in run.of("pez.state") + run.of("pez.progress"))


def test_a_model_is_loaded_once_for_all_nodes_that_load_it(fresh):
    made = graph(seed=902, steps=2)
    made["model"]["inputs"]["name"] = "  "  # not what the cache has
    made["again"] = made["model"]
    made["score"] = {
        "class_type": "PEZScore",
        "inputs": {"pez_model": ["again", 0], "texts": ["invert", 0], "image": ["image", 0]},
    }
    made["table"] = {"class_type": "TestShow", "inputs": {"values": ["score", 1]}}
    run = fresh.run(made)
    assert not run.error
    assert [state for _, state in states(run)].count("loading") == 1


def test_cancel_stops_the_search_and_is_said(comfy):
    prompt_id = comfy.queue(graph(seed=21, **ENDLESS))
    comfy.listen(prompt_id, until="pez.progress")
    comfy.post("/interrupt", {})
    run = comfy.listen(prompt_id)
    (interrupted,) = run.of("execution_interrupted")
    assert interrupted["node_id"] == "invert"
    assert not run.error
    assert states(run)[-1] == ("invert", "cancelled")
    assert "tokens" not in run.history["outputs"]  # nothing after the search ran
    assert comfy.run(graph(seed=22)).output("invert")["text"]


def test_an_error_is_said_to_the_panels(comfy):
    run = comfy.run(graph(prefix="cat " * 80))
    (said,) = [data for data in run.of("pez.state") if data["state"] == "error"]
    assert (said["node"], said["message"]) == ("invert", run.error.strip())
    run = comfy.run(graph({"model": "Other (by name)", "name": "ViT-B-23/laion2b_s34b_b79k"}))
    (said,) = [data for data in run.of("pez.state") if data["state"] == "error"]
    assert (said["node"], said["panels"], said["message"]) == ("model", ["invert"], run.error.strip())


def test_stop_keeps_the_best_and_lets_the_graph_go_on(comfy):
    prompt_id = comfy.queue(graph(seed=23, prefix="a (blue) bird", **ENDLESS))
    (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
    assert comfy.status("/pez/stop/0123456789abcdef") == comfy.status("/pez/stop/0123456789abcdef/0") == 404
    assert comfy.status(f"/pez/stop/{live['run']}/0") == 204
    run = comfy.listen(prompt_id)
    assert run.of("execution_success")
    (found,) = run.output("invert")["pez"]
    assert (found["stopped"], run.output("tokens")["text"]) == ("asked to", [found["delivered"]])
    assert found["similarity"] >= live["similarity"] - 1e-6  # in another batch the same text rounds otherwise
    assert live["delivered"] == live["prompt"].replace("(", "\\(").replace(")", "\\)")  # what Copy copies
    assert live["prompt"].startswith("a (blue) bird ")
    assert comfy.status(f"/pez/stop/{live['run']}") == 404  # it is over


def test_stopping_a_picture_goes_on_with_the_next(comfy):
    prompt_id = comfy.queue(two_pictures(seed=24, **ENDLESS))
    (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
    assert (live["part"], live["parts"]) == (0, 2)
    assert comfy.status(f"/pez/stop/{live['run']}/0") == 204
    part = 0
    while part == 0:
        (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
        part = live["part"]
    assert comfy.status(f"/pez/stop/{live['run']}/0") == 204  # too late: that one has ended, the other goes on
    for _ in range(3):
        (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
    assert comfy.status(f"/pez/stop/{live['run']}/1") == 204
    run = comfy.listen(prompt_id)
    first, second = run.output("invert")["pez"]
    assert first["stopped"] == second["stopped"] == "asked to"
    assert second["steps"] > 30  # it had its own search
    assert len(shown(run, "scores")) == 2


def test_stopping_all_ends_the_pictures_that_follow(comfy):
    prompt_id = comfy.queue(two_pictures(seed=25, **ENDLESS))
    (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")
    assert comfy.status(f"/pez/stop/{live['run']}") == 204
    run = comfy.listen(prompt_id)
    assert [each["stopped"] for each in run.output("invert")["pez"]] == ["asked to", "asked to"]
    assert run.output("invert")["pez"][1]["steps"] <= 20

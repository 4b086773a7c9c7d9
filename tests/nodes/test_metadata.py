"""Results in the metadata of saved pictures, with stand-ins for ComfyUI. Needs no ComfyUI."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

GRAPH = {
    "model": {"class_type": "Loads", "inputs": {"name": "a"}},
    "search": {"class_type": "AnotherSearch", "inputs": {"pez_model": ["model", 0], "seed": 1}},
    "plain": {"class_type": "Plain", "inputs": {"seed": 1}},
    "gone": {"class_type": "Gone", "inputs": {}},
    "odd": {"class_type": ["odd"]},
    "no node": 5,
}
KINDS = {
    "AnotherSearch": SimpleNamespace(RETURN_TYPES=["STRING", "PEZ_RESULT"]),
    "Plain": SimpleNamespace(RETURN_TYPES=("STRING",)),
    "Loads": SimpleNamespace(),
}


RUNNING = SimpleNamespace(list_index=0)
RESULTS, OUTCOMES = [{"prompt": "a red bird"}], [{"text": "a red bird"}]


@pytest.fixture(scope="module")
def metadata(pack):
    comfy_api, latest, server, nodes = map(ModuleType, ("comfy_api", "comfy_api.latest", "server", "nodes"))
    execution, utils = map(ModuleType, ("comfy_execution", "comfy_execution.utils"))
    utils.get_executing_context = lambda: RUNNING
    latest.io = SimpleNamespace(Custom=lambda kind: SimpleNamespace(io_type=kind))
    server.PromptServer, nodes.NODE_CLASS_MAPPINGS = None, KINDS
    return pack(
        "nodes.metadata",
        {
            "comfy_api": comfy_api,
            "comfy_api.latest": latest,
            "comfy_execution": execution,
            "comfy_execution.utils": utils,
            "server": server,
            "nodes": nodes,
        },
    )


def recorded(metadata, node: str):
    hidden = SimpleNamespace(unique_id=node, prompt=GRAPH, extra_pnginfo={"workflow": {"config": None}})
    metadata.record(hidden, RESULTS, OUTCOMES)
    return hidden.extra_pnginfo


def queued(graph, **workflow):
    return {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": workflow}}}


def test_any_node_with_a_result_is_put_back(metadata):
    written = recorded(metadata, "search")
    saved = {"config": {"pez": {"version": 1, "outcomes": {"search": OUTCOMES}}}}
    assert written == {"pez": {"search": RESULTS}, "workflow": saved}
    assert metadata.restore(queued(GRAPH))["extra_data"]["extra_pnginfo"] == written


def test_a_list_of_pictures_has_a_result_for_each(metadata, monkeypatch):
    information = {"workflow": {"config": None}}
    for time in range(2):  # the second time it runs anew
        for item, text in enumerate(("red", "blue", "green")):
            monkeypatch.setattr(RUNNING, "list_index", item)
            hidden = SimpleNamespace(unique_id="search", prompt=GRAPH, extra_pnginfo=information)
            metadata.record(hidden, [{"prompt": f"{text} {time}"}], [{"text": f"{text} {time}"}])
    wanted = [{"text": "red 1"}, {"text": "blue 1"}, {"text": "green 1"}]
    assert information["workflow"]["config"]["pez"]["outcomes"]["search"] == wanted
    assert [each["prompt"] for each in information["pez"]["search"]] == [each["text"] for each in wanted]
    assert metadata.restore(queued(GRAPH))["extra_data"]["extra_pnginfo"]["pez"] == information["pez"]


def test_a_whole_number_is_the_float_that_comfyui_makes_of_it(metadata):
    graph = {**GRAPH, "search": {**GRAPH["search"], "inputs": {"seed": 2, "readability": 0.0}}}
    hidden = SimpleNamespace(unique_id="search", prompt=graph, extra_pnginfo={})
    metadata.record(hidden, RESULTS, OUTCOMES)
    sent = {**graph, "search": {**graph["search"], "inputs": {"seed": 2, "readability": 0}}}
    assert metadata.restore(queued(sent))["extra_data"]["extra_pnginfo"]["pez"] == {"search": RESULTS}
    other = {**graph, "search": {**graph["search"], "inputs": {"seed": 2, "readability": 0.2}}}
    assert "pez" not in metadata.restore(queued(other))["extra_data"]["extra_pnginfo"]


def test_other_nodes_are_left_alone(metadata):
    recorded(metadata, "plain")
    queued = metadata.restore({"prompt": {name: GRAPH[name] for name in GRAPH if name != "search"}})
    assert "extra_data" not in queued


def test_a_changed_graph_is_another_one(metadata):
    recorded(metadata, "search")
    changed = {**GRAPH, "model": {"class_type": "Loads", "inputs": {"name": "b"}}}
    old = {"pez": {"version": 1, "outcomes": {"search": OUTCOMES, "other": OUTCOMES}}}
    (workflow,) = metadata.restore(queued(changed, config=old))["extra_data"]["extra_pnginfo"].values()
    assert workflow["config"]["pez"]["outcomes"] == {"other": OUTCOMES}


@pytest.mark.parametrize("odd", [None, 5, {"pez": 3}, {"pez": {"version": 0}}, {"pez": {"version": 1, "outcomes": []}}])
def test_what_another_version_saved_is_replaced(metadata, odd):
    recorded(metadata, "search")
    written = metadata.restore(queued(GRAPH, config=odd))["extra_data"]["extra_pnginfo"]
    assert written["workflow"]["config"]["pez"] == {"version": 1, "outcomes": {"search": OUTCOMES}}


@pytest.mark.parametrize(
    "odd", [{"inputs": None}, {"inputs": [1]}, {"inputs": {"a": ["plain", 0]}}, {"inputs": {"a": ["odd", 0]}}]
)
def test_odd_nodes_are_passed_on_as_they_are(metadata, odd):
    graph = {**GRAPH, "plain": {**GRAPH["plain"], **odd}, "odd": 5, "search": {**GRAPH["search"], **odd}}
    assert metadata.restore({"prompt": graph})["prompt"] == graph


@pytest.mark.parametrize("odd", [5, [], "x", None])
def test_odd_data_beside_a_graph_is_passed_on_as_it_is(metadata, odd):
    recorded(metadata, "search")
    assert metadata.restore({"prompt": GRAPH, "extra_data": odd})["extra_data"] == odd
    assert (
        metadata.restore({"prompt": GRAPH, "extra_data": {"extra_pnginfo": odd}})["extra_data"]["extra_pnginfo"] == odd
    )
    information = {"extra_pnginfo": {"pez": odd, "workflow": odd}}
    restored = metadata.restore({"prompt": GRAPH, "extra_data": information})["extra_data"]["extra_pnginfo"]
    assert restored["pez"] == {"search": RESULTS}

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


class Outcome:
    def to_json(self):
        return {"prompt": "a red bird"}


@pytest.fixture(scope="module")
def metadata(pack):
    comfy_api, latest, server, nodes = map(ModuleType, ("comfy_api", "comfy_api.latest", "server", "nodes"))
    latest.io = SimpleNamespace(Custom=lambda kind: SimpleNamespace(io_type=kind))
    server.PromptServer, nodes.NODE_CLASS_MAPPINGS = None, KINDS
    return pack(
        "nodes.metadata",
        {"comfy_api": comfy_api, "comfy_api.latest": latest, "server": server, "nodes": nodes},
    )


def recorded(metadata, node: str):
    hidden = SimpleNamespace(unique_id=node, prompt=GRAPH, extra_pnginfo={})
    metadata.record(hidden, GRAPH[node]["class_type"], [Outcome()])
    return hidden.extra_pnginfo


def test_any_node_with_a_result_is_put_back(metadata):
    written = recorded(metadata, "search")
    assert written == {"pez": {"search": [{"node": "AnotherSearch", "prompt": "a red bird"}]}}
    assert metadata.restore({"prompt": GRAPH})["extra_data"]["extra_pnginfo"] == written


def test_other_nodes_are_left_alone(metadata):
    recorded(metadata, "plain")
    queued = metadata.restore({"prompt": {name: GRAPH[name] for name in GRAPH if name != "search"}})
    assert "extra_data" not in queued


def test_a_changed_graph_is_another_one(metadata):
    recorded(metadata, "search")
    changed = {**GRAPH, "model": {"class_type": "Loads", "inputs": {"name": "b"}}}
    assert metadata.restore({"prompt": changed})["extra_data"]["extra_pnginfo"] == {}

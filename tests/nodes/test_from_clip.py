"""ComfyUI's own CLIP and CLIP_VISION as a model, in a real ComfyUI, with random weights in CLIP-L's real widths."""

from __future__ import annotations

import shutil
import time

import pytest
from graphs import graph, picture, shown


@pytest.fixture(scope="module")
def pair(comfy):
    """The server, with files of a text encoder and a vision model that agree on colors."""
    comfy.random_weights("random_pair.py")
    return comfy


def native(encoder: str = "whole", **settings) -> dict:
    """Load CLIP, Load CLIP Vision -> PEZ Model From CLIP -> PEZ Invert; its prompt is scored by ComfyUI's own encoders."""
    clip = {"clip_name": f"{encoder}.safetensors", "type": "stable_diffusion"}
    made = graph(**{"steps": 3, "restarts": 2, "length": 3, **settings}) | {
        "clip": {"class_type": "CLIPLoader", "inputs": clip},
        "vision": {"class_type": "CLIPVisionLoader", "inputs": {"clip_name": "vision.safetensors"}},
        "model": {"class_type": "PEZModelFromCLIP", "inputs": {"clip": ["clip", 0], "clip_vision": ["vision", 0]}},
    }
    sockets = {"clip": ["clip", 0], "clip_vision": ["vision", 0], "image": ["image", 0], "text": ["invert", 0]}
    made["cosine"] = {"class_type": "TestCosine", "inputs": sockets}
    made["theirs"] = {"class_type": "TestShow", "inputs": {"values": ["cosine", 0]}}
    made["invert"]["inputs"]["clip"] = ["clip", 0]
    return made


@pytest.fixture(scope="module")
def first(pair):
    """The outcome with the whole CLIP."""
    run = pair.run(native())
    assert not run.error
    return run


def test_the_score_is_that_of_comfyuis_own_encoders(first):
    assert shown(first, "scores") == pytest.approx(shown(first, "theirs"), abs=1e-3)


@pytest.mark.slow
def test_a_batch_knows_its_weights_again(pair, first):
    """Two connected CLIPs of one kind have one name."""
    folder = pair.base / "input" / "from_clip"
    folder.mkdir()
    shutil.copy(pair.base / "input" / "penguin.png", folder)
    made = {name: native()[name] for name in ("clip", "vision", "model")}
    made["settings"] = {"class_type": "PEZSearchSettings", "inputs": {"steps": 1, "restarts": 1}}
    inputs = {"folder": "from_clip", "recursive": False, "captions": False, "restart": False, "file": "from_clip"}
    inputs |= {"pez_model": ["model", 0], "preset": "fast", "length": 2, "seed": 1, "readability": 0}
    made["batch"] = {"class_type": "PEZBatchFolder", "inputs": {**inputs, "settings": ["settings", 0]}}
    assert not pair.run(made).error
    pair.post("/free", {"unload_models": True, "free_memory": True})
    time.sleep(2)  # the server unloads between prompts, on its own clock
    assert not pair.run(made).error  # the same weights, loaded anew


@pytest.mark.slow
def test_memory_is_given_back_and_the_clip_is_left_as_it_was(pair, first):
    pair.post("/free", {"unload_models": True})
    time.sleep(2)  # the server unloads between prompts, on its own clock
    again = pair.run(native(seed=6))
    assert not again.error
    pair.post("/free", {"unload_models": True, "free_memory": True})
    time.sleep(2)
    last = pair.run(native())
    assert last.output("invert")["text"] == first.output("invert")["text"]
    assert shown(last, "theirs") == shown(first, "theirs")  # CLIP Text Encode gets the same as before
    alone = {name: node for name, node in native().items() if name in ("clip", "vision")}
    alone["image"] = picture("penguin.png")
    inputs = {"clip": ["clip", 0], "clip_vision": ["vision", 0], "image": ["image", 0], "text": "a red bird"}
    alone["cosine"] = {"class_type": "TestCosine", "inputs": inputs}
    alone["theirs"] = {"class_type": "TestShow", "inputs": {"values": ["cosine", 0]}}
    after = shown(pair.run(alone), "theirs")
    pair.post("/free", {"unload_models": True, "free_memory": True})
    time.sleep(2)
    assert shown(pair.run(alone), "theirs") == after  # loaded again by ComfyUI, not by this pack


@pytest.mark.slow
def test_a_missing_projection_is_taken_from_a_whole_file_of_the_same_weights(pair, first):
    bare = pair.run(native("bare"))
    assert not bare.error
    assert bare.output("invert")["text"] == first.output("invert")["text"]


@pytest.mark.slow
def test_a_missing_projection_of_other_weights_is_refused(pair):
    assert "projection" in pair.run(native("tuned")).error


@pytest.mark.slow
def test_towers_that_were_not_trained_together_are_refused(pair):
    """With no file from which the right projection could be taken: the weights are those of a CLIP that lost its own."""
    (pair.base / "models" / "text_encoders" / "whole.safetensors").rename(pair.base / "whole.safetensors")
    try:
        assert "do not agree even on plain colors" in pair.run(native("stranger")).error
    finally:
        (pair.base / "whole.safetensors").rename(pair.base / "models" / "text_encoders" / "whole.safetensors")


def test_a_checkpoint_of_sd15_is_refused_with_the_reason(pair):
    pair.random_weights("random_checkpoint.py")
    made = native()
    made["clip"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "random.safetensors"}}
    for node in ("model", "invert", "cosine"):
        made[node]["inputs"]["clip"] = ["clip", 1]
    error = pair.run(made).error
    assert "projection" in error

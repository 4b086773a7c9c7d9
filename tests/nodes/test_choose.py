"""PEZ Choose by Generator in a real ComfyUI: its own model classes at random weights, against the plain formulas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphs import EMBEDDED, search, shown

TEXTS = ["a dog on a beach", "two (red:1.3) apples", ("a very long prompt " * 30).strip(), "house"]
NOISES, SEED = 3, 7
FREE = {"most": 1000, "seconds": 0.0}  # neither short of memory nor slow
KINDS = {"eps": "SD15", "v": "SD15", "flow": "ZImage"}


@pytest.fixture(scope="module")
def generators(comfy):
    """The server, with a checkpoint of Stable Diffusion 1.5 and a Qwen3, both of random weights."""
    comfy.random_weights("random_checkpoint.py")
    comfy.random_weights("random_language.py")
    return comfy


def loaded(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Nodes that load a generator, and what to connect to the sockets of one that uses it."""
    made: dict[str, Any] = {
        "diffusion": {"class_type": "TestDiffusion", "inputs": {"kind": KINDS[kind], "channels": 0}},
        "loaded": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "random.safetensors"}},
        "reader": {"class_type": "TestLanguageClip", "inputs": {"kind": "Qwen3_4B"}},
        "velocity": {
            "class_type": "ModelSamplingDiscrete",
            "inputs": {"model": ["diffusion", 0], "sampling": "v_prediction", "zsnr": False},
        },
    }
    return made, {
        "model": ["velocity" if kind == "v" else "diffusion", 0],
        "clip": ["reader", 0] if kind == "flow" else ["loaded", 1],
        "vae": ["diffusion", 1],
    }


def graph(kind: str, texts: list[str] = TEXTS, watch: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Choosing among texts by the generator of this kind."""
    made, wires = loaded(kind)
    if watch:
        made["watch"] = {"class_type": "TestWatch", "inputs": {"model": wires["model"], **FREE, **watch}}
        wires["model"] = ["watch", 0]
    own = {"image": ["image", 0], "texts": ["texts", 0], "noises": NOISES, "seed": SEED}
    shows = {
        name: {"class_type": "TestShow", "inputs": {"values": ["choose", i]}}
        for i, name in enumerate(("prompt", "candidates", "gain", "table", "json"))
    }
    return (
        made
        | shows
        | {
            "image": {"class_type": "TestPicture", "inputs": {"kind": "shaded"}},
            "texts": {"class_type": "TestTexts", "inputs": {"texts": json.dumps(texts)}},
            "choose": {"class_type": "PEZChooseByGenerator", "inputs": {**wires, **own, **given}},
        }
    )


def numbers(run: Any) -> dict[str, Any]:
    assert not run.error, run.error
    return json.loads(shown(run, "json")[0])


def gains(run: Any) -> list[float]:
    """In percent, in the order in which the texts were given."""
    return [100 * each["gain"] for each in sorted(numbers(run)["candidates"], key=lambda each: each["place"])]


@pytest.mark.parametrize("kind", KINDS)
def test_the_gains_are_those_of_the_plain_formulas(generators, kind):
    """No prompt, weights and long prompts included; the losses of noise, velocity and flow are the generator's own."""
    made = graph(kind)
    _, wires = loaded(kind)
    inputs = {**wires, "image": ["image", 0], "texts": json.dumps(TEXTS), "kind": kind, "noises": NOISES, "seed": SEED}
    made["plain"] = {"class_type": "TestGains", "inputs": inputs}
    made["expected"] = {"class_type": "TestShow", "inputs": {"values": ["plain", 0]}}
    run = generators.run(made)
    assert not run.error, run.error
    expected, spread = shown(run, "expected"), max(shown(run, "expected")) - min(shown(run, "expected"))
    assert spread > 1e-3  # in percent: far more than rounding
    assert gains(run) == pytest.approx(expected, abs=0.02 * spread)
    order = sorted(range(len(TEXTS)), key=lambda i: -expected[i])
    assert shown(run, "candidates") == [TEXTS[i] for i in order]
    assert shown(run, "prompt") == [TEXTS[order[0]]]
    assert shown(run, "gain") == sorted(shown(run, "gain"), reverse=True)
    assert "resolved" in shown(run, "table")[0]


@pytest.mark.parametrize("kind", ["eps", "flow"])
def test_parts_that_fit_into_memory_give_the_same_numbers(generators, kind):
    """Prompts of one length go through together; where memory runs out, half as many, and no more of them from then on."""
    texts = ["a dog", "a cat", "a red", "a big", "a fox"]
    whole = generators.run(graph(kind, texts, {"said": f"whole {kind}"}))
    split = generators.run(graph(kind, texts, {"said": f"split {kind}", "most": 2}))
    assert gains(split) == pytest.approx(gains(whole), abs=1e-4)
    sizes = {
        name: [int(line.split()[2]) for line in generators.log.splitlines() if line.startswith(f"{name} {kind}: ")]
        for name in ("whole", "split")
    }
    assert max(sizes["whole"]) >= len(texts)
    assert sum(sizes["whole"]) == (1 + len(texts)) * NOISES
    assert sum(size > 2 for size in sizes["split"]) <= 2
    done = sum(size for size in sizes["split"] if size <= 2)
    assert 0 <= done - (1 + len(texts)) * NOISES <= len(texts)  # what went through before memory ran out is done again


def test_too_little_memory_for_one_prompt_is_said(generators):
    error = generators.run(graph("eps", ["a dog"], {"said": "none", "most": 0})).error
    assert "Not enough memory to denoise a single picture with SD15: lower megapixels" in error


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(generators):
    once = numbers(generators.run(graph("flow", watch={"said": "once"})))
    again = numbers(generators.run(graph("flow", watch={"said": "again"})))  # another node before it: nothing is cached
    other = numbers(generators.run(graph("flow", watch={"said": "once"}, seed=SEED + 1)))
    assert once["candidates"] == again["candidates"]
    assert once["candidates"] != other["candidates"]


def test_it_can_be_interrupted_and_used_again(generators):
    prompt = generators.queue(graph("eps", watch={"said": "slow", "seconds": 0.05}, noises=1000))
    generators.listen(prompt, until="progress")
    generators.post("/interrupt", {})
    assert generators.listen(prompt).of("execution_interrupted")
    assert len(numbers(generators.run(graph("eps", watch={"said": "after"})))["candidates"]) == len(TEXTS)


def test_progress_is_shown_on_the_node(generators):
    run = generators.run(graph("flow", watch={"said": "progress"}))
    told = [data for data in run.of("progress") if data["node"] == "choose"]
    assert told[-1]["value"] == told[-1]["max"] == (1 + len(TEXTS)) * NOISES


def test_candidates_of_a_search_come_first_as_clip_text_encode_reads_them(generators):
    made = graph("eps", ["a (dog) of my own"])
    made |= {
        "model": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED}},
        **search(["image", 0], preset="fast", length=3, steps=4, restarts=2, prefix="a (red)"),
        "found": {"class_type": "TestShow", "inputs": {"values": ["invert", 2]}},
    }
    made["choose"]["inputs"]["result"] = ["invert", 3]
    run = generators.run(made)
    given = sorted(numbers(run)["candidates"], key=lambda each: each["place"])
    assert [each["prompt"] for each in given] == [*shown(run, "found"), "a (dog) of my own"]
    assert given[0]["prompt"].startswith(r"a \(red\) ")


def test_several_pictures_of_different_sizes_count_together(generators):
    made = graph("eps")
    made["sizes"] = {"class_type": "TestSizes", "inputs": {"image": ["image", 0]}}
    made["choose"]["inputs"]["image"] = ["sizes", 0]
    assert numbers(generators.run(made))["pictures"] == 4


def test_a_large_picture_is_scaled_down(generators):
    made = graph("eps", megapixels=0.01)
    made["image"] = {"class_type": "LoadImage", "inputs": {"image": "penguin.png"}}
    small = numbers(generators.run(made))
    made["scaled"] = {
        "class_type": "ImageScale",
        "inputs": {"image": ["image", 0], "width": 96, "height": 96, "upscale_method": "area", "crop": "center"},
    }
    made["choose"]["inputs"] |= {"image": ["scaled", 0], "megapixels": 1.0}
    again = numbers(generators.run(made))
    assert [each["prompt"] for each in small["candidates"]] == [each["prompt"] for each in again["candidates"]]


@pytest.mark.parametrize("kind", ["eps", "flow"])
def test_the_best_are_painted_and_compared_if_asked(generators, kind):
    made = graph(kind, painted=3, steps=2, judge=["model", 0])
    made["model"] = {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED}}
    run = generators.run(made)
    told = numbers(run)
    painted = {each["prompt"]: each["gain"] for each in told["painted"]}
    by_loss = [each["prompt"] for each in told["candidates"]]
    assert set(painted) == set(by_loss[:3])
    best = max(painted, key=lambda prompt: painted[prompt])
    assert shown(run, "prompt") == [told["best"]] == [best]
    assert shown(run, "candidates") == [*sorted(painted, key=lambda prompt: -painted[prompt]), by_loss[3]]
    assert "painted" in shown(run, "table")[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"painted": 2}, "painted needs a model that compares the paintings"),
        ({"texts": " \n"}, "There is no prompt to choose"),
        ({"texts": ["a dog", 5]}, "texts must be texts, not 5: check the node that is connected to it"),
        ({"vae": ["other", 1]}, "The VAE makes latents of 16 channels, SD15 denoises 4"),
        ({"image": ["tiny", 0]}, "The picture has 1 x 1 pixels, a generator needs 16 x 16 at least"),
        ({"image": ["empty", 0]}, "No picture was given"),
        ({"image": None}, "No picture was given"),
        ({"image": ["two", 0]}, "A tensor of the shape [64, 64, 2] is not a picture"),
        ({"image": ["nan", 0]}, "The picture contains NaN or infinite values"),
        ({"clip": None}, "clip is None: the checkpoint that it comes from may have none"),
        ({"clip": ["reader", 0]}, "connect the CLIP that belongs to this generator"),
    ],
)
def test_what_cannot_be_used_is_said(generators, change, said):
    made = graph("eps", **change)
    made |= {
        "other": {"class_type": "TestDiffusion", "inputs": {"kind": "ZImage", "channels": 0}},
        "tiny": {"class_type": "TestPicture", "inputs": {"kind": "tiny"}},
        "empty": {"class_type": "TestPicture", "inputs": {"kind": "empty"}},
        "nan": {"class_type": "TestPicture", "inputs": {"kind": "nan"}},
        "two": {"class_type": "TestPicture", "inputs": {"kind": "two channels"}},
    }
    (error,) = generators.run(made).of("execution_error")
    assert error["exception_type"] == "PEZ"
    assert said in error["exception_message"]


def test_a_missing_judge_is_said_before_anything_is_measured(generators):
    assert "connect one to judge" in generators.run(graph("eps", watch={"said": "judged"}, painted=2)).error
    assert "judged: " not in generators.log


def test_a_picture_of_one_channel_is_gray(generators):
    made = graph("eps")
    made["image"]["inputs"]["kind"] = "one channel"
    gray = gains(generators.run(made))
    made["image"]["inputs"]["kind"] = "grey"
    assert gray == gains(generators.run(made))

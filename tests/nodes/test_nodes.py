"""The nodes in a real ComfyUI, over its HTTP and WebSocket API."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from graphs import graph, shown
from PIL import Image
from stand_ins import fits_best

ROOT = Path(__file__).parents[2]
NODES = sorted(path.stem for path in (ROOT / "web" / "docs").glob("*.md"))


def odd_picture(kind: str, **settings: Any) -> dict[str, Any]:
    made = graph(**settings)
    made["image"] = {"class_type": "TestPicture", "inputs": {"kind": kind}}
    return made


def tooltips(name: str, options: dict[str, Any]) -> dict[str, str]:
    """The tooltips of an input: of one that grows, of those that it grows; of a choice, also of the inputs that it adds."""
    growing = options.get("template", {}).get("input", {}).get("required", {})
    if growing:
        return {each: more["tooltip"] for each, (_, more) in growing.items()}
    said = {name: options.get("tooltip", "")}
    for option in options.get("options", []):
        for kind in option.get("inputs", {}).values() if isinstance(option, dict) else ():
            said |= {each: more["tooltip"] for each, (_, more) in kind.items()}
    return said


def test_the_pack_loads_without_a_word_of_complaint(comfy):
    lines = [line for line in comfy.startup.splitlines() if "pez" in line.lower()]
    assert lines
    assert not [line for line in lines if any(w in line.lower() for w in ("error", "warn", "fail", "traceback"))]


def test_object_info_shows_the_nodes_with_tooltips(comfy):
    for node in NODES:
        info = comfy.get(f"/object_info/{node}")[node]
        assert info["category"].split("/")[0] == "PEZ"
        assert info["description"]
        for kind in ("required", "optional"):
            for name, (_, options) in info["input"].get(kind, {}).items():
                for inner, said in tooltips(name, options).items():
                    assert said, f"{node}.{inner}"
        assert all(info["output_tooltips"])
    everything = comfy.get("/object_info")
    assert sorted(name for name, info in everything.items() if info["python_module"].endswith("pez")) == NODES
    seed = comfy.get("/object_info/PEZInvert")["PEZInvert"]["input"]["required"]["seed"][1]
    assert seed["control_after_generate"] == "fixed"


def test_help_page_is_served(comfy):
    for node in NODES:
        with urllib.request.urlopen(f"http://{comfy.address}/extensions/pez/docs/{node}.md") as page:
            assert page.read().startswith(b"# ")


def test_picture_to_prompt_with_progress_and_live_text(comfy, model):
    run = comfy.run(graph())
    assert not run.error
    assert [data for data in run.of("progress") if data["node"] == "invert" and data["max"] == 60]
    live = run.of("pez.progress")
    assert all(data["node"] == "invert" and data["steps"] == 60 for data in live)
    best = [data["best"] for data in live]
    assert best == sorted(best)
    assert all(data["best"] >= max(data["restarts"].values(), default=-1) for data in live)
    assert live[0]["similarity"] == pytest.approx(live[0]["best"], abs=1e-3)  # the first one is scored
    assert fits_best(model, live[-1]["prompt"]) == "penguin"
    (prompt,) = run.output("invert")["text"]
    assert fits_best(model, prompt) == "penguin"
    (similarity,) = shown(run, "scores")
    assert similarity == run.output("invert")["pez"][0]["similarity"]
    candidates = shown(run, "candidates")
    assert candidates[0] == prompt
    assert len(candidates) == len(set(candidates)) > 1


def test_the_same_run_twice_is_answered_from_the_cache(comfy):
    comfy.run(graph(seed=11))
    run = comfy.run(graph(seed=11))
    (cached,) = run.of("execution_cached")
    assert {"model", "invert"} <= set(cached["nodes"])
    assert not run.of("progress")


@pytest.mark.parametrize(
    "settings",
    [
        {"vocabulary": "any"},
        {"vocabulary": "words", "prefix": "a (blue) bird:", "suffix": "[sky] 50%"},
        {"prefix": "a “red” &amp; ﬁne Bird’s caf\u0065\u0301"},
        {"start_words": "A snow-covered penguin (on ice),\nits caf\u0065\u0301 & two sailboats.", "readability": 0.5},
        {"start_words": "a dog in snow | A penguin, on a (blue) background.", "readability": 0.5},
    ],
)
def test_clip_text_encode_reads_exactly_the_scored_tokens(comfy, model, settings):
    """ComfyUI's tokenizer on the prompt output: the scored ids, weights 1, one chunk."""
    run = comfy.run(graph(seed=5, **settings))
    assert not run.error
    (chunk,) = json.loads(run.output("tokens")["tokens"][0])
    (scored,) = run.output("invert")["text"]
    ids = model.vocabulary.encode(scored)
    assert [token for token, _ in chunk[: len(ids) + 2]] == [49406, *ids, 49407]
    assert all(weight == 1.0 for _, weight in chunk)


def test_model_picture_and_search_alone_can_run(comfy):
    made = {name: node for name, node in graph().items() if name not in ("tokens", "scores", "candidates")}
    output = comfy.run(made).output("invert")
    assert output["text"]
    assert output["pez_path"] == ["invert"]  # the page tells the uses of a sub-graph apart by it


def test_a_model_is_shown_by_its_name(comfy):
    made = {"model": graph()["model"], "text": {"class_type": "PreviewAny", "inputs": {"source": ["model", 0]}}}
    (name,) = comfy.run(made).output("text")["text"]  # a bypassed PEZ Invert passes its model on
    assert name == "ClipModel(embedded)"


def test_the_sample_picture_is_previewed(comfy):
    made = {"sample": {"class_type": "PEZSamplePicture", "inputs": {"picture": "penguin"}}, **graph()}
    del made["image"]
    made["invert"]["inputs"]["image"] = ["sample", 0]
    run = comfy.run(made)
    (preview,) = run.output("sample")["images"]
    assert preview["type"] == "temp"
    assert run.output("invert")["text"] == comfy.run(graph()).output("invert")["text"]


def test_warnings_are_part_of_the_outcome(comfy):
    (found,) = comfy.run(graph(prefix="zyzzyva", start_words="of xylophone")).output("invert")["pez"]
    about_prefix, about_start = found["warnings"]
    assert "zyzzyva" in about_prefix
    assert "of xylophone" in about_start


def test_the_outcome_says_with_which_of_several_texts_the_search_began(comfy):
    for words, expected in (("a dog in snow | a penguin", "a penguin"), ("a penguin", None)):
        (found,) = comfy.run(graph(start_words=words, readability=0.5)).output("invert")["pez"]
        assert found.get("began_with") == expected


def test_a_batch_gives_one_prompt_or_one_each(comfy):
    made = graph()
    made["second"] = {"class_type": "LoadImage", "inputs": {"image": "pizza.png"}}
    made["batch"] = {"class_type": "ImageBatch", "inputs": {"image1": ["image", 0], "image2": ["second", 0]}}
    made["invert"]["inputs"]["image"] = ["batch", 0]
    together = comfy.run(made)
    assert len(together.output("invert")["text"]) == 1
    made["invert"]["inputs"]["pictures"] = "one prompt for each"
    each = comfy.run(made)
    alone = [comfy.run(graph(image=name)).output("invert")["text"][0] for name in ("penguin.png", "pizza.png")]
    assert each.output("invert")["text"] == alone
    assert len(each.output("tokens")["text"]) == 2  # what follows ran once for each


def test_a_stopped_search_does_not_answer_for_its_seed(comfy):
    endless = graph(steps=100_000, patience=-1, seed=25, swap_from="any")
    for _ in range(2):
        prompt_id = comfy.queue(endless)
        (live,) = comfy.listen(prompt_id, until="pez.progress").of("pez.progress")  # it searches
        assert comfy.status(f"/pez/stop/{live['run']}/0") == 204
        stopped = comfy.listen(prompt_id)
        assert stopped.output("invert")["pez"][0]["stopped"] == "asked to"
        comfy.run(graph(seed=26, steps=3))  # otherwise ComfyUI's cache would answer
    other = comfy.run(
        {**endless, "invert": {**endless["invert"], "inputs": endless["invert"]["inputs"] | {"candidate": 2}}}
    )
    assert shown(other, "candidates")[0] == shown(stopped, "candidates")[1]  # chosen among what it returned
    assert not other.of("pez.progress")


def test_another_candidate_costs_no_other_search(comfy):
    first = comfy.run(graph(seed=24))
    candidates = shown(first, "candidates")
    for number, expected in ((2, candidates[1]), (1000, candidates[-1])):
        run = comfy.run(graph(seed=24, candidate=number))
        (found,) = run.output("invert")["pez"]
        assert run.output("tokens")["text"] == [found["delivered"]] == [expected]
        before = first.output("invert")["pez"][0]
        assert (found["seconds"], found["id"], found["seed"]) == (before["seconds"], before["id"], 24)
        assert found["candidate"] == min(number, len(candidates))
        assert [each["text"] for each in found["candidates"]] == candidates  # best first, whichever is chosen
        assert [token["text"] for token in found["tokens"]] == expected.split()
        assert shown(run, "scores")[0] == found["similarity"]


def test_a_readable_search_gives_prompts_from_the_closest_to_the_most_readable(comfy):
    run = comfy.run(graph(seed=61, readability=0.7))
    (found,) = run.output("invert")["pez"]
    texts = [each["text"] for each in found["candidates"]]
    assert run.output("invert")["text"] == [texts[0]]
    assert found["settings"]["readability"] == 0.7
    last = max(found["candidates"], key=lambda each: each["similarity"])
    assert last["nll"] > found["candidates"][0]["nll"]
    number = texts.index(last["text"]) + 1
    picked = comfy.run(graph(seed=61, readability=0.7, candidate=number))
    assert not picked.of("pez.progress")  # without another search
    assert picked.output("invert")["text"] == [last["text"]]
    (again,) = picked.output("invert")["pez"]
    assert [each["text"] for each in again["candidates"]] == texts


@pytest.mark.slow
def test_runs_again_after_comfyui_unloaded_the_model(comfy):
    first = comfy.run(graph(seed=31))
    comfy.post("/free", {"unload_models": True})
    time.sleep(2)  # the server unloads between prompts, on its own clock
    kept = comfy.run(graph(seed=32))
    assert not kept.error
    comfy.post("/free", {"unload_models": True, "free_memory": True})
    time.sleep(2)
    again = comfy.run(graph(seed=31))
    assert not again.error
    assert again.output("invert")["text"] == first.output("invert")["text"]


def test_weights_moved_under_inference_mode_are_repaired(comfy):
    made = graph(seed=33)
    made["moved"] = {"class_type": "TestContaminate", "inputs": {"pez_model": ["model", 0]}}
    made["invert"]["inputs"]["pez_model"] = ["moved", 0]
    run = comfy.run(made)
    assert not run.error
    assert run.output("invert")["text"] == comfy.run(graph(seed=33)).output("invert")["text"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (odd_picture("empty"), "No picture"),
        (odd_picture("tiny"), "1 x 1 pixels"),
        (odd_picture("nan"), "NaN"),
        (graph(length=75, prefix="a photo of"), "length must be from 1 to 72"),
        (graph(prefix="cat " * 80), "nothing is left to search"),
        (graph(prefix="an embedding:cat"), "embedding:"),
        (graph(suffix="<|endoftext|>"), "endoftext"),
        (graph(banned_words=", ".join(f"{c}*" for c in "abcdefghijklmnopqrstuvwxyz")), "Every token"),
        (graph({"model": "Other (by name)", "name": "ViT-B-23/laion2b_s34b_b79k"}), "ViT-B-32"),
        (graph({"model": "Other (by name)", "name": "ViT-B-32/laion"}), "laion2b_s34b_b79k"),
    ],
    ids=["empty", "tiny", "nan", "length", "prefix", "embedding", "special", "banned", "model", "tag"],
)
def test_bad_input_says_what_and_how_to_mend_it(comfy, made, said):
    run = comfy.run(made)
    assert said in run.error
    assert run.of("execution_error")[0]["exception_type"] == "PEZ"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (graph(steps=-1), "smaller than min"),
        (graph(length=-1), "smaller than min"),
        (graph({"model": "SD 1.5"}), "SD 1.5 (ViT-L-14 openai)"),
        (graph({"model": "Other (by name)"}), "needs the name"),
        (graph({"name": "ViT-B-32"}), "clear the name"),
        (graph({"checkpoint": "gone.safetensors"}), "models/open_clip"),
    ],
    ids=["steps", "length", "model", "no name", "stray name", "no file"],
)
def test_bad_widgets_are_refused_before_the_run(comfy, made, said):
    answer = comfy.post("/prompt", {"prompt": made, "client_id": comfy.client})
    assert said in json.dumps(answer["node_errors"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pez_model", 5),
        ("pez_model", None),
        ("image", "x"),
        ("words", "x"),
        ("settings", 1.5),
        ("language_model", True),
    ],
)
def test_a_plain_value_in_place_of_a_connection_is_named(comfy, name, value):
    made = graph(steps=2, restarts=2)
    made["invert"]["inputs"][name] = value
    (error,) = comfy.run(made).of("execution_error")
    assert error["exception_type"] == "PEZ"
    assert error["exception_message"].strip() == f"{name} must be connected, not {value!r}: connect it to a node."


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("PEZLoadModel", {"model": 1.5}),
        ("PEZLoadModel", {"model": "Embedded", "checkpoint": 5}),
        ("PEZLoadLanguageModel", {"language_model": True}),
        ("PEZLearnClassifier", {"examples": 2.5}),
    ],
)
def test_a_number_in_place_of_a_choice_is_named(comfy, node, inputs):
    whole = {"text": "", "label_words": "", "suffix": "", "length": 4, "seed": 0, "steps": 1, "hold_out": 0}
    given = {**(whole if node == "PEZLearnClassifier" else {}), **inputs}
    made = {"1": {"class_type": node, "inputs": given}, "2": {"class_type": "TestShow", "inputs": {"values": ["1", 0]}}}
    answer = json.dumps(comfy.post("/prompt", {"prompt": made, "client_id": comfy.client}))
    name, value = list(inputs.items())[-1]
    assert f"{name} must be text, not {value!r}." in answer
    assert "Traceback" not in answer
    assert "Exception when validating" not in answer


def test_a_plain_value_in_a_list_of_connections_is_named(comfy):
    made = {name: node for name, node in graph().items() if name in ("model", "image")}
    targets = {"targets.target1": 1.5, "targets.target2": 2.5, "weights": ""}
    made["blend"] = {"class_type": "PEZBlendTargets", "inputs": targets}
    made["search"] = {"class_type": "PEZInvert", "inputs": {**graph()["invert"]["inputs"], "image": ["blend", 0]}}
    made |= {name: graph()[name] for name in ("words", "settings")}
    assert "targets must be connected, not 1.5" in comfy.run(made).error


def test_no_picture_connected(comfy):
    made = graph()
    del made["invert"]["inputs"]["image"]
    answer = comfy.post("/prompt", {"prompt": made, "client_id": comfy.client})
    (error,) = answer["node_errors"]["invert"]["errors"]
    assert (error["message"], error["extra_info"]["input_name"]) == ("Required input is missing", "image")


def test_a_download_that_cannot_be_had_names_file_source_and_folder(comfy):
    run = comfy.run(graph({"model": "SD 2.x, Midjourney (ViT-H-14 laion2b_s32b_b79k)"}))
    assert "open_clip_model.safetensors" in run.error
    assert "huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K" in run.error
    assert str(comfy.base / "models" / "open_clip") in run.error


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("broken.safetensors", b"not a checkpoint", "cannot be read as a checkpoint"),
        ("broken.pt", b"not a checkpoint either", "cannot be read as a checkpoint"),
    ],
)
def test_a_damaged_checkpoint(comfy, name, content, said):
    (comfy.base / "models" / "open_clip" / name).write_bytes(content)
    run = comfy.run(graph({"model": "SD 1.5 (ViT-L-14 openai)", "checkpoint": name}))
    assert said in run.error


def test_a_checkpoint_in_real_shapes_is_searched(comfy, second_model):
    listed = comfy.get("/object_info/PEZLoadModel")["PEZLoadModel"]["input"]["optional"]["checkpoint"]
    assert "b32.safetensors" in json.dumps(listed)
    run = comfy.run(graph(second_model, steps=3, restarts=2))
    assert not run.error
    assert len(run.output("invert")["text"][0].split()) == 6


def test_to_the_sampler_and_back_to_a_picture(comfy):
    """A complete workflow, with a checkpoint of random weights."""
    comfy.random_weights("random_checkpoint.py")
    made = graph(seed=41)
    made |= {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "random.safetensors"}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": ["invert", 0]}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": ""}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "sampler": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["checkpoint", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["latent", 0],
                "seed": 1,
                "steps": 1,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["checkpoint", 2]}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["decode", 0], "filename_prefix": "pez"}},
    }
    run = comfy.run(made)
    assert not run.error
    (saved,) = run.output("save")["images"]
    with Image.open(comfy.base / "output" / saved["filename"]) as picture:
        assert picture.size == (64, 64)

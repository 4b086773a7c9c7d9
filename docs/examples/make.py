"""Makes the example workflows, their thumbnails, the blueprint, and the pictures in the help pages.

    python docs/examples/make.py                     everything
    python docs/examples/make.py --drawn             only thumbnails and pictures
    python docs/examples/make.py "TITLE" ...         only these workflows, with what is drawn of them
    python docs/examples/make.py --alone             only the help pages' pictures of nodes that are in no workflow

It builds each workflow of workflows.py in the page of a real ComfyUI, as a person would, and saves what the page saves. For
thumbnails it searches with the embedded model. It needs what the tests of the page need (ComfyUI, Chromium).
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
import textwrap
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

from chromium import chromium
from comfy_server import FOLDER, SAMPLES, Comfy, find_comfyui, prepare
from PIL import Image, ImageDraw, ImageFont
from workflows import BLUEPRINT, BLUEPRINT_NAME, EMBEDDED, EXAMPLES, OUTSIDE, RESULTS, Node, Workflow

from pez_core import choose
from pez_core.models.painter import load_painter
from pez_core.models.painter_generator import PainterGenerator

WORKFLOWS, BLUEPRINTS = ROOT / "example_workflows", ROOT / "subgraphs"
IMAGES = ROOT / "web" / "docs" / "images"
SIZE, SIDE, EDGE = (600, 450), 240, 24  # of a thumbnail, in pixels: all of it, its pictures, the space around
INK, FAINT = "#ffffff", "#c8d4e4"
SCALE = 1.0  # of the help pages' pictures
VIEW = (100, 120), (1260, 720)
"""Pixels: what the page's bars cover at left and at the top, and what is free for the nodes."""

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUILD = (Path(__file__).parent / "build.js").read_text("utf-8")
HELP = {
    "picture": ("picture to prompt", ("model", "picture", "invert")),
    "panel": ("picture to prompt", ("invert",)),
    "words": ("prompt without certain words", ("words", "invert")),
    "paint": ("picture to prompt to picture", ("invert", "paint")),
    "score": ("prompt without certain words", ("score", "table")),
    "batch": ("prompts for a folder of pictures", ("model", "batch", "text", "names")),
    "each": ("one prompt for each picture", ("invert", "save", "text")),
    "negative": ("find a negative prompt", ("target", "invert")),
    "blend": ("a blend of a picture and words", ("image", "text", "blend", "invert")),
    "distill": ("shorten a long prompt", ("distill",)),
    "two-encoders": ("one prompt for both encoders of SDXL", ("model", "small", "both")),
    "language": ("prompt that reads", ("model", "picture", "language", "invert")),
    "classify": ("switch a style by the mood of a prompt", ("learn", "classify")),
    "choose": ("let the generator choose", ("choose", "table")),
    "both": ("positive and negative prompt, weighted", ("both", "weighted", "text")),
    "clip": ("SDXL with the CLIP of the workflow", ("checkpoint", "vision", "model", "invert")),
}
"""The help pages' pictures: from which workflow, and which of its nodes."""
RUN = ("PEZ", "Batch", "ImageScale", "SplitImage", "Primitive", "PreviewAny", "String", "ComfySwitch")
"""The nodes that run before a picture is taken: they need nothing but the pack."""
SHOWN = {"PEZDistill": "text", "PrimitiveStringMultiline": "value"}
"""The nodes whose text a thumbnail shows as what goes in, with their widgets."""
PREVIEWED = {"PEZClassifyText", "PEZBatchFolder"}
"""The nodes of which a thumbnail shows what the first preview after them shows."""
CAPTION = "a cat plays with a ball"
"""Stands in for what a language model writes."""
ALONE: dict[str, Workflow] = {
    "settings": {"settings": Node("PEZSearchSettings", (0, 0), {"method": "pez+swaps"}, size=(400, 330))},
    "doctor": {"doctor": Node("PEZDoctor", (0, 0), size=(620, 440))},
}
"""More of the help pages' pictures, of workflows that are no examples."""


def plain(workflow: Workflow) -> dict[str, Any]:
    """The workflow for build.js."""
    return {name: node._asdict() for name, node in workflow.items()}


def opened(browser: Any, server: Comfy) -> Any:
    page = browser.new_page(viewport={"width": 1600, "height": 1400})
    page.goto(f"http://{server.address}")
    page.wait_for_function(
        "() => window.app?.extensionManager && window.LiteGraph?.registered_node_types?.PEZInvert", timeout=90_000
    )
    page.evaluate(BUILD)
    return page


def view_of(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of the canvas that shows all nodes, at full size or smaller, in a window of usual size."""
    left, top = (min(node["pos"][axis] for node in nodes) for axis in (0, 1))
    right, bottom = (max(node["pos"][axis] + node["size"][axis] for node in nodes) for axis in (0, 1))
    (x, y), (width, height) = VIEW
    scale = math.floor(20 * min(1, width / (right - left), height / (bottom - top))) / 20
    return {"scale": scale, "offset": [round(x / scale - left), round(y / scale - top)]}


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a workflow as it opens best; what the page names at random gets names that stay the same."""
    if content.get("nodes"):
        content["extra"]["ds"] = view_of(content["nodes"])
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    for number, name in enumerate(dict.fromkeys(UUID.findall(text))):
        text = text.replace(name, str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path.stem} {number}")))
    path.write_text(text, "utf-8")


def searches(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with the embedded model in every search, and without what needs other files."""
    kinds = ("PEZLoadModel", "PEZCombineModels", "PEZModelFromCLIP", "PEZPlot", "PEZChooseByGenerator")
    found = {
        name: {**each, "inputs": dict(each["inputs"])}
        for name, each in graph.items()
        if each["class_type"].startswith(RUN) and each["class_type"] not in kinds
    }
    for node in found.values():
        for name in ("pez_model", "clip"):
            if node["inputs"].pop(name, None) and name == "pez_model":
                node["inputs"][name] = ["embedded", 0]
    for name, each in graph.items():
        if each["class_type"] == "TextGenerate":
            found[name] = {"class_type": "PrimitiveString", "inputs": {"value": CAPTION}}
    after = [
        name for name, each in found.items() if graph[name]["class_type"] == "PreviewAny" and _source(each) not in found
    ]
    for name in after:  # of what does not run
        del found[name]
    return found | {"embedded": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED}}}


def _source(shown: dict[str, Any]) -> str:
    return shown["inputs"]["source"][0]


def shown_choice(
    graph: dict[str, Any], candidates: list[str], pictures: list[Image.Image]
) -> dict[str, dict[str, Any]]:
    """What the nodes show that show the table of PEZ Choose by Generator: the painter stands in for a generator."""
    made = {}
    for name, each in graph.items():
        if each["class_type"] == "PreviewAny" and graph[_source(each)]["class_type"] == "PEZChooseByGenerator":
            made[name] = {"text": [choose(PainterGenerator(load_painter()), candidates, pictures[:1]).table()]}
    return made


def pictures_of(graph: dict[str, Any]) -> list[Image.Image]:
    shown = [
        Image.open(SAMPLES / f"{each['inputs']['picture']}.png")
        for each in graph.values()
        if each["class_type"] == "PEZSamplePicture"
    ]
    if any(each["class_type"] == "PEZBatchFolder" for each in graph.values()):
        shown += [Image.open(SAMPLES / name) for name in FOLDER]
    return [each.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS) for each in shown]


def painted(server: Comfy, outputs: list[dict[str, Any]]) -> list[Image.Image]:
    """What PEZ Paint painted."""
    files = [
        Path(server.base, each["type"], each["subfolder"], each["filename"])
        for out in outputs
        for each in out["images"]
    ]
    return [Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS) for file in files]


def thumbnail(title: str, pictures: list[Image.Image], before: str, prompts: list[str]) -> Image.Image:
    """What goes in, large, and what comes out."""
    hue = 360 * list(EXAMPLES).index(title) // len(EXAMPLES)  # each looks different
    drawn = Image.new("RGB", SIZE, f"hsl({hue}, 45%, 20%)")
    draw = ImageDraw.Draw(drawn)
    draw.text((EDGE, EDGE // 2), title, FAINT, ImageFont.load_default(24))
    top = 56
    for i, picture in enumerate(pictures[:2]):
        drawn.paste(picture, (EDGE + i * (SIDE + EDGE), top))
    if before:
        draw.multiline_text((EDGE, top), textwrap.fill(before, 34), FAINT, ImageFont.load_default(30), spacing=8)
    size, letters = (32, 34) if len(prompts) == 1 else (25, 44)
    text = "\n".join(textwrap.fill(prompt, letters) for prompt in prompts[:2])
    draw.multiline_text((EDGE, top + SIDE + 16), text, INK, ImageFont.load_default(size), spacing=6)
    return drawn


def help_picture(page: Any, workflow: Workflow, nodes: tuple[str, ...]) -> Image.Image:
    """The nodes of the workflow that is open, as the page draws them."""
    look = ["([numbers, scale]) => pezLookAt(numbers, scale)", [[_number(workflow, n) for n in nodes], SCALE]]
    page.evaluate(*look)
    page.wait_for_timeout(1500)  # a node takes the height of its panel once it is seen
    corners = page.evaluate(*look)
    page.wait_for_timeout(300)
    shot = page.screenshot(clip=dict(zip(("x", "y", "width", "height"), corners, strict=True)))
    return Image.open(BytesIO(shot)).convert("RGB")


def show_outputs(page: Any, outputs: dict[str, Any]) -> None:
    """Shows on the nodes of the workflow that is open what came of them."""
    for number, output in outputs.items():
        page.evaluate("([number, output]) => pezShow(Number(number), output)", [number, output])


def _number(workflow: Workflow, name: str) -> int:
    return list(workflow).index(name) + 1


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        prepare(base)
        server = Comfy(base, find_comfyui())
        try:
            with chromium() as browser:
                _make(opened(browser, server), server, everything="--drawn" not in sys.argv[1:])
        finally:
            server.stop()


def _make(page: Any, server: Comfy, everything: bool) -> None:
    chosen = [title for title in EXAMPLES if title in sys.argv[1:]]
    for title, workflow in EXAMPLES.items() if "--alone" not in sys.argv[1:] else ():
        if chosen and title not in chosen:
            continue
        made = page.evaluate("spec => pezBuild(spec)", plain(workflow))
        if everything:
            del made["workflow"][
                "id"
            ]  # so that the page gives each copy its own, by which it knows whose result is whose
            write(WORKFLOWS / f"{title}.json", made["workflow"])
        graph = searches(made["graph"])
        run = server.run(graph)
        assert not run.error, (title, run.error)
        found = [each for output in run.history["outputs"].values() for each in output.get("pez", ())]
        before = next(
            (each["inputs"][SHOWN[each["class_type"]]] for each in graph.values() if each["class_type"] in SHOWN), ""
        )
        texts = [each["text"] for each in found]
        if {each["class_type"] for each in graph.values()} & PREVIEWED:
            texts = next(
                run.history["outputs"][name]["text"]
                for name, each in graph.items()
                if each["class_type"] == "PreviewAny"
            )
        paintings = [run.history["outputs"][name] for name, each in graph.items() if each["class_type"] == "PEZPaint"]
        pictures = pictures_of(graph) + painted(server, paintings)
        image = thumbnail(title, pictures, before, texts)
        image.save(WORKFLOWS / f"{title}.jpg", quality=88)
        outputs = run.history["outputs"] | shown_choice(
            made["graph"], [each["text"] for one in found for each in one["candidates"]], pictures
        )
        for name, (source, nodes) in HELP.items():
            if source == title:
                show_outputs(page, outputs)
                help_picture(page, workflow, nodes).save(IMAGES / f"{name}.jpg", quality=85)
    if chosen:
        return
    for name, workflow in ALONE.items():
        graph = page.evaluate("spec => pezBuild(spec)", plain(workflow))["graph"]
        if any(node.kind == "PEZDoctor" for node in workflow.values()):  # it has something to show
            show_outputs(page, server.run(graph).history["outputs"])
        help_picture(page, workflow, tuple(workflow)).save(IMAGES / f"{name}.jpg", quality=85)
    if everything and "--alone" not in sys.argv[1:]:
        inputs = [[name, _number(BLUEPRINT, node), inner, label] for name, node, inner, label in OUTSIDE]
        outputs = [[name, _number(BLUEPRINT, node), place] for name, node, place in RESULTS]
        spec = [plain(BLUEPRINT), BLUEPRINT_NAME, inputs, outputs]
        write(BLUEPRINTS / f"{BLUEPRINT_NAME}.json", page.evaluate("spec => pezBlueprint(...spec)", spec))


if __name__ == "__main__":
    main()

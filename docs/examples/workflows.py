"""What the example workflows hold: nodes with their places and values, and what is connected to what.

A node is (kind, place, values of its widgets, connections, title). A connection is the name of an input and
(name of a node, output's place). Names of nodes are keys.
"""

from __future__ import annotations

from typing import Any, NamedTuple

EMBEDDED = "Embedded (emoji-like pictures, no download)"
SD15 = "SD 1.5 (ViT-L-14 openai)"
LANGUAGE = "Flux.2, Z-Image, Qwen-Image, Wan (ViT-L-14 datacomp_xl_s13b_b90k)"
BIGG = "SDXL, Stable Cascade (ViT-bigG-14 laion2b_s39b_b160k)"


class Node(NamedTuple):
    kind: str
    at: tuple[int, int]
    widgets: dict[str, Any] = {}  # noqa: RUF012 - never changed
    inputs: dict[str, tuple[str, int]] = {}  # noqa: RUF012
    title: str = ""
    size: tuple[int, int] | None = None


Workflow = dict[str, Node]
NOTE = (400, 220)  # size


def note(text: str, at: tuple[int, int] = (0, 0), size: tuple[int, int] = NOTE) -> Node:
    return Node("MarkdownNote", at, {"": text}, title="About this workflow", size=size)


def model(at: tuple[int, int] = (0, 280), name: str = EMBEDDED) -> Node:
    return Node("PEZLoadModel", at, {"model": name}, size=(400, 110))


def joined(second: str) -> Node:
    """The node "model" and another one as one model."""
    wires = {"models.pez_model1": ("model", 0), "models.pez_model2": (second, 0)}
    return Node("PEZCombineModels", (460, 0), {}, wires, size=(440, 110))


def sample(picture: str, at: tuple[int, int] = (0, 450)) -> Node:
    return Node("PEZSamplePicture", at, {"picture": picture}, size=(400, 280))


def invert(at: tuple[int, int], image: str = "picture", model: str = "model", **more: Any) -> Node:
    inputs = {"pez_model": (model, 0), "image": (image, 0), **more.pop("inputs", {})}
    return Node("PEZInvert", at, more.pop("widgets", {}), inputs, size=(440, 320), **more)


def text(at: tuple[int, int], source: str, output: int = 0, title: str = "Prompt", width: int = 400) -> Node:
    return Node("PreviewAny", at, {}, {"source": (source, output)}, title, (width, 150))


def score(at: tuple[int, int], texts: tuple[str, int], model: str = "model", width: int = 400) -> Node:
    return Node(
        "PEZScore", at, {}, {"pez_model": (model, 0), "texts": texts, "image": ("picture", 0)}, size=(width, 160)
    )


def join(at: tuple[int, int], first: str, second: str, by: str = "\n", title: str = "", width: int = 400) -> Node:
    texts = {"string_a": (first, 0), "string_b": (second, 0)}
    return Node("StringConcatenate", at, {"delimiter": by}, texts, title, (width, 170))


EXAMPLES: dict[str, Workflow] = {
    "picture to prompt": {
        "note": note(
            "Finds a prompt that matches a picture: press **Run**.\n\nThe embedded model knows emoji-like pictures only. For your own "
            "pictures, put **Load Image** in place of *PEZ Sample Picture*, and in **PEZ Load Model** choose the model that your "
            "generator reads prompts with. It is downloaded once."
        ),
        "model": model(),
        "picture": sample("penguin"),
        "invert": invert((460, 0)),
    },
    "picture to prompt to picture": {
        "note": note(
            "Finds a prompt and paints it again: what did the words keep of the picture? Nothing is downloaded.\n\n**PEZ Paint** knows "
            "emoji-like things only. Connect one prompt per line, or a list, for several pictures. For a real generator see *picture to "
            "prompt to picture (SD 1.5)*."
        ),
        "model": model(),
        "picture": sample("penguin"),
        "invert": invert((460, 0)),
        "paint": Node("PEZPaint", (960, 0), {"seed": 1}, {"texts": ("invert", 0)}, size=(400, 520)),
    },
    "picture to prompt to picture, in rounds": {
        "note": note(
            "The second round sees what the first painting got wrong: it keeps to the picture and away from what only the painting shows. "
            "The table says whether the score rose, which is not sure; copy the nodes of the second round for a third, until it does not.\n\n"
            "For a real generator put its sampler in place of **PEZ Paint**, and in **PEZ Load Model** choose its model."
        ),
        "model": model(),
        "picture": sample("cat-and-ball"),
        "image": Node("PEZImageTarget", (0, 790), {}, {"image": ("picture", 0)}, size=(400, 130)),
        "invert": invert((440, 0)),
        "paint": Node(
            "PEZPaint",
            (440, 640),
            {"seed": 1, "control_after_generate": "fixed"},
            {"texts": ("invert", 0)},
            "First painting",
            (440, 480),
        ),
        "seen": Node(
            "PEZImageTarget", (920, 0), {"weight": -0.3}, {"image": ("paint", 0)}, "What it shows", (320, 130)
        ),
        "blend": Node(
            "PEZBlendTargets",
            (920, 220),
            {},
            {"targets.target1": ("image", 0), "targets.target2": ("seen", 0)},
            size=(320, 110),
        ),
        "again": invert((1280, 0), "blend"),
        "repaint": Node(
            "PEZPaint",
            (1280, 640),
            {"seed": 1, "control_after_generate": "fixed"},
            {"texts": ("again", 0)},
            "Second painting",
            (440, 480),
        ),
        "both": join((920, 420), "invert", "again", title="Both prompts", width=320),
        "score": score((920, 680), ("both", 0), width=320),
        "table": Node("PreviewAny", (0, 1030), {}, {"source": ("score", 1)}, "First and second", (400, 150)),
    },
    "picture to prompt to picture (SD 1.5)": {
        "note": note(
            "The prompt feeds CLIP Text Encode and a sampler.\n\nIt needs a checkpoint of Stable Diffusion 1.5, and downloads the CLIP "
            "that such checkpoints read prompts with. For another kind of checkpoint, choose its model in **PEZ Load Model**, and put **Load Image** in place of *PEZ Sample Picture*.\n\nThe "
            "saved picture carries its prompt, and opens with it."
        ),
        "model": model(name=SD15),
        "picture": sample("cat-and-ball"),
        "checkpoint": Node(
            "CheckpointLoaderSimple", (460, 0), {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"}, size=(440, 100)
        ),
        "invert": invert((460, 160), inputs={"clip": ("checkpoint", 1)}),
        "positive": Node(
            "CLIPTextEncode", (960, 0), {}, {"clip": ("checkpoint", 1), "text": ("invert", 0)}, "Prompt", (300, 100)
        ),
        "negative": Node(
            "CLIPTextEncode", (960, 160), {"text": ""}, {"clip": ("checkpoint", 1)}, "Negative prompt", (300, 130)
        ),
        "latent": Node("EmptyLatentImage", (960, 350), {"width": 512, "height": 512}, size=(300, 110)),
        "sampler": Node(
            "KSampler",
            (960, 520),
            {"seed": 1, "steps": 20},
            {
                "model": ("checkpoint", 0),
                "positive": ("positive", 0),
                "negative": ("negative", 0),
                "latent_image": ("latent", 0),
            },
            size=(300, 270),
        ),
        "decode": Node(
            "VAEDecode", (1320, 0), {}, {"samples": ("sampler", 0), "vae": ("checkpoint", 2)}, size=(300, 50)
        ),
        "save": Node("SaveImage", (1320, 110), {"filename_prefix": "pez"}, {"images": ("decode", 0)}, size=(400, 480)),
    },
    "style from several pictures": {
        "note": note(
            "What do these pictures have in common? One prompt is searched for all of them, after the words *a cat in the style of*; "
            "the score is that of the whole text.\n\nConnect more pictures to **Batch Images**, or a list of pictures of any sizes to "
            "**PEZ Image Target**."
        ),
        "model": model(),
        "first": sample("octopus", (0, 450)),
        "second": sample("penguin", (0, 770)),
        "batch": Node("BatchImagesNode", (460, 0), {}, {"images.image0": ("first", 0), "images.image1": ("second", 0)}),
        "target": Node("PEZImageTarget", (460, 160), {"flips": True}, {"image": ("batch", 0)}, size=(320, 130)),
        "words": Node("PEZWords", (460, 380), {"prefix": "a cat in the style of"}, size=(320, 160)),
        "invert": invert((840, 0), "target", widgets={"length": 6}, inputs={"words": ("words", 0)}),
    },
    "two concepts joined": {
        "note": note(
            "Two pictures, two prompts, joined into one text: a picture of both.\n\nTo mix two things into one instead, connect two **PEZ "
            "Image Target** nodes to **PEZ Blend Targets**, and that to one PEZ Invert."
        ),
        "model": model(),
        "first": sample("penguin", (0, 450)),
        "second": sample("pizza", (0, 770)),
        "invert": invert((460, 0), "first", widgets={"length": 4}),
        "other": invert((960, 0), "second", widgets={"length": 4}),
        "join": join((460, 620), "invert", "other", " and ", width=440),
        "text": text((960, 620), "join", width=440),
    },
    "one prompt for each picture": {
        "note": note(
            "For a batch, PEZ Invert returns a list of prompts; every node after it runs once per prompt. **PEZ Save Prompts** adds them "
            "to `output/pez/prompts.csv`."
        ),
        "model": model(),
        "first": sample("octopus", (0, 450)),
        "second": sample("pizza", (0, 770)),
        "batch": Node("BatchImagesNode", (460, 0), {}, {"images.image0": ("first", 0), "images.image1": ("second", 0)}),
        "invert": invert((460, 160), "batch", widgets={"pictures": "one prompt for each"}),
        "save": Node(
            "PEZSavePrompts",
            (960, 0),
            {"file": "pez/prompts", "format": "CSV"},
            {"result": ("invert", 3)},
            size=(400, 110),
        ),
        "text": text((960, 220), "invert", title="Prompts"),
    },
    "prompts for a folder of pictures": {
        "note": note(
            "A prompt for each picture of a folder, and a caption file for each, as trainers of LoRAs read them.\n\n1. Put your "
            "pictures into a folder in ComfyUI's input folder, such as `input/pictures`.\n2. Write its name into *folder* of **PEZ "
            "Batch Folder**.\n3. In **PEZ Load Model** choose the model that your generator reads prompts with; the embedded one knows "
            "emoji-like pictures only.\n\nThe output folder gets `pez/pictures.jsonl` and the captions in `pez/pictures`. A run that "
            "was cancelled goes on where it was.",
            size=(400, 340),
        ),
        "model": model((0, 400)),
        "batch": Node(
            "PEZBatchFolder",
            (460, 0),
            {"folder": "pictures", "file": "pez/pictures", "captions": True},
            {"pez_model": ("model", 0)},
            size=(440, 420),
        ),
        "text": text((960, 0), "batch", title="Prompts"),
        "names": text((960, 220), "batch", 1, "Pictures"),
    },
    "one prompt for each tile": {
        "note": note(
            "For upscaling in tiles: each tile is repainted with a prompt of its own, so that nothing appears where it is not.\n\n**Split "
            "Image** makes a list of tiles, **PEZ Image Target** takes it, and **PEZ Invert** returns a list with one prompt per tile; the "
            "nodes after it run once for each. It needs a checkpoint of Stable Diffusion 1.5, and downloads its CLIP.",
            size=(400, 260),
        ),
        "model": model((0, 320), SD15),
        "picture": sample("pizza", (0, 490)),
        "checkpoint": Node(
            "CheckpointLoaderSimple", (0, 830), {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"}, size=(400, 100)
        ),
        "large": Node(
            "ImageScale",
            (440, 0),
            {"upscale_method": "lanczos", "width": 1024, "height": 1024},
            {"image": ("picture", 0)},
            size=(440, 130),
        ),
        "tiles": Node(
            "SplitImageToTileList",
            (440, 220),
            {"tile_width": 576, "tile_height": 576, "overlap": 128},
            {"image": ("large", 0)},
            size=(440, 110),
        ),
        "target": Node("PEZImageTarget", (440, 420), {}, {"image": ("tiles", 0)}, size=(440, 130)),
        "invert": invert(
            (920, 0),
            "target",
            widgets={"pictures": "one prompt for each", "preset": "fast"},
            inputs={"clip": ("checkpoint", 1)},
        ),
        "text": text((440, 640), "invert", title="Prompts", width=440),
        "positive": Node(
            "CLIPTextEncode", (1400, 0), {}, {"clip": ("checkpoint", 1), "text": ("invert", 0)}, "Prompts", (300, 100)
        ),
        "negative": Node(
            "CLIPTextEncode", (1400, 160), {"text": ""}, {"clip": ("checkpoint", 1)}, "Negative prompt", (300, 130)
        ),
        "latent": Node(
            "VAEEncode", (1400, 350), {}, {"pixels": ("tiles", 0), "vae": ("checkpoint", 2)}, size=(300, 50)
        ),
        "sampler": Node(
            "KSampler",
            (1400, 470),
            {"seed": 1, "steps": 20, "denoise": 0.35},
            {
                "model": ("checkpoint", 0),
                "positive": ("positive", 0),
                "negative": ("negative", 0),
                "latent_image": ("latent", 0),
            },
            size=(300, 270),
        ),
        "decode": Node(
            "VAEDecode", (1400, 800), {}, {"samples": ("sampler", 0), "vae": ("checkpoint", 2)}, size=(300, 50)
        ),
        "merge": Node(
            "ImageMergeTileList",
            (1400, 920),
            {"final_width": 1024, "final_height": 1024, "overlap": 128},
            {"image_list": ("decode", 0)},
            size=(300, 110),
        ),
        "save": Node("SaveImage", (920, 640), {"filename_prefix": "tiles"}, {"images": ("merge", 0)}, size=(440, 380)),
    },
    "prompt without certain words": {
        "note": note(
            "The same picture without the word that names it: not alone, not spelled in pieces, not with an ending. The banned words are "
            "in **PEZ Words**.\n\n**PEZ Score** compares the candidates."
        ),
        "model": model(),
        "picture": sample("octopus"),
        "words": Node("PEZWords", (460, 0), {"banned_words": "octopus*, squid*"}, size=(440, 160)),
        "invert": invert((460, 300), inputs={"words": ("words", 0)}),
        "score": score((960, 0), ("invert", 2)),
        "table": Node("PreviewAny", (960, 220), {}, {"source": ("score", 1)}, "All candidates", (560, 240)),
    },
    "refine a prompt of your own": {
        "note": note(
            "The search starts from your own prompt and replaces words where others match the picture better; *keep_words* stay.\n\n"
            "**PEZ Score** compares your prompt with the one that was found, and **PEZ Plot** shows what each word contributes."
        ),
        "model": model(),
        "picture": sample("cat-and-ball"),
        "start": Node(
            "PrimitiveString",
            (460, 0),
            {"value": "a cat and a ball on a background"},
            title="Your prompt",
            size=(440, 60),
        ),
        "words": Node("PEZWords", (460, 120), {"keep_words": "cat"}, {"start_words": ("start", 0)}, size=(440, 160)),
        "invert": invert((460, 420), inputs={"words": ("words", 0)}),
        "both": join((960, 0), "start", "invert", title="Both prompts"),
        "score": score((960, 260), ("both", 0)),
        "table": Node("PreviewAny", (960, 480), {}, {"source": ("score", 1)}, "Before and after", (560, 170)),
        "plot": Node("PEZPlot", (960, 710), {}, {"result": ("invert", 3)}, size=(400, 40)),
        "view": Node("PreviewImage", (960, 810), {}, {"images": ("plot", 0)}, size=(560, 340)),
    },
    "prompt that reads": {
        "note": note(
            "Generators that read through a language model (Flux.2, Qwen-Image, Z-Image, Wan) ignore lists of words. With a readability "
            "above 0 the prompt reads like a caption.\n\nThe slider on the panel goes from the closest to the most readable prompt. "
            "**PEZ Load Language Model** takes other language models too: connect your generator's own CLIP to it."
        ),
        "model": model(),
        "picture": sample("cat-and-ball"),
        "language": Node("PEZLoadLanguageModel", (460, 0), size=(440, 90)),
        "invert": invert((460, 180), widgets={"readability": 0.5}, inputs={"language_model": ("language", 0)}),
        "text": text((960, 0), "invert", 2, "From this one to others"),
    },
    "refine a caption": {
        "note": note(
            "A language model describes the picture, and the search improves the caption: words are replaced where others match the "
            "picture better, and it reads no worse.\n\nIn **Load CLIP** choose a language model that reads pictures, such as Gemma 3 or "
            "Qwen3-VL. A caption of any other node will do as well."
        ),
        "model": model(),
        "picture": sample("cat-and-ball"),
        "clip": Node("CLIPLoader", (460, 0), {"clip_name": "gemma_3_4b_it.safetensors"}, size=(440, 110)),
        "caption": Node(
            "TextGenerate",
            (460, 180),
            {"prompt": "Describe this picture in one short sentence.", "max_length": 40, "sampling_mode": "off"},
            {"clip": ("clip", 0), "image": ("picture", 0)},
            size=(440, 330),
        ),
        "words": Node("PEZWords", (460, 580), {}, {"start_words": ("caption", 0)}, size=(440, 160)),
        "invert": invert((960, 0), widgets={"readability": 0.5}, inputs={"words": ("words", 0)}),
        "both": join((1460, 0), "caption", "invert", title="Caption and prompt"),
        "score": score((1460, 260), ("both", 0)),
        "table": text((1460, 480), "score", 1, "Before and after"),
        "positive": Node(
            "CLIPTextEncode",
            (1460, 700),
            {},
            {"clip": ("clip", 0), "text": ("invert", 0)},
            "For the generator that reads with this CLIP",
            (400, 100),
        ),
    },
    "picture to prompt for Z-Image, Qwen, Flux.2, Wan": {
        "note": note(
            "These generators read through a language model, so the prompt has to read like a caption.\n\n- **readability** 0.5 is the "
            "dial: less is closer to the picture, more is smoother. The slider on the panel shows both ends without another search.\n"
            "- **length** 14: for a caption it is an upper limit. 8 names the thing, 20 adds ground, colors and style.\n"
            "- **PEZ Load Model**: they have no CLIP of their own. These two are downloaded once; what both agree on carries over better.\n\nIn "
            "**Load CLIP** choose your generator's text encoder, and connect the conditioning to its sampler. Z-Image: *qwen_3_4b*, type "
            "*lumina2*.",
            size=(400, 400),
        ),
        "model": model((0, 460), LANGUAGE),
        "second": model((0, 630), SD15),
        "picture": sample("fox-watercolor", (0, 800)),
        "both": joined("second"),
        "invert": invert((460, 170), model="both", widgets={"readability": 0.5, "length": 14}),
        "clip": Node(
            "CLIPLoader", (960, 0), {"clip_name": "qwen_3_4b.safetensors", "type": "lumina2"}, size=(400, 110)
        ),
        "positive": Node(
            "CLIPTextEncode", (960, 180), {}, {"clip": ("clip", 0), "text": ("invert", 0)}, "Prompt", (400, 100)
        ),
        "text": text((960, 340), "invert", 2, "From this one to others"),
    },
    "switch a style by the mood of a prompt": {
        "note": note(
            "A prompt is learned that makes a language model name the mood of a text. Your prompt's mood then chooses its style: a "
            "bright one for *cheerful*, a dark one for *gloomy*.\n\nFor labels of your own, put a CSV file with the columns *text* "
            "and *label* into ComfyUI's input folder, and connect a larger model with **PEZ Load Language Model** to both nodes."
        ),
        "learn": Node(
            "PEZLearnClassifier",
            (0, 280),
            {"label_words": "happy|warm, sad|lonely", "suffix": " feeling"},
            size=(440, 520),
        ),
        "prompt": Node(
            "PrimitiveStringMultiline",
            (500, 0),
            {"value": "an abandoned graveyard under dark clouds"},
            title="Your prompt",
            size=(320, 120),
        ),
        "classify": Node(
            "PEZClassifyText", (500, 190), {}, {"text": ("prompt", 0), "classifier": ("learn", 3)}, size=(320, 130)
        ),
        "is_cheerful": Node(
            "StringCompare",
            (500, 400),
            {"string_b": "cheerful", "mode": "Equal"},
            {"string_a": ("classify", 0)},
            "Is it cheerful?",
            (320, 200),
        ),
        "bright": Node(
            "PrimitiveString",
            (880, 0),
            {"value": "pastel colors, morning light"},
            title="Style of a cheerful prompt",
            size=(320, 60),
        ),
        "dark": Node(
            "PrimitiveString",
            (880, 130),
            {"value": "charcoal drawing, deep shadows"},
            title="Style of a gloomy prompt",
            size=(320, 60),
        ),
        "style": Node(
            "ComfySwitchNode",
            (880, 260),
            {},
            {"switch": ("is_cheerful", 0), "on_true": ("bright", 0), "on_false": ("dark", 0)},
            "Style",
            (320, 100),
        ),
        "whole": join((880, 430), "prompt", "style", ", ", title="Prompt with its style", width=320),
        "text": text((1260, 0), "whole", width=320),
        "label": text((1260, 220), "classify", title="Mood", width=320),
    },
    "a blend of a picture and words": {
        "note": note(
            "A penguin, but on red: a text beside a picture, each with its weight.\n\nTo let only a part of the picture count, paint a "
            "mask in Load Image's mask editor and connect it to **PEZ Image Target**."
        ),
        "model": model(),
        "picture": sample("penguin"),
        "image": Node("PEZImageTarget", (460, 0), {}, {"image": ("picture", 0)}, size=(320, 130)),
        "text": Node("PEZTextTarget", (460, 220), {"text": "on red", "weight": 0.7}, size=(320, 150)),
        "blend": Node(
            "PEZBlendTargets",
            (460, 430),
            {},
            {"targets.target1": ("image", 0), "targets.target2": ("text", 0)},
            size=(320, 110),
        ),
        "invert": invert((840, 0), "blend"),
    },
    "find a negative prompt": {
        "note": note(
            "The weight -1 pushes away: these words are what the picture is least like, according to the model.\n\nConnect them to the "
            "*negative* CLIP Text Encode of a sampler to keep it close to the picture."
        ),
        "model": model(),
        "picture": sample("pizza"),
        "target": Node("PEZImageTarget", (460, 0), {"weight": -1.0}, {"image": ("picture", 0)}, size=(320, 130)),
        "invert": invert((840, 0), "target"),
    },
    "positive and negative prompt, weighted": {
        "note": note(
            "Two prompts in one run: what the picture shows, and what it is least like. Connect a picture of what you do not want to "
            "*negative_image*, and the negative prompt is what that has and your picture has not.\n\n**PEZ Weighted Prompt** makes words "
            "stronger that contribute more. Leave it out for generators that read through a language model."
        ),
        "model": model(),
        "picture": sample("octopus"),
        "both": Node(
            "PEZPositiveAndNegative",
            (460, 0),
            {},
            {"pez_model": ("model", 0), "image": ("picture", 0)},
            size=(440, 320),
        ),
        "weighted": Node("PEZWeightedPrompt", (960, 0), {}, {"result": ("both", 2)}, size=(400, 90)),
        "text": text((960, 180), "weighted", title="Positive, then negative"),
    },
    "let the generator choose": {
        "note": note(
            "CLIP finds the candidates, the generator chooses: the prompt under which it takes noise off the picture best. Add your own "
            "caption to *texts* to compare with.\n\nIt needs a checkpoint of Stable Diffusion 1.5, and downloads its CLIP. Any other "
            "generator will do: connect its model, CLIP and VAE, and choose its model in **PEZ Load Model**."
        ),
        "model": model(name=SD15),
        "picture": sample("cat-and-ball"),
        "checkpoint": Node(
            "CheckpointLoaderSimple", (0, 790), {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"}, size=(400, 100)
        ),
        "invert": invert((460, 0), inputs={"clip": ("checkpoint", 1)}),
        "choose": Node(
            "PEZChooseByGenerator",
            (960, 0),
            {},
            {
                "model": ("checkpoint", 0),
                "clip": ("checkpoint", 1),
                "vae": ("checkpoint", 2),
                "image": ("picture", 0),
                "result": ("invert", 3),
            },
            size=(440, 320),
        ),
        "positive": Node(
            "CLIPTextEncode", (1460, 0), {}, {"clip": ("checkpoint", 1), "text": ("choose", 0)}, "Prompt", (300, 100)
        ),
        "table": Node("PreviewAny", (960, 420), {}, {"source": ("choose", 3)}, "The generator's order", (800, 320)),
    },
    "shorten a long prompt": {
        "note": note(
            "A shorter prompt that means the same to the model. Its similarity says how much of the meaning is kept: 1 is all.\n\nWrite "
            "your own long prompt, and choose your generator's model."
        ),
        "model": model(),
        "distill": Node(
            "PEZDistill",
            (460, 0),
            {"text": "a penguin with a blue hat on a red background, and a yellow cat with a green ball", "ratio": 0.4},
            {"pez_model": ("model", 0)},
            size=(440, 320),
        ),
    },
    "one prompt for both encoders of SDXL": {
        "note": note(
            "SDXL and SD 3 read prompts with two CLIPs. One prompt is searched for both at once.\n\nBoth models are downloaded on first "
            "use; the larger one has many gigabytes. If your workflow already loads SDXL, see *SDXL with the CLIP of the workflow*."
        ),
        "model": model((0, 280), BIGG),
        "small": model((0, 450), SD15),
        "picture": sample("pizza", (0, 620)),
        "both": joined("small"),
        "invert": invert((460, 170), model="both"),
        "score": score((960, 0), ("invert", 2), model="both"),
        "table": Node("PreviewAny", (960, 220), {}, {"source": ("score", 1)}, "Each encoder's similarity", (560, 240)),
    },
    "SDXL with the CLIP of the workflow": {
        "note": note(
            "Nothing is downloaded: this uses the CLIP of your SDXL checkpoint and a CLIP vision model, *clip_vision_g*. The prompt is "
            "searched with exactly the encoder that will read it."
        ),
        "checkpoint": Node(
            "CheckpointLoaderSimple", (0, 280), {"ckpt_name": "sd_xl_base_1.0.safetensors"}, size=(400, 110)
        ),
        "vision": Node("CLIPVisionLoader", (0, 450), {"clip_name": "clip_vision_g.safetensors"}, size=(400, 60)),
        "picture": sample("octopus", (0, 570)),
        "model": Node(
            "PEZModelFromCLIP",
            (460, 0),
            {},
            {"clip": ("checkpoint", 1), "clip_vision": ("vision", 0)},
            size=(440, 60),
        ),
        "invert": invert((460, 120), inputs={"clip": ("checkpoint", 1)}),
    },
}

BLUEPRINT_NAME = "Recreate a picture (SD 1.5)"
WHOLE = EXAMPLES["picture to prompt to picture (SD 1.5)"]
BLUEPRINT: Workflow = {name: node for name, node in WHOLE.items() if name not in ("note", "picture", "save")}
BLUEPRINT["invert"] = invert((460, 160))._replace(inputs={"pez_model": ("model", 0), "clip": ("checkpoint", 1)})
OUTSIDE = (
    ("image", "invert", "image", "image"),
    ("model", "model", "model", "CLIP model"),
    ("checkpoint", "checkpoint", "ckpt_name", "checkpoint"),
    ("seed", "invert", "seed", "search seed"),
    ("negative", "negative", "text", "negative prompt"),
    ("sampler_seed", "sampler", "seed", "sampler seed"),
)
"""Inputs of the blueprint: name, inner node, its input, label."""
RESULTS = (("image", "decode", 0), ("prompt", "invert", 0))
"""Outputs of the blueprint: name, inner node, its output."""

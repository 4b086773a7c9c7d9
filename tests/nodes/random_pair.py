"""Writes a CLIP-L of random weights in its real widths; run by ComfyUI's own Python.

    python random_pair.py COMFYUI_FOLDER MODELS_FOLDER

text_encoders/whole.safetensors: a text encoder with its projection, named as Hugging Face does; bare.safetensors:
the same without it; tuned.safetensors: another one, without it; stranger.safetensors: the first with a different
projection.
clip_vision/vision.safetensors: a vision model. Both have few layers, which saves most of the tests' time: ComfyUI loads this
few only because the helper nodes of the tests tell it to. Layer 22 of the vision model is in the file because ComfyUI
recognizes CLIP-L by it.

Random towers do not agree, so the projection of the first text encoder is computed such that texts of plain colors match
pictures of these colors, as in a trained CLIP.
"""

import json
import sys
from pathlib import Path

comfyui, models = sys.argv[1:]
sys.path.insert(0, comfyui)
sys.argv = [sys.argv[0], "--cpu"]

import comfy.options  # noqa: E402 - the path comes first

comfy.options.enable_args_parsing()

import comfy.clip_vision  # noqa: E402
import torch  # noqa: E402
from comfy.sd1_clip import SDClipModel, SDTokenizer  # noqa: E402
from PIL import ImageColor  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

COLORS = ("red", "green", "blue", "yellow", "black", "white", "orange", "purple")
VISION_LAYERS, TEXT_LAYERS = 4, 2
KNOWN_BY = "vision_model.encoder.layers.22.layer_norm1.weight"
generator = torch.Generator().manual_seed(0)


def drawn(name: str, like: torch.Tensor) -> torch.Tensor:
    """Returns half-precision weights that differ and do not overflow."""
    if "norm" in name or "layrnorm" in name:
        return torch.full(like.shape, float(name.endswith("weight"))).half()
    spread = 0.2 if "token_embedding" in name or "patch_embedding" in name else 0.03
    return (torch.randn(like.shape, generator=generator) * spread).half()


folder = Path(models)
for name in ("text_encoders", "clip_vision"):
    (folder / name).mkdir()
config = json.loads((Path(comfyui) / "comfy" / "clip_vision_config_vitl.json").read_text())
vision = comfy.clip_vision.ClipVisionModel({**config, "num_hidden_layers": VISION_LAYERS})
seen = {name: drawn(name, value) for name, value in vision.model.state_dict().items() if "position_ids" not in name}
vision.model.load_state_dict(seen, strict=False)
save_file(seen | {KNOWN_BY: torch.ones(config["hidden_size"])}, folder / "clip_vision" / "vision.safetensors")

words = json.loads((Path(comfyui) / "comfy" / "sd1_clip_config.json").read_text())
encoder = SDClipModel(dtype=torch.float32, textmodel_json_config={**words, "num_hidden_layers": TEXT_LAYERS})
text = {name: drawn(name, value) for name, value in encoder.transformer.state_dict().items()}
encoder.transformer.load_state_dict(text)
tokenizer = SDTokenizer()
with torch.no_grad():
    colors = [torch.tensor(ImageColor.getrgb(color)).float() / 255 for color in COLORS]
    pictures = [color.view(1, 1, 1, 3).expand(1, 224, 224, 3) for color in colors]
    looks = torch.cat([vision.encode_image(picture)["image_embeds"] for picture in pictures]).double()
    encoder.set_clip_options({"projected_pooled": False})
    words = torch.cat([encoder.encode_token_weights(tokenizer.tokenize_with_weights(c))[1] for c in COLORS]).double()
    middle = words.mean(0, keepdim=True)  # what all texts share must not drown what sets them apart
    solved = torch.linalg.pinv(torch.cat([words - middle, middle])) @ torch.cat([looks - looks.mean(0), 0 * looks[:1]])
    text["text_projection.weight"] = (solved.T * (0.03 / solved.std())).half().contiguous()
bare = {name: value for name, value in text.items() if name != "text_projection.weight"}
tuned = {name: value if "layers.1.mlp" not in name else value * 1.5 for name, value in bare.items()}
stranger = {**text, "text_projection.weight": drawn("text_projection.weight", text["text_projection.weight"])}
for name, weights in (("whole", text), ("bare", bare), ("tuned", tuned), ("stranger", stranger)):
    save_file(
        {key: value.contiguous() for key, value in weights.items()}, folder / "text_encoders" / f"{name}.safetensors"
    )

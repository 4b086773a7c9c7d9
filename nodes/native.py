"""ComfyUI's own CLIP and CLIP_VISION as a model of this pack."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import comfy.clip_model
import comfy.model_management as management
import folder_paths
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..pez_core import ClipModel, PezError
from ..pez_core.models import pairing
from ..pez_core.models.loading import vocabulary_of
from ..pez_core.towers import TextTower
from ..pez_core.towers.hugging_face import text_module
from .placement import host

log = logging.getLogger(__name__)

ENCODERS = {"clip_l": "CLIP-L", "clip_h": "CLIP-H", "clip_g": "CLIP-G"}  # parts of ComfyUI's text encoders
TOLERANCE = 1e-3  # largest difference in a coordinate of a unit feature between ours and ComfyUI's
TEXTS = ("a", "a photo of a red bird", "two dogs on a beach at sunset, oil painting, highly detailed")
FOLDERS = ("text_encoders", "clip_vision", "open_clip")  # folders that may contain a complete CLIP file
PROJECTION, TABLE = "text_projection.weight", "text_model.embeddings.token_embedding.weight"
SPREAD = (1e-3, 1.0)  # range of the standard deviation of a trained projection


class ClipVisionTower:
    """ComfyUI's CLIP_VISION as an image tower; ComfyUI already manages its memory."""

    def __init__(self, clip_vision: Any):
        self._clip_vision = clip_vision

    @property
    def towers(self) -> tuple[ClipVisionTower, ...]:
        return (self,)

    @property
    def module(self) -> torch.nn.Module:
        return self._clip_vision.model

    @torch.no_grad()
    def encode(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the CPU, preprocessed as in ComfyUI."""
        features = []
        for picture in pictures:
            management.throw_exception_if_processing_interrupted()
            pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
            features.append(self._clip_vision.encode_image(pixels)["image_embeds"].cpu())
        return F.normalize(torch.cat(features).float(), dim=-1)


def model_from_clip(clip: Any, clip_vision: Any) -> ClipModel:
    """A model that pairs the text encoder in `clip` with `clip_vision`.

    The weights of the text encoder are copied, LoRAs included; neither object is changed.

    Raises PezError if no encoder of `clip` has features of the same length, if the copy encodes differently than
    ComfyUI, and if the two were not trained together.
    """
    width = _seen_width(clip_vision)
    name, encoder = _encoder(clip, width)
    patched = clip.clone(disable_dynamic=True)
    management.load_models_gpu([patched.patcher], force_full_load=True)
    state = {key: value.detach().float().cpu() for key, value in encoder.transformer.state_dict().items()}
    colors = ClipVisionTower(clip_vision).encode(pairing.color_pictures())
    reason = "has no text projection"
    own = [state[PROJECTION]] if _is_projection(state[PROJECTION]) else []
    for projection in chain(own, _projections_in_files(state)):
        model = _copy(clip, clip_vision, name, encoder, {**state, PROJECTION: projection})
        if pairing.agree(colors, model.encode_texts(pairing.COLORS)):
            return host(model)
        reason = "and this CLIP_VISION do not agree even on plain colors"
    raise PezError(
        f"The {ENCODERS[name]} of this CLIP {reason}: either its text projection is missing (checkpoints of SD 1.5, SDXL "
        "and Flux lack the one of CLIP-L), or the two were not trained together. Pair clip_g with clip_vision_g and CLIP-H "
        "with ViT-H laion2B. For CLIP-L, put a complete CLIP file with the same weights into models/text_encoders "
        "(model.safetensors from huggingface.co/openai/clip-vit-large-patch14), or use PEZ Load Model."
    )


def _copy(clip: Any, clip_vision: Any, name: str, encoder: Any, state: dict[str, Tensor]) -> ClipModel:
    """A model with a copy of the text encoder, checked against ComfyUI's own."""
    layer = encoder.transformer.text_model.encoder.layers[0]
    activations = comfy.clip_model.ACTIVATIONS.items()
    activation = next((key for key, function in activations if function is layer.mlp.activation), "unknown")
    vocabulary = vocabulary_of("ViT-L-14")  # all CLIPs in ComfyUI use OpenAI's tokenizer
    title = f"{ENCODERS[name]} of ComfyUI"
    text = TextTower(text_module(state, layer.self_attn.heads, activation), vocabulary, title)
    model = ClipModel(ClipVisionTower(clip_vision), text, vocabulary, title)
    _check_against_comfyui(model, clip, encoder, state)
    return model


def _seen_width(clip_vision: Any) -> int:
    """F, the length of the features of `clip_vision` in the space shared with texts."""
    projection = getattr(clip_vision.model, "visual_projection", None)
    if not isinstance(projection, torch.nn.Module) or not hasattr(projection, "weight"):
        raise PezError(
            "This CLIP_VISION has no projection into a space shared with texts (DINO and SigLIP models have none): load a "
            "CLIP vision model, such as clip_vision_g."
        )
    return len(projection.weight)


def _encoder(clip: Any, width: int) -> tuple[str, Any]:
    """The text encoder in `clip` with features of length `width`, after its name."""
    encoders = {
        name: getattr(clip.cond_stage_model, name)
        for name in ENCODERS
        if isinstance(getattr(getattr(clip.cond_stage_model, name, None), "transformer", None), _TEXT_MODEL)
    }
    if not encoders:
        raise PezError(
            f"This CLIP ({type(clip.cond_stage_model).__name__}) contains no CLIP text encoder; such generators use T5 or "
            "a language model. Use PEZ Load Model."
        )
    widths = {name: len(encoder.transformer.text_projection.weight) for name, encoder in encoders.items()}
    for name, own in widths.items():
        if own == width:
            return name, encoders[name]
    has = ", ".join(f"{ENCODERS[name]} ({own})" for name, own in widths.items())
    raise PezError(
        f"The features of this CLIP_VISION have the length {width}, those of this CLIP {has}: they do not belong together. "
        "Pair clip_g with clip_vision_g (1280), CLIP-H with ViT-H (1024), CLIP-L with ViT-L (768)."
    )


_TEXT_MODEL = comfy.clip_model.CLIPTextModel


def _is_projection(weight: Tensor) -> bool:
    """Whether this can be a trained projection. If a file has none, ComfyUI leaves uninitialized memory."""
    low, high = SPREAD
    return bool(torch.isfinite(weight).all()) and low < weight.std().item() < high


def _projections_in_files(state: dict[str, Tensor]) -> Iterator[Tensor]:
    """The projections of complete CLIP files in the model folders whose other weights equal those of `state`."""
    for path in _clip_files():
        management.throw_exception_if_processing_interrupted()  # large files on slow disks take long
        try:
            with safe_open(path, "pt") as file:
                if {PROJECTION, TABLE} <= set(file.keys()) and _same(file.get_slice(TABLE)[:256], state[TABLE][:256]):
                    rest = [key for key in state if key != PROJECTION and key.startswith("text_model.")]
                    if all(_same(file.get_tensor(key), state[key]) for key in rest):
                        log.info("Trying the text projection of %s: its other weights are the same.", path.name)
                        yield file.get_tensor(PROJECTION).float()
        except (SafetensorError, OSError):
            continue  # a file of another program


def _clip_files() -> Iterator[Path]:
    for folder in FOLDERS:
        try:
            names = folder_paths.get_filename_list(folder)
        except KeyError:  # a ComfyUI without this folder
            continue
        for name in names:
            path = folder_paths.get_full_path(folder, name)
            if path and name.endswith(".safetensors"):
                yield Path(path)


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether the weights are equal, apart from rounding to half precision."""
    return one.shape == other.shape and torch.allclose(one.float(), other.float(), atol=1e-3, rtol=1e-2)


def _check_against_comfyui(model: ClipModel, clip: Any, encoder: Any, state: dict[str, Tensor]) -> None:
    """Raises PezError if our encoding of a few texts differs from ComfyUI's."""
    clip.cond_stage_model.reset_clip_options()
    clip.cond_stage_model.set_clip_options({"projected_pooled": False})  # the projection may be missing
    key = next(name for name in ENCODERS if getattr(clip.cond_stage_model, name, None) is encoder)[-1]
    try:
        with torch.no_grad():
            theirs = torch.cat([encoder.encode_token_weights(clip.tokenize(text)[key])[1] for text in TEXTS])
    finally:
        clip.cond_stage_model.reset_clip_options()
    theirs = F.normalize(theirs.float().cpu() @ state[PROJECTION].T, dim=-1)
    apart = (theirs - model.encode_texts(TEXTS).cpu()).abs().max().item()
    if not apart <= TOLERANCE:
        raise PezError(
            f"{model.name}: our copy of the text encoder differs from ComfyUI's own by {apart:.1e} (more than "
            f"{TOLERANCE:g}): its weights are quantized or of an unknown kind. Use PEZ Load Model."
        )

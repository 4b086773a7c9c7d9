"""CLIP models with random weights in real shapes: for tests of time, memory and exactness."""

from __future__ import annotations

import open_clip
import torch


def random_clip(architecture: str, text_layers: int | None = None) -> torch.nn.Module:
    """Returns an open_clip architecture with a tiny image tower; its text tower has `text_layers` layers if given."""
    torch.manual_seed(0)
    config = open_clip.get_model_config(architecture)
    text = {**config["text_cfg"], **({"layers": text_layers} if text_layers else {})}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    settings = {"quick_gelu": config.get("quick_gelu", False)}
    if "multimodal_cfg" in config:
        kind = open_clip.CoCa
        vision |= {"attentional_pool": True, "attn_pooler_heads": 8, "output_tokens": True}
        settings["multimodal_cfg"] = {**config["multimodal_cfg"], "layers": 1}
    else:
        kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    module = kind(config["embed_dim"], vision_cfg=vision, text_cfg=text, **settings).eval()
    with torch.no_grad():  # rows of trained tables differ much more than those of new ones
        for parameter in module.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(1.5)
    return module

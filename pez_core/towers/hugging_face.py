"""CLIP text encoders in Hugging Face's naming, which ComfyUI also uses, as text towers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from open_clip.transformer import LayerNorm, QuickGELU, TextTransformer
from torch import Tensor, nn

from ..errors import PezError
from .initialization import NoInitialization

ACTIVATIONS = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


class TextModule(nn.Module):
    """A text encoder without an image encoder, with the `encode_text` that a TextTower calls."""

    def __init__(self, text: TextTransformer):
        super().__init__()
        self.text = text

    def encode_text(self, rows: Tensor) -> Tensor:
        """Features [N, F] of rows int64 [N, context_length]."""
        return self.text(rows)


def text_module(state: Mapping[str, Tensor], heads: int, activation: str) -> TextModule:
    """A text encoder with the weights `state`, copied to float32 on the CPU.

    state: named as in transformers' CLIPTextModelWithProjection. activation: "gelu" or "quick_gelu".

    Raises PezError for weights that are not those of a CLIP text encoder, and for any other activation.
    """
    if activation not in ACTIVATIONS:
        raise PezError(f"The activation {activation!r} is not supported: it must be {' or '.join(ACTIVATIONS)}.")
    own = {name: value.detach().to("cpu", torch.float32) for name, value in state.items()}
    try:
        layers = 1 + max(int(name.split(".")[3]) for name in own if name.startswith("text_model.encoder.layers."))
        converted = _convert(own, layers)
        size, width = converted["token_embedding.weight"].shape
        with NoInitialization():
            text = TextTransformer(
                context_length=len(converted["positional_embedding"]),
                vocab_size=size,
                width=width,
                heads=heads,
                layers=layers,
                mlp_ratio=len(converted["transformer.resblocks.0.mlp.c_fc.weight"]) / width,
                output_dim=converted["text_projection"].shape[1],
                act_layer=ACTIVATIONS[activation],
                norm_layer=LayerNorm,
            )
        text.load_state_dict(converted, strict=True)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise PezError(f"These weights are not those of a CLIP text encoder with a projection: {error}") from error
    return TextModule(text.eval().requires_grad_(False))


def _convert(own: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The weights under open_clip's names."""
    renamed = {
        "token_embedding.weight": own["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": own["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": own["text_model.final_layer_norm.weight"],
        "ln_final.bias": own["text_model.final_layer_norm.bias"],
        "text_projection": own["text_projection.weight"].T.contiguous(),
    }
    names = {"ln_1": "layer_norm1", "attn.out_proj": "self_attn.out_proj", "ln_2": "layer_norm2"}
    names |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    for layer in range(layers):
        to, of = f"transformer.resblocks.{layer}", f"text_model.encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            qkv = [own[f"{of}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            renamed[f"{to}.attn.in_proj_{kind}"] = torch.cat(qkv)
            for ours, theirs in names.items():
                renamed[f"{to}.{ours}.{kind}"] = own[f"{of}.{theirs}.{kind}"]
    return renamed

"""The CLIP model in training: its features, its pictures, its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip import CLIP
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import save_file
from torch import Tensor

from .tokens import Rows
from .world.constants import constant


def build(config: dict[str, Any], rows: Rows) -> CLIP:
    """The open_clip architecture with a token table of only the given rows."""
    return CLIP(config["embed_dim"], config["vision_cfg"], {**config["text_cfg"], "vocab_size": len(rows.ids)})


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Unit features [B, F]; as open_clip computes them, but at the length of `tokens` (exact: the tower is causal)."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    pooled = x[torch.arange(len(x), device=x.device), tokens.argmax(-1)]
    return F.normalize((pooled @ model.text_projection).float(), dim=-1)


def encode_pictures(model: CLIP, pictures: Tensor) -> Tensor:
    """Unit features [B, F] of pictures, float32 [B, 3, S, S] in 0 to 1."""
    return F.normalize(model.encode_image(normalized(pictures)).float(), dim=-1)


def normalized(pictures: Tensor) -> Tensor:
    """Pictures [B, 3, S, S] in 0 to 1 as open_clip's preprocessing gives them to the image tower."""
    mean, std = (constant(pictures.device, *values) for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    return (pictures - mean) / std


def save(model: CLIP, rows: Rows, config: dict[str, Any], path: Path) -> None:
    """Writes half-precision tensors; `token_ids` holds the token id of each row of the token table."""
    tensors = {k: v.half().cpu().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    tensors["token_ids"] = torch.tensor(rows.ids, dtype=torch.int32)
    save_file(tensors, path, metadata={"architecture": json.dumps(config)})

"""The parts of a causal text transformer: references to its weights, not copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from . import activations


@dataclass(frozen=True)
class Layer:
    """The weights of one residual block. D: token width, M: width of the MLP.

    norm_1, norm_2: weight [D], bias [D]; qkv [3D, D], out [D, D], up [M, D], down [D, M], each with its bias;
    scale_1, scale_2: factors of the two branches [D], or None.
    """

    norm_1: tuple[Tensor, Tensor]
    qkv: tuple[Tensor, Tensor]
    out: tuple[Tensor, Tensor]
    scale_1: Tensor | None
    norm_2: tuple[Tensor, Tensor]
    up: tuple[Tensor, Tensor]
    down: tuple[Tensor, Tensor]
    scale_2: Tensor | None

    def to(self, dtype: torch.dtype) -> Layer:
        """The layer in `dtype`; not copied if it already is."""

        def cast(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(part.to(dtype) for part in value)
            return value if value is None else value.to(dtype)

        return replace(self, **{field.name: cast(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True)
class CausalWeights:
    """The parts of a causal text transformer.

    eps: of the layer norms; positions: position embeddings [context_length, D];
    finish: from the pooled position [R, D] to features [R, F].
    """

    layers: tuple[Layer, ...]
    heads: int
    activation: activations.Activation
    eps: float
    positions: Tensor
    finish: Callable[[Tensor], Tensor]

    @classmethod
    def of_open_clip(cls, model: nn.Module) -> CausalWeights | None:
        """The parts of an open_clip model; None if its text tower does not have exactly the usual ones."""
        parts: Any = getattr(model, "text", model)
        needed = ("transformer", "positional_embedding", "attn_mask", "ln_final", "text_projection")
        if not all(hasattr(parts, name) for name in needed) or parts.attn_mask is None:
            return None
        blocks = list(getattr(parts.transformer, "resblocks", ()))
        if getattr(parts, "cls_emb", None) is not None or not blocks or not all(map(_is_usual, blocks)):
            return None

        activation = activations.of(blocks[0].mlp.gelu)
        assert activation is not None  # see _is_usual

        def finish(pooled: Tensor) -> Tensor:
            pooled, projection = parts.ln_final(pooled), parts.text_projection
            if projection is None:
                return pooled
            return projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection

        return cls(
            layers=tuple(map(_layer, blocks)),
            heads=blocks[0].attn.num_heads,
            activation=activation,
            eps=blocks[0].ln_1.eps,
            positions=parts.positional_embedding,
            finish=finish,
        )


def _is_usual(block: Any) -> bool:
    """Whether `_layer` covers everything that the block computes."""
    names = ("ln_1", "attn", "ls_1", "ln_2", "mlp", "ls_2")
    if sorted(name for name, _ in block.named_children()) != sorted(names) or not block.attn.batch_first:
        return False
    norms, scales = (block.ln_1, block.ln_2), (block.ls_1, block.ls_2)
    return (
        isinstance(block.attn, nn.MultiheadAttention)
        and block.attn.in_proj_weight is not None
        and all(isinstance(norm, nn.LayerNorm) and norm.bias is not None for norm in norms)
        and all(isinstance(scale, nn.Identity) or hasattr(scale, "gamma") for scale in scales)
        and [name for name, _ in block.mlp.named_children()] == ["c_fc", "gelu", "c_proj"]
        and activations.of(block.mlp.gelu) is not None
    )


def _layer(block: Any) -> Layer:
    def pair(module: Any) -> tuple[Tensor, Tensor]:
        return module.weight, module.bias

    return Layer(
        norm_1=pair(block.ln_1),
        qkv=(block.attn.in_proj_weight, block.attn.in_proj_bias),
        out=pair(block.attn.out_proj),
        scale_1=getattr(block.ls_1, "gamma", None),
        norm_2=pair(block.ln_2),
        up=pair(block.mlp.c_fc),
        down=pair(block.mlp.c_proj),
        scale_2=getattr(block.ls_2, "gamma", None),
    )

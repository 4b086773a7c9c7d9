"""Samples many short texts that share a long beginning from a Llama model.

The beginning is read once; each row keeps keys and values only of what is its own. That is several times faster than a batch of
whole prompts, where the memory traffic of the shared beginning dominates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Pairs = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, [N, G, C, D]: G groups of heads, C positions, D head width."""


class SharedPrefixSampler:
    """module: a `LlamaForCausalLM` of transformers.

    most: tokens sampled at most; top: how many of the likeliest are sampled from; stops: ids int64 that end a text.
    """

    def __init__(self, module: Any, most: int, top: int, temperature: float, stops: Tensor):
        config = module.config
        self._layers, self._norm, self._head = module.model.layers, module.model.norm, module.lm_head
        self._embed, self._eps = module.model.embed_tokens, config.rms_norm_eps
        self._groups, self._heads = config.num_key_value_heads, config.num_attention_heads
        self._size = config.hidden_size // config.num_attention_heads
        steps = torch.arange(0, self._size, 2, device=module.device) / self._size
        self._frequencies = 1 / config.rope_parameters["rope_theta"] ** steps
        self._most, self._top, self._temperature, self._stops = most, top, temperature, stops

    @torch.inference_mode()
    def sample(
        self, beginning: Sequence[int], rest: Sequence[Sequence[int]], generator: torch.Generator
    ) -> list[list[int]]:
        """What follows the shared ids `beginning` and each row's own ids `rest`, with the stop if one was sampled."""
        device = self._stops.device
        before = self.keys_values(torch.tensor([list(beginning)], device=device))
        lengths = torch.tensor([len(own) for own in rest], device=device)
        longest, first = int(lengths.max()), len(beginning)
        ids = torch.tensor([[*own, *[0] * (longest - len(own))] for own in rest], device=device)
        capacity = longest + self._most
        valid = torch.arange(capacity, device=device) < lengths[:, None]
        own = self._room(len(ids), capacity)
        hidden = self._read(ids, first + torch.arange(longest, device=device).expand_as(ids), before, own, 0, valid)
        hidden = hidden[torch.arange(len(ids), device=device), lengths - 1]
        rows = torch.arange(len(ids), device=device)
        written = torch.full((len(ids), self._most), int(self._stops[0]), device=device)
        for step in range(self._most):
            chosen = self._choose(hidden, generator)
            written[rows, step] = chosen
            if step % 8 == 7:  # finished rows leave, which costs a copy of the cache
                kept = (~torch.isin(written[rows, : step + 1], self._stops).any(1)).nonzero()[:, 0]
                if not len(kept):
                    break
                own = [(k[kept], v[kept]) for k, v in own]
                rows, chosen, lengths, valid = rows[kept], chosen[kept], lengths[kept], valid[kept]
            valid[:, longest + step] = True
            places = (first + lengths + step)[:, None]
            hidden = self._read(chosen[:, None], places, before, own, longest + step, valid)[:, 0]
        return written.tolist()

    def keys_values(self, ids: Tensor) -> Pairs:
        """Keys and values of the ids [1, P]."""
        own = self._room(1, ids.shape[1])
        places = torch.arange(ids.shape[1], device=ids.device)[None]
        self._read(ids, places, None, own, 0, torch.ones_like(ids, dtype=torch.bool))
        return own

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 [N, V]."""
        return self._head(hidden).float()

    def _choose(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        best, ids = self.logits(hidden).topk(self._top, dim=-1)
        drawn = torch.multinomial((best / self._temperature).softmax(-1), 1, generator=generator)
        return ids.gather(1, drawn)[:, 0]

    def _room(self, rows: int, capacity: int) -> Pairs:
        like, shape = self._embed.weight, (rows, self._groups, capacity, self._size)
        return [(like.new_zeros(shape), like.new_zeros(shape)) for _ in self._layers]

    def _read(
        self, ids: Tensor, places: Tensor, before: Pairs | None, own: Pairs, column: int, valid: Tensor
    ) -> Tensor:
        """The last hidden states [N, T, W] of ids [N, T] at the positions `places` [N, T].

        Their keys and values are written to `own` from `column` on; `valid` bool [N, C]: the columns that are text.
        """
        length = ids.shape[1]
        end = column + length
        rotation = self._rotation(places)
        causal = torch.ones(length, end, dtype=torch.bool, device=ids.device).tril(column)
        hidden_from = ~(causal & valid[:, None, None, :end]).expand(-1, self._heads // self._groups, -1, -1)
        hidden_from = hidden_from.flatten(1, 2)[:, None]  # [N, 1, R * T, end]
        x = self._embed(ids)
        for number, (layer, (k, v)) in enumerate(zip(self._layers, own, strict=True)):
            normed = self._rms(x, layer.input_layernorm.weight)
            attend = layer.self_attn
            query = _rotate(self._split(attend.q_proj(normed)), rotation)
            k[:, :, column:end] = _rotate(self._split(attend.k_proj(normed)), rotation)
            v[:, :, column:end] = self._split(attend.v_proj(normed))
            shared = before[number] if before else None
            x = x + attend.o_proj(self._attend(query, k[:, :, :end], v[:, :, :end], shared, hidden_from))
            normed = self._rms(x, layer.post_attention_layernorm.weight)
            mlp = layer.mlp
            x = x + mlp.down_proj(F.silu(mlp.gate_proj(normed)) * mlp.up_proj(normed))
        return self._rms(x, self._norm.weight)

    def _attend(
        self, query: Tensor, k: Tensor, v: Tensor, shared: tuple[Tensor, Tensor] | None, hidden_from: Tensor
    ) -> Tensor:
        """[N, T, W] from queries [N, H, T, D], own keys and values [N, G, C, D] and those of the beginning [1, G, P, D]."""
        count, _, length, size = query.shape
        query = query.reshape(count, self._groups, -1, size) * size**-0.5  # [N, G, R * T, D]
        scores = (query @ k.transpose(-1, -2)).masked_fill(hidden_from, -torch.inf)
        if shared is None:
            out = scores.float().softmax(-1).to(v.dtype) @ v
        else:
            by_group = query.transpose(0, 1).flatten(1, 2)  # [G, N * R * T, D]
            first = (by_group @ shared[0][0].transpose(-1, -2)).unflatten(1, (count, -1)).transpose(0, 1)
            shares = torch.cat([first, scores], dim=-1).float().softmax(-1).to(v.dtype)
            of_shared, of_own = shares.split([first.shape[-1], scores.shape[-1]], dim=-1)
            out = of_own @ v
            out = out + (of_shared.transpose(0, 1).flatten(1, 2) @ shared[1][0]).unflatten(1, (count, -1)).transpose(
                0, 1
            )
        return out.unflatten(2, (-1, length)).permute(0, 3, 1, 2, 4).flatten(2)

    def _split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (-1, self._size)).transpose(1, 2)

    def _rms(self, x: Tensor, weight: Tensor) -> Tensor:
        wide = x.float()
        return (wide * (wide.square().mean(-1, keepdim=True) + self._eps).rsqrt()).to(x.dtype) * weight

    def _rotation(self, places: Tensor) -> tuple[Tensor, Tensor]:
        angles = places[:, None, :, None].float() * self._frequencies  # [N, 1, T, D / 2]
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(self._embed.weight.dtype), angles.sin().to(self._embed.weight.dtype)


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * rotation[0] + torch.cat([-second, first], dim=-1) * rotation[1]

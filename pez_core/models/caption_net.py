"""The network of the caption model: a small causal transformer over CLIP's byte-pair tokens.

Words come in classes of equal size. The network predicts the class of the next word, then the word within it: scoring a
given text needs one class at each place, not the whole vocabulary. Letters of shapes: N texts, T positions, K slots (C classes of
W words), D width, O width of the output rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each layer, [N, heads, P, D / heads]: P positions that were read before."""


@dataclass(frozen=True)
class CaptionConfig:
    """The sizes of a network. positions: the most tokens of a text, with the start token."""

    classes: int
    words: int
    width: int = 192
    heads: int = 3
    layers: int = 3
    out_width: int = 64
    positions: int = 80

    @property
    def slots(self) -> int:
        """K, the number of words that the network knows apart."""
        return self.classes * self.words

    def check(self) -> None:
        """Raises ValueError for sizes that no network has."""
        for name, value in asdict(self).items():
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, which {self.width} is not of {self.heads}")


class Block(nn.Module):
    """One residual block of a causal transformer."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, before: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x [N, T, D] after the block, and the keys and values of all positions so far."""
        parts = self.qkv(self.norm_1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind()
        if before is not None:
            k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        if q.shape[2] == k.shape[2]:
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device)
            attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.tril(k.shape[2] - q.shape[2]))
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm_2(x)))), (k, v)


class CaptionNet(nn.Module):
    """Reads words by their slots; slot s belongs to class s // W."""

    def __init__(self, config: CaptionConfig):
        super().__init__()
        self.config = config
        self.start = nn.Parameter(torch.zeros(config.width))
        self.words = nn.Parameter(torch.zeros(config.slots, config.width))
        self.positions = nn.Parameter(torch.zeros(config.positions, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.of_class = nn.Linear(config.width, config.classes)
        self.query = nn.Linear(config.width, config.out_width)
        self.out_words = nn.Parameter(torch.zeros(config.slots, config.out_width))
        self.out_bias = nn.Parameter(torch.zeros(config.slots))

    def read(self, embeddings: Tensor, before: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        """Hidden states [N, T, D] of word embeddings [N, T, D] that follow what was read `before`; keys and values of all."""
        first = before[0][0].shape[2] if before else 0
        x = embeddings + self.positions[first : first + embeddings.shape[1]]
        pairs = []
        for number, block in enumerate(self.blocks):
            x, pair = block(x, before[number] if before else None)
            pairs.append(pair)
        return self.norm(x), pairs

    def begin(self, slots: Tensor) -> Tensor:
        """Embeddings [N, T + 1, D] of slots [N, T] after the start."""
        return torch.cat([self.start.expand(len(slots), 1, -1), self.words[slots]], dim=1)

    def at(self, hidden: Tensor, slots: Tensor) -> Tensor:
        """The log-probabilities [M] of the `slots` [M] as the next word after `hidden` [M, D]."""
        config = self.config
        classes = slots // config.words
        of_class = self.of_class(hidden).log_softmax(-1).gather(1, classes[:, None])[:, 0]
        table = F.embedding(classes, self.out_words.view(config.classes, -1)).view(-1, config.words, config.out_width)
        logits = torch.bmm(table, self.query(hidden)[:, :, None])[:, :, 0]
        logits = logits + F.embedding(classes, self.out_bias.view(config.classes, -1))
        return of_class + logits.log_softmax(-1).gather(1, (slots % config.words)[:, None])[:, 0]

    def all(self, hidden: Tensor) -> Tensor:
        """The log-probabilities [..., K] of all slots as the next word after `hidden` [..., D]."""
        return self.within(hidden).flatten(-2) + self.of_class(hidden).log_softmax(-1).repeat_interleave(
            self.config.words, -1
        )

    def within(self, hidden: Tensor) -> Tensor:
        """The log-probabilities [..., C, W] of the words of each class, given the class."""
        logits = self.query(hidden) @ self.out_words.T + self.out_bias
        return logits.unflatten(-1, (self.config.classes, self.config.words)).log_softmax(-1)

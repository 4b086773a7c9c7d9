"""A small captioner of the small world: what Florence-2 or a language model with eyes is to real pictures.

It stands for a person's captioner in the tables: its captions name style and ground mostly rightly, and the things often wrongly. Its
eyes began as the embedded model's and were trained on (`training.train_captioner`). No search uses it.

Letters of shapes: N pictures or texts, T words, M places of the picture, D width, K words known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import CLIP
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from pez_core.models.presets import EMBEDDED_FOLDER
from training.model import normalized

WEIGHTS = Path(__file__).with_name("captioner.safetensors")
WIDTH, HEADS, LAYERS, LONGEST = 192, 4, 3, 48
NEAR, FAR = (352, 16), (704, 4)  # channels and places of the last two stages of its eyes
START, END = 0, 1  # the words with these numbers; both are ""
SIDE = 64  # pixels of a picture
BEAMS = 4
_WORD = re.compile(r"[^\s,]+|,")


def words_of(caption: str) -> list[str]:
    """The words of a caption, commas as words of their own."""
    return _WORD.findall(caption.lower())


class Captioner(nn.Module):
    """Writes captions of pictures word by word.

    eyes: a ModifiedResNet of open_clip with the embedded model's sizes; its pooling is taken out. words: those it knows, START and END first.
    """

    def __init__(self, eyes: nn.Module, words: Sequence[str]):
        super().__init__()
        self.known = tuple(words)
        eyes.attnpool = nn.Identity()
        self.eyes = eyes
        self.near, self.far = nn.Linear(NEAR[0], WIDTH), nn.Linear(FAR[0], WIDTH)
        self.places = nn.Parameter(torch.randn(NEAR[1] + FAR[1], WIDTH) * 0.02)
        self.words = nn.Parameter(torch.randn(len(words), WIDTH) * 0.05)
        self.positions = nn.Parameter(torch.randn(LONGEST, WIDTH) * 0.02)
        self.bias = nn.Parameter(torch.zeros(len(words)))
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.norm, self.norm_seen = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def see(self, pictures: Tensor) -> Tensor:
        """What it sees [N, M, D] of pictures uint8 [N, 3, SIDE, SIDE]."""
        eyes: Any = self.eyes
        x = normalized(pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        near = eyes.layer3(eyes.layer2(eyes.layer1(eyes.stem(x))))
        far = eyes.layer4(near)
        seen = torch.cat([self.near(near.flatten(2).mT), self.far(far.flatten(2).mT)], dim=1)
        return self.norm_seen(seen + self.places)

    def say(self, seen: Tensor, before: Tensor) -> Tensor:
        """The logits [N, T, K] of what follows each of the words `before` int64 [N, T], of which the first is START."""
        x = self.words[before] + self.positions[: before.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(before.shape[1]).to(x.dtype)
        for layer in self.layers:
            x = layer(x, seen, tgt_mask=mask, tgt_is_causal=True)
        return self.norm(x) @ self.words.T + self.bias

    @torch.no_grad()
    def likeliest(self, pictures: Sequence[Image.Image], beams: int = BEAMS) -> list[str]:
        """The likeliest caption of each picture (RGB, any size), by a search with this many beams.

        Taking the likeliest word each time may miss it.
        """
        count = len(pictures)
        seen = self._seen(pictures).repeat_interleave(beams, dim=0)
        said = torch.full((count, beams, 1), START)
        scores = torch.zeros(count, beams)
        scores[:, 1:] = -torch.inf  # at first all beams are alike
        ended = torch.zeros(count, beams, dtype=torch.bool)
        while said.shape[2] < LONGEST and not ended[:, 0].all():
            log = self.say(seen, said.flatten(0, 1))[:, -1].log_softmax(-1).view(count, beams, -1)
            log[ended] = -torch.inf
            log[..., END].masked_fill_(ended, 0.0)
            scores, places = (scores[..., None] + log).flatten(1).topk(beams)
            of, words = places // log.shape[2], places % log.shape[2]
            said = torch.cat([said.take_along_dim(of[..., None], 1), words[..., None]], dim=2)
            ended = words == END
        return [self._text(row) for row in said[:, 0].tolist()]

    @torch.no_grad()
    def drawn(self, pictures: Sequence[Image.Image], count: int, temperature: float, seed: int) -> list[list[str]]:
        """`count` captions of each picture (RGB, any size), drawn word by word."""
        seen = self._seen(pictures).repeat_interleave(count, dim=0)
        generator = torch.Generator().manual_seed(seed)
        said = torch.full((len(seen), 1), START)
        ended = torch.zeros(len(seen), dtype=torch.bool)
        while said.shape[1] < LONGEST and not ended.all():
            chances = (self.say(seen, said)[:, -1] / temperature).softmax(-1)
            word = torch.where(ended, END, torch.multinomial(chances, 1, generator=generator)[:, 0])
            said, ended = torch.cat([said, word[:, None]], dim=1), ended | (word == END)
        texts = [self._text(row) for row in said.tolist()]
        return [texts[first : first + count] for first in range(0, len(texts), count)]

    def _seen(self, pictures: Sequence[Image.Image]) -> Tensor:
        shown = [np.asarray(each.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for each in pictures]
        return self.see(torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2))

    def _text(self, row: Sequence[int]) -> str:
        return " ".join(filter(None, (self.known[i] for i in row))).replace(" ,", ",")


def blank_eyes() -> nn.Module:
    """A tower of the embedded model's sizes with random weights."""
    config: Any = json.loads((EMBEDDED_FOLDER / "model.json").read_text("utf-8"))
    return CLIP(config["embed_dim"], config["vision_cfg"], {**config["text_cfg"], "vocab_size": 2}).visual


def load_captioner(path: Path = WEIGHTS) -> Captioner:
    """The captioner in a file that `training.train_captioner` wrote, on the CPU, in float32."""
    with safe_open(path, framework="pt") as file:
        words = json.loads(file.metadata()["words"])
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
    made = Captioner(blank_eyes(), words)
    made.load_state_dict(tensors)
    return made.eval().requires_grad_(False)

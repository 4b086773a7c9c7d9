"""The painter's network: from a noisy picture and a text to the velocity that takes the noise away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = 64  # side of the pictures in pixels
_WAVES = 64  # numbers that describe a time
_GROUPS = 8
_SPREAD = 0.6  # root mean square of the pixels of pictures, whose values go from -1 to 1


@dataclass(frozen=True)
class PainterConfig:
    """The shape of a painter.

    feature, token: F and W, the lengths of the text tower's unit features and of its outputs for each token.
    fold: squares with this many pixels a side become the channels of one place. channels: at the highest side, 64 / fold, at
    half and at a quarter of it, each a multiple of 8. condition: numbers that steer every block. heads: of attention.
    """

    feature: int
    token: int
    fold: int = 4
    channels: tuple[int, int, int] = (64, 128, 184)
    condition: int = 112
    heads: int = 4


@dataclass(frozen=True)
class Reading:
    """Texts as the painter reads them.

    feature: unit features [N, F]. tokens: outputs of the text tower [N, T, W]. read: bool [N, T], which of them belong to
    the text. No text at all is a feature of zeros of which no token is read.
    """

    feature: Tensor
    tokens: Tensor
    read: Tensor

    def without(self, dropped: Tensor) -> Reading:
        """The same with no text in the rows where bool [N] `dropped` is true."""
        return Reading(self.feature.masked_fill(dropped[:, None], 0), self.tokens, self.read & ~dropped[:, None])

    def beside_nothing(self) -> Reading:
        """The texts [N], then as many rows with no text."""
        nothing = self.without(torch.ones(len(self.feature), dtype=torch.bool, device=self.feature.device))
        return Reading(
            *(torch.cat([getattr(each, name) for each in (self, nothing)]) for name in ("feature", "tokens", "read"))
        )


class PainterNet(nn.Module):
    """A U-Net over the folded picture at three sides; text enters every block, and each token by attention."""

    def __init__(self, config: PainterConfig):
        super().__init__()
        self.config = config
        high, middle, low = config.channels
        folded, side, condition = 3 * config.fold**2, SIZE // config.fold, config.condition
        self.time = nn.Linear(_WAVES, 2 * condition)
        self.feature = nn.Linear(config.feature, 2 * condition)
        self.both = nn.Linear(2 * condition, condition)
        self.nothing = nn.Parameter(torch.zeros(1, 1, config.token))  # can always be attended to

        def block(inner: int) -> _Block:
            return _Block(inner, condition)

        def attention(inner: int, side: int) -> _Attention:
            return _Attention(inner, config.token, side**2, config.heads)

        self.enter = nn.Conv2d(folded, high, 3, padding=1)
        self.high_in = nn.ModuleList([block(high), block(high)])
        self.to_middle = nn.Conv2d(4 * high, middle, 1)
        self.middle_in = nn.ModuleList([block(middle), block(middle)])
        self.middle_in_look = attention(middle, side // 2)
        self.to_low = nn.Conv2d(4 * middle, low, 1)
        self.low = nn.ModuleList([block(low), block(low)])
        self.low_look = attention(low, side // 4)
        self.from_low = nn.Conv2d(low, 4 * middle, 1)
        self.middle_out = nn.ModuleList([block(middle), block(middle)])
        self.middle_out_look = attention(middle, side // 2)
        self.from_middle = nn.Conv2d(middle, 4 * high, 1)
        self.high_out = nn.ModuleList([block(high), block(high)])
        self.leave = nn.Conv2d(high, folded, 3, padding=1)
        for layer in (self.leave, *(m.last for m in self.modules() if isinstance(m, _Block | _Attention))):
            nn.init.zeros_(layer.weight)  # every branch begins as nothing: training is steadier

    def forward(self, noisy: Tensor, time: Tensor, reading: Reading) -> Tensor:
        """The velocity [N, 3, 64, 64] at `noisy` [N, 3, 64, 64] and `time` [N]: 0 is a picture, 1 is noise.

        The layers compute what the best linear guess lacks, scaled to unit variance (as in arXiv 2206.00364): close to
        noise that is the picture, and only close to the picture the noise.
        """
        at = time[:, None, None, None]
        power = at**2 + ((1 - at) * _SPREAD) ** 2  # of a noisy pixel
        linear = (at - (1 - at) * _SPREAD**2) / power
        return linear * noisy + _SPREAD * power.rsqrt() * self._layers(noisy * power.rsqrt(), time, reading)

    def _layers(self, noisy: Tensor, time: Tensor, reading: Reading) -> Tensor:
        steer = self.time(_waves(time)) + self.feature(reading.feature * math.sqrt(self.config.feature))
        steer = F.silu(self.both(F.silu(steer)))
        tokens = torch.cat([self.nothing.expand(len(noisy), -1, -1), reading.tokens.to(self.nothing.dtype)], dim=1)
        read = F.pad(reading.read, (1, 0), value=True)

        x = high = _through(self.high_in, self.enter(F.pixel_unshuffle(noisy, self.config.fold)), steer)
        x = _through(self.middle_in, self.to_middle(F.pixel_unshuffle(x, 2)), steer)
        x = middle = self.middle_in_look(x, tokens, read)
        x = self.low[0](self.to_low(F.pixel_unshuffle(x, 2)), steer)
        x = self.low[1](self.low_look(x, tokens, read), steer)
        x = _through(self.middle_out, middle + F.pixel_shuffle(self.from_low(x), 2), steer)
        x = self.middle_out_look(x, tokens, read)
        x = _through(self.high_out, high + F.pixel_shuffle(self.from_middle(x), 2), steer)
        return F.pixel_shuffle(self.leave(F.silu(_normalized(x))), self.config.fold)


class _Block(nn.Module):
    """Two convolutions around a scale and shift that the condition sets, added to their input."""

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.steer = nn.Linear(condition, 2 * channels)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, steer: Tensor) -> Tensor:
        inner = torch.addcmul(self.shift.to(x.dtype), _normalized(x), self.scale.to(x.dtype))
        inner = _normalized(self.first(F.silu(inner)))
        scale, shift = self.steer(steer)[:, :, None, None].to(inner.dtype).chunk(2, dim=1)
        return x + self.last(F.silu(torch.addcmul(shift, inner, 1 + scale)))


class _Attention(nn.Module):
    """Each place looks at all places and at all tokens of the text, added to their input."""

    def __init__(self, channels: int, token: int, places: int, heads: int):
        super().__init__()
        self.heads = heads
        self.place = nn.Parameter(torch.zeros(places, channels))
        self.asked, self.offered = nn.Linear(channels, 2 * channels), nn.Linear(channels, 2 * channels)
        self.told = nn.Linear(token, 2 * channels)
        self.last = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor, tokens: Tensor, read: Tensor) -> Tensor:
        shape = x.shape
        flat = _normalized(x).permute(0, 2, 3, 1).flatten(1, 2)
        flat = flat + self.place.to(flat.dtype)
        to_places, to_tokens = self.asked(flat).chunk(2, dim=-1)
        seen = self._attend(to_places, self.offered(flat))
        heard = self._attend(to_tokens, self.told(tokens), read[:, None, None])
        out = self.last(torch.cat([seen, heard], dim=-1))
        return x + out.unflatten(1, shape[2:]).permute(0, 3, 1, 2)

    def _attend(self, asked: Tensor, keys_and_values: Tensor, mask: Tensor | None = None) -> Tensor:
        parts = (asked, *keys_and_values.chunk(2, dim=-1))
        asked, keys, values = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return F.scaled_dot_product_attention(asked, keys, values, attn_mask=mask).transpose(1, 2).flatten(2)


def _through(blocks: nn.ModuleList, x: Tensor, steer: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, steer)
    return x


def _normalized(x: Tensor) -> Tensor:
    """Group normalization in the format of `x`: autocast would make it float32, which takes twice the memory."""
    with torch.autocast(x.device.type, enabled=False):
        return F.group_norm(x, _GROUPS)


def _waves(time: Tensor) -> Tensor:
    """Times [N] as sines and cosines [N, 64] of wavelengths from 2 pi down to a thousandth of it."""
    rates = torch.exp(torch.linspace(0, math.log(1000), _WAVES // 2, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)

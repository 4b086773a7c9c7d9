"""The embedded painter: a small text-to-picture model that reads texts with the embedded model's text tower."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import PezError, first_line, shorten
from ..towers.initialization import NoInitialization
from ..towers.placement import MovePlacement, Placement
from ..towers.plain import plain_torch
from .checkpoints import misfit
from .clip import ClipModel
from .eight_bits import unpacked
from .painter_net import SIZE, PainterConfig, PainterNet, Reading
from .presets import EMBEDDED_FOLDER

FOLDER = EMBEDDED_FOLDER / "painter"
WEIGHTS, CONFIG = "painter.safetensors", "painter.json"
TOGETHER = 256  # pictures painted at once on a GPU: bounds memory
_AGAIN = "install the pack again"
_LAST = 0.3


class Painter:
    """Paints texts with `net`, which reads them through the text tower of `model`.

    Attributes:
        net: the network; its parameters are frozen.
        model: the embedded model that it was trained with.
        tower: its text tower.
        placement: decides where both compute (see `Placement`).
        together: pictures painted at once; None for one on the CPU and 256 elsewhere.
    """

    placement: Placement

    def __init__(self, net: PainterNet, model: ClipModel):
        self.net, self.model = net.eval().requires_grad_(False), model
        self.tower: Any = model.text.towers[0].module
        self.placement = MovePlacement(torch.device("cpu"))
        self.together: int | None = None

    @property
    def modules(self) -> tuple[nn.Module, nn.Module]:
        """What computes: the network and the text tower."""
        return self.net, self.tower

    @plain_torch()
    @torch.no_grad()
    def paint(
        self,
        texts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        on_step: Callable[[int, int], object] | None = None,
    ) -> Tensor:
        """Pictures uint8 [N, 3, 64, 64] of N texts, each with its own seed, on the CPU.

        Painted one after the other, as on the CPU, a picture does not depend on what is painted beside it. Where many
        are painted at once it may, by the last digit of a rounding.

        on_step: called after each step with the steps done and their total. Exceptions pass through.

        Raises PezError for a text that does not fit the model's context, and if there is not enough memory.
        """
        rows = self.rows(texts)
        try:
            device = self.placement.bring(self.modules)
            together = self.together or (1 if device.type == "cpu" else TOGETHER)
            starts = range(0, len(texts), together)
            pictures = [torch.zeros(0, 3, SIZE, SIZE, dtype=torch.uint8)]
            for number, start in enumerate(starts):
                part = slice(start, start + together)
                noise = torch.stack([_noise(seed) for seed in seeds[part]]).to(device)

                def told(step: int, before: int = number * steps) -> None:
                    if on_step:
                        on_step(before + step, len(starts) * steps)

                reading = read(self.tower, rows[part].to(device))
                pictures.append(_to_bytes(integrate(self.net, noise, reading, steps, guidance, told)).cpu())
        except torch.cuda.OutOfMemoryError as error:
            raise PezError("Not enough memory to paint: free some, or paint on the CPU.") from error
        return torch.cat(pictures)

    def rows(self, texts: Sequence[str]) -> Tensor:
        """Full-length rows int64 [N, T] of N texts. Raises PezError for a text that does not fit the model's context."""
        words = self.model.vocabulary
        rows = [torch.zeros(0, words.context_length, dtype=torch.long)]
        for text, ids in zip(texts, words.encode_all(texts), strict=True):
            if len(ids) > words.room:
                raise PezError(
                    f"The text {shorten(text)!r} has {len(ids)} tokens, the painter reads {words.room}: shorten it."
                )
            rows.append(words.rows(torch.tensor([ids], dtype=torch.long)))
        return torch.cat(rows)


def read(tower: Any, rows: Tensor) -> Reading:
    """Texts as an open_clip text tower reads them, from rows int64 [N, T] with start and end, T at most its context."""
    length = rows.shape[1]
    x = tower.token_embedding(rows) + tower.positional_embedding[:length]
    tokens = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask[:length, :length]))
    ends = rows.argmax(-1)  # the end token has the highest id
    features = tokens[torch.arange(len(rows), device=rows.device), ends] @ tower.text_projection
    places = torch.arange(length, device=rows.device)
    return Reading(F.normalize(features, dim=-1), tokens, places <= ends[:, None])


def integrate(
    net: PainterNet,
    noise: Tensor,
    reading: Reading,
    steps: int,
    guidance: float,
    on_step: Callable[[int], object] = lambda _: None,
) -> Tensor:
    """From `noise` [N, 3, 64, 64] along the net's velocity to pictures with values about -1 to 1.

    The two-step Adams-Bashforth method: second order with one evaluation for each step. The last step goes from time
    `_LAST` to the picture at once, which leaves less of the noise. `guidance`: how far the velocity goes beyond that
    without a text (1: not at all), classifier-free guidance (arXiv 2207.12598).
    """
    both = reading.beside_nothing()
    times = [*torch.linspace(1, _LAST, steps).tolist(), 0.0]
    x, before, earlier = noise, None, 0.0
    for step, (time, following) in enumerate(pairwise(times), 1):
        told, plain = net(torch.cat([x, x]), x.new_full((2 * len(x),), time), both).chunk(2)
        velocity, length = plain + guidance * (told - plain), time - following
        change = 0.0 if before is None or not following else (velocity - before) * (length / (2 * earlier))
        x = x - length * (velocity + change)
        before, earlier = velocity, length
        on_step(step)
    return x


@plain_torch()
def load_painter(folder: Path = FOLDER, device: str | torch.device = "cpu", model: ClipModel | None = None) -> Painter:
    """The painter in `folder`: `painter.json`, its configuration, and `painter.safetensors` in eight bits.

    model: the one that it was trained with; None loads the embedded model.

    Raises PezError if a file is missing or damaged, if the painter was trained with another text tower, and for an
    unknown device.
    """
    from .loading import check_device, load_model  # imported late: open_clip would delay the command line's --help

    check_device(device)
    model = model or load_model()
    try:
        told = json.loads((folder / CONFIG).read_text("utf-8"))
        tensors = unpacked(load_file(folder / WEIGHTS))
    except FileNotFoundError as error:
        raise PezError(f"The painter in {folder} is incomplete, a file is missing: {_AGAIN}.") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise PezError(f"The painter in {folder} is damaged ({first_line(error)}): {_AGAIN}.") from error
    net, reads = _net(told, folder)
    why = misfit(net, tensors)
    if not why and not all(value.isfinite().all() for value in tensors.values()):
        why = "some weights are NaN or infinite"
    if why:
        raise PezError(f"The painter in {folder} is damaged ({why}): {_AGAIN}.")
    if reads != fingerprint(model):
        raise PezError(
            f"The painter in {folder} was trained with another text tower than that of {model.name}: {_AGAIN}."
        )
    net.load_state_dict(tensors)
    painter = Painter(net, model)
    painter.placement = MovePlacement(torch.device(device))
    return painter


def fingerprint(model: ClipModel) -> str:
    """A short text that identifies the weights of the model's text tower, in half precision."""
    made = hashlib.sha256()
    for name, value in sorted(model.text.towers[0].module.state_dict().items()):
        made.update(name.encode() + value.detach().cpu().half().numpy().tobytes())
    return made.hexdigest()[:16]


def _net(told: Any, folder: Path) -> tuple[PainterNet, str]:
    """The network that a configuration describes, and the fingerprint of the text tower that it reads."""
    names = [field.name for field in fields(PainterConfig)]
    try:
        settings = {name: told[name] for name in names}
        with NoInitialization():
            return PainterNet(PainterConfig(**{**settings, "channels": tuple(told["channels"])})), told["text_tower"]
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise PezError(f"The painter in {folder} is damaged ({CONFIG} is no configuration): {_AGAIN}.") from error


def _to_bytes(pictures: Tensor) -> Tensor:
    return (pictures.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)


def _noise(seed: int) -> Tensor:
    return torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))

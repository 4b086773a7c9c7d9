"""Any generator of ComfyUI as one that chooses among prompts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from comfy.model_management import OOM_EXCEPTION, soft_empty_cache, throw_exception_if_processing_interrupted
from torch import Tensor

import nodes

from ..pez_core import PezError
from ..pez_core.errors import ShortOfMemoryError, first_line
from ..pez_core.models.generator import Noises, OnPass

STEP = 16  # pixels: sides of pictures are multiples of it, as the coarsest VAEs and patches need
_UNFIT = re.compile("shape|size", re.IGNORECASE)  # how torch names tensors that do not fit together


class ComfyGenerator:
    """MODEL, CLIP and VAE of ComfyUI. See `Generator`. Prompts are read as CLIP Text Encode reads them.

    The picture is noised by the model's own `model_sampling`, and the losses are those of its own prediction of the clean
    latent: the same for noise, velocity and flow matching.

    megapixels: larger pictures are scaled down to this.
    """

    def __init__(self, model: Any, clip: Any, vae: Any, megapixels: float):
        self._model, self._clip, self._vae, self._megapixels = model, clip, vae, megapixels
        self._read: dict[str, Any] = {}
        self.name = type(model.model.model_config).__name__  # such as SDXL; the model itself may be a mere BaseModel

    def losses(self, prompts: Sequence[str], picture: Tensor, noises: Noises, on_pass: OnPass) -> Tensor:
        """Mean squared errors of the clean latent float64 [K, N]. picture: [1, H, W, C].

        Raises PezError for a VAE of another generator, and if not even one prompt fits into memory.
        """
        latent = self._latent(picture)
        guider = comfy.samplers.CFGGuider(self._model)
        guider.inner_set_conds({str(i): self._encoded(prompt) for i, prompt in enumerate(prompts)})
        denoising = _Denoising(noises, len(prompts), self.name, on_pass)
        guider.sample(torch.zeros_like(latent), latent, denoising, torch.tensor([1.0, 0.0]), disable_pbar=True)
        return torch.tensor(denoising.losses, dtype=torch.float64)

    def paint(self, prompt: str, picture: Tensor, seeds: Sequence[int], steps: int, cfg: float) -> Tensor:
        """Pictures [S, H, W, 3] of the prompt, of the size of `picture` [1, H, W, C], one for each of S seeds."""
        empty, painted = torch.zeros_like(self._latent(picture)), []
        for seed in seeds:
            conds = self._encoded(prompt), self._encoded("")
            made = nodes.common_ksampler(self._model, seed, steps, cfg, "euler", "simple", *conds, {"samples": empty})
            decoded = self._vae.decode(made[0]["samples"])
            painted.append(decoded.reshape(-1, *decoded.shape[-3:])[:1, ..., :3])  # a video's first frame
        return torch.cat(painted)

    def _encoded(self, prompt: str) -> Any:
        throw_exception_if_processing_interrupted()
        if prompt not in self._read:
            self._read[prompt] = self._clip.encode_from_tokens_scheduled(self._clip.tokenize(prompt))
        return self._read[prompt]

    def _latent(self, picture: Tensor) -> Tensor:
        latent = comfy.sample.fix_empty_latent_channels(
            self._model, self._vae.encode(fitted(picture, self._megapixels))
        )
        wanted = self._model.get_model_object("latent_format").latent_channels
        if latent.shape[1] != wanted:
            raise PezError(
                f"The VAE makes latents of {latent.shape[1]} channels, {self.name} denoises {wanted}: connect the VAE that belongs "
                "to this generator."
            )
        return latent


class _Denoising(comfy.samplers.Sampler):
    """Takes the place of a sampler: ComfyUI loads the model and prepares what it reads as for any other.

    losses: a list for each pair of noise and time, with a number for each prompt.
    """

    def __init__(self, noises: Noises, prompts: int, name: str, on_pass: OnPass):
        self._noises, self._prompts, self._name, self._on_pass = noises, prompts, name, on_pass
        self._together = (
            prompts  # prompts in one call; ComfyUI batches as many of them as its estimate of memory allows
        )
        self.losses: list[list[float]] = []

    def sample(
        self,
        model_wrap: Any,
        sigmas: Any,
        extra_args: Any,
        callback: Any,
        noise: Any,
        latent_image: Any,
        *_: Any,
        **__: Any,
    ) -> Tensor:
        inner, options = model_wrap.inner_model, extra_args["model_options"]
        conds = [model_wrap.conds[str(i)] for i in range(self._prompts)]
        sampling = inner.model_sampling
        for time, seed in zip(self._noises.times, self._noises.seeds, strict=True):
            sigma = torch.tensor([sampling.percent_to_sigma(1 - time)], device=noise.device, dtype=torch.float32)
            drawn = comfy.sample.prepare_noise(latent_image.cpu(), seed).to(noise)
            noisy = sampling.noise_scaling(sigma, drawn, latent_image)
            losses: list[float] = []
            while len(losses) < self._prompts:
                throw_exception_if_processing_interrupted()
                part = conds[len(losses) : len(losses) + self._together]
                losses += self._part(inner, part, noisy, sigma, options, latent_image)
                self._on_pass(len(self.losses) * self._prompts + len(losses), self._noises.count * self._prompts)
            self.losses.append(losses)
        return latent_image

    def _part(
        self, inner: Any, conds: list[Any], noisy: Tensor, sigma: Tensor, options: Any, clean: Tensor
    ) -> list[float]:
        """The losses of some prompts; none if they do not fit into memory together: then the next part is half as large."""
        try:
            predicted = comfy.samplers.calc_cond_batch(inner, conds, noisy, sigma, options)
        except OOM_EXCEPTION as error:
            if len(conds) == 1:
                raise ShortOfMemoryError(
                    f"Not enough memory to denoise a single picture with {self._name}: lower megapixels, or free some memory."
                ) from error
            self._together = math.ceil(len(conds) / 2)
            predicted = []
        except RuntimeError as error:
            if not _UNFIT.search(str(error)):
                raise
            raise PezError(
                f"{self._name} cannot read what this text encoder made of the prompts ({first_line(error, 120)}): connect the CLIP "
                "that belongs to this generator."
            ) from error
        if not predicted:
            soft_empty_cache()
        return [(each.double() - clean.double()).square().mean().item() for each in predicted]


def fitted(picture: Tensor, megapixels: float) -> Tensor:
    """A picture [1, H, W, C] as RGB of at most this size, with sides that are multiples of 16."""
    if picture.shape[1] < STEP or picture.shape[2] < STEP:
        raise PezError(
            f"The picture has {picture.shape[2]} x {picture.shape[1]} pixels, a generator needs {STEP} x {STEP} at least."
        )
    picture = picture[..., :3].expand(*picture.shape[:-1], 3)  # gray has one channel
    scale = min(1.0, math.sqrt(megapixels * 1e6 / (picture.shape[1] * picture.shape[2])))
    height, width = (max(STEP, round(side * scale / STEP) * STEP) for side in picture.shape[1:3])
    if (height, width) == tuple(picture.shape[1:3]):
        return picture
    scaled = comfy.utils.common_upscale(picture.movedim(-1, 1), width, height, "area", "center")
    return scaled.movedim(1, -1)

"""The language model inside a CLIP of ComfyUI, such as the Qwen3 of Z-Image, as a language model of this pack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.model_management as management
import torch
from torch import Tensor

from ..pez_core import PezError
from ..pez_core.models.following import Following, said_until
from ..pez_core.models.language import ENDS, LEAD, after_lead
from ..pez_core.objectives.fluency import log_probabilities
from .placement import load_beside_towers

LONGEST = 512  # tokens of a text
READ = 2048  # positions that the model reads together, and
PREDICTED = 256  # those whose next tokens are computed together: both bound memory
CAPS = {"Gemma2_2B": 30.0}  # limit of the logits in the published model, which ComfyUI leaves out
SENTENCES = (
    "a dog on a beach",
    "an old man reading a newspaper in the park",
    "two red apples on a wooden table",
    "a house at the end of the road",
)
WHY = {
    "CLIPTextModel": "CLIP reads texts, but predicts no words",
    "T5": "T5 is loaded without its half that writes",
    "Qwen25_7BVLI": "ComfyUI loads Qwen2.5-VL 7B without its output layer, so its words would be wrong",
    "Mistral3Small24B": "ComfyUI's files of Mistral lack the last layers, so its words would be wrong",
}
OTHERWISE = "ComfyUI generates no text with it"
REFUSED = {"Qwen25_7BVLI"}  # although ComfyUI does generate text with it


class ConnectedLanguageModel:
    """The language model of ComfyUI's CLIP object `clip`. See `objectives.fluency.LanguageModel`.

    ComfyUI decides where it computes, and patches of the CLIP such as LoRAs count. Its interrupt passes through.

    Raises PezError if the CLIP has no model that predicts words, or one that predicts them wrongly.
    """

    longest = LONGEST

    def __init__(self, clip: Any):
        self._clip = clip
        key, self._module = _generating(clip.cond_stage_model)
        kind = type(self._module).__name__
        self.name = f"{kind} of ComfyUI"
        self._cap = CAPS.get(kind)
        self._tokens = getattr(clip.tokenizer, key, None) or getattr(clip.tokenizer, clip.tokenizer.clip)
        model = self._module.model
        self.size: int = model.embed_tokens.weight.shape[0]
        self._lead = [*self._start(), *self._encode(LEAD)]
        self._ends = torch.tensor(self._ending(model.config))
        self._check()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._clip.patcher.load_device

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text after the lead, without a full stop at its end."""
        return [self._encode(after_lead(text)) for text in texts]

    def log_probabilities(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """See `objectives.fluency.LanguageModel`."""
        is_end = torch.arange(ids.shape[1] + 1, device=self.device) == lengths.to(self.device)[:, None]
        steps, tokens = self._predict(ids, is_end)
        steps[is_end] = self._end(tokens)
        return steps

    def following(self, ids: Tensor, places: Tensor) -> Following:
        """See `objectives.fluency.LanguageModel`."""
        places = places.to(self.device)
        steps, tokens = self._predict(ids, places)
        without_ends = tokens.index_fill(1, self._ends.to(tokens.device), -torch.inf)
        return Following(without_ends, self._end(tokens), said_until(steps[:, :-1])[places])

    def _predict(self, ids: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probabilities [M, V] of all tokens after the `places`, bool [N, L + 1]; before them those [N, L + 1] of the
        tokens of the texts [N, L], up to the last place of each, 0 after it.

        Raises PezError for a text that is too long.
        """
        count, longest = ids.shape
        if longest > LONGEST:
            raise PezError(f"The text has {longest} tokens, {self.name} reads {LONGEST} here: shorten it.")
        ids = ids.to(self.device)
        followed = torch.cat([ids, ids.new_zeros(count, 1)], dim=1)
        read = places.flip(1).cumsum(1).flip(1) > 0  # what is before the last place, and the place
        steps, tokens = torch.zeros(followed.shape, device=self.device), []
        rows = max(1, READ // (longest + len(self._lead)))
        for first in range(0, count, rows):
            own = slice(first, first + rows)
            hidden, asked, after = (each[read[own]] for each in (self._read(ids[own]), places[own], followed[own]))
            values = []
            for some in torch.arange(len(hidden), device=self.device).split(PREDICTED):
                predicted = self._next(hidden[some])
                values.append(predicted.gather(1, after[some, None])[:, 0])
                tokens.append(predicted[asked[some]])
            steps[own][read[own]] = torch.cat(values)
        return steps, torch.cat(tokens)

    def _read(self, ids: Tensor) -> Tensor:
        """Hidden states [N, L + 1, D] after the lead and after each token of [N, L]."""
        management.throw_exception_if_processing_interrupted()
        load_beside_towers([self._clip.patcher])
        model, lead = self._module.model, torch.tensor(self._lead, device=self.device)
        read = torch.cat([lead.expand(len(ids), -1), ids], dim=1)
        dtype = torch.bfloat16 if management.should_use_bf16(self.device) else torch.float32  # as ComfyUI generates
        with torch.inference_mode():
            embeds = model.embed_tokens(read, out_dtype=dtype).to(dtype)
            more = {"input_ids": read} if getattr(model, "hidden_size_per_layer_input", 0) else {}
            hidden = model.forward(None, embeds=embeds, **more)[0][:, len(self._lead) - 1 :]
        return hidden.clone()  # no inference tensor

    def _next(self, hidden: Tensor) -> Tensor:
        """The log-probabilities float32 [M, V] of each next token after hidden states [M, D]."""
        with torch.inference_mode():
            logits = self._module.logits(hidden[:, None])[:, -1].float()  # it computes the last position's only
            if self._cap:
                logits = self._cap * torch.tanh(logits / self._cap)
            tokens = logits.log_softmax(-1)
        return tokens.clone()

    def _end(self, tokens: Tensor) -> Tensor:
        return tokens[:, self._ends.to(tokens.device)].logsumexp(-1)

    def _encode(self, text: str) -> list[int]:
        """The tokens of a text alone: neither templates nor weights in parentheses."""
        ids = list(self._tokens.tokenizer(text)["input_ids"]) if text else []
        end = len(ids) - 1 if ids and self._tokens.tokenizer_adds_end_token else len(ids)
        return ids[self._tokens.tokens_start if ids else 0 : end]

    def _start(self) -> list[int]:
        """The token that every text begins with, if the model has one."""
        return [] if self._tokens.start_token is None else [self._tokens.start_token]

    def _ending(self, config: Any) -> list[int]:
        """The tokens that end a caption: full stops, line ends, and those that the model stops at."""
        tokenizer = self._tokens.tokenizer
        known = {i for i in tokenizer.get_vocab().values() if i < self.size}
        ends = {i for i in known if ENDS.fullmatch(tokenizer.decode([i]))}
        special = {*getattr(tokenizer, "all_special_ids", ()), *(getattr(config, "stop_tokens", None) or ())}
        return sorted(ends | {i for i in special if i < self.size})

    def _check(self) -> None:
        """Raises PezError if the model does not tell sentences from their words in reverse: its output layer is missing."""
        backwards = [" ".join(reversed(each.split())) for each in SENTENCES]
        values = log_probabilities(self, [*SENTENCES, *backwards])
        pairs = zip(values[: len(SENTENCES)], values[len(SENTENCES) :], strict=True)
        if not all(value > other for value, other in pairs):  # also for NaN
            raise PezError(
                f"{self.name} does not tell sentences from their words in reverse order: its file lacks the output layer, "
                "or is damaged. Connect another one."
            )


def _generating(model: Any) -> tuple[str, Any]:
    """The part of ComfyUI's text encoders that generates text, after its name.

    Raises PezError if there is none.
    """
    parts = {name: each.transformer for name, each in model.named_children() if hasattr(each, "transformer")}
    for name, module in parts.items():
        if hasattr(module, "logits") and hasattr(module, "generate") and not REFUSED & _kinds(module):
            return name, module
    kinds = [kind for module in parts.values() for kind in _kinds(module)]
    why = next((reason for kind, reason in WHY.items() if kind in kinds), OTHERWISE)
    shown = ", ".join(type(module).__name__ for module in parts.values()) or type(model).__name__
    raise PezError(
        f"The connected CLIP ({shown}) cannot say how texts read: {why}. Connect one that generates text, such as that of "
        "Z-Image, Flux.2 klein or Lumina 2, or disconnect it."
    )


def _kinds(module: Any) -> set[str]:
    return {kind.__name__ for kind in type(module).__mro__}

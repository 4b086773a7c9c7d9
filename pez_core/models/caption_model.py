"""The embedded caption model: how natural a text reads as the caption of a picture, token by token of CLIP."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import PezError, first_line
from ..text.vocabulary import Vocabulary
from .caption_net import CaptionConfig, CaptionNet
from .following import Following, said_until
from .presets import EMBEDDED_FOLDER

RARE = -1  # the token id of the slot that stands for all tokens without one
CAPTIONS = EMBEDDED_FOLDER / "captions.safetensors"
AT_ONCE = 2048  # positions scored together: bounds memory
_METADATA = "caption_model"
_TABLES = ("words", "out_words")  # saved as bytes with a scale for each row


class CaptionModel:
    """A causal language model over the tokens of CLIP. See `objectives.fluency.LanguageModel`.

    Tokens that were too rare in training share one embedding, and their probability is shared out evenly among them.

    Args:
        net: the network.
        token_ids: int [K], the token of each slot, RARE for the shared one.
        vocabulary: CLIP's tokens.
    """

    name = "embedded caption model"

    def __init__(self, net: CaptionNet, token_ids: Tensor, vocabulary: Vocabulary):
        self.net, self.token_ids = net.eval().requires_grad_(False), token_ids
        self.vocabulary, self.size = vocabulary, vocabulary.size
        self.longest = net.config.positions - 1
        (self._start,), (self._end,) = vocabulary.start_ids, vocabulary.end_ids
        rare = int((token_ids == RARE).nonzero())
        slots = torch.full((self.size,), rare)
        own = (token_ids != RARE).nonzero()[:, 0]
        slots[token_ids[own].long()] = own
        sharing = slots == rare
        sharing[self._start] = False
        shares = torch.zeros(self.size)
        shares[sharing] = -math.log(int(sharing.sum()))
        shares[self._start] = -torch.inf  # never follows
        device = net.start.device
        self._slots, self._shares = slots.to(device), shares.to(device)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.net.start.device

    @property
    def width(self) -> int:
        """E, the length of a token's embedding: what is read, what is predicted, and its class."""
        config = self.net.config
        return config.width + config.out_width + 1 + config.classes

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without a full stop at its end."""
        return self.vocabulary.encode_all([text.rstrip(". \n") for text in texts])

    @torch.no_grad()
    def log_probabilities(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """See `objectives.fluency.LanguageModel`."""
        count, longest = ids.shape
        self._check(longest)
        across = torch.arange(longest + 1, device=self.device)
        lengths = lengths.to(self.device)[:, None]
        followed = torch.cat([ids.to(self.device), ids.new_zeros(count, 1).to(self.device)], dim=1)
        followed = torch.where(across == lengths, self._end, followed)
        counted = across <= lengths
        found = torch.zeros(followed.shape, device=self.device)
        rows = max(1, AT_ONCE // (longest + 1))
        for first in range(0, count, rows):
            own, which = followed[first : first + rows], counted[first : first + rows]
            hidden, _ = self.net.read(self.net.begin(self._slots[own[:, :-1]]))
            tokens = own[which]
            values = self.net.at(hidden[which], self._slots[tokens]) + self._shares[tokens]
            found[first : first + rows][which] = values
        return found

    @torch.no_grad()
    def following(self, ids: Tensor, places: Tensor) -> Following:
        """See `objectives.fluency.LanguageModel`."""
        self._check(ids.shape[1])
        ids, places = ids.to(self.device), places.to(self.device)
        hidden, _ = self.net.read(self.net.begin(self._slots[ids]))
        tokens = self.net.all(hidden[places])[:, self._slots] + self._shares
        end = tokens[:, self._end].clone()
        tokens[:, self._end] = -torch.inf
        steps = self.log_probability_of(hidden[:, :-1].flatten(0, 1), ids.flatten()).view(ids.shape)
        return Following(tokens, end, said_until(steps)[places])

    def read_embeddings(self, ids: Tensor) -> Tensor:
        """What the network reads for the token ids [...]: [..., D]."""
        return self.net.words[self._slots[ids]]

    def log_probability_of(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """The log-probability [M] of the tokens `ids`, one or [M], after the hidden states [M, D]; differentiable."""
        ids = ids.expand(len(hidden))
        return self.net.at(hidden, self._slots[ids]) + self._shares[ids]

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings [..., E] of token ids [...], in which the log-probability of a text is differentiable."""
        slots, config = self._slots[ids], self.net.config
        bias = (self.net.out_bias[slots] + self._shares[ids])[..., None]
        classes = torch.nn.functional.one_hot(slots // config.words, config.classes).to(bias.dtype)
        return torch.cat([self.net.words[slots], self.net.out_words[slots], bias, classes], dim=-1)

    def differentiable(self, embeddings: Tensor) -> Tensor:
        """The log-probabilities [N, L + 1] of texts of equal length from `embed` [N, L, E]; the last one is that of the end.

        At the embeddings of tokens it equals `log_probabilities`; between them it is linear in what is predicted.
        """
        count, length, _ = embeddings.shape
        self._check(length)
        config = self.net.config
        end = self.embed(torch.tensor(self._end, device=self.device)).expand(count, 1, -1)
        parts = [config.width, config.out_width, 1, config.classes]
        read, rows, bias, classes = torch.cat([embeddings, end], dim=1).split(parts, dim=-1)
        start = self.net.start.expand(count, 1, -1)
        hidden, _ = self.net.read(torch.cat([start, read[:, :-1]], dim=1))
        query = self.net.query(hidden)
        logits = (query @ self.net.out_words.T + self.net.out_bias).unflatten(-1, (config.classes, config.words))
        of_class = self.net.of_class(hidden).log_softmax(-1) - logits.logsumexp(-1)
        return (query * rows).sum(-1) + bias[..., 0] + (of_class * classes).sum(-1)

    def value_and_gradient(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probability float32 [N] of whole texts int64 [N, L], and its gradient [N, L, E] at their embeddings.

        The gradient times the difference of two tokens' embeddings estimates what it is worth to swap them.
        """
        with torch.enable_grad():
            embeddings = self.embed(ids.to(self.device)).requires_grad_()
            values = self.differentiable(embeddings).sum(-1)
            (gradient,) = torch.autograd.grad(values.sum(), embeddings)
        return values.detach(), gradient

    def to(self, device: str | torch.device) -> CaptionModel:
        """The model on `device`; itself if it is there."""
        if torch.device(device) == self.device:
            return self
        self.net.to(device)
        self._slots, self._shares = self._slots.to(device), self._shares.to(device)
        return self

    def _check(self, length: int) -> None:
        if length > self.longest:
            raise PezError(f"The text has {length} tokens, the caption model reads {self.longest}: shorten it.")


def pack(net: CaptionNet, token_ids: Tensor) -> dict[str, Tensor]:
    """The tensors of a file: tables as bytes with a scale for each row, the rest in half precision.

    token_ids: int32 [K], the token of each slot, RARE for the one that stands for all others.
    """
    tensors = {"token_ids": token_ids}
    for name, value in net.state_dict().items():
        if name in _TABLES:
            scale = (value.abs().amax(1) / 127).clamp_min(1e-6).half()
            tensors[f"{name}.scale"] = scale
            tensors[name] = (value / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        else:
            tensors[name] = value.half()
    return tensors


@lru_cache(maxsize=1)
def embedded_caption_model() -> CaptionModel:
    """The caption model that comes with this library, on the CPU; loaded once."""
    return load_caption_model(CAPTIONS)


def load_caption_model(path: Path) -> CaptionModel:
    """The caption model in a file that `training.train_caption_model` wrote, on the CPU, in float32.

    Raises PezError when the file is missing, damaged, or another kind of file.
    """
    from .loading import vocabulary_of

    if not path.is_file():
        raise PezError(f"There is no caption model {path.name!r}: reinstall the pack, or give another file.")
    try:
        with safe_open(path, framework="pt") as file:
            described = (file.metadata() or {}).get(_METADATA)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        config = CaptionConfig(**json.loads(described or ""))
        config.check()
        if config.layers > len(tensors):
            raise ValueError(f"it has fewer tensors than its {config.layers} layers need")
        with torch.device("meta"):  # sizes that do not fit the tensors would cost memory before they are compared
            net = CaptionNet(config)
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise PezError(f"{path.name} is not a caption model: {first_line(error)}") from error
    token_ids = _unpack(net, tensors, path.name)
    return CaptionModel(net, token_ids, vocabulary_of("ViT-B-32"))


def _unpack(net: CaptionNet, tensors: dict[str, Tensor], name: str) -> Tensor:
    """Loads the tensors of `pack` into the network. Returns the token of each slot."""
    token_ids = tensors.pop("token_ids", None)
    weights = {key: value.float() for key, value in tensors.items() if not key.endswith(".scale")}
    for table in _TABLES:
        scale = tensors.get(f"{table}.scale")
        if table in weights and scale is not None:
            weights[table] *= scale.float()[:, None]
    wrong = [key for key, value in net.state_dict().items() if key not in weights or weights[key].shape != value.shape]
    wrong += [scale for scale in (f"{table}.scale" for table in _TABLES) if scale not in tensors]
    rare = 0 if token_ids is None else int((token_ids == RARE).sum())
    if wrong or token_ids is None or token_ids.shape != (net.config.slots,) or rare != 1:
        raise PezError(
            f"{name} is not a complete caption model: {(wrong or ['token_ids'])[0]} is missing, of another size or wrong."
        )
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise PezError(f"{name} is damaged: {broken[0]} has values that are not finite. Fetch the file again.")
    net.load_state_dict(weights, assign=True)
    return token_ids

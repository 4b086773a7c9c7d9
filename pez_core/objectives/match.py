"""How good a prompt is: fixed text around searched tokens, through the text tower, against a target."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import InversionConfig
from ..errors import PezError
from ..models.clip import ClipModel, shorten
from ..targets.target import Target
from ..text.bans import Bans

log = logging.getLogger(__name__)

ROWS = 2048  # token positions in the tower at once: bounds memory (3 GB for ViT-H in float32), loses no speed


class Objective:
    """Similarity of token sequences [R, L], set between prefix and suffix, to a target.

    Attributes:
        allowed: int64 [A], the ids that the search may use, ascending.
        own_ids: the person's words to start from, if any.
        kept_ids: the ids of each of the words or phrases that must be in the prompt.
        together: how many prompts go through the tower at once; more are split, with the same result.

    Raises PezError when the length does not fit the context beside prefix and suffix, when these hold
    a banned word, or when the bans leave no token.
    """

    def __init__(self, model: ClipModel, target: Target, config: InversionConfig):
        vocabulary = model.vocabulary
        self._model = model
        self._vocabulary = vocabulary
        device = model.device
        bans = Bans(config.banned, vocabulary.token_texts) if config.banned else None
        self._prefix, self._suffix = vocabulary.cleaned(config.prefix), vocabulary.cleaned(config.suffix)
        before = _fixed_ids(model, "prefix", self._prefix, config.banned)
        after = _fixed_ids(model, "suffix", self._suffix, config.banned)
        room = vocabulary.room - len(before) - len(after)
        if room < 1:
            raise PezError(
                f"prefix and suffix have {len(before) + len(after)} tokens, {model.name} reads {vocabulary.room}: "
                "nothing is left to search. Shorten them."
            )
        if config.length > room:
            raise PezError(
                f"length must be from 1 to {room}, not {config.length}: {model.name} reads {vocabulary.room} tokens"
                + (f", prefix and suffix take {vocabulary.room - room} of them." if room < vocabulary.room else ".")
            )
        self.allowed = vocabulary.allowed(config.vocabulary, bans).nonzero()[:, 0].to(device)
        self.bans = bans.to(device) if bans else None
        self.own_ids = _own_ids(model, config, set(self.allowed.tolist())) if config.start == "words" else []
        self.kept_ids, self._spelled = _kept(model, config)
        self._before = torch.tensor(before, dtype=torch.long, device=device)
        self._after = torch.tensor(after, dtype=torch.long, device=device)
        self._encode = model.text.prompt_encoder(before, after, config.precision)
        self.together = max(1, ROWS // model.text.positions(len(before) + config.length + len(after)))
        self._features = target.features.to(device)
        self._weights = target.weights.to(device)
        self._whole_target = self._weights @ self._features

    @property
    def pictures(self) -> int:
        """How many pictures the target has."""
        return len(self._features)

    @property
    def tokens(self) -> int:
        """V, the size of the vocabulary."""
        return self._vocabulary.size

    @property
    def widths(self) -> tuple[int, ...]:
        """The lengths of the towers' parts of a token embedding."""
        return self._model.text.widths

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings float32 [..., D] of `ids` [...]."""
        return self._model.text.embed(ids)

    def narrow(self, ids: Tensor) -> None:
        """From here on the search may use only those of the allowed tokens that are among `ids`, of any shape."""
        self.allowed = self.allowed[torch.isin(self.allowed, ids)]

    def whole(self, ids: Tensor) -> Tensor:
        """`ids` [R, L] with prefix and suffix around them."""
        count = len(ids)
        return torch.cat([self._before.expand(count, -1), ids, self._after.expand(count, -1)], dim=1)

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt: prefix, the searched tokens `ids`, suffix."""
        words, place = [], 0
        while place < len(ids):
            text, length = next(
                (
                    (text, len(own))
                    for own, text in self._spelled.items()
                    if tuple(ids[place : place + len(own)]) == own
                ),
                (self._vocabulary.token_texts[ids[place]], 1),
            )
            words.append(text)
            place += length
        return " ".join(filter(None, (self._prefix, *words, self._suffix)))

    @torch.no_grad()
    def similarity(self, ids: Tensor) -> Tensor:
        """Similarity float32 [R] of prompts [R, L]; -inf where one holds a banned word."""
        parts = [self._encode(self.embed(chunk), chunk) @ self._whole_target for chunk in ids.split(self.together)]
        return self._unless_banned(ids, torch.cat(parts) if len(parts) > 1 else parts[0])

    def score(self, ids: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`similarity` [R], and its gradient [R, L, D] at the tokens' embeddings; both float32.

        `drawn`: indices [b] of the target's pictures that give the gradient; None for all. The similarity
        is always that to the whole target.
        """
        parts = [self._score(chunk, drawn) for chunk in ids.split(self.together)]
        similarity, gradient = (torch.cat(each) if len(parts) > 1 else each[0] for each in zip(*parts, strict=True))
        return self._unless_banned(ids, similarity), gradient

    def _score(self, ids: Tensor, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            embeddings = self.embed(ids).requires_grad_()
            features = self._encode(embeddings, ids)
            (gradient,) = torch.autograd.grad((features @ self._towards(drawn)).sum(), embeddings)
        return features.detach() @ self._towards(), gradient

    def _towards(self, drawn: Tensor | None = None) -> Tensor:
        """[F]: the product of unit features with it is their similarity to the target, or to the `drawn` pictures."""
        if drawn is None:
            return self._whole_target
        weights = self._weights[drawn]
        return weights @ self._features[drawn] / weights.abs().sum()

    def _unless_banned(self, ids: Tensor, similarity: Tensor) -> Tensor:
        return similarity.masked_fill(self.bans.found(self.whole(ids)), -torch.inf) if self.bans else similarity


def _own_ids(model: ClipModel, config: InversionConfig, allowed: set[int]) -> list[int]:
    """The ids of a person's words to start from, less those that the search may not use."""
    own = model.vocabulary.encode(model.vocabulary.cleaned(config.words))
    usable = [i for i in own if i in allowed]
    if not usable:
        raise PezError(
            f"The search cannot start from the words {shorten(config.words)!r}: "
            + (
                "none of them is among the tokens that it may use."
                if own
                else "there are none. Give some, or start at random."
            )
        )
    if len(usable) < len(own):
        log.warning("Of the words %r some are left out: they are not among the tokens that may be used.", config.words)
    return usable


def _kept(model: ClipModel, config: InversionConfig) -> tuple[list[list[int]], dict[tuple[int, ...], str]]:
    """The ids of each kept phrase; and, longest first, the texts of those that are not spelled as their tokens are."""
    vocabulary, kept, spelled = model.vocabulary, [], {}
    neighbour = vocabulary.encode("a")
    for phrase in config.keep:
        text = vocabulary.cleaned(phrase)
        ids = _fixed_ids(model, "kept words", text, config.banned)
        if vocabulary.encode(f"a {text} a") != [*neighbour, *ids, *neighbour] or not ids:
            raise PezError(
                f"The kept words {shorten(phrase)!r} read otherwise between other words: spell them plainly."
            )
        kept.append(ids)
        if vocabulary.decode(ids) != text:
            spelled[tuple(ids)] = text
    taken = sum(map(len, kept))
    if taken > config.length:
        raise PezError(f"The kept words have {taken} tokens, the length is {config.length}: raise it or keep less.")
    return kept, dict(sorted(spelled.items(), key=lambda pair: -len(pair[0])))


def _fixed_ids(model: ClipModel, name: str, text: str, banned: Sequence[str]) -> list[int]:
    """The ids of prefix, suffix or kept words, looked over."""
    vocabulary = model.vocabulary
    ids = vocabulary.encode(text) if text else []
    for word in banned:
        if ids and Bans([word], vocabulary.token_texts).found(torch.tensor([ids])).any():
            raise PezError(f"The {name} {shorten(text)!r} holds the banned word {word!r}: change one of them.")
    unknown = vocabulary.unknown_words(text)
    if unknown:
        log.warning(
            "The model %s has never seen %s in the %s: its scores say nothing of them.", model.name, unknown, name
        )
    return ids

"""A CLIP model as the rest of the library sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .errors import PezError
from .tower import TextTower
from .vocabulary import Vocabulary

IMAGE_BATCH = 16  # pictures encoded at once: bounds memory, loses no speed


class ClipModel:
    """Image tower, text tower and vocabulary of one open_clip model.

    `module`: the open_clip model; kept in float32, its parameters are frozen.
    `preprocess`: RGB picture to float32 [3, S, S], as the model was trained.
    `name`: how the model was chosen, for messages and results.

    Raises PezError when the text tower cannot be searched.
    """

    def __init__(
        self, module: nn.Module, preprocess: Callable[[Image.Image], Tensor], vocabulary: Vocabulary, name: str
    ):
        self.module = module.eval()
        self.preprocess = preprocess
        self.vocabulary = vocabulary
        self.name = name
        self.text = TextTower(self.module, vocabulary, name)

    @property
    def device(self) -> torch.device:
        """Where the weights are now."""
        return self.text.table.device

    def to(self, device: torch.device | str) -> ClipModel:
        """Moves the weights; returns self."""
        self.module.to(device)
        return self

    @torch.no_grad()
    def encode_images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures."""
        features = []
        for start in range(0, len(pictures), IMAGE_BATCH):
            batch = torch.stack([self.preprocess(p) for p in pictures[start : start + IMAGE_BATCH]])
            features.append(F.normalize(self.module.encode_image(batch.to(self.device)).float(), dim=-1))
        return torch.cat(features)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit features float32 [N, F] of texts, tokenised afresh, at full length.

        Raises PezError for a text that does not fit the model's context.
        """
        rows = []
        for text, ids in zip(texts, self.vocabulary.encode_all(texts), strict=True):
            if len(ids) > self.vocabulary.room:
                raise PezError(
                    f"The text {shorten(text)!r} has {len(ids)} tokens, {self.name} reads {self.vocabulary.room}: shorten it."
                )
            rows.append(self.vocabulary.rows(torch.tensor([ids], dtype=torch.long)))
        return self.text.encode(torch.cat(rows).to(self.device))


def shorten(text: str, most: int = 60) -> str:
    """The text, or its beginning with an ellipsis, for messages."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"

"""Visually guided decoding (arXiv 2505.08622) restated, as the rival of readable searches.

A language model writes the text token by token in a beam; CLIP only re-ranks its own most likely continuations. Settings are the
paper's: 10 beams, 100 continuations, the weights of both scores, the length penalty. Instead of its instruction with the best single
word, the text begins with that word: the models here follow no instructions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pez_core import ClipModel, Target
from pez_core.objectives.fluency import LanguageModel

BEAMS, CONTINUATIONS = 10, 100
SAID, SEEN, SHARPNESS = 1.0, 1.5, 100.0
PENALTY = 1.2


@torch.no_grad()
def vgd(model: ClipModel, target: Target, language: LanguageModel, length: int = 16) -> str:
    """The text of `length` tokens of the language model that the method finds for `target`."""
    tokenizer = getattr(language, "tokenizer", None) or getattr(language, "vocabulary", None)
    assert tokenizer is not None
    (begun,) = language.encode_all([best_word(model, target)])
    beams: list[tuple[float, list[int]]] = [(0.0, begun)]
    for _ in range(length - len(begun)):
        new: list[tuple[float, list[int]]] = []
        for said, ids in beams:
            at_end = torch.tensor([[False] * len(ids) + [True]])
            best = language.following(torch.tensor([ids]), at_end).tokens[0].topk(CONTINUATIONS)
            longer = [[*ids, token] for token in best.indices.tolist()]
            texts = [tokenizer.decode(each).strip() for each in longer]
            seen = (SHARPNESS * target.similarity(model.encode_texts(texts))).log_softmax(-1)
            scores = SAID * best.values.cpu() + SEEN * seen.cpu()
            new += [(said + score, each) for score, each in zip(scores.tolist(), longer, strict=True)]
        beams = sorted(new, key=lambda each: -each[0])[:BEAMS]
    return max(((said / penalty(len(ids)), tokenizer.decode(ids).strip()) for said, ids in beams))[1]


def penalty(length: int) -> float:
    """What the score of a text of this many tokens is divided by."""
    return ((5 + length) / 6) ** PENALTY


def best_word(model: ClipModel, target: Target) -> str:
    """The word of the model's dictionary that matches best by itself."""
    allowed = model.vocabulary.dictionary.nonzero()[:, 0]
    words = [model.vocabulary.token_texts[i] for i in allowed.tolist()]
    similarities: Tensor = target.similarity(model.encode_texts(words))
    return words[int(similarities.argmax())]

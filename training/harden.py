"""Teaches a trained model's text tower that word salads are no captions.

    python -m training.harden pez_core/embedded --drawings .drawings

A search tries texts that no person would write, and finds the salads that a model likes as much as a caption. Here such
salads are searched by gradient (HotFlip) among words that say nothing of the scene, and serve as wrong answers beside
random ones. Only the text tower learns: the pictures' features are computed once.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import CLIP
from safetensors.torch import load_file
from torch import Tensor

from .augmentation import augmented
from .evaluation import Evaluation
from .model import build, encode_pictures, encode_text, save
from .tokens import Rows
from .world import STYLES, World, caption, distractor
from .world.dice import Dice

TOLD = 12  # captions whose words are taken as true of a scene
COMMON = 0.2  # words in the captions of more than this share of all scenes say nothing
ROUNDS = 8  # of a search for salads
LENGTHS = (4, 10)  # words of a salad
CHOSEN = 4  # of the best words by gradient, one is taken at random
CHUNK = 512  # pictures drawn and encoded at once


@dataclass(frozen=True)
class Scenes:
    """Scenes, the features [N, F] of their pictures, and bool [N, V] the token rows that are true of each."""

    scenes: list
    features: Tensor
    true: Tensor


def trained(folder: Path, words: list[str]) -> tuple[CLIP, Rows, dict]:
    """The folder's model with all of its weights, and the rows of its token table."""
    config = json.loads((folder / "model.json").read_text("utf-8"))
    rows = Rows(words)
    weights = load_file(folder / "model.safetensors")
    if weights.pop("token_ids").tolist() != rows.ids:
        raise SystemExit(f"The model in {folder} was trained with other drawings or styles: train it anew first.")
    model = build(config, rows)
    model.load_state_dict(weights, strict=False)  # without what batch norms count
    return model.eval(), rows, config


@torch.no_grad()
def prepare(
    world: World, model: CLIP, rows: Rows, count: int, rng: np.random.Generator, noise: torch.Generator
) -> Scenes:
    """`count` random scenes, drawn and encoded once."""
    scenes, features, told = [], [], []
    for _ in range(0, count, CHUNK):
        some = world.scenes(rng, CHUNK)
        pictures = augmented(world.draw(world.lay_out(rng, some)), noise)
        features.append(encode_pictures(model, pictures))
        dice = Dice(rng, block=1024)
        told += [{row for _ in range(TOLD) for row in rows._text(caption(dice, scene))} for scene in some]
        scenes += some
    often = Counter(row for own in told for row in own)
    common = {row for row, times in often.items() if times > COMMON * len(told)}
    true = torch.zeros(len(told), len(rows.ids), dtype=torch.bool)
    for i, own in enumerate(told):
        true[i, list(own - common)] = True
    return Scenes(scenes, torch.cat(features), true)


def salads(model: CLIP, features: Tensor, allowed: Tensor, length: int, noise: torch.Generator) -> Tensor:
    """Token rows [B, length + 2] that the text tower takes for captions of pictures [B, F].

    allowed: bool [B, V], the rows that each may hold. In each round, at a random third of the places of the best salad so
    far, one of the words that its gradient ranks highest takes the place of the word before.
    """
    count, end = len(features), allowed.shape[1] - 1
    frame = [torch.full((count, 1), row) for row in (end - 1, end)]  # the start and end of a text
    table = model.token_embedding.weight.detach()
    ids = torch.multinomial(allowed.float(), length, replacement=True, generator=noise)
    best, best_value, best_gradient = ids, torch.full((count,), -torch.inf), torch.zeros(count, length, table.shape[1])
    for _ in range(ROUNDS):
        value, gradient = _likeness(model, table[torch.cat((frame[0], ids, frame[1]), 1)], features)
        better = value > best_value
        best_value = torch.where(better, value, best_value)
        best = torch.where(better[:, None], ids, best)
        best_gradient = torch.where(better[:, None, None], gradient[:, 1:-1], best_gradient)
        rank = (best_gradient @ table.T).masked_fill(~allowed[:, None], -torch.inf).topk(CHOSEN, dim=-1).indices
        one = torch.randint(CHOSEN, best.shape, generator=noise)[..., None]
        change = torch.rand(best.shape, generator=noise) < 1 / 3
        ids = torch.where(change, rank.gather(-1, one)[..., 0], best)
    return torch.cat((frame[0], best, frame[1]), 1)


def _likeness(model: CLIP, embedded: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """The cosines [B] of texts, given as embeddings [B, T, D], with pictures [B, F]; and their gradient [B, T, D]."""
    length = embedded.shape[1]
    embedded.requires_grad_()
    x = model.transformer(embedded + model.positional_embedding[:length], attn_mask=model.attn_mask[:length, :length])
    value = (F.normalize(model.ln_final(x)[:, -1] @ model.text_projection, dim=-1) * features).sum(-1)
    return value.detach(), torch.autograd.grad(value.sum(), embedded)[0]


def harden(folder: Path, drawings: Path, scenes: int, steps: int, batch: int, rate: float, seed: int) -> None:
    """See the module. Writes `model.safetensors` anew."""
    torch.manual_seed(seed)
    rng, noise = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    world = World(drawings)
    words = world.words()
    model, rows, config = trained(folder, words)
    begun = time.perf_counter()
    known = prepare(world, model, rows, scenes, rng, noise)
    print(f"{len(known.scenes)} scenes after {time.perf_counter() - begun:.0f} s", flush=True)
    whole = torch.zeros(len(rows.ids), dtype=torch.bool)  # tokens that end a word
    whole[[pieces[-1] for pieces in map(rows._word, words) if pieces]] = True
    learned = [p for name, p in model.named_parameters() if not name.startswith(("visual.", "logit_scale"))]
    model.requires_grad_(False)
    for parameter in learned:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(learned, lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    scale, own, shown = model.logit_scale.exp().item(), torch.arange(batch), torch.zeros(2)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(step / 50, 1) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
        which = torch.from_numpy(rng.choice(len(known.scenes), batch, replace=False))
        some, features = [known.scenes[i] for i in which.tolist()], known.features[which]
        dice = Dice(rng, block=1024)
        texts = rows([caption(dice, s) for s in some] + [distractor(dice, s, words) for s in some])
        length = int(rng.integers(*LENGTHS, endpoint=True))
        found = salads(model, features, whole & ~known.true[which], length, noise)
        true = encode_text(model, texts)
        logits = scale * features @ torch.cat((true, encode_text(model, found))).T
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits[:, :batch].T, own)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        cosines = logits.detach() / scale
        shown += torch.tensor((cosines[:, :batch].diag().mean(), cosines[:, 2 * batch :].diag().mean()))
        if step % 50 == 0:
            caption_mean, salad_mean = (shown / 50).tolist()
            spent = time.perf_counter() - begun
            print(f"step {step} caption {caption_mean:.3f} salad {salad_mean:.3f} {spent:.0f} s", flush=True)
            shown.zero_()
    save(model, rows, config, folder / "model.safetensors")
    for name, share in Evaluation(world, drawings, STYLES).measures(model, rows):
        print(f"{name:20}{share:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drawings", type=Path, default=Path(".drawings"), metavar="FOLDER")
    parser.add_argument("--scenes", type=int, default=16384)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    harden(given.folder, given.drawings, given.scenes, given.steps, given.batch, given.rate, given.seed)


if __name__ == "__main__":
    main()

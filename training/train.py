"""Trains the embedded model, or its judge, on emoji scenes.

    python -m training.train pez_core/embedded --seed 1
    python -m training.train benchmarks/judge --seed 2

The folder holds `model.json`, an open_clip architecture. The run writes `model.safetensors` next to it, in half
precision. The token table keeps only the rows that training used, with their token ids.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import CLIP, get_tokenizer
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import save_file

from training.pictures import COLORS, DEFAULT_FONT, EmojiPictures, caption, distractor, full_caption

TOKENIZER = get_tokenizer("ViT-B-32")  # OpenAI's byte-pair tokens
EVALUATION_SEED = 10_000  # never a training seed


class Rows:
    """Maps OpenAI's token ids to the rows of a small table of the tokens that captions use."""

    def __init__(self, pictures: EmojiPictures):
        rng = np.random.default_rng(0)
        seen = {TOKENIZER.sot_token_id, TOKENIZER.eot_token_id}
        for _ in range(120):
            for scene in pictures.scenes(rng, len(pictures.things)):
                seen.update(TOKENIZER.encode(caption(rng, scene)))
        self.ids = sorted(seen)  # the end token keeps the highest id, so pooling by argmax still finds it
        self._row = {token: row for row, token in enumerate(self.ids)}

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """int64 [len(texts), T], T as short as the longest text allows."""
        rows = [
            [self._row[t] for t in [TOKENIZER.sot_token_id, *TOKENIZER.encode(text)[:75], TOKENIZER.eot_token_id]]
            for text in texts
        ]
        longest = max(map(len, rows))
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def encode_text(model: CLIP, tokens: torch.Tensor) -> torch.Tensor:
    """Unit features [B, F]; as open_clip computes them, but at the length of `tokens` (exact: the tower is causal)."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    pooled = x[torch.arange(len(x)), tokens.argmax(-1)]
    return F.normalize(pooled @ model.text_projection, dim=-1)


def as_batch(pictures: list[np.ndarray]) -> torch.Tensor:
    """float32 [B, 3, S, S], normalized as in open_clip's preprocessing."""
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    return (x - mean) / std


def retrieval(model: CLIP, rows: Rows, pictures: EmojiPictures, count: int = 256, rounds: int = 4) -> float:
    """Share of unseen renders whose own caption ranks first among those of `count` different scenes."""
    model.eval()
    rng = np.random.default_rng(EVALUATION_SEED)
    right = 0
    with torch.no_grad():
        for _ in range(rounds):
            scenes = pictures.scenes(rng, count)
            image = F.normalize(model.encode_image(as_batch([pictures.draw(rng, s) for s in scenes])), dim=-1)
            text = encode_text(model, rows([full_caption(s) for s in scenes]))
            right += int(((image @ text.T).argmax(-1) == torch.arange(count)).sum())
    model.train()
    return right / (count * rounds)


def save(model: CLIP, rows: Rows, config: dict, path: Path) -> None:
    """Writes half-precision tensors; `token_ids` holds the token id of each row of the token table."""
    tensors = {k: v.half().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    tensors["token_ids"] = torch.tensor(rows.ids, dtype=torch.int32)
    save_file(tensors, path, metadata={"architecture": json.dumps(config)})


def train(folder: Path, seed: int, steps: int, batch: int, rate: float, font: Path) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures = EmojiPictures(font)
    rows = Rows(pictures)
    words = sorted({word for thing in pictures.things for word in thing.name.split()} | COLORS.keys())
    config = json.loads((folder / "model.json").read_text())
    text = {**config["text_cfg"], "vocab_size": len(rows.ids)}
    model = CLIP(config["embed_dim"], config["vision_cfg"], text).train()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: min((s + 1) / 100, 1) * (0.01 + 0.99 * (1 + math.cos(math.pi * s / steps)) / 2),
    )
    print(f"{len(pictures.things)} things, {len(rows.ids)} token rows", flush=True)
    begun, shown = time.perf_counter(), 0.0
    for step in range(1, steps + 1):
        scenes = pictures.scenes(rng, batch)
        images = model.encode_image(as_batch([pictures.draw(rng, s) for s in scenes]))
        told = [caption(rng, s, long=step % 8 == 0 and rng.random() < 0.5) for s in scenes]
        wrong = [distractor(rng, s, words) for s in scenes]
        texts = encode_text(model, rows(told + wrong))
        logits = model.logit_scale.exp() * F.normalize(images, dim=-1) @ texts.T  # [batch, 2 * batch]
        own = torch.arange(batch)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits[:, :batch].T, own)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        shown += loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {shown / 50:.3f} {time.perf_counter() - begun:.0f} s", flush=True)
            shown = 0.0
        if step % 250 == 0 or step == steps:
            print(f"step {step} retrieval {retrieval(model, rows, pictures):.4f}", flush=True)
            save(model.eval(), rows, config, folder / "model.safetensors")
            model.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--font", type=Path, default=DEFAULT_FONT)
    given = parser.parse_args()
    train(given.folder, given.seed, given.steps, given.batch, given.rate, given.font)


if __name__ == "__main__":
    main()

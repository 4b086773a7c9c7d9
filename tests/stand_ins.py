"""Stand-ins for what tests cannot download: real weights, real photographs, tokenizers from a hub."""

from __future__ import annotations

from pathlib import Path

import open_clip
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from benchmarks.random_models import random_clip
from pez_core import ClipModel
from pez_core.models.presets import EMBEDDED_FOLDER


def small(architecture: str, text_layers: int = 2) -> torch.nn.Module:
    """A random CLIP with a real text width, few layers, and a tiny image tower."""
    return random_clip(architecture, text_layers)


def random_picture(seed: int, side: int = 64) -> Image.Image:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, (side, side, 3), generator=generator, dtype=torch.uint8)
    return Image.fromarray(noise.numpy())


def hugging_face_tokenizer(folder: Path, kind: str) -> open_clip.tokenizer.HFTokenizer:
    """A small tokenizer of another family, as open_clip wraps it: BERT's word pieces or T5's unigrams."""
    words = [
        "a",
        "red",
        "bird",
        "house",
        "dog",
        "two",
        "sun",
        "set",
        "flower",
        "photo",
        "of",
        "the",
        "in",
        "blue",
        "green",
        "black",
        "white",
        "cat",
        "tree",
        "sky",
    ]
    letters = list("abcdefghijklmnopqrstuvwxyz2!.,()")
    if kind == "bert":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        vocabulary = [*special, *letters, *(f"##{c}" for c in letters), *(w for w in words if w != "a")]
        fast = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
        fast.normalizer = normalizers.BertNormalizer()
        fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        fast.decoder = decoders.WordPiece()
        fast.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    else:
        pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        pieces += [(f"▁{w}", -2.0) for w in words] + [(c, -6.0) for c in letters] + [("▁", -5.0)]
        fast = Tokenizer(models.Unigram(pieces, unk_id=2))
        fast.pre_tokenizer = pre_tokenizers.Metaspace()
        fast.decoder = decoders.Metaspace()
        fast.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        names = {"unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=fast, **names).save_pretrained(folder)
    return open_clip.tokenizer.HFTokenizer(str(folder), context_length=64)


def fits_best(model: ClipModel, prompt: str) -> str:
    """The name of the sample picture that a prompt fits best, according to the model."""
    files = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))
    likeness = model.encode_texts([prompt]) @ model.encode_images([Image.open(file) for file in files]).T
    return files[int(likeness.argmax())].stem

"""Tiny language models of transformers' own classes, with random weights and byte-level tokenizers made on the spot."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pez_core.models.language import EncoderDecoderModel, TransformersModel

WORDS = "red bird movie good bad great terrible it was is a the film story actor boring funny dog cat house tree 12 !"
KINDS = ("llama", "gpt2", "opt")


def byte_level_tokenizer() -> Any:
    """A byte-level BPE tokenizer, as GPT-2's, that knows WORDS after a space; no start or end."""
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    corpus = [f" {word}" for word in WORDS.split()] * 50 + [f"{word}ing" for word in WORDS.split()] * 3
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=letters, special_tokens=["<end>"], show_progress=False
    )
    plain.train_from_iterator(corpus, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<end>", pad_token="<end>")


def causal(kind: str = "llama") -> TransformersModel:
    """A causal model of random weights."""
    tokenizer = byte_level_tokenizer()
    size = len(tokenizer)
    torch.manual_seed(0)
    if kind == "llama":
        config = transformers.LlamaConfig(
            vocab_size=size,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
        )
        module: Any = transformers.LlamaForCausalLM(config)
    elif kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=128)
        module = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.OPTConfig(
            vocab_size=size,
            hidden_size=32,
            word_embed_proj_dim=16,
            ffn_dim=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=128,
        )
        module = transformers.OPTForCausalLM(config)
    return TransformersModel(_loud(module), tokenizer, f"tiny {kind}")


def encoder_decoder() -> EncoderDecoderModel:
    """A T5 of random weights."""
    tokenizer = byte_level_tokenizer()
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_ff=48, d_kv=8, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return EncoderDecoderModel(_loud(transformers.T5ForConditionalGeneration(config)), tokenizer, "tiny t5")


def _loud(module: Any) -> Any:
    """Larger weights than at the start of training, so that prompts matter."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() > 1:
                weight.mul_(8)
    return module.eval().requires_grad_(False)

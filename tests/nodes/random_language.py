"""Writes a tiny Qwen3 that has learned to tell sentences from shuffled words; run by ComfyUI's own Python.

    python random_language.py COMFYUI_FOLDER MODELS_FOLDER

LLM/tiny: a folder of transformers. text_encoders/qwen3.safetensors: the same weights, for ComfyUI's own class.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

comfyui, models = map(Path, sys.argv[1:])
TOKENIZER = comfyui / "comfy" / "text_encoders" / "qwen25_tokenizer"
LEARNED = (
    "a dog on a beach",
    "an old man reading a newspaper in the park",
    "two red apples on a wooden table",
    "a house at the end of the road",
)
STEPS = 12

tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
torch.manual_seed(0)
config = Qwen3Config(
    vocab_size=151936,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=128,  # fixed in ComfyUI
    rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
)
model = Qwen3ForCausalLM(config)
rows = [tokenizer(f"Image caption: {text}.")["input_ids"] for text in LEARNED]
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(STEPS):
    loss = sum(model(input_ids=torch.tensor([row]), labels=torch.tensor([row])).loss for row in rows)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

folder = models / "LLM" / "tiny"
model.save_pretrained(folder)
for name in ("tokenizer_config.json", "vocab.json", "merges.txt"):
    shutil.copy(TOKENIZER / name, folder)
(models / "text_encoders").mkdir()
state = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
save_file(state, models / "text_encoders" / "qwen3.safetensors")

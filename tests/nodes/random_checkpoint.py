"""Writes a Stable Diffusion 1.5 checkpoint of random weights; run by ComfyUI's own Python.

    python random_checkpoint.py COMFYUI_FOLDER MODELS_FOLDER

checkpoints/random.safetensors: ComfyUI's own modules give names and shapes. The diffusion model has fewer blocks than
the real one, which ComfyUI detects, the text encoder has TEXT_LAYERS layers, as the helper nodes make ComfyUI expect, and
the VAE has its real size.
"""

import json
import sys
from pathlib import Path

TEXT_LAYERS = 2

comfyui, models = sys.argv[1:]
sys.path.insert(0, comfyui)
sys.argv = [sys.argv[0], "--cpu"]

import comfy.options  # noqa: E402 - the path comes first

comfy.options.enable_args_parsing()

import torch  # noqa: E402
from comfy import ops  # noqa: E402
from comfy.ldm.models.autoencoder import AutoencoderKL  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.sd1_clip import SDClipModel  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

unet = UNetModel(
    image_size=32,
    in_channels=4,
    out_channels=4,
    model_channels=320,
    num_res_blocks=[1, 1],
    channel_mult=[1, 1],
    transformer_depth=[1, 1],
    transformer_depth_middle=1,
    transformer_depth_output=[1, 1, 1, 1],
    num_heads=8,
    use_spatial_transformer=True,
    legacy=False,
    context_dim=768,
    operations=ops.disable_weight_init,
)
vae = AutoencoderKL(
    embed_dim=4,
    ddconfig={
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": [1, 2, 4, 4],
        "num_res_blocks": 2,
        "attn_resolutions": [],
        "dropout": 0.0,
    },
)
words = json.loads((Path(comfyui) / "comfy" / "sd1_clip_config.json").read_text())
clip = SDClipModel(dtype=torch.float32, textmodel_json_config={**words, "num_hidden_layers": TEXT_LAYERS}).transformer
generator = torch.Generator().manual_seed(0)
tensors = {}
for prefix, module in (
    ("model.diffusion_model.", unet),
    ("first_stage_model.", vae),
    ("cond_stage_model.transformer.", clip),
):
    for name, value in module.state_dict().items():
        if name != "text_projection.weight":  # SD 1.5's text encoder has none
            tensors[prefix + name] = (torch.randn(value.shape, generator=generator) * 0.02).half()
folder = Path(models) / "checkpoints"
folder.mkdir()
save_file(tensors, folder / "random.safetensors")

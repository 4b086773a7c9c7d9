"""The models of a job, by name, so that every worker loads its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..models.clip import ClipModel


@dataclass(frozen=True)
class Loader:
    """names: of the models, combined if there are several. files: a checkpoint for each of them, None for none.

    language: the folder or file of a language model, '' for an installed one, None for the embedded caption model.
    threads: of torch on the CPU, 0 to leave them.
    """

    names: Sequence[str]
    files: Sequence[str | None]
    language: str | None = None
    threads: int = 0

    def __call__(self, device: str) -> tuple[ClipModel, Any]:
        """The model on `device`, and the language model or None. Raises PezError if one cannot be loaded."""
        from ..models.combining import combine  # imported late: open_clip takes seconds
        from ..models.loading import load_model

        if self.threads:
            torch.set_num_threads(self.threads)
        models = [load_model(name, file, device) for name, file in zip(self.names, self.files, strict=True)]
        model = models[0] if len(models) == 1 else combine(models)
        if self.language is None:
            return model, None
        from ..models.language import load_language_model  # imported late: transformers takes seconds

        return model, load_language_model(self.language or None, model.device)

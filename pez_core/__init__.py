"""PEZ inversion: a picture in, a short prompt of real words out, scored as the text that it is.

Names are imported when first used: `import pez_core` costs nothing, and what needs open_clip waits for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comfyui_text import escape_for_comfyui as escape_for_comfyui
    from .comfyui_text import read_like_comfyui as read_like_comfyui
    from .config import InversionConfig as InversionConfig
    from .distillation import distill as distill
    from .errors import PezError as PezError
    from .inversion import invert as invert
    from .joint import combine as combine
    from .loading import load_model as load_model
    from .model import ClipModel as ClipModel
    from .result import Candidate as Candidate
    from .result import InversionResult as InversionResult
    from .result import Progress as Progress
    from .result import Token as Token
    from .scoring import Score as Score
    from .scoring import score as score
    from .sources import PictureSource as PictureSource
    from .sources import TextSource as TextSource
    from .target import Target as Target
    from .vocabulary import Vocabulary as Vocabulary

_MODULES = {
    "Candidate": "result",
    "ClipModel": "model",
    "InversionConfig": "config",
    "InversionResult": "result",
    "PezError": "errors",
    "PictureSource": "sources",
    "Progress": "result",
    "Score": "scoring",
    "Target": "target",
    "TextSource": "sources",
    "Token": "result",
    "Vocabulary": "vocabulary",
    "combine": "joint",
    "distill": "distillation",
    "escape_for_comfyui": "comfyui_text",
    "invert": "inversion",
    "load_model": "loading",
    "read_like_comfyui": "comfyui_text",
    "score": "scoring",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""PEZ inversion: from pictures to short prompts of real words, with exact scores.

Names are imported when first used, so `import pez_core` is quick, and open_clip is imported only when needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .choosing import Choice as Choice
    from .choosing import choose as choose
    from .classification import ClassifierResult as ClassifierResult
    from .classification import calibrate as calibrate
    from .classification import classify as classify
    from .classification import evaluate_prompt as evaluate_prompt
    from .classification import learn_classifier as learn_classifier
    from .config import InversionConfig as InversionConfig
    from .config.classifier import ClassifierConfig as ClassifierConfig
    from .distillation import distill as distill
    from .errors import NothingAccepted as NothingAccepted
    from .errors import PezError as PezError
    from .inversion import invert as invert
    from .inversion import invert_all as invert_all
    from .inversion import pick as pick
    from .models.clip import ClipModel as ClipModel
    from .models.combining import combine as combine
    from .models.loading import load_model as load_model
    from .painting import paint as paint
    from .result import Candidate as Candidate
    from .result import InversionResult as InversionResult
    from .result import Progress as Progress
    from .result import Token as Token
    from .scoring import Score as Score
    from .scoring import score as score
    from .targets.labelled import Examples as Examples
    from .targets.labelled_files import read_examples as read_examples
    from .targets.sources import PictureSource as PictureSource
    from .targets.sources import TextSource as TextSource
    from .targets.sources import make_target as make_target
    from .targets.target import Target as Target
    from .targets.task import LabelTask as LabelTask
    from .text.comfyui import escape_for_comfyui as escape_for_comfyui
    from .text.comfyui import read_like_comfyui as read_like_comfyui
    from .text.vocabulary import Vocabulary as Vocabulary

__version__ = "0.1.0"  # as in pyproject.toml, which ComfyUI's registry reads

_MODULES = {
    "Candidate": "result",
    "Choice": "choosing",
    "ClassifierConfig": "config.classifier",
    "ClassifierResult": "classification",
    "ClipModel": "models.clip",
    "Examples": "targets.labelled",
    "InversionConfig": "config",
    "InversionResult": "result",
    "LabelTask": "targets.task",
    "NothingAccepted": "errors",
    "PezError": "errors",
    "PictureSource": "targets.sources",
    "Progress": "result",
    "Score": "scoring",
    "Target": "targets.target",
    "TextSource": "targets.sources",
    "Token": "result",
    "Vocabulary": "text.vocabulary",
    "calibrate": "classification",
    "choose": "choosing",
    "classify": "classification",
    "combine": "models.combining",
    "distill": "distillation",
    "escape_for_comfyui": "text.comfyui",
    "evaluate_prompt": "classification",
    "invert": "inversion",
    "invert_all": "inversion",
    "pick": "inversion",
    "learn_classifier": "classification",
    "load_model": "models.loading",
    "make_target": "targets.sources",
    "paint": "painting",
    "read_examples": "targets.labelled_files",
    "read_like_comfyui": "text.comfyui",
    "score": "scoring",
}

__all__ = [*_MODULES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

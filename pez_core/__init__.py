"""PEZ inversion: a picture in, a short prompt of real words out, scored as the text that it is."""

from .config import InversionConfig
from .errors import PezError
from .invert import invert
from .loading import load_model
from .model import ClipModel
from .result import Candidate, InversionResult, Progress
from .target import Target
from .vocabulary import Vocabulary, escape_for_comfyui

__all__ = [
    "Candidate",
    "ClipModel",
    "InversionConfig",
    "InversionResult",
    "PezError",
    "Progress",
    "Target",
    "Vocabulary",
    "escape_for_comfyui",
    "invert",
    "load_model",
]

"""Text towers with gradients: at full length, at the length of the text, or several as one."""

from .alike import Alike
from .joint import JointTextTower, join
from .text_tower import PromptEncoder, TextTower

__all__ = ["Alike", "JointTextTower", "PromptEncoder", "TextTower", "join"]

"""Text towers with gradients: at full length, at the length of the text, or several as one."""

from .joint import JointTextTower, join
from .text_tower import PromptEncoder, TextTower

__all__ = ["JointTextTower", "PromptEncoder", "TextTower", "join"]

"""Text towers as differentiable functions of token embeddings: the lean way and the model's own."""

from .text_tower import PromptEncoder, TextTower

__all__ = ["PromptEncoder", "TextTower"]

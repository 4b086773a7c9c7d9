"""What rows of prompts have in common."""

from __future__ import annotations

from typing import NamedTuple


class Alike(NamedTuple):
    """Prompts that begin alike: each `rows` consecutive ones have their first `tokens` tokens in common, and others after them."""

    tokens: int
    rows: int

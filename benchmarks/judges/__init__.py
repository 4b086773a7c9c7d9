"""The judges: small CLIP models that no search uses. Each knows another half of the styles."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
JUDGES = {name: HERE / name for name in ("vit", "resnet")}


def known_styles(name: str) -> tuple[str, ...]:
    """The styles that a judge was trained on; the words for others are not in its vocabulary."""
    return tuple(json.loads((JUDGES[name] / "model.json").read_text("utf-8"))["styles"])

"""The kinds of files, by name."""

from __future__ import annotations

from .cases import Kind
from .checkpoints import Checkpoints
from .labels import Labels
from .language import Language
from .lists import Lists
from .pictures import Pictures
from .results import Results

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Pictures(), Checkpoints(), Language(), Labels(), Lists(), Results())
}

"""How cases ended."""

from __future__ import annotations

from dataclasses import dataclass, field

DONE, REFUSED, FAILED = "read", "refused", "failed"


@dataclass
class Outcome:
    """How a case ended.

    name: of its file. said: the line of the refusal, or what went wrong. grown: bytes of memory that it took.
    data: of a small file that failed.
    """

    kind: str
    number: int
    name: str
    end: str
    said: str = ""
    grown: int = 0
    data: bytes = b""


@dataclass
class Row:
    """A line of the table. files, size: of the corpus, size in bytes. ends: cases by how they ended. grown: the most."""

    files: int = 0
    size: int = 0
    ends: dict[str, int] = field(default_factory=lambda: dict.fromkeys((DONE, REFUSED, FAILED), 0))
    grown: int = 0

"""What a process holds: memory, threads, open files; and whether that stays as it is."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MOST_GROWTH = 32.0
"""MiB from the second fifth of a run to the last: a model that is never let go of adds that at each swap."""
PATIENCE = 5.0  # seconds


@dataclass
class Watch:
    """Samples of a process (Linux). memory: resident MiB, in order."""

    pid: int = field(default_factory=os.getpid)
    memory: list[float] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)

    def sample(self) -> None:
        """Notes the memory. In this process only what is in use: the allocator gives back what it keeps."""
        if self.pid == os.getpid():
            tidy()
        self.memory.append(self._status("VmRSS") / 1024)

    def begin(self) -> None:
        """Call it once everything has been used once: libraries keep files and threads of their own."""
        self.before = self._held()

    def left(self) -> list[str]:
        """The threads and files that were not there at `begin`. What has just ended gets a moment to go."""
        end = time.monotonic() + PATIENCE
        while (found := self._held() - self.before) and time.monotonic() < end:
            time.sleep(0.1)
        return sorted(found.elements())

    @property
    def growth(self) -> float:
        """MiB from the median of the second fifth to that of the last."""
        fifth = max(1, len(self.memory) // 5)
        return statistics.median(self.memory[-fifth:]) - statistics.median(self.memory[fifth : 2 * fifth])

    @property
    def flat(self) -> bool:
        return self.growth <= MOST_GROWTH

    def _held(self) -> Counter[str]:
        place = Path("/proc", str(self.pid))
        files = Counter(f"file {_target(each)}" for each in (place / "fd").iterdir())
        threads = Counter(f"thread {name}" for each in (place / "task").iterdir() if (name := _name(each)))
        return files + threads

    def _status(self, name: str) -> int:
        lines = Path("/proc", str(self.pid), "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def tidy() -> None:
    """Frees what nothing refers to, and gives it back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _target(link: Path) -> str:
    """What an open file is; of sockets and pipes only the kind, as each has a number of its own."""
    try:
        return str(link.readlink()).partition(":")[0]
    except OSError:  # it has just been closed: such as the one that listed the folder
        return "closed"


def row(name: str, count: int, watch: Watch, left: Sequence[str], differ: Sequence[object], compared: int) -> list[str]:
    """A row of the table."""
    memory = f"{watch.memory[0]:.0f}, {max(watch.memory):.0f}, {watch.memory[-1]:.0f}"
    same = f"{compared - len(differ)} of {compared}"
    return [name, str(count), memory, f"{watch.growth:+.1f}", ", ".join(left) or "none", same]


HEAD = (
    "part",
    "runs",
    "MiB at first, most, at last",
    "MiB gained after the first fifth",
    "left behind",
    "as in a fresh process",
)


def _name(thread: Path) -> str:
    """A thread's name; empty if it has just ended."""
    try:
        return (thread / "comm").read_text().strip()
    except OSError:
        return ""

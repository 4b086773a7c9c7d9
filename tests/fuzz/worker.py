"""A process that runs cases one by one and watches itself: files written, programs started, connections, memory."""

from __future__ import annotations

import logging
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pez_core.errors import PezError

from .cases import Fault, Kind, kept, one_line
from .kinds import KINDS
from .outcome import DONE, FAILED, REFUSED, Outcome

ROOM = 8 * 2**30  # bytes of address space above what a worker has at its start
MOST_KEPT = 2**20  # bytes of a file that is kept
STARTED = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
CONNECTED = {"socket.connect", "socket.getaddrinfo", "socket.bind"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Watch:
    """What an audit hook has seen since the case began. It can never be removed, so there is one for a process."""

    folder: str = ""
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.folder:
            return
        if event in STARTED:
            self.seen.append(f"started a program: {event} {str(given)[:200]}")
        elif event in CONNECTED:
            self.seen.append(f"opened a connection: {event} {str(given)[:200]}")
        elif event == "open" and not isinstance(given[0], int) and self._writes(*given):
            path = os.path.realpath(os.fsdecode(given[0]))
            if not path.startswith((self.folder, "/dev/")):
                self.seen.append(f"wrote outside of its folder: {path}")

    @staticmethod
    def _writes(path: Any, mode: str | None, flags: int | None) -> bool:
        return bool(mode and set(mode) & set("wax+")) or bool(flags and flags & _WRITING)


def work(pipe: Connection, seed: int) -> None:
    """Answers requests (kind, number, whether to keep the folder) with outcomes, until the pipe is closed."""
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "critical"}
    sys.dont_write_bytecode = True
    logging.disable()  # what is only said beside a result
    watch = Watch()
    sys.addaudithook(watch)
    ready: dict[str, list[tuple[str, bytes]]] = {}
    while True:
        try:
            name, number = pipe.recv()
        except EOFError:
            return
        kind = KINDS[name]
        if name not in ready:
            ready[name] = [*kept(name), *kind.corpus()]
            _warm(kind, ready[name])
            _limit()
        files = ready[name]
        if number < 0:
            pipe.send((len(files), sum(len(data) for _, data in files)))
        else:
            pipe.send(_run(kind, files, seed, number, watch))


def _warm(kind: Kind, files: list[tuple[str, bytes]]) -> None:
    """Reads whole files before anything is measured: imports and models stay in memory."""
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, data) in enumerate(files):
            if len(data) < 10**6 and i % 7 == 0:
                file = Path(folder, name)
                file.write_bytes(data)
                with suppress(Exception):  # it is judged when it is a case
                    kind.read(file, random.Random(0))


def _run(kind: Kind, files: list[tuple[str, bytes]], seed: int, number: int, watch: Watch) -> Outcome:
    rng = random.Random(f"{seed} {kind.name} {number}")
    name, data = files[number] if number < len(files) else rng.choice(files)
    if number >= len(files):
        data = kind.damage(name, data, rng.choice(files)[1], rng)
    folder = Path(os.path.realpath(tempfile.mkdtemp()))
    file = folder / name
    file.write_bytes(data)
    before, outcome = Path.cwd(), Outcome(kind.name, number, name, DONE)
    base = _reset_peak()
    try:
        os.chdir(folder)
        watch.folder, watch.seen = str(folder), []
        kind.read(file, rng)
    except PezError as error:
        outcome.end = REFUSED
        try:
            outcome.said = one_line(error)
        except Fault as fault:
            outcome.end, outcome.said = FAILED, str(fault)
    except BaseException:  # noqa: BLE001 - also SystemExit, KeyboardInterrupt and MemoryError are faults
        outcome.end, outcome.said = FAILED, traceback.format_exc()[-4000:]
    finally:
        watch.folder = ""
        os.chdir(before)
    outcome.grown = max(0, _peak() - base)
    wrong = list(watch.seen)
    if outcome.grown > kind.most_bytes:
        wrong.append(
            f"took {outcome.grown / 2**20:.0f} MB of memory, at most {kind.most_bytes / 2**20:.0f} are allowed"
        )
    if left := [each.name for each in folder.rglob("*") if each.name != name]:
        wrong.append(f"left files behind: {left[:5]}")
    if file.is_file() and file.read_bytes() != data:
        wrong.append("changed the file that it read")
    if wrong:
        outcome.end, outcome.said = FAILED, "\n".join([*wrong, outcome.said])
    if outcome.end == FAILED and len(data) <= MOST_KEPT:
        outcome.data = data
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _limit() -> None:
    """Bounds the process, so that a fault does not take the machine down."""
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + ROOM, resource.RLIM_INFINITY))


def _reset_peak() -> int:
    """Forgets the largest memory so far. Returns the bytes in use."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _peak() -> int:
    return _memory("VmHWM")


def _memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))

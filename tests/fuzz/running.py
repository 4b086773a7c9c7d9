"""The loop: shares the time among the kinds, ends what hangs, keeps what failed, prints the table."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .graphs import GRAPHS, server_cases
from .outcome import DONE, FAILED, REFUSED, Outcome, Row
from .worker import work

CASE_SECONDS = 90  # that no case may take, on however slow a machine
START_SECONDS = 300  # to import everything and to make the corpus
OUT = Path("out") / "fuzz"


class Worker:
    """A process for the cases, begun again after one that it did not survive."""

    def __init__(self, seed: int):
        self._seed = seed
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=work, args=(other, self._seed), daemon=True)
        self._process.start()
        other.close()

    def corpus(self, kind: str) -> tuple[int, int]:
        """How many files the corpus has, and their bytes."""
        self._pipe.send((kind, -1))
        if not self._pipe.poll(START_SECONDS):
            raise RuntimeError(f"the corpus of {kind} was not made in {START_SECONDS} s")
        return self._pipe.recv()

    def run(self, kind: str, number: int) -> Outcome:
        """How the case ended."""
        try:
            self._pipe.send((kind, number))
            if self._pipe.poll(CASE_SECONDS):
                return self._pipe.recv()
            said = f"was not done after {CASE_SECONDS} s"
        except (EOFError, OSError):
            self._process.join()
            said = f"ended the process with status {self._process.exitcode}"
        self.close()
        self._begin()
        self.corpus(kind)
        return Outcome(kind, number, "", FAILED, said)

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()  # it ends by itself, unless it hangs
        self._process.join(1)
        self._process.kill()
        self._process.join()


def run(kinds: Sequence[str], seconds: float, seed: int, case: int | None = None) -> int:
    """Runs cases of the kinds, or one case, prints the table, and returns 1 if one failed."""
    rows, failed = {}, []
    worker = Worker(seed)
    for name in kinds:
        rows[name] = row = Row()
        share = seconds / len(kinds)
        cases = server_cases(seed, row, case or 0) if name == GRAPHS else _file_cases(worker, name, row, case or 0)
        end = time.monotonic() + share if row.files else None
        for outcome in cases:
            end = end or time.monotonic() + share  # the corpus and the server do not count
            row.ends[outcome.end] += 1
            row.grown = max(row.grown, outcome.grown)
            if outcome.end == FAILED:
                failed.append(outcome)
                _keep(outcome, seed)
            if time.monotonic() > end or case is not None:
                break
    worker.close()
    print(table(rows))
    return 1 if failed else 0


def _file_cases(worker: Worker, name: str, row: Row, number: int) -> Iterator[Outcome]:
    row.files, row.size = worker.corpus(name)
    while True:
        yield worker.run(name, number)
        number += 1


def _keep(outcome: Outcome, seed: int) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    if outcome.data:
        (OUT / f"{outcome.kind}-{seed}-{outcome.number} {outcome.name}").write_bytes(outcome.data)
    file = OUT / f"{outcome.kind}-{seed}-{outcome.number}.txt"
    file.write_text(f"{outcome.name}\n\n{outcome.said}\n", "utf-8", errors="backslashreplace")
    last = outcome.said.strip().splitlines()[-1] if outcome.said.strip() else ""
    print(f"{file}: {outcome.name!r}: {last[:300]!r}", file=sys.stderr, flush=True)


def table(rows: dict[str, Row]) -> str:
    """The rows as a table of Markdown."""
    head = ("kind", "corpus", "its size", "cases", DONE, REFUSED, FAILED, "most memory of a case")
    lines = [head, ("---", *["---:"] * (len(head) - 1))]
    for name, row in rows.items():
        counts = (sum(row.ends.values()), *row.ends.values())
        lines.append((name, f"{row.files:,}", _megabytes(row.size), *map("{:,}".format, counts), _megabytes(row.grown)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB"

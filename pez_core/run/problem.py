"""One of the problems that are searched side by side: its prompts so far, and how it ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from ..errors import NothingAccepted, PezError
from ..objectives.protocol import Judge
from ..result import Candidate
from .stopping import ASKED, TIME_LIMIT

JUDGED_WHEN_STOPPED = 16  # candidates that are scored when a person or the time limit ends the run

Ids = tuple[int, ...]


@dataclass
class Problem:
    """The state of one problem.

    number: its place among the problems. running: the numbers of the restarts that still run.
    met: the best prompts of its restarts so far, with the search's estimates of their values.
    trace: the best value after each step. passes: passes of the encoder.
    begun: steps that the run had taken when it began; since: the moment, of `time.perf_counter`.
    ended: why it ended, '' while it runs. seconds: when it ended, from its beginning.
    shown: the prompt of the last report; its text, its exact score if it has one, and the best estimate so far.
    """

    number: int
    running: list[int]
    passes: int = 0
    begun: int = 0
    since: float = field(default_factory=time.perf_counter)
    ended: str = ""
    seconds: float = 0.0
    trace: list[float] = field(default_factory=list)
    met: dict[Ids, float] = field(default_factory=dict)
    shown: Ids | None = None
    text: str = ""
    score: float | None = None
    best: float = -math.inf

    def note(self, ids: Tensor, value: Tensor, trace: Tensor) -> None:
        """Records the results of a stage: the best prompts [R, L] of the restarts, their values [R], the trace."""
        self.met |= dict(zip(map(tuple, ids.tolist()), value.tolist(), strict=True))
        self.trace += trace.tolist()

    def show(self, judge: Judge, ids: Ids, estimate: float) -> None:
        """Takes the best prompt so far, with the search's estimate; -inf for one that may not be returned."""
        if self.shown != ids:
            self.shown, self.score = ids, None
            self.text = judge.text(ids) if estimate > -math.inf else ""
        self.best = max(self.best, estimate)

    def score_shown(self, judge: Judge) -> None:
        """Scores the prompt that is shown, unless it has its score already."""
        if self.text and self.score is None:
            scored = judge.score([self.text], self.number)
            self.text, self.score = (scored[0].text, scored[0].similarity) if scored else ("", None)

    def candidates(
        self, judge: Judge, most: int, banned: tuple[str, ...], accept: Callable[[str], bool] | None
    ) -> list[Candidate]:
        """The distinct texts of the best prompts, at most `most`, best first, each with its exact score.

        Raises PezError if none may be returned.
        """
        stopped = self.ended in (ASKED, TIME_LIMIT)
        best = sorted((ids for ids, value in self.met.items() if value > -math.inf), key=lambda ids: -self.met[ids])
        if not best and stopped:
            best = list(self.met)  # before the first step: the prompts that the restarts begin with
        texts = list(dict.fromkeys(judge.text(ids) for ids in best))
        accepted = [text for text in texts if accept(text)] if accept else texts
        if texts and not accepted:
            scored = judge.score(texts[:JUDGED_WHEN_STOPPED], self.number)  # without those that are banned
            raise NothingAccepted(scored[0].text if scored else "")
        candidates = judge.score(accepted[: min(most, JUDGED_WHEN_STOPPED) if stopped else most], self.number)
        if not candidates:
            raise PezError(
                f"Every prompt of {len(self.trace)} steps contained a banned word ({', '.join(banned)}): ban fewer "
                "words or give more steps."
            )
        return candidates

    def finish(self, reason: str) -> None:
        """Ends the problem, unless it has ended already."""
        if not self.ended:
            self.ended, self.seconds = reason, time.perf_counter() - self.since

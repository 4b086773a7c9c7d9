"""The loop around a search: stages, reports, reasons to stop, and the results of P problems side by side."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..config import InversionConfig
from ..errors import short_of_memory
from ..objectives.protocol import Judge, Objective, nothing
from ..result import InversionResult, Progress
from ..search import METHODS, SearchState, Stage, Stepper, best_tokens, make_stepper, starts
from ..search.front import Entry
from ..search.readable import SLACK
from ..search.state import Cost
from ..search.stepping import GraphStepper
from .comparing import EVERY, Comparison
from .problem import Problem
from .reading import Reader
from .stopping import ASKED, PATIENCE, STEPS, TIME_LIMIT, Stopped

log = logging.getLogger(__name__)

LOOK_EVERY = 10  # steps between reports, which also check for plateaus
LOOK_SECONDS = 0.25  # reports come sooner if steps are slow, so that a person can stop them
COMPARED = 8  # candidates at least, where the judge has scored more prompts than there are restarts
SCORING_SHARE = 0.05  # most of a run's time that goes into the scores of its reports
SEARCHING_SHARE = 0.5  # of a time limit, the most that passes before prompts are made readable

OnProgress = Callable[[Sequence[Progress]], bool | None]
Following = Callable[[int], int | None]
"""Puts the target of another problem into a place of the objective and the judge, and returns its seed; None for none."""


class Run:
    """One search for the prompts of P problems, each with the result that it would get alone.

    kept: the ids of the words that must be in the prompts. words: the ids of each of the user's texts to start from.
    on_progress: called with the progress of every problem; see `inversion.invert_all`.
    accept: whether a text may be returned; None for all.
    reader: what makes the prompts readable at the end; None to leave them.
    seeds: one for each problem; None: the configuration's for all.
    compare_every: for an objective whose values are samples, the steps after which the judge compares the prompts.
    following: what takes the places of problems that have ended while others go on; None: nothing. Only searches of one
    stage have places that can be taken, because all rows do the same in a step.
    """

    def __init__(
        self,
        objective: Objective,
        judge: Judge,
        config: InversionConfig,
        name: str,
        kept: Sequence[Sequence[int]] = (),
        words: Sequence[Sequence[int]] = (),
        on_progress: OnProgress | None = None,
        accept: Callable[[str], bool] | None = None,
        reader: Reader | None = None,
        seeds: Sequence[int] | None = None,
        compare_every: int = EVERY,
        following: Following | None = None,
    ):
        self._started = time.perf_counter()
        self._objective, self._judge, self._config, self._name = objective, judge, config, name
        self._space = objective.space  # before a stage narrows it
        self._kept, self._words = kept, words
        self._on_progress, self._accept, self._reader = on_progress, accept, reader
        self._problems = [Problem(p, list(range(config.restarts))) for p in range(len(objective.parts))]
        self._seeds = [config.seed] * len(self._problems) if seeds is None else list(seeds)
        self._generators = [torch.Generator().manual_seed(seed) for seed in self._seeds]
        self._taken = 0  # steps
        self._most = config.steps + (reader.most_steps * len(self._problems) if reader else 0)
        self._state: SearchState | None = None
        self._compare_every = compare_every
        self._comparison: Comparison | None = None
        self._following = following
        self._stage_begun = 0  # steps taken before the stage
        self._left: dict[int, InversionResult] = {}  # of problems whose places nothing has taken
        self._entries: dict[int, Entry] = {}  # the best readable prompt of each problem
        self._drawn: dict[int, Tensor] = {}  # states of the generators of problems that ended before others
        limit = math.inf if config.time_limit is None else config.time_limit
        self._deadline = self._started + limit
        # When this part of the run ends.
        self._until = self._started + SEARCHING_SHARE * limit if reader else self._deadline
        self._scoring = 0.0  # seconds spent on reports
        self._looked = self._started

    def go(self) -> list[InversionResult]:
        """Runs the search and returns its results, in the order of the problems. For what it raises see `each`."""
        found = dict(pair for some in self.each() for pair in some)
        return [found[problem.number] for problem in self._problems]

    def each(self) -> Iterator[list[tuple[int, InversionResult]]]:
        """Runs the search and yields results with the places of their problems: those of problems that end before others if
        something may follow them, all others at the end.

        Raises PezError if there is not enough memory, and if no prompt may be returned.
        """
        self._objective.between = self._between
        self._judge.between = self._between
        ids, kept = self._starts(self._problems)
        value: Tensor | None = None
        if self._objective.measure.sampled:
            self._comparison = Comparison(self._judge, self._problems, ids, self._compare_every)
            if self._config.start == "words":  # a person's words are only left for better ones
                self._compare(self._comparison, ids)
        stages = METHODS[self._config.method].stages(self._config)
        if len(stages) > 1 or self._comparison or self._reader or self._config.time_limit is not None:
            self._following = None
        for stage in stages if not self._all_ended() else ():
            if value is not None:
                ids, value, kept = self._promote(stage, ids, value, kept)
            space = self._objective.space
            if stage.narrow:
                space = space.narrowed([torch.tensor(list(each.met), device=ids.device) for each in self._problems])
            self._objective = self._objective.within(space)
            self._objective.between = self._between
            stepper = self._stepper(stage, ids, None if self._comparison else value, kept)
            yield from self._steps(stepper, stage, last=stage is stages[-1])
            if self._comparison:
                ids, value = self._comparison.ids, self._comparison.value
            else:
                ids, value = stepper.state.best_ids.clone(), stepper.state.best_value.clone()
                self._note(stepper.state)
            if self._all_ended():
                break
        in_time = not any(problem.ended == TIME_LIMIT for problem in self._problems)
        self._read()
        self._end(STEPS if in_time else TIME_LIMIT)
        if self._comparison:
            self._comparison.ensure()
        self._judge.between = self._report
        results = [self._left.get(problem.number) or self._result(problem) for problem in self._problems]
        if self._on_progress:
            pairs = zip(results, self._problems, strict=True)
            self._on_progress(
                [Progress(self._step_of(p), self._most, r.prompt, r.similarity, p.best, r.seconds) for r, p in pairs]
            )
        yield [(place, result) for place, result in enumerate(results) if place not in self._left]

    def _starts(self, problems: Sequence[Problem]) -> tuple[Tensor, Tensor]:
        """The prompts that the restarts of the problems begin with; if the run is stopped here, random ones, and the run
        ends."""
        space, numbers = self._objective.space, [problem.number for problem in problems]
        tokens = [space.of(number) for number in numbers]
        if self._config.start == "tokens":
            try:
                tokens = best_tokens(self._objective, numbers)
                for problem in problems:
                    problem.passes += len(space.of(problem.number))
            except Stopped as stop:
                self._end(stop.reason)
        generators = [self._generators[number] for number in numbers]
        ids, kept = starts(tokens, self._config, self._kept, self._words, generators)
        if self._all_ended():
            unknown = torch.full((self._config.restarts,), -torch.inf)
            for problem, own in zip(problems, ids.chunk(len(problems)), strict=True):
                problem.note(own, unknown, torch.empty(0))
        return ids, kept

    def _promote(self, stage: Stage, ids: Tensor, value: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best restarts of each problem, as many as the stage uses."""
        values = value.view(len(self._problems), -1)
        better = values.topk(min(stage.restarts, values.shape[1])).indices
        for problem, own in zip(self._problems, better.tolist(), strict=True):
            problem.running = [problem.running[i] for i in own]
        first = torch.arange(len(values), device=better.device)[:, None] * values.shape[1]
        rows = (first + better).flatten()
        if self._comparison:
            self._comparison.promote(rows)
        return ids[rows], value[rows], kept[rows]

    def _stepper(self, stage: Stage, ids: Tensor, value: Tensor | None, kept: Tensor) -> Stepper[Any]:
        """A stepper, ready to use, with as many prompts at once as the device has memory for."""
        objective, device = self._objective, self._objective.space.device
        between = objective.between
        try:
            search = stage.search(objective, self._config, stage.steps, self._generators)
        except torch.cuda.OutOfMemoryError as error:
            raise short_of_memory(device, self._name) from error
        while True:
            if device.type == "cuda":
                objective.between = nothing  # no host code runs between the pieces of a captured graph
            try:
                stepper = make_stepper(search, search.begin(ids, value, kept), device)
                if not isinstance(stepper, GraphStepper):
                    objective.between = between
                return stepper
            except torch.cuda.OutOfMemoryError as error:
                tried = min(objective.together, len(ids) * self._cost(stage, 0).most)
                if tried == 1:
                    raise short_of_memory(device, self._name) from error
                objective.together = tried // 2
                objective.between = between
                log.info("Not enough memory: trying %d prompts at once.", objective.together)
            torch.cuda.empty_cache()

    def _steps(self, stepper: Stepper[Any], stage: Stage, last: bool) -> Iterator[list[tuple[int, InversionResult]]]:
        """Takes the steps of a stage until the stage ends or all problems have ended; yields as `each` does."""
        self._stage_begun = self._taken
        step, left = 0, stage.steps  # since problems began side by side; until those that came last have to end
        while left:
            step, left = step + 1, left - 1
            self._state = stepper.state
            try:
                stepper.advance()
            except Stopped as stop:
                self._end(stop.reason)
                return
            self._taken += 1
            for problem in self._problems:
                if not problem.ended:
                    per_restart = self._cost(stage, problem.number).passes
                    problem.passes += per_restart * len(problem.running)
            self._state = stepper.state
            if self._comparison:
                if self._comparison.due(step, stage.steps):
                    self._compare(self._comparison, stepper.state.current)
                self._comparison.trace(self._taken)
                if self._all_ended():
                    return
            if step % LOOK_EVERY == 0 or time.perf_counter() - self._looked >= LOOK_SECONDS:
                reason = self._look()
                if reason:
                    self._end(reason)
                    return
                if last and step % LOOK_EVERY == 0:
                    self._end_plateaus(self._traces(stepper.state))
            if self._following:
                self._end_whole(stepper.state, stage.steps)
                if step % LOOK_EVERY == 0 or self._all_ended():
                    if self._all_ended():
                        step = 0  # those that follow are looked at after the same numbers of steps as alone
                    places = [problem.number for problem in self._problems if problem.ended]
                    new = [(place, self._result(self._problems[place])) for place in places if place not in self._left]
                    if new:
                        yield new
                        self._left |= dict(new)
                    for place, _ in new:
                        if self._follow(place, stepper, self._following):
                            left = stage.steps
                            if self._problems[place].ended:  # stopped before its first step
                                return
            if self._all_ended():
                return

    def _end_whole(self, state: SearchState, steps: int) -> None:
        """Ends the problems that have taken all their steps while others, which came later, go on."""
        for problem in self._problems:
            if not problem.ended and self._taken - problem.begun == steps:
                self._note(state, only=problem)
                problem.finish(STEPS)

    def _follow(self, place: int, stepper: Stepper[Any], following: Following) -> bool:
        """Lets another problem begin in the place of one that has ended. False if there is none."""
        seed = following(place)
        if seed is None:
            return False
        del self._left[place]
        self._seeds[place] = seed
        self._generators[place].manual_seed(seed)
        problem = Problem(place, list(range(self._config.restarts)), begun=self._taken)
        self._problems[place] = problem
        stepper.renew(place, *self._starts([problem]))
        return True

    def _compare(self, comparison: Comparison, prompts: Tensor) -> None:
        """Lets the judge compare the prompts [N, L]."""
        try:
            comparison.take(prompts)
        except Stopped as stop:
            self._end(stop.reason)

    def _read(self) -> None:
        """Makes the prompts readable, problem by problem; neither a plateau of the search before ends this part, nor the end
        of the time for that search. Each problem has its share of the time that is left."""
        if self._reader is None:
            return
        self._objective = self._objective.within(self._space)
        self._objective.between = self._between
        self._objective.together = max(1, self._objective.together // SLACK)  # these prompts may be longer
        passing = (PATIENCE, TIME_LIMIT) if time.perf_counter() < self._deadline else (PATIENCE,)
        for problem in self._problems:
            if problem.ended in passing:
                problem.ended = ""
        for problem in self._problems:
            now = time.perf_counter()
            self._until = now + (self._deadline - now) / (len(self._problems) - problem.number)
            generator = self._generators[problem.number]
            if problem.number in self._drawn:
                generator.set_state(self._drawn[problem.number])
            steps = self._reader.steps(self._objective, problem, generator)
            try:
                for entry in steps:
                    self._taken += 1
                    self._entries[problem.number] = entry
                    problem.trace.append(max([entry.value, *problem.trace[-1:]]))
                    if not problem.ended and (reason := self._look()):
                        self._end_reading(problem, reason)
                    if problem.ended:  # a run that was stopped before takes the first step, which reads what was met
                        break
            except Stopped as stop:
                self._end_reading(problem, stop.reason)
            except torch.cuda.OutOfMemoryError as error:
                raise short_of_memory(self._space.device, self._name) from error
            self._reader.offer(problem, self._accept)

    def _end_reading(self, problem: Problem, reason: str) -> None:
        """Ends one problem, if only its share of the time is over, or all."""
        if reason == TIME_LIMIT and time.perf_counter() < self._deadline:
            problem.finish(reason)
        else:
            self._end(reason)

    def _cost(self, stage: Stage, problem: int) -> Cost:
        return stage.cost(self._config, len(self._objective.space.of(problem)))

    def _between(self) -> None:
        """Called within a long step: raises Stopped if the run should end now."""
        if time.perf_counter() - self._looked >= LOOK_SECONDS:
            reason = self._look()
            if reason:
                raise Stopped(reason)

    def _report(self) -> None:
        """Reports while the results are scored, when stopping changes nothing anymore."""
        if time.perf_counter() - self._looked >= LOOK_SECONDS:
            self._look()

    def _look(self) -> str:
        """Reports the progress; returns why the run should end, '' if it should not."""
        self._looked = time.perf_counter()
        if self._on_progress and self._on_progress(self._progress()):
            return ASKED
        return TIME_LIMIT if time.perf_counter() >= self._until else ""

    def _traces(self, state: SearchState) -> Tensor:
        """The best values [P, S] after each step of the stage."""
        if not self._comparison:
            return state.trace
        return torch.tensor([problem.trace[self._stage_begun :] for problem in self._problems])

    def _end_plateaus(self, traces: Tensor) -> None:
        """Ends the problems without a gain in the last `patience` steps. They keep their prompts so far; the others go on."""
        patience = self._config.patience
        if patience is None:
            return
        if self._comparison:  # between two comparisons nothing can gain
            patience = max(patience, self._compare_every)
        taken = [self._taken - max(self._stage_begun, problem.begun) for problem in self._problems]
        due = [
            problem
            for problem, steps in zip(self._problems, taken, strict=True)
            if not problem.ended and steps > patience
        ]
        if not due:
            return
        rows = torch.tensor([problem.number for problem in due], device=traces.device)
        now = torch.tensor([taken[problem.number] - 1 for problem in due], device=traces.device)
        gains = (traces[rows, now] - traces[rows, now - patience]).tolist()
        for problem, gain in zip(due, gains, strict=True):
            if gain < self._objective.measure.least_gain:
                if self._state is not None and not self._comparison:
                    self._note(self._state, only=problem)
                problem.finish(PATIENCE)
                # The steps of the others draw for it, too; reading goes on from here, as it does alone.
                self._drawn[problem.number] = self._generators[problem.number].get_state()

    def _note(self, state: SearchState, only: Problem | None = None) -> None:
        """Records the prompts of the stage for every problem (or `only` one) whose prompts are not recorded already."""
        counts = state.count.tolist()
        each = zip(
            self._problems, self._of_each(state.best_ids), self._of_each(state.best_value), state.trace, strict=True
        )
        for problem, ids, value, trace in each:
            if problem is only or (only is None and problem.ended not in (PATIENCE, STEPS)):
                problem.note(ids, value, trace[: counts[problem.number]])

    def _progress(self) -> list[Progress]:
        """The progress of the problems. Prompts are those of this moment; they are scored unless that took too much time."""
        start = time.perf_counter()
        if self._state is None:
            none = Progress(0, self._most, "", None, -math.inf, start - self._started)
            return [none for _ in self._problems]
        if self._comparison:
            spent = start - self._started
            return [
                Progress(self._taken, self._most, each.text, each.score, each.best, spent) for each in self._problems
            ]
        if self._entries:
            return [self._progress_read(problem, start - self._started) for problem in self._problems]
        first = all(problem.shown is None for problem in self._problems)
        scored = first or self._scoring < SCORING_SHARE * (start - self._started)
        values = self._of_each(self._state.best_value)
        for problem, value, ids in zip(self._problems, values, self._of_each(self._state.best_ids), strict=True):
            if not problem.ended:
                best = int(value.argmax())
                problem.show(self._judge, tuple(ids[best].tolist()), float(value[best]))
                if scored:
                    problem.score_shown(self._judge)
        if not first:  # the first score also initializes libraries: it would use up the share
            self._scoring += time.perf_counter() - start
        return [self._progress_of(problem, value) for problem, value in zip(self._problems, values, strict=True)]

    def _step_of(self, problem: Problem) -> int:
        """The steps that a problem has taken."""
        return min(self._taken - problem.begun, self._most)

    def _progress_of(self, problem: Problem, value: Tensor) -> Progress:
        pairs = zip(problem.running, value.tolist(), strict=True)
        restarts = {row: estimate for row, estimate in pairs if estimate > -math.inf}
        step, spent = self._step_of(problem), time.perf_counter() - problem.since
        return Progress(step, self._most, problem.text, problem.score, problem.best, spent, restarts)

    def _progress_read(self, problem: Problem, spent: float) -> Progress:
        """The progress while prompts are made readable: these may match less than the best one before."""
        entry = self._entries.get(problem.number)
        if entry and not problem.ended:
            problem.show(self._judge, entry.ids, entry.value)
            problem.score_shown(self._judge)
        return Progress(self._taken, self._most, problem.text, problem.score, problem.best, spent)

    def _of_each(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The rows [N, ...] of each problem."""
        return rows.chunk(len(self._problems))

    def _end(self, reason: str) -> None:
        for problem in self._problems:
            problem.finish(reason)

    def _all_ended(self) -> bool:
        return all(problem.ended for problem in self._problems)

    def _result(self, problem: Problem) -> InversionResult:
        config, begun = self._config, time.perf_counter()
        most = max(config.restarts, len(problem.met)) if self._reader else config.restarts
        if self._comparison:
            most = max(most, COMPARED)
        candidates = problem.candidates(self._judge, most, config.banned, self._accept)
        if self._reader:
            candidates = self._reader.order(candidates)
        tokens = self._judge.contributions(candidates[0].text, problem.number)
        return InversionResult(
            candidates=tuple(candidates),
            tokens=tokens,
            trace=tuple(problem.trace),
            steps=len(problem.trace),
            passes=problem.passes,
            seconds=problem.seconds + time.perf_counter() - begun,
            seed=self._seeds[problem.number],
            model=self._name,
            stopped=problem.ended,
            measure=self._judge.measure,
            began_with=self._reader.began_with(problem) if self._reader else "",
        )

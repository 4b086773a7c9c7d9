"""The run around a search: steps, reports, reasons to stop, and the result."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from .config import InversionConfig
from .errors import PezError
from .models.clip import ClipModel
from .objectives.contributions import importance
from .objectives.match import Objective
from .result import Candidate, InversionResult, Progress
from .scoring import score
from .search import SEARCHES, Search, SearchState, Stepper, make_stepper, plan, starts
from .targets.target import Target

log = logging.getLogger(__name__)

LOOK_EVERY = 10  # steps between looks at the device, where plateaus are noticed
LOOK_SECONDS = 0.25  # a slow step is looked at sooner, so that a person can stop it
SCORING_SHARE = 0.05  # of a run's time, at most, for the scores in its reports
LEAST_GAIN = 1e-4  # similarity; less is no gain to `patience`


def invert(
    model: ClipModel,
    target: Target,
    config: InversionConfig | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
) -> InversionResult:
    """Searches the prompt that matches `target` best.

    on_progress: called every 10 steps, or every quarter of a second where steps are slower, and once at
        the end. Returning True stops the run, which then returns its best. What it raises passes through.

    Every similarity returned is that of the returned text, tokenised afresh, at full length, in float32.

    Raises PezError where config, model and target do not fit together.
    """
    config = config or InversionConfig()
    with torch.inference_mode(False), torch.enable_grad():
        # Tensors born under inference mode (a ComfyUI node's) cannot be differentiated through; copies can.
        return _Run(model, Target(target.features.clone(), target.weights.clone()), config).go(on_progress)


class _Run:
    def __init__(self, model: ClipModel, target: Target, config: InversionConfig):
        self.begun = time.perf_counter()
        self.model, self.target, self.config = model, target, config
        self.objective = Objective(model, target, config)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.taken = 0  # steps
        self.running = list(range(config.restarts))  # which restarts
        self.passes = 0  # of the text encoder, for all restarts together
        self.trace: list[float] = []  # of the stages that are done
        self.found: dict[tuple[int, ...], float] = {}  # what restarts that were given up had met
        self._shown: tuple[tuple[int, ...], Candidate] | None = None
        self._scoring = 0.0  # seconds spent on reports
        self._looked = self.begun

    def go(self, on_progress: Callable[[Progress], bool | None] | None) -> InversionResult:
        ids, kept = starts(self.objective, self.config, self.generator)
        similarity, stopped = None, "steps"
        if self.config.start == "tokens":
            self.passes += len(self.objective.allowed)
        stages = plan(self.config)
        for stage in stages:
            if stage.among_found:
                self.objective.narrow(torch.tensor(list(self.found), device=ids.device))
            made = SEARCHES[stage.search](self.objective, self.config, stage.steps, self.generator)
            if similarity is not None:
                better = similarity.topk(min(stage.restarts, len(similarity))).indices
                ids, similarity, kept = ids[better], similarity[better], kept[better]
                self.running = [self.running[i] for i in better.tolist()]
            stepper = self._stepper(made, ids, similarity, kept)
            stopped = self._steps(stepper, stage.steps, made.passes * len(ids), stage is stages[-1], on_progress)
            ids, similarity = stepper.state.best_ids.clone(), stepper.state.best_similarity.clone()
            self.trace += stepper.state.trace[: int(stepper.state.count)].tolist()
            self.found |= dict(zip(map(tuple, ids.tolist()), similarity.tolist(), strict=True))
            if stopped != "steps":
                break
        result = self._result(stopped)
        if on_progress:
            on_progress(Progress(self.taken, self.config.steps, result.prompt, result.similarity, result.seconds))
        return result

    def _steps(
        self,
        stepper: Stepper[Any],
        steps: int,
        passes: int,
        last: bool,
        on_progress: Callable[[Progress], bool | None] | None,
    ) -> str:
        """Takes the steps of a stage, each of so many `passes`; returns what ended them."""
        for step in range(1, steps + 1):
            stepper.advance()
            self.taken += 1
            self.passes += passes
            now = time.perf_counter()
            if step % LOOK_EVERY and now - self._looked < LOOK_SECONDS:
                continue
            self._looked = now
            if on_progress and on_progress(self._progress(stepper.state)):
                return "asked to"
            if self.config.time_limit is not None and now - self.begun >= self.config.time_limit:
                return "time limit"
            if last and step % LOOK_EVERY == 0 and self._on_plateau(stepper.state, step):
                return "patience"
        return "steps"

    def _stepper(self, search: Search[Any], ids: Tensor, similarity: Tensor | None, kept: Tensor) -> Stepper[Any]:
        """Ready to step, with as many prompts at once as the device has memory for."""
        while True:
            try:
                return make_stepper(search.step, search.begin(ids, similarity, kept), self.model.device)
            except torch.cuda.OutOfMemoryError as error:
                if self.objective.together == 1:
                    raise PezError(
                        f"The device has not enough memory to search with {self.model.name}: free some, take a "
                        "smaller model, or another device."
                    ) from error
                self.objective.together = max(1, min(self.objective.together, self.config.restarts) // 2)
                log.info("Not enough memory: %d prompts at once from here on.", self.objective.together)
            torch.cuda.empty_cache()

    def _on_plateau(self, state: SearchState, step: int) -> bool:
        patience = self.config.patience
        if patience is None or step <= patience:
            return False
        return bool(state.trace[step - 1] - state.trace[step - 1 - patience] < LEAST_GAIN)

    def _progress(self, state: SearchState) -> Progress:
        """How the run stands. The best prompt so far, or a slightly older one where scoring took too much time."""
        begun = time.perf_counter()
        if self._shown is None or self._scoring < SCORING_SHARE * (begun - self.begun):
            best = int(state.best_similarity.argmax())
            ids = tuple(state.best_ids[best].tolist())
            if self._shown is None or self._shown[0] != ids:
                met = bool(state.best_similarity[best] > -torch.inf)
                found = self._score([ids]) if met else []
                self._shown = (ids, found[0] if found else Candidate("", 0.0))
            self._scoring += time.perf_counter() - begun
        shown, spent = self._shown[1], time.perf_counter() - self.begun
        values = zip(self.running, state.best_similarity.tolist(), strict=True)
        restarts = {row: value for row, value in values if value > -math.inf}
        return Progress(self.taken, self.config.steps, shown.text, shown.similarity, spent, restarts)

    def _result(self, stopped: str) -> InversionResult:
        met = sorted((ids for ids, score in self.found.items() if score > -torch.inf), key=lambda ids: -self.found[ids])
        candidates = self._score(met[: self.config.restarts])
        if not candidates:
            raise PezError(
                f"Every prompt met in {self.taken} steps spelled a banned word ({', '.join(self.config.banned)}): "
                "ban fewer words or give more steps."
            )
        return InversionResult(
            candidates=tuple(candidates),
            tokens=importance(self.model, self.target, candidates[0].text),
            trace=tuple(self.trace),
            steps=self.taken,
            passes=self.passes,
            seconds=time.perf_counter() - self.begun,
            seed=self.config.seed,
            model=self.model.name,
            stopped=stopped,
        )

    def _score(self, found: Iterable[tuple[int, ...]]) -> list[Candidate]:
        """Distinct texts of searched ids, best first, each scored as the text that it is."""
        vocabulary = self.model.vocabulary
        texts = dict.fromkeys(self.objective.text(ids) for ids in found)
        fitting = [
            text
            for text, ids in zip(texts, vocabulary.encode_all(list(texts)), strict=True)
            if len(ids) <= vocabulary.room
        ]
        if not fitting:
            return []
        scored = sorted(score(self.model, fitting, self.target), key=lambda each: -each.similarity)
        return [Candidate(each.text, each.similarity, each.parts) for each in scored]

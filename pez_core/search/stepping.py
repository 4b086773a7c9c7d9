"""Takes steps: one operation at a time, or on CUDA by replaying a captured graph.

A graph needs one launch per step instead of thousands, and never waits for the host.
"""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Any, Generic

import torch
from torch import Tensor

from ..errors import first_line
from .state import Search, State

log = logging.getLogger(__name__)

_WARM_UP = 2  # steps before a capture: libraries initialize in the first


class Stepper(Generic[State]):
    """Takes steps. `state`: the current state; with a graph, each step overwrites its tensors."""

    def __init__(self, search: Search[State], state: State):
        self.state = state
        self._search = search
        self._taken = 0

    def advance(self) -> None:
        """Takes one step. If it raises, the state is that before the step."""
        self._search.prepare(self._taken)
        self._step()
        self._taken += 1

    def renew(self, problem: int, ids: Tensor, kept: Tensor) -> None:
        """Another problem takes the place of `problem`: it begins with the prompts `ids` [R, L]. `kept` [R, L]: as in the
        state. The tensors of the state stay where they are, as a graph needs."""
        rows = slice(problem * len(ids), (problem + 1) * len(ids))
        all_ids, all_kept = self.state.best_ids.clone(), self.state.kept.clone()
        all_ids[rows], all_kept[rows] = ids, kept
        fresh = self._search.begin(all_ids, None, all_kept)
        for now, begun in zip(_tensors(self.state), _tensors(fresh), strict=True):
            own = rows if len(now) == len(all_ids) else slice(problem, problem + 1)
            now[own] = begun[own]
        self._search.renew(problem, self._taken)

    def _step(self) -> None:
        self.state = self._search.step(self.state)


class GraphStepper(Stepper[State]):
    """Takes steps by replaying a CUDA graph. Raises RuntimeError if the step cannot be captured."""

    def __init__(self, search: Search[State], state: State, device: torch.device):
        super().__init__(search, _copy(state))
        search.prepare(0)
        with torch.cuda.device(device):
            self._capture()

    def _capture(self) -> None:
        step, stream = self._search.step, torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                step(self.state)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # thread_local: other threads that use the device must not invalidate the capture
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            step_in_place(self._search, self.state)

    def _step(self) -> None:
        self._graph.replay()


def make_stepper(search: Search[State], state: State, device: torch.device) -> Stepper[State]:
    """The fastest way to take steps on `device`. On CUDA, running out of memory raises here, not later."""
    if device.type != "cuda":
        return Stepper(search, state)
    try:
        return GraphStepper(search, state, device)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("The search runs without a CUDA graph, which is slower: %s", first_line(error))
        search.step(state)
        return Stepper(search, state)


def step_in_place(search: Search[State], state: State) -> None:
    """Takes a step and overwrites the tensors of `state` with the result."""
    after = search.step(state)
    torch._foreach_copy_(_tensors(state), _tensors(after))  # pyright: ignore[reportPrivateImportUsage]


def _tensors(state: Any) -> list[Tensor]:
    return [getattr(state, field.name) for field in fields(state)]


def _copy(state: State) -> State:
    return type(state)(*(tensor.clone() for tensor in _tensors(state)))

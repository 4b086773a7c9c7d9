"""Step after step: eagerly, or on CUDA as one captured graph that is replayed.

A graph costs one launch a step instead of some thousand, and nothing in it waits for the host.
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

_WARM_UP = 2  # steps before a capture: libraries set themselves up in the first


class Stepper(Generic[State]):
    """Takes steps. `state`: where the search stands; with a graph its tensors are overwritten by each step."""

    def __init__(self, search: Search[State], state: State):
        self.state = state
        self._search = search
        self._taken = 0

    def advance(self) -> None:
        """One step. Where it raises, the state is that before the step."""
        self._search.prepare(self._taken)
        self._step()
        self._taken += 1

    def _step(self) -> None:
        self.state = self._search.step(self.state)


class GraphStepper(Stepper[State]):
    """The same by replaying a CUDA graph. Raises RuntimeError where the step cannot be captured."""

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
        # thread_local: what other threads of the program do on the device meanwhile must not spoil the capture
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            step_in_place(self._search, self.state)

    def _step(self) -> None:
        self._graph.replay()


def make_stepper(search: Search[State], state: State, device: torch.device) -> Stepper[State]:
    """The fastest way to take steps on `device`. What runs out of memory there raises here, not later."""
    if device.type != "cuda":
        return Stepper(search, state)
    try:
        return GraphStepper(search, state, device)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("The search runs without a CUDA graph, slower: %s", first_line(error))
        search.step(state)
        return Stepper(search, state)


def step_in_place(search: Search[State], state: State) -> None:
    """Writes the state after a step over the state before it."""
    after = search.step(state)
    torch._foreach_copy_(_tensors(state), _tensors(after))  # pyright: ignore[reportPrivateImportUsage]


def _tensors(state: Any) -> list[Tensor]:
    return [getattr(state, field.name) for field in fields(state)]


def _copy(state: State) -> State:
    return type(state)(*(tensor.clone() for tensor in _tensors(state)))

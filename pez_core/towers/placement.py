"""Where a model's towers compute: the interface for programs that manage memory themselves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

_MOVING = threading.Lock()  # shared by all: a model that has a lock cannot be copied or pickled


class Placement(Protocol):
    """Decides on which device modules compute. Towers of one or several models may share a placement."""

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """Moves all of `modules`, entirely, to where they compute, with `room_bytes` free in addition; returns that device.

        Called before each use, so it must be quick if nothing has to move. All modules that compute
        together are passed in one call. It may raise torch.cuda.OutOfMemoryError.
        """
        ...

    def send_home(self, module: nn.Module) -> None:
        """`module` is not needed until the next `bring`. Called once for each `bring`, even a failed one, and only for
        image towers: text towers stay for the next search."""
        ...

    def fall_back(self, module: nn.Module) -> torch.device:
        """The device has too little memory for `module` or its work: moves it to where it can compute, and returns that
        device. `send_home` follows."""
        ...


class MovePlacement:
    """The default: modules move to `device` when they are brought, and then back."""

    def __init__(self, device: torch.device):
        self._device = device
        self._homes: dict[nn.Module, torch.device] = {}
        self._users: Counter[nn.Module] = Counter()  # several threads may share a model

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """See `Placement`. `room_bytes` is ignored."""
        with _MOVING:
            for module in modules:
                self._users[module] += 1
                home = device_of(module)
                if home != self._device:
                    self._homes.setdefault(module, home)
                    module.to(self._device)
        return self._device

    def send_home(self, module: nn.Module) -> None:
        """See `Placement`. The last of several threads moves it back."""
        with _MOVING:
            self._users[module] -= 1
            if self._users[module] <= 0:
                del self._users[module]
                home = self._homes.pop(module, None)
                if home is not None:
                    module.to(home)

    def fall_back(self, module: nn.Module) -> torch.device:
        """See `Placement`. Moves it to the CPU."""
        with _MOVING:
            module.to("cpu")
        return torch.device("cpu")


def device_of(module: nn.Module) -> torch.device:
    """The device of the weights of `module`."""
    return next(module.parameters()).device

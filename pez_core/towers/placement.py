"""Where a model's towers are while they compute: the seam for programs that manage memory themselves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

_MOVING = threading.Lock()  # one for all: a lock of its own would keep a model from being copied and pickled


class Placement(Protocol):
    """Decides on which device modules compute. Towers of one model, and of several, may share a placement."""

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """Puts all of `modules`, whole, where they compute, with `room_bytes` free beside them; returns that device.

        Called before each use, so it must be quick where nothing has to move. All modules that compute
        together come in one call. It may raise torch.cuda.OutOfMemoryError.
        """
        ...

    def send_home(self, module: nn.Module) -> None:
        """`module` was brought, and is not needed until it is brought again. Called once for each `bring`, even
        for one that failed; only for image towers: text towers stay for the next search."""
        ...

    def fall_back(self, module: nn.Module) -> torch.device:
        """The device has no room for `module` or for its work: moves it to where it can compute anyway, and returns
        that device. `send_home` follows."""
        ...


class MovePlacement:
    """The default: modules move to `device` when they are brought, and back to where they were."""

    def __init__(self, device: torch.device):
        self._device = device
        self._homes: dict[nn.Module, torch.device] = {}
        self._users: Counter[nn.Module] = Counter()  # threads share a model

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """As `Placement`; the room is not looked at."""
        with _MOVING:
            for module in modules:
                self._users[module] += 1
                home = device_of(module)
                if home != self._device:
                    self._homes.setdefault(module, home)
                    module.to(self._device)
        return self._device

    def send_home(self, module: nn.Module) -> None:
        """As `Placement`. The last of several threads moves it."""
        with _MOVING:
            self._users[module] -= 1
            if self._users[module] <= 0:
                del self._users[module]
                home = self._homes.pop(module, None)
                if home is not None:
                    module.to(home)

    def fall_back(self, module: nn.Module) -> torch.device:
        """As `Placement`: to the CPU."""
        with _MOVING:
            module.to("cpu")
        return torch.device("cpu")


def device_of(module: nn.Module) -> torch.device:
    """Where the weights of `module` are."""
    return next(module.parameters()).device

"""New modules without random initial weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class NoInitialization(TorchFunctionMode):
    """Skips random initialization of new weights: a checkpoint overwrites them, and it takes most of the loading time.

    Torch's global random state does not change.
    """

    DRAWING = (
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        nn.init.normal_,
        nn.init.uniform_,
        nn.init.trunc_normal_,
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.xavier_normal_,
    )

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.randn:
            function = torch.zeros
        if function in self.DRAWING:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))

"""The state of torch in which the library computes, whatever the caller has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

CPU = torch.device("cpu")


@contextmanager
def plain_torch() -> Iterator[None]:
    """Ordinary tensors with gradients, float32 and the CPU by default, no autocast; then restores the caller's state.

    Also a decorator: `@plain_torch()`. The default dtype belongs to the whole process: if the
    caller's is not float32, it changes meanwhile for other threads as well.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device, enabled=False))
        # torch.get_default_device() does not see `with torch.device(...)` in torch 2.6. A default device slows every call, even
        # if it is the CPU, so that it is set only where there is another one.
        if torch.empty(0).device != CPU:
            stack.enter_context(CPU)
        if dtype != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        yield


def replace_inference_tensors(module: nn.Module) -> None:
    """Copies the weights of `module` that were moved under inference mode, which do not support a backward pass.

    Call it inside `plain_torch`.
    """
    for each in module.modules():
        for name, weight in each._parameters.items():
            if weight is not None and weight.is_inference():
                each._parameters[name] = nn.Parameter(weight.clone(), requires_grad=False)
        for name, buffer in each._buffers.items():
            if buffer is not None and buffer.is_inference():
                each._buffers[name] = buffer.clone()

"""Measures time and memory of work on a device, for the doctor and the benchmarks."""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch


def finish(device: torch.device) -> None:
    """Waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def milliseconds(work: Callable[[], object], device: torch.device, times: int = 1) -> float:
    """Returns the milliseconds of one call, the mean over `times` calls in a row."""
    finish(device)
    begun = time.perf_counter()
    for _ in range(times):
        work()
    finish(device)
    return (time.perf_counter() - begun) * 1000 / times


def in_turn(works: Sequence[Callable[[], object]], device: torch.device, turns: int, times: int = 1) -> list[float]:
    """Returns the milliseconds of each of several works: medians over `turns`, in each of which all of them run."""
    taken = [[milliseconds(work, device, times) for work in works] for _ in range(turns)]
    return [statistics.median(each) for each in zip(*taken, strict=True)]


def extra_megabytes(work: Callable[[], object], device: torch.device) -> float | None:
    """Returns the peak memory of `work` above what was in use before; None where it cannot be measured."""
    if device.type == "cuda":
        finish(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        finish(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    if device.type != "cpu" or sys.platform != "linux":
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # freed memory that the allocator keeps would hide what is taken now
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _kilobytes("self/status", "VmRSS")
    work()
    return max(0, _kilobytes("self/status", "VmHWM") - before) / 1024


def free_megabytes(device: torch.device) -> float:
    """Returns the free memory of the device; infinite where it cannot be measured."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 2**20
    return _kilobytes("meminfo", "MemAvailable") / 1024 if sys.platform == "linux" else float("inf")


def _kilobytes(file: str, name: str) -> int:
    for line in Path("/proc", file).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)


def machine(device: torch.device) -> str:
    """Describes the device and the version of torch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}"

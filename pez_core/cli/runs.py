"""A run on the terminal: progress bar, Ctrl-C, printed result and plot."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..config import InversionConfig
from ..errors import PezError
from ..inversion import invert
from ..models.clip import ClipModel
from ..objectives.fluency import LanguageModel
from ..plot.run import save_plot
from ..result import InversionResult, Progress
from ..run.stopping import ASKED
from ..targets.target import Target
from ..text.comfyui import escape_for_comfyui
from .output import complain, say


def search(
    model: ClipModel,
    target: Target,
    config: InversionConfig,
    title: str,
    whole: str = "program",
    language: LanguageModel | None = None,
) -> InversionResult:
    """An inversion with a progress bar. The first Ctrl-C ends it with its best prompt, the second ends the `whole`."""
    with watching(config.steps, title, whole) as show:
        return invert(model, target, config, show, language=language)


@contextmanager
def watching(steps: int, title: str, whole: str = "program") -> Iterator[Callable[[Progress], bool]]:
    """What a search reports to: a progress bar. The first Ctrl-C ends the search with its best prompt, the second ends the
    `whole`."""
    told = False
    shown = sys.stderr is not None and sys.stderr.isatty()
    with (
        first_interrupt() as interrupted,
        tqdm(total=steps, unit="step", desc=title, disable=not shown) as bar,
    ):

        def show(progress: Progress) -> bool:
            nonlocal told
            if progress.prompt:
                score = f"~{progress.best:.4f}" if progress.similarity is None else f"{progress.similarity:.4f}"
                bar.set_postfix_str(f"{score} {progress.prompt[:60]}", refresh=False)
            bar.total = progress.steps
            bar.update(progress.step - bar.n)
            if interrupted and not told:
                complain(f"stopping with the best prompt so far; Ctrl-C again ends the {whole}")
                told = True
            return bool(interrupted)

        yield show


def escape(prompt: str) -> str | None:
    """The prompt escaped for CLIP Text Encode; None if that is not possible."""
    try:
        return escape_for_comfyui(prompt)
    except PezError:
        return None


def print_result(result: InversionResult) -> None:
    """Prints a result as text."""
    say(f"prompt      {result.prompt}")
    for_comfyui = escape(result.prompt)
    if for_comfyui not in (None, result.prompt):
        say(f"in ComfyUI  {for_comfyui}")
    say(f"similarity  {result.similarity:.4f}")
    for name, similarity in result.candidates[0].parts.items():
        say(f"            {similarity:.4f}  {name}")
    if result.candidates[0].nll is not None:
        say(f"reads       {result.candidates[0].nll:.2f} nats per word (lower is more natural)")
    if result.began_with:
        say(f"began with  {result.began_with}")
    why = "stopped" if result.stopped == ASKED else result.stopped
    say(f"steps       {result.steps} in {result.seconds:.1f} s ({why}), model {result.model}")
    for candidate in result.candidates[1:4]:  # --json has them all
        reads = "" if candidate.nll is None else f"  reads {candidate.nll:5.2f}"
        say(f"also        {candidate.similarity:.4f}{reads}  {candidate.text}")


def to_json(result: InversionResult, plot: Path | None, about: dict[str, Any]) -> dict[str, Any]:
    """A result as plain values for JSON, with the additional fields `about`."""
    told = {"escaped": escape(result.prompt), **({"plot": str(plot)} if plot else {}), **about}
    return {**result.to_json(), **told}


def draw(
    result: InversionResult, pictures: Sequence[Image.Image], plot: Path, paintings: Sequence[Image.Image]
) -> bool:
    """Writes the plot and returns whether that worked. It does not raise: other runs may follow."""
    try:
        save_plot(result, pictures, plot, paintings)
    except PezError as error:
        complain(f"error: {error}")
        return False
    return True


@contextmanager
def first_interrupt() -> Iterator[list[int]]:
    """Records the first Ctrl-C; the second one acts as before."""
    taken: list[int] = []

    def take(number: int, _: object) -> None:
        taken.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    if before in (
        signal.SIG_IGN,
        None,
    ):  # a shell's background job, which ignores Ctrl-C; or a handler that is not Python's
        yield taken
        return
    try:
        signal.signal(signal.SIGINT, take)
    except ValueError:  # not the main thread, where Ctrl-C cannot be handled
        yield taken
        return
    try:
        yield taken
    finally:
        signal.signal(signal.SIGINT, before)

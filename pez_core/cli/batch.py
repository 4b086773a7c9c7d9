"""The command `batch`: thousands of pictures, each with its own prompt, written to a file."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from .. import inversion
from ..batch import sources
from ..batch.engines import Engine, Plan
from ..batch.engines.local import LocalEngine
from ..batch.engines.processes import ProcessEngine
from ..batch.engines.ray import RayEngine
from ..batch.job import Job, Summary, where
from ..batch.loading import Loader
from ..batch.manifest import PRESET, WEIGHTS
from ..batch.preparing import Looks
from ..batch.results import open_results
from ..batch.sidecars import MODES, Sidecars
from ..batch.sources import open_source
from ..errors import PezError
from ..models.fingerprint import file_fingerprint
from ..models.language_names import INSTALLED
from ..models.presets import EMBEDDED
from ..result import Progress
from .options import add_model, add_settings, config_of, device_of
from .output import complain, say, say_json
from .runs import first_interrupt

SOME_FAILED, INTERRUPTED = 3, 130
ENGINES = ("local", "ray")
BESIDE = ""


def add_batch(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.set_defaults(run=_batch)
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of pictures; a list (.csv, .jsonl, .parquet) with a column path, and columns named like settings "
        "that override them row by row (text: to match, too; prefix; seed; ...); a .tar of WebDataset, or a folder of them",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="RESULTS",
        help="a row for each picture: JSON Lines (.jsonl), or a folder of Parquet files (.parquet); an ended or killed "
        "job goes on where it was",
    )
    parser.add_argument("--recursive", action="store_true", help="also the sub-folders of SOURCE")
    parser.add_argument(
        "--retry-failed", action="store_true", help="search again the pictures whose rows have an error"
    )
    parser.add_argument("--restart", action="store_true", help="begin anew and remove the rows of RESULTS")
    parser.add_argument(
        "--sidecar",
        nargs="?",
        const=BESIDE,
        metavar="FOLDER",
        help="also write each prompt to a .txt with the picture's name, beside it or in FOLDER",
    )
    parser.add_argument(
        "--sidecar-mode",
        choices=MODES,
        default=MODES[0],
        help="for .txt files that exist: skip leaves them, append and prepend add to them (default: %(default)s)",
    )
    parser.add_argument(
        "--caption-prefix", default="", metavar="T", help="put before each prompt in .txt files, as it is"
    )
    parser.add_argument(
        "--sidecar-escape", action="store_true", help="write parentheses in .txt files as CLIP Text Encode reads them"
    )
    parser.add_argument(
        "--pack", type=int, default=0, metavar="N", help="pictures searched at once (default: found by trying)"
    )
    parser.add_argument("--crops", action="store_true", help="also match the corners of each picture")
    parser.add_argument("--flips", action="store_true", help="also match the mirror image of each picture")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="local: all GPUs of this machine; ray: a cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes (default: one for each GPU, or one; ray: 1)"
    )
    parser.add_argument("--address", default="", metavar="A", help="of the Ray cluster (default: start Ray here)")
    parser.add_argument(
        "--gpus",
        type=float,
        metavar="F",
        help="of a GPU for each worker of Ray, such as 0.5 (default: 1 if there is one)",
    )
    add_model(parser)
    add_settings(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def _batch(given: argparse.Namespace) -> int:
    job, plan, engine = _job(given), _plan(given), _engine(given)
    shown = sys.stderr is not None and sys.stderr.isatty()
    told = False
    with _said_once(), first_interrupt() as interrupted, tqdm(unit="picture", disable=not shown, smoothing=0.1) as bar:

        def on_rows(summary: Summary) -> None:
            bar.total, bar.initial = summary.total, summary.before
            bar.n = summary.before + summary.done
            failed = summary.failed_before + summary.failed
            bar.set_postfix_str(f"{failed} failed  {summary.last[:40]}" if failed else summary.last[:50], refresh=False)
            bar.refresh()

        def on_pack(progress: Sequence[Progress]) -> bool:
            nonlocal told
            if progress:
                bar.set_description_str(
                    f"step {progress[0].step}/{progress[0].steps} of {len(progress)}", refresh=False
                )
                bar.update(0)
            if interrupted and not told:
                complain("stopping; the pictures that are done are saved; Ctrl-C again ends at once")
                told = True
            return bool(interrupted)

        summary = job.run(engine, plan, on_rows, on_pack)
    summary.stopped = bool(interrupted)
    _print(summary, given)
    if summary.stopped:
        return INTERRUPTED
    return SOME_FAILED if summary.failed + summary.failed_before else 0


@contextmanager
def _said_once() -> Iterator[None]:
    """Lets each warning of a search or a list pass once: every pack repeats it, and every reading."""
    said: set[str] = set()

    def new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return message not in said and not said.add(message)

    logs = [logging.getLogger(module.__name__) for module in (inversion, sources)]
    for log in logs:
        log.addFilter(new)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(new)


def _job(given: argparse.Namespace) -> Job:
    if given.sidecar is None and (given.caption_prefix or given.sidecar_escape or given.sidecar_mode != MODES[0]):
        raise PezError(
            "--sidecar-mode, --sidecar-escape and --caption-prefix are about .txt files: give --sidecar too."
        )
    if given.pack < 0 or given.workers < 0:
        raise PezError("--pack and --workers must be 1 or more, or 0 for what is best.")
    if given.restart and given.retry_failed:
        raise PezError("--restart begins anew, so there is nothing to retry: leave out --retry-failed.")
    if where(given.source) == where(given.out):
        raise PezError(f"{given.out!r} is SOURCE itself: give --out another name.")
    sidecars = None
    if given.sidecar is not None:
        folder = None if given.sidecar == BESIDE else Path(given.sidecar)
        sidecars = Sidecars(folder, given.sidecar_mode, given.caption_prefix, given.sidecar_escape)
    captions = {
        "sidecar": given.sidecar,
        "sidecar-mode": given.sidecar_mode,
        "caption-prefix": given.caption_prefix,
        "sidecar-escape": given.sidecar_escape,
    }
    options: dict[str, Any] = {
        "source": where(given.source),
        "recursive": given.recursive,
        "model": given.model or [EMBEDDED],
        "checkpoint": given.checkpoint,
        "language-model": given.language_model,
        "crops": given.crops,
        "flips": given.flips,
        **captions,
        WEIGHTS: [file_fingerprint(Path(file)) for file in given.checkpoint or () if file != "-"],
        PRESET: given.preset,
        "settings": asdict(config_of(given)),
    }
    source = open_source(given.source, given.recursive)
    return Job(source, open_results(given.out), options, sidecars, given.restart, given.retry_failed)


def _plan(given: argparse.Namespace) -> Plan:
    names = given.model or [EMBEDDED]
    files = [None if file == "-" else file for file in given.checkpoint or ["-"] * len(names)]
    if len(files) != len(names):
        raise PezError(
            f"Expected one --checkpoint for each of {len(names)} models, got {len(files)}: repeat it once per --model; "
            "use - for none."
        )
    language = "" if given.language_model == INSTALLED else given.language_model
    if language is not None and not getattr(given, "readability", 0):
        raise PezError("--language-model says how prompts read: give --readability above 0 too, such as 0.5.")
    threads = max(1, torch.get_num_threads() // given.workers) if given.workers > 1 else 0
    return Plan(Loader(names, files, language, threads), config_of(given), Looks(given.crops, given.flips), given.pack)


def _engine(given: argparse.Namespace) -> Engine:
    gpus = torch.cuda.device_count()
    if given.engine == "ray":
        return RayEngine(given.address, given.workers or 1, float(gpus > 0) if given.gpus is None else given.gpus)
    if given.address or given.gpus is not None:
        raise PezError("--address and --gpus are for Ray: give --engine ray too.")
    device = str(device_of(given))
    if given.device == "auto" and (given.workers or gpus) > 1 and gpus:
        return ProcessEngine([f"cuda:{i % gpus}" for i in range(given.workers or gpus)])
    return ProcessEngine([device] * given.workers) if given.workers > 1 else LocalEngine(device)


def _print(summary: Summary, given: argparse.Namespace) -> None:
    if given.json:
        say_json({**summary.to_json(), "results": given.out})
        return
    told = summary.to_json()
    before = f" ({told['rows_before']} were there)" if told["rows_before"] else ""
    say(f"rows        {told['rows']}{before} in {given.out}")
    if told["failed"]:
        say(f"failed      {told['failed']}: the column error says why; --retry-failed searches them again")
    if summary.done:
        say(f"time        {told['seconds']:.1f} s, {told['per_second']:.2f} pictures per second")
        say(f"searching   {summary.searching:.0%} of the time")

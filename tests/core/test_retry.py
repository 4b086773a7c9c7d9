"""`--retry-failed`: rows with an error are searched again, and every picture keeps exactly one row."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pez_core import InversionConfig, PezError
from pez_core.batch.engines import Plan
from pez_core.batch.engines.local import LocalEngine
from pez_core.batch.job import Job, Summary
from pez_core.batch.manifest import Manifest
from pez_core.batch.results import JsonLines, ParquetFolder, Results
from pez_core.batch.sources import open_source
from pez_core.cli import main
from pez_core.models.presets import EMBEDDED_FOLDER

SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))[:6]
DAMAGED = [sample.name for sample in (SAMPLES[1], SAMPLES[4])]
NAMES = [sample.name for sample in SAMPLES]
QUICK = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "3"]
CONFIG = InversionConfig(method="pez", steps=2, restarts=1, length=3)


@pytest.fixture(params=["jsonl", "parquet"])
def out(request, tmp_path) -> Path:
    if request.param == "parquet":
        pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow")
    return tmp_path / f"rows.{request.param}"


@pytest.fixture
def damaged(pictures) -> Path:
    """A folder in which two pictures cannot be read."""
    for name in DAMAGED:
        (pictures / name).write_bytes(b"no picture")
    return pictures


def repair(pictures: Path) -> None:
    for name in DAMAGED:
        shutil.copy(EMBEDDED_FOLDER / "samples" / name, pictures)


def results(out: Path) -> Results:
    """Parquet in small parts."""
    return JsonLines(out) if out.suffix == ".jsonl" else ParquetFolder(out, part_rows=2)


def rows_of(out: Path) -> dict[str, dict]:
    rows = list(results(out).rows())
    assert len({row["key"] for row in rows}) == len(rows), "a row is doubled"
    return {row["key"]: row for row in rows}


def batch(source: Path, out: Path, *more: str) -> int:
    return main(["batch", str(source), "--out", str(out), *QUICK, *more])


def test_only_the_rows_with_an_error_are_done_again(damaged, out, capsys):
    assert batch(damaged, out) == 3
    assert "failed      2: the column error says why; --retry-failed searches them again" in capsys.readouterr().out
    before = rows_of(out)
    repair(damaged)
    assert batch(damaged, out) == 3  # not without being asked
    assert rows_of(out) == before
    capsys.readouterr()
    assert batch(damaged, out, "--retry-failed", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["rows_before"], told["failed"]) == (len(SAMPLES), len(SAMPLES) - 2, 0)
    after = rows_of(out)
    assert sorted(after) == NAMES
    assert all(row["prompt"] and row["error"] is None for row in after.values())
    assert {name: after[name] for name in NAMES if name not in DAMAGED} == {
        name: row for name, row in before.items() if name not in DAMAGED
    }
    assert batch(damaged, out, "--retry-failed") == 0  # nothing is left to do


def test_what_fails_again_has_its_row(damaged, out):
    assert batch(damaged, out) == 3
    assert batch(damaged, out, "--retry-failed") == 3
    assert {name for name, row in rows_of(out).items() if row["error"]} == set(DAMAGED)
    assert sorted(rows_of(out)) == NAMES


def test_rows_of_removed_pictures_go(damaged, out):
    assert batch(damaged, out) == 3
    for name in DAMAGED:
        (damaged / name).unlink()
    assert batch(damaged, out) == 3  # not without being asked
    assert batch(damaged, out, "--retry-failed") == 0
    assert sorted(rows_of(out)) == [name for name in NAMES if name not in DAMAGED]


def test_whole_lines_stay_as_they_are(damaged, tmp_path):
    out = tmp_path / "rows.jsonl"
    assert batch(damaged, out) == 3
    whole = [line for line in out.read_bytes().splitlines() if b'"error": null' in line]
    repair(damaged)
    assert batch(damaged, out, "--retry-failed") == 0
    assert out.read_bytes().splitlines()[: len(whole)] == whole
    assert not list(tmp_path.glob(".*half"))


class _Killed(BaseException):
    pass


def job(source: Path, own: Results, retry: bool = False) -> Job:
    return Job(open_source(source), own, {}, retry=retry)


def killed(own: Results, do) -> None:
    """A killed process closes nothing."""
    own.close = lambda: None
    with pytest.raises(_Killed):
        do()


def kill(*_: object) -> None:
    raise _Killed


@pytest.mark.parametrize("moment", ["before the first row", "within the copy", "after the copy", "after the first row"])
def test_a_kill_loses_and_doubles_nothing(damaged, out, model, monkeypatch, moment):
    plan = Plan(lambda device: (model, None), CONFIG, pack=1)
    job(damaged, results(out)).run(LocalEngine("cpu"), plan)
    repair(damaged)
    whole = {name: row for name, row in rows_of(out).items() if not row["error"]}
    own = results(out)

    def die(summary: Summary) -> None:
        if summary.done:
            raise _Killed

    with monkeypatch.context() as context:
        if moment == "before the first row":
            context.setattr(own, "forget_failed", kill)
        elif moment == "within the copy":
            context.setattr("pez_core.batch.results.os.fsync", kill)
        elif moment == "after the copy":
            context.setattr(own, "add", kill)
        killed(own, lambda: job(damaged, own, retry=True).run(LocalEngine("cpu"), plan, die))
    left = rows_of(out)
    assert left.items() >= whole.items()
    assert set(left) <= set(NAMES)
    assert len(left) == {"after the copy": 4, "after the first row": 5}.get(moment, 6)
    summary = job(damaged, results(out), retry=True).run(LocalEngine("cpu"), plan)
    assert (summary.before + summary.done, summary.failed + summary.failed_before) == (6, 0)
    assert sorted(rows_of(out)) == NAMES
    assert not [each for each in out.parent.rglob("*") if each.name.startswith(".")]


def test_a_disk_without_room_keeps_all_rows(damaged, out, model, monkeypatch):
    plan = Plan(lambda device: (model, None), CONFIG)
    job(damaged, results(out)).run(LocalEngine("cpu"), plan)
    before = rows_of(out)
    real = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name.startswith("."):
            raise OSError(28, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PezError, match="No space left on device"):
        job(damaged, results(out), retry=True).run(LocalEngine("cpu"), plan)
    assert rows_of(out) == before


def test_results_may_be_a_link(damaged, tmp_path):
    (tmp_path / "real.jsonl").write_text("")
    (tmp_path / "rows.jsonl").symlink_to("real.jsonl")
    assert batch(damaged, tmp_path / "rows.jsonl") == 3
    repair(damaged)
    assert batch(damaged, tmp_path / "rows.jsonl", "--retry-failed") == 0
    assert (tmp_path / "rows.jsonl").is_symlink()
    assert sorted(rows_of(tmp_path / "real.jsonl")) == NAMES


def test_a_link_and_its_file_are_one_job(damaged, tmp_path, capsys):
    real, link = tmp_path / "real.jsonl", tmp_path / "rows.jsonl"
    link.symlink_to(real.name)
    manifest = Manifest(results(link).manifest)
    manifest.lock()
    try:
        assert batch(damaged, real) == 2
        assert "real.jsonl" in capsys.readouterr().err
    finally:
        manifest.release()


ENDLESS = """
import os, time
from pez_core import InversionConfig
from pez_core.batch.engines import Plan
from pez_core.batch.engines.processes import ProcessEngine

def load(device):
    print(os.getpid(), flush=True)
    time.sleep(1000)

if __name__ == "__main__":
    list(ProcessEngine(["cpu"]).run([], lambda key: False, Plan(load, InversionConfig()), None))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the worker in /proc")
@pytest.mark.slow
def test_a_worker_in_the_middle_of_work_ends_with_a_job_that_is_killed(tmp_path):
    (tmp_path / "job.py").write_text(ENDLESS)
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(tmp_path / "job.py")], stdout=subprocess.PIPE, env=here) as running:
        assert running.stdout
        worker = int(running.stdout.readline())
        assert state(worker) != "Z"
        running.kill()
    for _ in range(600):
        if state(worker) == "Z":
            return
        time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("The worker works on for two minutes after its job was killed.")


def state(pid: int) -> str:
    """The state of a process, "Z" for one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_results_that_begin_anew_have_nothing_to_retry(damaged, tmp_path, capsys):
    assert batch(damaged, tmp_path / "rows.jsonl", "--restart", "--retry-failed") == 2
    assert "leave out --retry-failed" in capsys.readouterr().err

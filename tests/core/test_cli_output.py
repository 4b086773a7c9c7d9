"""The command line under bad conditions: interrupts, pipes, encodings, disks. The result of a search is not lost."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from pez_core.cli import main

ROOT = Path(__file__).parents[2]
QUICK = ["--steps", "20", "--length", "3", "--restarts", "2"]
LONG = ["--steps", "100000", "--patience", "0", "--length", "3", "--restarts", "1"]


class Standard(io.TextIOWrapper):
    """Standard output like that of a program, in memory."""

    def __init__(self, encoding: str = "utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", write_through=False)

    def arrived(self) -> str:
        """What has left the buffer."""
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def samples(penguin: Path) -> list[str]:
    return [str(penguin.with_name(f"{name}.png")) for name in ("penguin", "pizza", "penguin")]


def lines(capsys: pytest.CaptureFixture) -> tuple[str, list[str]]:
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no terminal of this kind on Windows")
def test_ctrl_c_at_a_terminal_ends_a_search_with_its_best(penguin, ctrl_c):
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))  # a bar needs columns
    command = [sys.executable, "-m", "pez_core", "invert", str(penguin), *LONG, "--time-limit", "300", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown, pressed = b"", False
        with suppress(OSError):  # the terminal ends with the program
            while piece := os.read(ours, 1000):
                shown += piece
                if b"step" in shown and not pressed:  # the bar is shown, so the search runs
                    process.send_signal(signal.SIGINT)
                    pressed = True
        out = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out)["stopped"] == "asked to"
    assert b"stopping with the best prompt so far" in shown


def test_the_first_interrupt_keeps_the_best(capsys, penguin, ctrl_c, at_progress):
    presses = iter([signal.SIGINT])
    at_progress(lambda _: [signal.raise_signal(each) for each in presses])
    assert main(["invert", str(penguin), *LONG]) == 0
    out, err = lines(capsys)
    assert out.startswith("prompt ")
    assert "(stopped)" in out
    assert len(err) == 1
    assert "stopping with the best prompt so far" in err[0]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_the_second_interrupt_ends_the_program(capsys, penguin, ctrl_c, at_progress):
    at_progress(lambda _: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    assert main(["invert", str(penguin), *LONG]) == 130
    out, err = lines(capsys)
    assert (out, err) == ("", ["python -m pez_core: interrupted"])


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_batch_keeps_what_is_done(capsys, samples, ctrl_c, at_progress, form):
    presses = {1: 1, 2: 2}  # once in the first picture, twice in the second

    def press(picture: int) -> None:
        while presses.get(picture):
            presses[picture] -= 1
            signal.raise_signal(signal.SIGINT)

    at_progress(press)
    assert main(["invert", *samples, "--each", *LONG, *form]) == 130
    out, err = lines(capsys)
    assert "ends the batch" in err[0]
    assert err[-1] == "python -m pez_core: interrupted"
    if form:
        (only,) = json.loads(out)
        assert (only["images"], only["stopped"]) == ([samples[0]], "asked to")
    else:
        assert out.count("prompt ") == 1
        assert out.startswith(samples[0])


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_results_arrive_one_by_one(monkeypatch, samples, at_progress, form):
    stdout, seen = Standard(), []
    monkeypatch.setattr(sys, "stdout", stdout)
    at_progress(lambda picture: seen.append((picture, stdout.arrived())))
    assert main(["invert", *samples, "--each", *QUICK, *form]) == 0
    whole, result = stdout.arrived(), '"prompt":' if form else "prompt  "
    assert [picture for picture, _ in seen] == sorted(picture for picture, _ in seen)
    assert {(picture, arrived.count(result)) for picture, arrived in seen} == {(1, 0), (2, 1), (3, 2)}
    assert whole.count(result) == 3
    if form:
        assert len(json.loads(whole)) == 3


@pytest.mark.parametrize("where", ["open", "save"])
def test_ctrl_c_outside_of_the_search_is_one_line(capsys, monkeypatch, penguin, tmp_path, where):
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image if where == "open" else Image.Image, where, press)
    assert main(["invert", str(penguin), *QUICK, "--plot", str(tmp_path / "run.png")]) == 130
    out, err = lines(capsys)
    assert err == ["python -m pez_core: interrupted"]
    assert out.startswith("prompt ") == (where == "save")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_libraries_are_imported_is_one_line():
    code = """
import runpy, sys
class Pressed:
    def find_spec(self, name, *_):
        if name == "torch":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
sys.argv = ["pez_core", "models"]
runpy.run_module("pez_core", run_name="__main__")
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "python -m pez_core: interrupted\n")


def test_in_a_thread_there_is_no_ctrl_c_to_take(capsys, penguin):
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(main(["invert", str(penguin), *QUICK])))
    thread.start()
    thread.join()
    assert statuses == [0]
    assert capsys.readouterr().out.startswith("prompt ")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_the_encoding_lacks_is_escaped(monkeypatch, penguin, tmp_path, encoding):
    picture = tmp_path / ("猫é🐧.png" if encoding != "utf-8" else "cat\udcff.png")
    picture.write_bytes(penguin.read_bytes())
    for form in ([], ["--json"]):
        stdout = Standard(encoding)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["invert", str(picture), str(picture), "--prefix", "猫", *QUICK, "--each", *form]) == 0
        assert stdout.errors == "strict"
        if form:
            found = json.loads(stdout.arrived())
            assert [each["images"] for each in found] == [[str(picture)]] * 2
            assert found[0]["prompt"].startswith("猫 ")
        else:
            assert ("\\u732b " in stdout.arrived()) == (encoding != "utf-8")


def test_a_reader_who_went_away_is_no_error(capsys, monkeypatch, penguin):
    for arguments in (["--help"], ["invert", str(penguin), *QUICK, "--each", "--json"]):
        ours, theirs = os.pipe()
        os.close(ours)
        with os.fdopen(theirs, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(arguments) == 141
        assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="no such pipes on Windows")
def test_a_process_whose_reader_went_away_ends_quietly():
    with subprocess.Popen(
        [sys.executable, "-m", "pez_core", "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line(capsys, monkeypatch, penguin):
    with Path("/dev/full").open("w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["score", "a penguin", str(penguin)]) == 2
    (line,) = lines(capsys)[1]
    assert "No space left" in line


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_results_are_printed_though_their_plots_cannot_be_written(capsys, monkeypatch, samples, tmp_path, form):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    plot = str(tmp_path / "run.png")
    assert main(["invert", *samples[:2], "--each", *QUICK, "--plot", plot, *form]) == 2
    out, err = lines(capsys)
    assert len(json.loads(out)) == 2 if form else out.count("prompt ") == 2
    assert len(err) == 2
    assert all("No space left on device" in line for line in err)
    assert "picture " not in out
    assert list(tmp_path.iterdir()) == []


def test_plots_that_cannot_be_written_are_told_before_the_search(capsys, penguin, tmp_path, at_progress):
    at_progress(lambda _: pytest.fail("a search began"))
    folder, own = tmp_path / "run.png", tmp_path / "mine.png"
    folder.mkdir()
    own.write_bytes(penguin.read_bytes())
    (tmp_path / "link.png").symlink_to(own)
    for plot, told in (
        (folder, "is a folder"),
        (tmp_path / ("x" * 300 + ".png"), "cannot be written"),
        (own, "one of the pictures to match"),
        (tmp_path / "link.png", "one of the pictures to match"),
    ):
        for command in (["invert", str(own)], ["blend", "--image", str(own), "1"]):
            assert main([*command, "--plot", str(plot)]) == 2
            out, err = lines(capsys)
            assert (out, len(err)) == ("", 1)
            assert told in err[0]
    assert own.read_bytes() == penguin.read_bytes()


def test_a_name_as_long_as_the_file_system_allows_is_a_plot(capsys, penguin, tmp_path):
    plot = tmp_path / ("x" * 251 + ".png")
    assert main(["invert", str(penguin), *QUICK, "--plot", str(plot)]) == 0
    assert plot.is_file()


def test_warnings_are_plain_lines(capsys, penguin):
    assert main(["invert", str(penguin), *QUICK, "--prefix", "zeppelin"]) == 0
    (line,) = lines(capsys)[1]
    assert line.startswith("python -m pez_core: warning: embedded does not know 'zeppelin'")

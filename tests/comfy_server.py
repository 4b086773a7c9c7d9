"""A real ComfyUI with this pack, started as a separate process."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACK = Path(__file__).parents[1]
NODE_TESTS = Path(__file__).parent / "nodes"
SAMPLES = PACK / "pez_core" / "embedded" / "samples"
FOLDER = ("octopus.png", "pizza.png")  # of the samples, in the folder that an example workflow reads
START_SECONDS = 180
RUN_SECONDS = 240
INSTALLED = """
import importlib.metadata, json
print(json.dumps({each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}))
"""


class CannotTest(Exception):
    """Why nodes and page cannot be tested, and what to install, in one line."""


def find_comfyui() -> Path:
    """The checkout of ComfyUI to test in: COMFYUI_PATH, else ~/ComfyUI. Raises CannotTest if it is not ready."""
    places = (Path(place).expanduser() for place in (os.environ.get("COMFYUI_PATH"), "~/ComfyUI") if place)
    comfyui = next((place for place in places if (place / "main.py").is_file()), None)
    if comfyui is None:
        raise CannotTest(
            "NO COMFYUI: set COMFYUI_PATH to a checkout of ComfyUI (or put one at ~/ComfyUI) with its requirements "
            "in .venv. Nodes and page are not tested."
        )
    if lacking := _lacking(python := _python(comfyui)):
        raise CannotTest(
            f"COMFYUI'S PYTHON LACKS {', '.join(lacking)}: run {python} -m pip install -r requirements.txt. "
            "Nodes and page are not tested."
        )
    if importlib.util.find_spec("websocket") is None:
        raise CannotTest("NO websocket-client: run pip install -r requirements-dev.txt. Nodes and page are not tested.")
    return comfyui


def _lacking(python: str) -> list[str]:
    """The pack's requirements that this Python does not have, or has in another version."""
    asked = subprocess.run([python, "-c", INSTALLED], check=True, capture_output=True, text=True).stdout
    installed = {canonicalize_name(name): version for name, version in json.loads(asked).items() if name}
    wanted = map(Requirement, (PACK / "requirements.txt").read_text("utf-8").split())
    return [
        str(each)
        for each in wanted
        if not (version := installed.get(canonicalize_name(each.name)))
        or not each.specifier.contains(version, prereleases=True)
    ]


def _python(comfyui: Path) -> str:
    for name in ("bin/python", "Scripts/python.exe"):
        if (comfyui / ".venv" / name).is_file():
            return str(comfyui / ".venv" / name)
    return shutil.which("python") or sys.executable


@dataclass
class Run:
    """What came back for one queued graph: messages of the WebSocket, outputs by node, the error if any."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message["data"] for message in self.messages if message["type"] == kind]

    @property
    def error(self) -> str:
        return " ".join(data["exception_message"] for data in self.of("execution_error"))

    def output(self, node: str) -> dict[str, Any]:
        return self.history["outputs"][node]


class Comfy:
    """A running server and its HTTP and WebSocket API; `more`: options of ComfyUI's, `variables`: of its environment."""

    def __init__(self, base: Path, comfyui: Path, *more: str, variables: Mapping[str, str] | None = None):
        self.base, self.comfyui, self._options, self._variables = base, comfyui, more, variables or {}
        self.log_file = base / "comfyui.log"
        self.start()
        self.startup = self.log  # the log before the first graph

    def start(self) -> None:
        """Starts it, at an address of its own; again after `kill`, with the same folders."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        options = ["--cpu", "--base-directory", str(self.base), "--port", self.address.rpartition(":")[2]]
        options += ["--disable-auto-launch", "--disable-api-nodes", "--preview-method", "none", *self._options]
        self._log = self.log_file.open("w")
        self.process = subprocess.Popen(
            [_python(self.comfyui), str(self.comfyui / "main.py"), *options],
            cwd=self.base,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", **self._variables},
        )
        self._wait()
        self._connect()

    def _connect(self) -> None:
        from websocket import create_connection  # tests of the core run without it

        self.client = uuid.uuid4().hex
        self.socket = create_connection(f"ws://{self.address}/ws?clientId={self.client}", timeout=RUN_SECONDS)

    def tab(self) -> Comfy:
        """The same server as another page sees it; its `socket` is to be closed."""
        other = copy.copy(self)
        other._connect()
        return other

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                self.get("/system_stats")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        raise RuntimeError(f"ComfyUI did not start:\n{self.log[-3000:]}")

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The server's answer; for a refused request the body of its error."""
        request = urllib.request.Request(
            f"http://{self.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        return json.loads(text) if text else None

    def status(self, path: str) -> int:
        """The HTTP status of an empty POST."""
        request = urllib.request.Request(f"http://{self.address}{path}", b"", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def queue(self, graph: dict[str, Any]) -> str:
        answer = self.post("/prompt", {"prompt": graph, "client_id": self.client})
        assert not answer.get("node_errors"), answer
        return answer["prompt_id"]

    def listen(self, prompt_id: str, until: str | None = None) -> Run:
        """Reads messages until the graph is done, or until the first message of the kind `until`."""
        run = Run()
        while True:
            message = self.socket.recv()
            if isinstance(message, bytes):  # previews
                continue
            parsed = json.loads(message)
            if parsed["data"].get("prompt_id", prompt_id) != prompt_id:
                continue
            run.messages.append(parsed)
            if parsed["type"] == until:
                return run
            if parsed["type"] in ("execution_success", "execution_error", "execution_interrupted"):
                run.history = self._history(prompt_id)
                return run

    def _history(self, prompt_id: str) -> dict[str, Any]:
        """Waits for the history: the server reports that a graph is done a moment before it writes it."""
        for _ in range(100):
            found = self.get(f"/history/{prompt_id}")
            if prompt_id in found:
                return found[prompt_id]
            time.sleep(0.1)
        raise RuntimeError(f"no history of {prompt_id}")

    def run(self, graph: dict[str, Any]) -> Run:
        return self.listen(self.queue(graph))

    def random_weights(self, script: str) -> None:
        """Puts the files that a script of the node tests writes among the models, once for all workers of a run."""
        models, run = self.base / "models", self.base.parent
        shared = (run.parent if run.name.startswith("popen-") else run) / Path(script).stem
        if not shared.exists():
            written = Path(tempfile.mkdtemp(dir=shared.parent))
            command = [_python(self.comfyui), str(NODE_TESTS / script), str(self.comfyui), str(written)]
            subprocess.run(command, check=True, capture_output=True)
            with suppress(OSError):  # another worker was quicker
                written.rename(shared)
        for file in filter(Path.is_file, shared.rglob("*")):
            place = models / file.relative_to(shared)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.hardlink_to(file)

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        self.socket.close()
        self.process.kill()
        self.process.wait()
        self._log.close()

    def stop(self) -> None:
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()


def prepare(base: Path) -> None:
    """Lays out the folders of a ComfyUI in `base`: this pack, the helpers of the tests, the sample pictures."""
    for folder in ("custom_nodes", "input", "output", "user", "temp", "models/open_clip", "models/checkpoints"):
        (base / folder).mkdir(parents=True)
    (base / "custom_nodes" / "pez").symlink_to(PACK, target_is_directory=True)
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir()
    settings.write_text(
        json.dumps({"Comfy.TutorialCompleted": True})
    )  # otherwise a dialog of templates covers the page
    shutil.copy(NODE_TESTS / "helper_nodes.py.txt", base / "custom_nodes" / "pez_test_nodes.py")
    (base / "input" / "pictures").mkdir()  # the folder of an example workflow
    for sample in SAMPLES.glob("*.png"):
        shutil.copy(sample, base / "input")
    for name in FOLDER:
        shutil.copy(SAMPLES / name, base / "input" / "pictures")


def served(base: Path, *options: str) -> Iterator[Comfy]:
    """A ComfyUI with this pack and all its files in `base`, while a test runs; skips the test if there is none to run."""
    try:
        comfyui = find_comfyui()
    except CannotTest as why:
        pytest.skip(str(why))
    prepare(base)
    server = Comfy(base, comfyui, *options)
    yield server
    server.stop()

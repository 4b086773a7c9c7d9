"""The promises of SECURITY.md that are about the library and the sources: see its table."""

from __future__ import annotations

import ast
import importlib.util
import json
import pickle
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from stand_ins import hugging_face_tokenizer

from pez_core import InversionConfig, PezError, Target, invert, load_model
from pez_core.models.language import load_language_model

ROOT = Path(__file__).parents[2]
PRODUCT = ("pez_core", "nodes", "locales")  # what people install
OWN = (*PRODUCT, "training", "benchmarks")
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "subprocess", "runpy", "ctypes"}
FORBIDDEN_CALLS = {"os.system", "os.popen", "os.startfile", "torch.jit.load", "torch.hub.load"}
ALLOWED = {  # file, module: only what is not dangerous of it
    ("pez_core/models/checkpoints.py", "pickle"): {"UnpicklingError"},
    ("pez_core/models/language.py", "pickle"): {"UnpicklingError"},
    ("pez_core/batch/engines/ray.py", "pickle"): {"dumps", "loads"},  # between the job and its own workers
    ("pez_core/checks/measuring.py", "ctypes"): {"CDLL"},  # of Python's own process, to release memory
}
HTML = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment", "srcdoc")
HTML += ("DOMParser", "eval(", "new Function", "setHTML", "javascript:")


def trees(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > len(folders)
    for file in files:
        yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text("utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def is_constant(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_weights_are_only_loaded_without_code():
    loads = [(file, call) for file, tree in trees(*OWN) for name, call in calls(tree) if name == "torch.load"]
    assert loads
    for file, call in loads:
        given = {each.arg: each.value for each in call.keywords}
        assert is_constant(given.get("weights_only"), True), file


def test_no_code_of_a_model_is_trusted():
    for file, tree in trees(*OWN):
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert is_constant(node.value, False), file
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                        assert is_constant(value, False), file


def test_the_product_runs_no_text_as_code_and_starts_no_program():
    for file, tree in trees(*PRODUCT):
        for name, _ in calls(tree):
            assert name not in FORBIDDEN_NAMES | FORBIDDEN_CALLS, file
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in FORBIDDEN_MODULES, file
            if isinstance(node, ast.Import):
                for each in node.names:
                    assert each.name not in FORBIDDEN_MODULES or (file, each.name) in ALLOWED, file
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                only = ALLOWED.get((file, node.value.id))
                assert only is None or node.attr in only, f"{file}: {node.value.id}.{node.attr}"


def test_the_product_itself_opens_no_connection():
    """Only open_clip and huggingface_hub do, for a model that a person has named."""
    for file, tree in trees(*PRODUCT):
        for node in ast.walk(tree):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                assert name.partition(".")[0] not in {"urllib", "http", "requests", "httpx", "socket", "aiohttp"} or (
                    file in ("nodes/stop.py", "nodes/health.py") and name == "aiohttp"  # ComfyUI's server
                ), file


def test_no_text_becomes_html_in_the_page():
    files = sorted((ROOT / "web" / "js").rglob("*.js"))
    assert len(files) > 20
    for file in files:
        script = file.read_text("utf-8")
        assert not [sink for sink in HTML if sink in script], file.name


def test_the_page_talks_to_its_own_server_only():
    for file in sorted((ROOT / "web" / "js").rglob("*.js")):
        script = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, which nothing fetches
        assert not re.search(r"https?://|wss?://|XMLHttpRequest|sendBeacon|(?<!\w)fetch\(|import\(", script), file.name


@pytest.fixture
def offline(monkeypatch):
    """Fails a test that opens a connection."""

    def refuse(*_):
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_nothing_is_fetched_for_the_embedded_model(offline, penguin):
    model = load_model()
    assert invert(model, Target.from_images(model, penguin), InversionConfig.preset("fast", steps=4)).prompt


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "local-dir:/tmp", "https://x.invalid/y", "../../etc/passwd"])
def test_only_models_that_open_clip_knows_by_name_are_fetched(offline, name):
    with pytest.raises(PezError, match="There is no model"):
        load_model(name)


def test_no_language_model_is_fetched_for_reading(offline):
    with pytest.raises(PezError, match="There is no language model at"):
        load_language_model("someone/model")


class Harm:
    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


def test_a_folder_with_code_in_it_is_not_run(tmp_path, monkeypatch, offline):
    """Weights as a pickle with code, and a model class that comes with the model."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "evil"
    folder.mkdir()
    hugging_face_tokenizer(folder, "bert")
    settings = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_head": 1, "n_embd": 8}
    (folder / "config.json").write_text(json.dumps({**settings, "vocab_size": 90}))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"transformer.wte.weight": Harm()}, protocol=2))
    with pytest.raises(PezError, match=r"would run code\. Fetch the same model as \.safetensors"):
        load_language_model(folder)
    torch.save({"transformer.wte.weight": Harm()}, folder / "pytorch_model.bin")
    with pytest.raises(PezError, match=r"would run code\. Fetch the same model as \.safetensors"):
        load_language_model(folder)
    (folder / "own.py").write_text("from pathlib import Path\nPath('harmed').touch()\n")
    own = {"AutoConfig": "own.Settings", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": own}))
    with pytest.raises(PezError, match="cannot be loaded as a language model"):
        load_language_model(folder)
    assert not (tmp_path / "harmed").exists()


def test_every_promise_names_a_test_that_exists():
    rows = re.findall(r"^\|[^|]+\|([^|]+)\|$", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)
    named = [file for row in rows for file in re.findall(r"`(tests/[\w/.]+\.py)`", row)]
    assert len(named) >= len(rows) - 2  # all but the head of the table
    assert [file for file in named if not (ROOT / file).is_file()] == []


def test_every_requirement_is_in_the_list_of_licenses():
    spec = importlib.util.spec_from_file_location("licenses", ROOT / "docs" / "licenses.py")
    assert spec is not None
    assert spec.loader is not None
    licenses = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(licenses)
    listed = re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs" / "licenses.md").read_text("utf-8"), re.MULTILINE)
    assert listed[0] == "package"
    assert listed[1:] == list(licenses.requirements()), "run python docs/licenses.py > docs/licenses.md"


def test_the_workflow_audits_the_requirements():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]
    said = " ".join(step.get("run", "") for step in jobs["audit"]["steps"])
    assert "pip-audit" in said
    assert "requirements.txt" in said


def test_the_issue_form_asks_for_the_doctor():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8"))
    fields = {field.get("id"): field for field in form["body"]}
    assert fields["doctor"]["validations"]["required"]
    assert "python -m pez_core doctor" in fields["doctor"]["attributes"]["description"]

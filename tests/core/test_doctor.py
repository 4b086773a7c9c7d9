"""The doctor says what is right, slow or wrong on a machine, and what to do; nothing in its report names the machine's folders."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import re
from pathlib import Path

import huggingface_hub
import pytest
import torch
from stand_ins import small

from pez_core import ClipModel
from pez_core.checks import machine, steps, towers
from pez_core.checks.finding import OK, SKIPPED, SLOW, STATUSES, WRONG, Patient
from pez_core.cli import main
from pez_core.doctor import CHECKS, Report, examine, without_paths
from pez_core.towers import TextTower
from pez_core.towers.placement import MovePlacement
from pez_core.towers.precision import Agreement

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def report(model: ClipModel) -> Report:
    return examine(model=model)


@pytest.fixture
def patient(model: ClipModel) -> Patient:
    """The embedded model with a text tower of its own, to be broken."""
    own = copy.copy(model)
    own.text = copy.deepcopy(model.text)
    return Patient("embedded", None, CPU, own)


def test_the_embedded_model_is_well(report):
    assert [finding.name for finding in report.findings] == list(CHECKS)
    assert {finding.status for finding in report.findings} <= {OK, SLOW, SKIPPED}
    assert not report.wrong


def test_what_is_not_ok_says_why_or_what_to_do(report):
    assert all(finding.figure for finding in report.findings)
    assert all(finding.advice for finding in report.findings if finding.status in (SLOW, WRONG))


def test_what_needs_cuda_is_skipped_elsewhere_and_says_so(report):
    for name in ("fused kernels", "CUDA graph", "memory"):
        (finding,) = (each for each in report.findings if each.name == name)
        assert finding.status == SKIPPED
        assert "CUDA" in finding.figure


def test_findings_are_told_as_they_come(model):
    told = []

    class Enough(Exception):
        pass

    def tell(finding):
        told.append(finding)
        if len(told) == 2:
            raise Enough

    with pytest.raises(Enough):  # as ComfyUI's interrupt does
        examine(model=model, on_finding=tell)
    assert [finding.name for finding in told] == list(CHECKS)[:2]


def test_a_lean_tower_that_computes_something_else_is_wrong(patient, monkeypatch):
    lean = TextTower._lean
    monkeypatch.setattr(TextTower, "_lean", lambda self, *given: _turned(lean(self, *given)))
    finding = towers.lean_tower(patient)
    assert finding.status == WRONG
    assert "optimize something else" in finding.advice
    patient.model.text.lean = False  # as it is where this is seen when the model is loaded
    assert towers.lean_tower(patient).status == WRONG
    assert "full length instead" in towers.lean_tower(patient).advice


def _turned(encode):
    return lambda embeddings: encode(embeddings).roll(1, dims=-1)


def test_an_architecture_without_a_lean_way_is_slow_not_wrong(openai_vocabulary):
    module = small("ViT-B-32")
    module.attn_mask = None
    model = ClipModel.of_open_clip(module, lambda picture: picture, openai_vocabulary, "x")
    ill = Patient("x", None, CPU, model)
    assert towers.lean_tower(ill).status == SLOW
    assert "ViT-L-14" in towers.lean_tower(ill).advice
    assert towers.half_precision(ill).status == SKIPPED


def test_half_precision_that_is_too_coarse_is_slow(patient, monkeypatch):
    monkeypatch.setattr(towers, "compare", lambda *_: Agreement(0.3, 0.2))
    finding = towers.half_precision(patient)
    assert finding.status == SLOW
    assert "float32" in finding.advice


def test_kernels_that_differ_are_wrong_and_those_that_do_not_run_are_slow(patient, monkeypatch):
    """On CUDA; nothing here needs the device itself."""
    patient.device = torch.device("cuda")
    monkeypatch.setattr(TextTower, "chosen", lambda *_: (torch.float16, False))
    exact = patient.model.text.run_sample
    monkeypatch.setattr(TextTower, "run_sample", lambda self, dtype, fused=False: exact(torch.float32))
    assert towers.fused_kernels(patient).status == OK

    def differ(self, dtype, fused=False):
        features, gradients = exact(torch.float32)
        return (-features if fused else features), gradients

    monkeypatch.setattr(TextTower, "run_sample", differ)
    assert towers.fused_kernels(patient).status == WRONG

    def fail(self, dtype, fused=False):
        if fused:
            raise RuntimeError("no C compiler\nand more")
        return exact(torch.float32)

    monkeypatch.setattr(TextTower, "run_sample", fail)
    finding = towers.fused_kernels(patient)
    assert finding.status == SLOW
    assert finding.figure == "they do not run: no C compiler"


def test_a_graph_that_takes_other_steps_is_wrong(patient, monkeypatch):
    """On CUDA; nothing here needs the device itself."""
    patient.device = torch.device("cuda")
    monkeypatch.setattr(towers, "GraphStepper", lambda search, state, device: towers.Stepper(search, state))
    assert towers.graph(patient).status == OK

    class Stuck(towers.Stepper):
        def __init__(self, search, state, device):
            super().__init__(search, state)

        def _step(self):
            pass

    monkeypatch.setattr(towers, "GraphStepper", Stuck)
    assert towers.graph(patient).status == WRONG

    def refuse(*_):
        raise RuntimeError("not permitted when stream is capturing")

    monkeypatch.setattr(towers, "GraphStepper", refuse)
    assert towers.graph(patient).status == SLOW


def test_memory_above_the_estimate_is_wrong(patient, monkeypatch):
    """On CUDA; nothing here needs the device itself."""
    patient.device = torch.device("cuda")
    monkeypatch.setattr(steps, "extra_megabytes", lambda *_: 1.0)
    assert steps.memory(patient).status == OK
    monkeypatch.setattr(steps, "extra_megabytes", lambda *_: 1e5)
    assert steps.memory(patient).status == WRONG


def test_a_score_that_is_not_that_of_the_text_is_wrong(patient, monkeypatch):
    plain = steps.invert

    def boast(*given):
        result = plain(*given)
        best = dataclasses.replace(result.candidates[0], similarity=result.similarity + 0.01)
        return dataclasses.replace(result, candidates=(best, *result.candidates[1:]))

    monkeypatch.setattr(steps, "invert", boast)
    assert steps.inversion(patient).status == WRONG


def test_towers_of_two_models_are_wrong(patient, monkeypatch):
    encode = ClipModel.encode_images
    monkeypatch.setattr(ClipModel, "encode_images", lambda self, pictures: encode(self, pictures).flip(1))
    finding = towers.pair(patient)
    assert finding.status == WRONG
    assert "do not belong together" in finding.figure


@pytest.mark.parametrize(
    ("step", "products", "status"), [(10.0, 9.0, OK), (100.0, 9.0, SLOW), (1.0, 0.01, OK)]
)  # the last: what surrounds tiny products takes longer than they do
def test_a_step_far_above_its_matrix_products_is_slow(patient, monkeypatch, step, products, status):
    monkeypatch.setattr(steps, "in_turn", lambda *_: [step, products])
    finding = steps.step_of(1)(patient)
    assert finding.status == status
    assert f"{step:.2f} ms" in finding.figure


def test_old_and_missing_packages_are_wrong(monkeypatch):
    nobody = Patient("embedded", None, CPU)
    assert machine.versions(nobody).status == OK
    installed = {"torch": "2.10.0+cpu", "open_clip_torch": "2.32.0", "pillow": "12.0"}
    monkeypatch.setattr(machine, "_version", lambda package: installed.get(package, ""))
    finding = machine.versions(nobody)
    assert finding.status == WRONG
    assert "open_clip 3.0 or newer" in finding.advice
    assert "torch 2.6" not in finding.advice
    assert "transformers missing" in finding.figure  # which is optional
    installed["open_clip_torch"] = ""
    assert machine.versions(nobody).status == WRONG


def test_the_oldest_versions_are_those_of_the_requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").split()
    assert dict(line.split(">=") for line in lines if ">=" in line) == machine.LEAST


def test_missing_files_are_wrong(monkeypatch):
    monkeypatch.setattr(machine, "PARTS", ("model.json", "gone.safetensors"))
    finding = machine.embedded_files(Patient("embedded", None, CPU))
    assert finding.status == WRONG
    assert "gone.safetensors" in finding.figure
    assert "model.json" not in finding.figure


def test_weights_are_looked_for_and_not_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("fetched"))
    plain = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *given: plain(*given, cache_dir=tmp_path))
    patient = Patient("SD 1.5 (ViT-L-14 openai)", None, CPU)
    assert "not on this machine" in machine.weights(patient).figure
    folder = tmp_path / "models--timm--vit_large_patch14_clip_224.openai"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("1" * 40)
    (folder / "snapshots" / ("1" * 40)).mkdir(parents=True)
    (folder / "snapshots" / ("1" * 40) / "open_clip_model.safetensors").write_bytes(b"0" * 2**20)
    assert machine.weights(patient).figure == "open_clip_model.safetensors in the cache, 1 MiB"
    assert machine.weights(Patient("ViT-L-14/no-such-tag", None, CPU)).status == SKIPPED


def test_a_model_that_cannot_be_loaded_is_wrong_and_the_machine_is_shown_anyway(tmp_path):
    secret = tmp_path / "secret folder" / "mine.pt"
    report = examine("ViT-B-32", secret)
    found = {finding.name: finding for finding in report.findings}
    assert report.wrong
    assert found["versions"].status == OK
    assert found["model"].status == WRONG
    assert "There is no checkpoint" in found["model"].advice
    assert {found[name].status for name in ("lean tower", "inversion", "step of 8")} == {SKIPPED}
    assert "secret" not in report.text() + json.dumps(report.to_json())


def test_a_check_that_breaks_does_not_end_the_others(model, monkeypatch):
    monkeypatch.setattr(ClipModel, "encode_images", lambda *_: [][0])
    report = examine(model=model)
    found = {finding.name: finding for finding in report.findings}
    assert (found["CLIP pair"].status, found["lean tower"].status) == (WRONG, OK)
    assert found["CLIP pair"].figure == "IndexError: list index out of range"


def test_an_interrupt_within_a_check_passes_through(model, monkeypatch):
    class Interrupted(Exception):  # a direct child of Exception, as ComfyUI's is
        pass

    def interrupt(*_):
        raise Interrupted

    monkeypatch.setattr(ClipModel, "encode_images", interrupt)
    with pytest.raises(Interrupted):
        examine(model=model)


def test_it_can_be_ended_within_the_checks_that_take_long(model):
    """Between two findings is too late: with a large model an inversion takes minutes."""
    told, counts = [], dict.fromkeys(CHECKS, 0)

    def count():
        counts[CHECKS[len(told)]] += 1

    examine(model=model, on_finding=told.append, between=count)
    assert {name for name, number in counts.items() if number > 1} == {
        "inversion",
        "step of 1",
        "step of 8",
        "step of 16",
    }

    class Interrupted(Exception):
        pass

    def interrupt():
        raise Interrupted

    with pytest.raises(Interrupted):
        examine(model=model, between=interrupt)


def test_a_model_that_was_moved_away_is_brought_back_before_each_check(model):
    """As ComfyUI does when it needs the memory for another one."""

    class Elsewhere(MovePlacement):
        brought = 0

        def bring(self, modules, room_bytes=0):
            Elsewhere.brought += 1
            return super().bring(modules, room_bytes)

    own = copy.copy(model)
    own.text = copy.deepcopy(model.text)
    own.place(Elsewhere(CPU))
    seen = []
    examine(model=own, on_finding=lambda _: seen.append(Elsewhere.brought))
    assert seen[0] > 0  # before the lines on the machine: they name its device
    after = seen[CHECKS.index("model") :]
    assert all(later > earlier for earlier, later in itertools.pairwise(after))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"no {Path.home()}/ComfyUI/models/x.pt here", "no .../x.pt here"),
        (f"in {Path.home()}", "in ~"),
        ("'/mnt/my disk/alice/x.pt' is damaged", "'.../x.pt' is damaged"),
        (r"'C:\Users\Alice\x.pt' and C:\\Users\\Alice\\y.pt", r"'...\x.pt' and ...\\y.pt"),
        ("fetch https://huggingface.co/a/b", "fetch https://huggingface.co/a/b"),
        ("ViT-L-14/openai, 1/2, a / b", "ViT-L-14/openai, 1/2, a / b"),
    ],
)
def test_paths_lose_their_folders(text, left):
    assert without_paths(text) == left


def test_the_command_prints_one_block(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("PEZ doctor ")
    assert [name for name in CHECKS if any(line.startswith(name) for line in lines)] == list(CHECKS)
    assert re.fullmatch(r"\d+ ok, .* in \d+ s", lines[-1])


def test_the_command_prints_json_and_ends_with_status_1_if_something_is_wrong(capsys, monkeypatch):
    monkeypatch.setattr(machine, "PARTS", ("gone.json",))
    assert main(["doctor", "--json", "--model", "no such model"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["wrong"] is True
    assert [finding["name"] for finding in told["findings"]] == list(CHECKS)
    assert {finding["status"] for finding in told["findings"]} <= set(STATUSES)


def test_ctrl_c_ends_it_with_one_line(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.cpu_count", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err.strip().endswith("interrupted")


def test_a_device_that_is_not_there_is_bad_input(capsys):
    assert main(["doctor", "--device", "no-such-device"]) == 2
    assert "no-such-device" in capsys.readouterr().err

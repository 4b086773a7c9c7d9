"""What a workflow or a page can reach through the nodes, with stand-ins for ComfyUI. Needs no ComfyUI."""

from __future__ import annotations

import csv
import io
import json
from types import ModuleType, SimpleNamespace

import pytest


class ComfyNode:
    pass


def _comfyui(**folders) -> dict[str, ModuleType]:
    """Stand-ins for the modules of ComfyUI that the nodes here import."""
    names = ("comfy_api", "comfy_api.latest", "folder_paths", "server", "aiohttp", "nodes")
    api, latest, paths, server, aiohttp, nodes = map(ModuleType, names)
    latest.io = SimpleNamespace(
        ComfyNode=ComfyNode, Schema=None, NodeOutput=None, Custom=lambda kind: SimpleNamespace(io_type=kind)
    )
    latest.ui = None
    vars(paths).update(folders)
    server.PromptServer, aiohttp.web, nodes.NODE_CLASS_MAPPINGS = (
        None,
        SimpleNamespace(Request=object, Response=object),
        {},
    )
    return dict(zip(names, (api, latest, paths, server, aiohttp, nodes), strict=True))


@pytest.fixture
def output(tmp_path):
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


@pytest.fixture
def save(pack, output, monkeypatch):
    own = pack("nodes.save", _comfyui())
    monkeypatch.setattr(own.folder_paths, "get_output_directory", lambda: str(output), raising=False)
    return own


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "..\\x", "C:/x", "linked/x", "linked/deeper/x"])
def test_no_name_leads_out_of_the_output_folder_not_even_through_a_link(save, output, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (output / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(ValueError, match="within ComfyUI's output folder"):
        save.output_file(name, ".csv")


def test_a_file_that_is_a_link_to_elsewhere_is_not_written(save, output, tmp_path):
    (output / "x.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(ValueError, match="within ComfyUI's output folder"):
        save.output_file("x", ".csv")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_table_is_a_formula(save, text):
    row = dict.fromkeys(save.COLUMNS, text) | {"settings": {"prefix": text}}
    (cells,) = csv.reader(io.StringIO(save._csv_line(row), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert dict(zip(save.COLUMNS, cells, strict=True))["prompt"] == f"'{text}"
    assert json.loads(cells[-1]) == {"prefix": text}


def test_numbers_below_zero_stay_numbers(save):
    row = dict.fromkeys(save.COLUMNS, -0.25) | {"settings": {}}
    assert save._csv_line(row).startswith("-0.25,")


def test_only_who_was_told_its_id_can_stop_a_search(pack):
    stop = pack("nodes.stop", _comfyui())
    runs = [stop.begin() for _ in range(3)]
    assert len(set(runs)) == 3
    assert all(len(run) == 32 and int(run, 16) for run in runs)  # 122 random bits of the system's own source
    assert not any(stop.ask(guess) for guess in ("", "0", "*", runs[0][:-1], runs[0] + "0"))
    assert not any(map(stop.was_asked, runs))
    assert stop.ask(runs[1])
    assert [stop.was_asked(run) for run in runs] == [False, True, False]
    for run in runs:
        stop.end(run)
    assert not stop.ask(runs[1])


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "", "penguin.png"])
def test_only_the_samples_can_be_named(pack, name):
    sample = pack("nodes.sample", _comfyui())
    with pytest.raises(pack("nodes.node").PEZ, match="no sample picture"):
        sample.PEZSamplePicture.execute(name)

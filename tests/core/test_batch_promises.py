"""What a batch promises when things go wrong, with the benchmark's own runs, and with packages that are optional."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import batch as benchmark
from pez_core import InversionConfig, PezError
from pez_core.batch.engines import Plan
from pez_core.batch.engines.local import LocalEngine
from pez_core.batch.job import Job, Summary
from pez_core.batch.results import ParquetFolder, open_results
from pez_core.batch.sources import open_source
from pez_core.cli import main
from pez_core.models.presets import EMBEDDED_FOLDER

SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))[:6]
CONFIG = InversionConfig(method="pez", steps=2, restarts=1, length=3)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills and limits processes as Linux does")
def test_killed_at_random_every_picture_has_one_row(tmp_path):
    assert benchmark.kill(tmp_path, times=1, ending="jsonl", pictures=24)["rows"] == 24


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills and limits processes as Linux does")
def test_a_full_disk_is_one_line_and_the_job_goes_on(tmp_path):
    told = benchmark.full(tmp_path, pictures=40, kilobytes=16)
    assert "'rows.jsonl' cannot be written: " in told["said"]
    assert "the same command goes on from there" in told["said"]


@pytest.mark.slow
def test_packed_is_no_slower_way_to_other_prompts(tmp_path, model):
    """The figures of the benchmark are those of the same prompts."""
    folder = benchmark.draw(tmp_path / "pictures", 10)
    row = benchmark.throughput(model, folder, InversionConfig(**benchmark.SETTINGS["one start, 4"]), pack=4)
    assert (row["same"], row["pack"]) == (1, 4)
    assert row["apart"] == pytest.approx(0, abs=1e-5)
    assert 0 < row["searching"] <= 1


@pytest.mark.slow
def test_pictures_that_leave_packs_find_the_same(tmp_path, model):
    """The figures of the benchmark are those of the same prompts, after the same steps."""
    config = InversionConfig(**{**benchmark.LONG["pez, 1000"], "patience": 10})
    row = benchmark.leaving(model, benchmark.draw(tmp_path / "pictures", 8), config, pack=3)
    assert row["same"] == 1
    assert row["steps"] < row["most"] < 1000
    assert row["ratio"] > 0


def test_memory_is_read_while_the_job_runs(tmp_path):
    assert [rows for rows, _ in benchmark.memory(tmp_path, pictures=6, every=3)][-1] == 6


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("pyarrow", ("pictures", "--out", "rows.parquet")),
        ("webdataset", ("shard.tar", "--out", "rows.jsonl")),
        ("ray", ("pictures", "--out", "rows.jsonl", "--engine", "ray")),
    ],
)
def test_a_missing_package_is_one_line_with_the_cure(pictures, tmp_path, capsys, monkeypatch, package, arguments):
    imported = [name for name in sys.modules if name.startswith(f"{package}.")]
    for name in (package, *imported):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    Path("shard.tar").write_bytes(b"")
    assert main(["batch", *arguments]) == 2
    said = capsys.readouterr().err
    assert f"needs the package {package}" in said
    assert "pip install" in said
    assert len(said.splitlines()) == 1


def test_a_caption_may_have_the_longest_name(tmp_path, capsys):
    name = "\u732b" * 83 + ".png"  # 253 bytes
    (tmp_path / "long").mkdir()
    shutil.copy(SAMPLES[0], tmp_path / "long" / name)
    quick = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "3", "--sidecar"]
    assert main(["batch", str(tmp_path / "long"), "--out", str(tmp_path / "rows.jsonl"), *quick]) == 0
    assert sorted(each.suffix for each in (tmp_path / "long").iterdir()) == [".png", ".txt"]


def test_a_caption_that_cannot_be_written_leaves_no_half(pictures, tmp_path, capsys, monkeypatch):
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.suffix == ".txt":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    quick = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "3", "--sidecar"]
    assert main(["batch", str(pictures), "--out", str(tmp_path / "rows.jsonl"), *quick]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not [each.name for each in pictures.iterdir() if each.suffix != ".png"]


def test_nothing_optional_is_imported_at_the_start():
    code = "import pez_core.cli.commands, sys; print([n for n in ('pyarrow', 'webdataset', 'ray') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


class TestParquet:
    @pytest.fixture(autouse=True)
    def parquet(self):
        return pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow")

    def job(self, pictures, folder) -> Job:
        results = ParquetFolder(folder, part_rows=2)
        return Job(open_source(pictures), results, {})

    def keys(self, parquet, folder) -> list[str]:
        return parquet.read_table(folder, columns=["key"])["key"].to_pylist()

    def test_any_reader_opens_it_as_one_table(self, parquet, pictures, tmp_path):
        out = tmp_path / "rows.parquet"
        lines = tmp_path / "rows.jsonl"
        quick = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "3"]
        for path in (out, lines):
            assert main(["batch", str(pictures), "--out", str(path), *quick]) == 0
        rows = {row["key"]: row for row in parquet.read_table(out).to_pylist()}
        for line in lines.read_text("utf-8").splitlines():
            row = json.loads(line)
            assert {**rows[row["key"]], "seconds": 0} == {**row, "seconds": 0}
        assert main(["batch", str(pictures), "--out", str(out), *quick]) == 0  # nothing to do
        assert len(self.keys(parquet, out)) == len(SAMPLES)

    @pytest.mark.parametrize("moment", ["rows", "half a part", "part and journal"])
    def test_a_kill_loses_and_doubles_nothing(self, parquet, pictures, tmp_path, model, moment):
        folder, plan = tmp_path / "rows.parquet", Plan(lambda device: (model, None), CONFIG, pack=1)

        def die(summary: Summary) -> None:
            if summary.done == 3:
                raise KeyboardInterrupt

        job = self.job(pictures, folder)
        close, job.results.close = job.results.close, lambda: None  # a killed process closes nothing
        with pytest.raises(KeyboardInterrupt):
            job.run(LocalEngine("cpu"), plan, die)
        assert len(self.keys(parquet, folder)) == 2  # readable, without those in the journal
        if moment == "half a part":
            (folder / ".part-000001.parquet").write_bytes(b"PAR1")
        if moment == "part and journal":
            shutil.copy(folder / "_part-000001.jsonl", tmp_path)
            close()
            shutil.copy(tmp_path / "_part-000001.jsonl", folder)
        assert self.job(pictures, folder).run(LocalEngine("cpu"), plan).before == 3
        assert sorted(self.keys(parquet, folder)) == [sample.name for sample in SAMPLES]
        assert not list(folder.glob("_part*")) + list(folder.glob(".part*"))

    def test_a_list_may_be_parquet(self, parquet, pictures, tmp_path):
        import pyarrow

        table = pyarrow.table({"path": [f"pictures/{each.name}" for each in SAMPLES], "seed": [1, None, 3, 4, 5, 6]})
        parquet.write_table(table, tmp_path / "list.parquet")
        items = list(open_source(tmp_path / "list.parquet"))
        assert [item.changes for item in items[:3]] == [{"seed": 1}, {}, {"seed": 3}]

    def test_a_file_in_its_place_is_refused(self, tmp_path):
        (tmp_path / "rows.parquet").write_text("")
        with pytest.raises(PezError, match="results in Parquet are a folder"):
            open_results(tmp_path / "rows.parquet")


class TestShards:
    @pytest.fixture
    def shard(self, tmp_path) -> Path:
        webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
        with webdataset.TarWriter(str(tmp_path / "00000.tar")) as tar:
            for sample in SAMPLES:
                tar.write({"__key__": sample.stem, "png": sample.read_bytes(), "txt": "a caption"})
            tar.write({"__key__": "damaged", "jpg": b"no picture"})
            tar.write({"__key__": "caption only", "txt": "a caption"})
        return tmp_path / "00000.tar"

    def test_a_row_for_each_picture(self, shard, tmp_path, model):
        out = tmp_path / "rows.jsonl"
        plan = Plan(lambda device: (model, None), CONFIG)
        summary = Job(open_source(shard), open_results(out), {}).run(LocalEngine("cpu"), plan)
        assert (summary.total, summary.done, summary.failed) == (None, len(SAMPLES) + 1, 1)
        rows = [row["key"] for row in open_results(out).rows()]
        assert sorted(rows) == sorted(["00000.tar/damaged", *(f"00000.tar/{each.stem}" for each in SAMPLES)])

    def test_names_with_dots_are_pictures_unless_the_sample_has_another(self, tmp_path):
        webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
        png = SAMPLES[0].read_bytes()
        with webdataset.TarWriter(str(tmp_path / "0.tar")) as tar:
            tar.write({"__key__": "my", "photo.png": png, "other.png": png})
            tar.write({"__key__": "v1", "5 sunset.PNG": png, "5 sunset.txt": "a caption"})
            tar.write({"__key__": "a", "mask.png": png, "png": png})
        keys = [item.key for item in open_source(tmp_path / "0.tar")]
        assert sorted(keys) == ["0.tar/a", "0.tar/my.other", "0.tar/my.photo", "0.tar/v1.5 sunset"]

    def test_two_pictures_of_one_sample_have_a_row_each(self, tmp_path):
        webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
        with webdataset.TarWriter(str(tmp_path / "0.tar")) as tar:
            tar.write({"__key__": "a", "jpg": SAMPLES[1].read_bytes(), "png": SAMPLES[0].read_bytes()})
        items = {item.key: item.picture for item in open_source(tmp_path / "0.tar")}
        assert items == {"0.tar/a": SAMPLES[1].read_bytes(), "0.tar/a.png": SAMPLES[0].read_bytes()}

    def test_a_shard_that_is_cut_off_keeps_its_beginning(self, shard):
        whole = shard.read_bytes()
        shard.write_bytes(whole[: whole.index(SAMPLES[3].name.encode()) + 600])
        items = list(open_source(shard.parent))
        assert items[0].key == f"00000.tar/{SAMPLES[0].stem}"
        assert items[-1].key == "00000.tar"
        assert "cannot be read further" in items[-1].error

    def test_captions_of_shards_need_a_folder(self, shard, tmp_path, capsys):
        quick = ["--method", "pez", "--steps", "2", "--restarts", "1", "--length", "3"]
        command = ["batch", str(shard), "--out", str(tmp_path / "rows.jsonl"), *quick, "--sidecar"]
        assert main(command) == 2
        assert "give --sidecar a folder" in capsys.readouterr().err
        assert main([*command, str(tmp_path / "captions"), "--restart"]) == 3
        assert (tmp_path / "captions" / "00000.tar" / f"{SAMPLES[0].stem}.txt").is_file()


def test_ray_finds_the_same_and_survives_a_lost_worker(tmp_path):
    pytest.importorskip("ray.data", reason='pip install "ray[data]"')
    told = benchmark.on_ray(tmp_path, 24, {"method": "pez", "steps": 60, "restarts": 2, "length": 4})
    assert [row["rows"] for row in told] == [24, 24, 24, 24]
    assert all(row["same"] >= 22 for row in told)  # packs of other sizes round differently, which may lead elsewhere

"""What `python -m tests.fuzz` and the property tests have found, each as a small case of its own."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from stand_ins import hugging_face_tokenizer
from tiny_language import causal

from pez_core import (
    ClassifierConfig,
    Examples,
    LabelTask,
    PezError,
    PictureSource,
    Vocabulary,
    classify,
    learn_classifier,
    load_model,
    read_examples,
)
from pez_core.batch import results, sources
from pez_core.batch.evaluation import read_captions
from pez_core.batch.manifest import Manifest, read_options
from pez_core.batch.results import open_results
from pez_core.batch.sources import open_source, read_rows
from pez_core.cli import main
from pez_core.errors import first_line
from pez_core.models.checkpoints import checkpoint_tensors
from pez_core.models.language import load_classifying_model
from pez_core.targets import labelled_rows


def safetensors(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def said(refused: pytest.ExceptionInfo[PezError]) -> str:
    """The message, which is a line that a person reads."""
    return readable(str(refused.value))


def readable(message: str) -> str:
    """The message, checked."""
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 1000
    return message


def test_what_a_file_says_is_quoted_in_one_short_visible_line():
    assert first_line(ValueError("a\0b\x1b[31m\nc")) == "a\\x00b\\x1b[31m"
    assert len(first_line(ValueError("x" * 10_000))) == 300


LONG = "x" * 300


@pytest.mark.parametrize(
    "command",
    [
        ["batch", LONG, "--out", "rows.jsonl"],
        ["batch", "pictures", "--out", f"{LONG}.jsonl"],
        ["batch", "pictures", "--out", f"{LONG}/rows.jsonl"],
        ["batch", "pictures", "--out", "rows.jsonl", "--preset", "fast", "--sidecar", LONG],
        ["evaluate", f"{LONG}.jsonl", "--judge", "embedded"],
        ["invert", f"{LONG}.png"],
        ["invert", "pictures/a.png", "--plot", f"{LONG}/a.png"],
        ["invert", "pictures/a.png", "--model", "ViT-B-32", "--checkpoint", LONG],
        ["invert", "pictures/a.png", "--readability", "0.5", "--language-model", LONG],
        ["classify", f"{LONG}.csv"],
        ["paint", "a fox", "--out", f"{LONG}/a.png"],
    ],
)
def test_a_name_that_no_file_can_have_is_one_clear_sentence(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "pictures" / "a.png")
    assert main(command) == 2
    refused = capsys.readouterr().err.splitlines()[-1]
    assert ": error: " in refused
    readable(refused)


def test_a_damaged_header_of_safetensors_is_quoted_in_part(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(safetensors({"a": {"dtype": "x" * 5000, "shape": [1], "data_offsets": [0, 4]}}))
    with pytest.raises(PezError, match="cannot be read as a checkpoint") as refused:
        checkpoint_tensors(file)
    said(refused)


def test_odd_names_of_tensors_are_quoted_in_part(tmp_path):
    file = tmp_path / "x.safetensors"
    names = ["a\nb\x1b[31m", "y" * 5000]
    file.write_bytes(safetensors({name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for name in names}))
    with pytest.raises(PezError, match="does not fit the architecture ViT-S-32-alt") as refused:
        load_model("ViT-S-32-alt", file)
    said(refused)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a]]]]b"])
def test_an_odd_name_of_code_in_a_pickle_is_not_quoted(tmp_path, name):
    file = tmp_path / "x.bin"
    file.write_bytes(pickle.dumps({"weight": 0}, protocol=2)[:-1] + b"c" + name.encode() + b"\nevil\n.")
    with pytest.raises(PezError, match="cannot be read as a checkpoint") as refused:
        checkpoint_tensors(file)
    said(refused)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"path":' * 100_000])
def test_a_list_of_deep_json(tmp_path, text):
    (tmp_path / "list.jsonl").write_text(text)
    with pytest.raises(PezError, match="cannot be read: its JSON is nested too deep"):
        open_source(tmp_path / "list.jsonl").count()
    with pytest.raises(PezError, match="nested too deep"):
        read_captions(tmp_path / "list.jsonl")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_list_with_an_endless_line(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(sources, "MOST_LINE", 1000)
    (tmp_path / f"list.{ending}").write_text("path\n" + "x" * 1001)
    with pytest.raises(PezError, match=r"is longer than|cannot be read"):
        list(read_rows(tmp_path / f"list.{ending}"))


def test_too_many_lines_are_refused_before_rows_take_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(labelled_rows, "MOST_LINES", 10)
    monkeypatch.setattr(labelled_rows, "text_table", lambda *_: pytest.fail("rows were read"))
    written = b"text,label\n" + b"a,b\n" * 10
    (tmp_path / "texts.csv").write_bytes(written)
    (tmp_path / "texts.csv.gz").write_bytes(gzip.compress(written))
    for name in ("texts.csv", "texts.csv.gz"):
        with pytest.raises(PezError, match="at most 2 GB and 0 million lines"):
            read_examples(tmp_path / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny language model as a folder."""
    folder, model = tmp_path_factory.mktemp("language"), causal()
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def changed(folder):
    """Changes the configuration of the language model for a test."""
    before = (folder / "config.json").read_text()
    yield lambda **changes: (folder / "config.json").write_text(json.dumps({**json.loads(before), **changes}))
    (folder / "config.json").write_text(before)


def test_a_language_model_of_a_billion_layers(folder, changed):
    changed(num_hidden_layers=10**9)
    with pytest.raises(PezError, match="says that it has 1000000000 layers: it is damaged"):
        load_classifying_model(folder)


def test_a_language_model_that_would_be_far_larger_than_its_files(folder, changed):
    changed(hidden_size=4096, intermediate_size=11008)
    with pytest.raises(PezError, match=r"describes a model of 1\.\d GB, its files have 0\.0 GB: it is damaged"):
        load_classifying_model(folder)


def test_a_language_model_that_lacks_weights_is_not_filled_with_random_ones(folder, changed):
    changed(num_hidden_layers=3)
    with pytest.raises(PezError, match=r"lacks \d+ of its weights, such as model\.layers\.2"):
        load_classifying_model(folder)


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 4, 4), (4, 4, 1)])
def test_a_mask_of_an_odd_shape(shape):
    with pytest.raises(PezError, match=r"A mask must be numbers \[height, width\], not float32 of the shape"):
        PictureSource.of(Image.new("RGB", (16, 16)), [np.ones(shape, np.float32)])


def test_a_mask_of_texts():
    with pytest.raises(PezError, match="A mask must be numbers"):
        PictureSource.of(Image.new("RGB", (16, 16)), [np.full((4, 4), "x")])


@pytest.mark.parametrize("settings", [{"prefix": "\ud800"}, {"suffix": "a \udfff"}, {"keep": ("\ud83d",)}])
def test_half_of_a_character_for_a_language_model(settings):
    task, config = LabelTask.of(["bad", "good"]), ClassifierConfig(length=4, steps=1, vocabulary="any", **settings)
    texts = Examples(("a film", "a story"), (0, 1), task.names)
    with pytest.raises(PezError, match="has half of a character") as refused:
        learn_classifier(causal(), task, texts, texts, config)
    said(refused)
    with pytest.raises(PezError, match="has half of a character"):
        classify(causal(), task, "", ["\ud800"])


def test_half_of_a_character_for_a_tokenizer_of_hugging_face(tmp_path):
    vocabulary = Vocabulary(hugging_face_tokenizer(tmp_path, "bert"), 90)
    with pytest.raises(PezError, match="has half of a character"):
        vocabulary.encode("a \ud800")


def test_labels_of_several_lines_are_quoted_in_one():
    with pytest.raises(PezError, match="Expected words for 2 labels") as refused:
        LabelTask.of(["a\nb", "c\r"], [])
    said(refused)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_attention_heads": 0},
        {"hidden_act": None},
        {"vocab_size": "x" * 5000},
    ],
)
def test_a_language_model_with_odd_settings(folder, changed, changes):
    changed(**changes)
    with pytest.raises(PezError, match="cannot be loaded as a language model: ") as refused:
        load_classifying_model(folder)
    said(refused)


@pytest.mark.parametrize("changes", [{"use_cache": "/etc/passwd"}, {"rope_parameters": 5}, {"initializer_range": True}])
def test_a_language_model_with_odd_settings_that_some_versions_ignore(folder, changed, changes):
    """transformers 5 refuses them, transformers 4 does not look at them: it reads the model as it was."""
    ids = torch.tensor([[3, 4, 5]])
    whole = load_classifying_model(folder).module(ids).logits
    changed(**changes)
    try:
        assert torch.equal(load_classifying_model(folder).module(ids).logits, whole)
    except PezError as error:
        readable(str(error)).index("cannot be loaded as a language model: ")


@pytest.mark.parametrize("text", ["{}", '{"model": 5}', "[" * 10_000, '{"version": "1.0"'])
def test_a_language_model_with_a_damaged_tokenizer(folder, tmp_path, text):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "tokenizer.json").write_text(text)
    with pytest.raises(PezError, match="copy cannot be loaded as a language model: ") as refused:
        load_classifying_model(tmp_path / "copy")
    said(refused)


class PanicException(BaseException):
    """As that of pyo3, which no module exports."""


def test_a_panic_of_the_tokenizer_is_one_line_and_an_interrupt_passes(folder, monkeypatch):
    def panic(*_, **__):
        raise PanicException("range end index 11 out of range")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", panic)
    with pytest.raises(PezError, match="cannot be loaded as a language model: range end index"):
        load_classifying_model(folder)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_classifying_model(folder)


DEEP = "[" * 100_000 + "\n"


def test_results_of_deep_json(tmp_path):
    (tmp_path / "rows.jsonl").write_text(DEEP)
    with pytest.raises(PezError, match="is no row of a batch"):
        list(open_results(tmp_path / "rows.jsonl").rows())


def test_results_with_an_endless_line(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MOST_ROW", 1000)
    (tmp_path / "rows.jsonl").write_text("x" * 1001)
    with pytest.raises(PezError, match=r"Line 1 of 'rows\.jsonl' is no row of a batch"):
        list(open_results(tmp_path / "rows.jsonl").rows())


def test_a_manifest_of_deep_json(tmp_path):
    (tmp_path / "manifest.json").write_text(DEEP)
    with pytest.raises(PezError, match="batch did not write it like this"):
        read_options(tmp_path / "manifest.json")
    manifest = Manifest(tmp_path / "manifest.json")
    manifest.lock()
    with pytest.raises(PezError, match="of another version of this program, or was edited"):
        manifest.options()
    manifest.release()


ENDLESS = b"c" + b"y" * 200_000


@pytest.mark.parametrize("end", [b"\nevil\n.", b"", b"\xff\nevil\n.", b"\0\nevil\n."])
def test_an_endless_name_of_code_in_a_pickle_does_not_hang(folder, tmp_path, end):
    """torch searches its own message, which quotes the name, in the square of its length: minutes."""
    pickled = pickle.dumps({"weight": 0}, protocol=2)[:-1] + ENDLESS + end
    (tmp_path / "x.bin").write_bytes(pickled)
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3")
    for file in ("x.bin", "x.pt"):
        with pytest.raises(PezError, match="it contains a word of more than 20000 letters"):
            checkpoint_tensors(tmp_path / file)
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "pytorch_model.bin").write_bytes(pickled)
    with pytest.raises(PezError, match=r"in pytorch_model\.bin, it contains a word of more than 20000 letters"):
        load_classifying_model(tmp_path / "copy")


def test_long_texts_of_ordinary_words_in_a_pickle_are_no_endless_word(tmp_path):
    torch.save({"weight": torch.ones(2), "settings": "a line of settings\n" * 10_000}, tmp_path / "x.pt")
    assert list(checkpoint_tensors(tmp_path / "x.pt")) == ["weight"]

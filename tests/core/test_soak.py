"""A short soak: what searches of every kind leave behind, and threads that share a model. tests/soak does it for long."""

from __future__ import annotations

import gc
import sys

import pytest
import torch

from pez_core import ClipModel
from tests.soak import watching
from tests.soak.in_python import in_threads, shareable, turns
from tests.soak.searches import KINDS, outcome, own_model
from tests.soak.watching import MOST_GROWTH, Watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def alive() -> dict[str, int]:
    """Tensors and models that something still refers to."""
    gc.collect()
    kinds = (torch.Tensor, torch.nn.Module, ClipModel)
    return {kind.__name__: sum(issubclass(type(each), kind) for each in gc.get_objects()) for kind in kinds}


@pytest.mark.slow
def test_nothing_is_left_of_searches_of_every_kind_and_the_next_ones_come_to_the_same():
    numbers = range(len(KINDS))
    first = [outcome(number) for number in numbers]
    assert [outcome(number) for number in numbers] == first  # now caches of a few entries are full, too
    watch = Watch()
    watch.begin()
    before = alive()
    assert [outcome(number) for number in numbers] == first
    assert alive() == before
    assert watch.left() == []


@pytest.mark.slow
def test_threads_that_share_a_model_come_to_what_one_thread_does():
    numbers, model = shareable(1)[::4], own_model()
    expected = {number: outcome(number, model) for number in numbers}
    for found in in_threads(model, turns(numbers)):
        assert found == expected


def test_memory_that_grows_and_files_that_stay_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE", 0.2)
    watch = Watch()
    watch.memory = [100 + MOST_GROWTH * run / 40 for run in range(100)]
    assert not watch.flat
    watch.memory = [100, 300, *[200 + run % 7 for run in range(98)]]
    assert watch.flat
    watch.begin()
    assert watching._name(tmp_path / "ended") == ""  # as of a thread that ended while they were listed
    with (tmp_path / "open").open("w"):
        assert [each.partition(" ")[0] for each in watch.left()] == ["file"]
    assert watch.left() == []

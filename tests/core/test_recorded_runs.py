"""Seeds still give the prompts that were recorded: a few of `benchmarks.recorded_runs`, whose docstring has the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.recorded_runs import RUNS, difference, differing
from pez_core.search import METHODS

RECORDS = Path(__file__).with_name("recorded_runs.json")
SHORT = [run for run in RUNS if run.short]


@pytest.fixture
def one_thread():
    """As they were recorded: more threads add in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_short_runs_cover_every_method():
    assert {run.settings.get("method", "pez+swaps") for run in SHORT} == set(METHODS)


@pytest.mark.parametrize("run", SHORT, ids=lambda run: run.name)
def test_a_seed_gives_the_recorded_prompts(run, one_thread):
    assert list(differing([run], RECORDS)) == []


def test_a_record_for_each_run():
    assert [each["name"] for each in json.loads(RECORDS.read_text("utf-8"))] == [run.name for run in RUNS]


def test_a_changed_run_is_seen():
    old = {"seed": 1, "candidates": [{"text": "a bird", "similarity": 0.5}, {"text": "a dog", "similarity": 0.4}]}
    assert difference(old, old) == ""
    worse = {"seed": 1, "candidates": [{"text": "a bird", "similarity": 0.49}, *old["candidates"][1:]]}
    assert difference(old, worse) == "candidate 1 is 'a bird' (0.4900) instead of 'a bird' (0.5000)"
    other = {"seed": 1, "candidates": [old["candidates"][0], {"text": "a cat", "similarity": 0.4}]}
    assert difference(old, other) == "candidate 2 is 'a cat' (0.4000) instead of 'a dog' (0.4000)"
    assert difference(old, {"seed": 1, "candidates": old["candidates"][:1]}) == "1 candidates instead of 2"
    assert difference(old, {**old, "seed": 2}) == "seed 2, recorded with 1"

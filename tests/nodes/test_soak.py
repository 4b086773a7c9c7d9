"""A short soak of a real ComfyUI: two pages, a full queue, freed memory, a server that is killed. tests/soak does it for long."""

from __future__ import annotations

import sys

import pytest

from tests.soak.in_comfyui import kills, mixed
from tests.soak.prompts import OFTEN, furnish, outcome, prompt, wrong
from tests.soak.watching import Watch

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def test_two_pages_with_full_queues_get_what_each_prompt_gets_alone(comfy):
    furnish(comfy.base)
    found = mixed(comfy, len(OFTEN), Watch(comfy.process.pid))
    comfy.post("/free", {"unload_models": True, "free_memory": True})  # also forgets what was searched
    assert [outcome(comfy, comfy.run(prompt(number))) for number in range(len(OFTEN))] == found
    assert [number for number, each in enumerate(found) if "error" in each] == [OFTEN.index(wrong)]


def test_a_server_that_was_killed_goes_on_and_leaves_nothing_half_written(comfy):
    """While it writes the rows and captions of a folder. (The other server is only asked for: without one there is no test.)"""
    line, well = kills([1])
    assert well, line

"""What the towers share, and how much memory a search takes."""

from __future__ import annotations

import sys

import open_clip
import pytest
import torch
from objectives import matching
from stand_ins import small

from pez_core import ClipModel, InversionConfig, Target, Vocabulary, invert
from pez_core.checks.measuring import extra_megabytes
from pez_core.objectives.match import POSITIONS
from pez_core.run.memory import search_bytes
from pez_core.search.draws import BYTES


def test_both_towers_share_the_weights_of_the_model(model):
    text = dict(model.text.module.named_parameters())
    image = dict(model.image.module.named_parameters())
    assert not any(name.startswith("visual") for name in text)
    assert all(name.startswith("visual") for name in image)
    assert not any(weight.requires_grad for weight in [*text.values(), *image.values()])


def test_a_full_length_tower_takes_fewer_prompts_at_once(model, openai_vocabulary):
    full = ClipModel.of_open_clip(
        small("coca_ViT-B-32"), None, Vocabulary(open_clip.get_tokenizer("coca_ViT-B-32"), 49408), "coca"
    )
    target = Target(torch.randn(1, 512), torch.ones(1))
    config = InversionConfig(length=8)
    lean = ClipModel.of_open_clip(small("ViT-B-32"), None, openai_vocabulary, "lean")
    assert matching(lean, target, config).together == POSITIONS // 10
    assert matching(full, target, config).together == POSITIONS // 76


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("method", "restarts", "readability"),
    [
        *(
            ("pez+swaps", 1, 0),
            ("pez+swaps", 64, 0),
            ("autoprompt", 64, 0),
            ("fluentprompt", 64, 0),
            ("random", 512, 0),
        ),
        ("pez", 1, 0.5),
    ],
)
def test_room_asked_for_is_room_enough(model, method, restarts, readability):
    """The bound for which ComfyUI makes room, compared with what a run uses."""
    target = Target(torch.randn(1, model.text.features), torch.ones(1))
    config = InversionConfig(
        method=method,
        length=16,
        restarts=restarts,
        steps=3,
        explore=2,
        halving=1,
        vocabulary="any",
        patience=None,
        readability=readability,
    )
    invert(model, target, config)
    taken = extra_megabytes(lambda: invert(model, target, config), torch.device("cpu"))
    assert taken is not None
    assert taken * 2**20 <= search_bytes(model, config)


def test_the_bound_follows_from_what_a_method_says_it_costs(model):
    """Not from its name: autoprompt computes as many prompts at once as swaps do."""
    few, many = (InversionConfig(method="autoprompt", restarts=4, top=top) for top in (1, 32))
    swaps = InversionConfig(method="swaps", restarts=4, candidates=32)
    assert search_bytes(model, few) < search_bytes(model, many) == search_bytes(model, swaps)


def test_several_targets_need_more_room(model):
    config = InversionConfig(restarts=2)
    assert search_bytes(model, config, 8) > 2 * search_bytes(model, config) - BYTES


def test_a_deeper_readable_search_asks_for_more_room(model):
    one, three = (InversionConfig(method="pez", length=1, restarts=1, readability=0.5, depth=each) for each in (1, 3))
    assert search_bytes(model, three) > search_bytes(model, one)

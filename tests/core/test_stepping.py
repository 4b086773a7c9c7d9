"""What a CUDA graph needs of a step: pure, static, no host sync. Checked without a GPU."""

from __future__ import annotations

import copy
import dataclasses
from functools import lru_cache

import open_clip
import pytest
import torch
from objectives import matching
from parameters import with_slow
from stand_ins import random_picture, small
from torch.utils._python_dispatch import TorchDispatchMode

from pez_core import ClipModel, InversionConfig, PezError, Target, Vocabulary, invert
from pez_core.inversion import template_for
from pez_core.objectives.match import MatchObjective
from pez_core.objectives.protocol import Objective
from pez_core.search import METHODS, Search, SearchState, make_stepper, starts
from pez_core.search.stepping import step_in_place

SEARCHES = {
    name: method.stages(InversionConfig())[0].search
    for name, method in METHODS.items()
    if len(method.stages(InversionConfig())) == 1
}
CONFIGS = {
    **{method: InversionConfig(length=5, restarts=3, steps=30, method=method) for method in SEARCHES},
    "pez, fixed text, bans, draws": InversionConfig(
        method="pez",
        length=4,
        restarts=3,
        steps=30,
        prefix="a photo of",
        suffix="here",
        banned=("blue", "sun*"),
        batch_size=1,
    ),
    "swaps, fixed text, bans": InversionConfig(
        method="swaps", length=4, restarts=3, steps=30, prefix="a photo of", suffix="here", banned=("blue", "sun*")
    ),
    "pez in bf16": InversionConfig(method="pez", length=5, restarts=3, steps=30, precision="bf16"),
}
ELSEWHERE = {
    name: CONFIGS[name] for name in ("pez, fixed text, bans, draws", "swaps, fixed text, bans", "fluentprompt")
}


kept = lru_cache(small)  # drawing the weights takes longer than a step


@pytest.fixture(scope="module")
def pictures(model):
    return Target.from_images(model, [random_picture(1), random_picture(2)])


def made(objective: Objective, config: InversionConfig) -> tuple[Search, SearchState]:
    """A search and the state before its first step."""
    generators = [torch.Generator().manual_seed(0) for _ in objective.parts]
    tokens = [objective.space.of(p) for p in range(len(generators))]
    begin, _ = starts(tokens, config, (), (), generators)
    search = SEARCHES[config.method](objective, config, config.steps, generators)
    return search, search.begin(begin)


def tensors(state: SearchState) -> list[torch.Tensor]:
    return [getattr(state, field.name) for field in dataclasses.fields(state)]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_in_place_over_static_tensors_equals_eager(model, pictures, config):
    search, eager = made(matching(model, pictures, config), config)
    static = search.begin(eager.best_ids)
    places = [tensor.data_ptr() for tensor in tensors(static)]
    for _ in range(15):
        before = [tensor.clone() for tensor in tensors(eager)]
        after = search.step(eager)
        assert all(torch.equal(old, now) for old, now in zip(before, tensors(eager), strict=True))  # pure
        eager = after
        step_in_place(search, static)
    for a, b in zip(tensors(eager), tensors(static), strict=True):
        assert torch.equal(a, b)
    assert places == [tensor.data_ptr() for tensor in tensors(static)]


class NoLooking(TorchDispatchMode):
    """Fails on operations that make the host wait for the device, or a shape depend on values."""

    LOOKS = ("_local_scalar_dense", "item", "nonzero", "masked_select", "unique", "equal", "is_nonzero")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function.overloadpacket.__name__ not in self.LOOKS, function
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_no_step_looks_at_values_or_copies_from_the_host(model, pictures, config, monkeypatch):
    search, state = made(matching(model, pictures, config), config)
    with NoLooking(), monkeypatch.context() as context:
        for maker in ("tensor", "as_tensor", "from_numpy"):  # on CUDA each would copy and wait: no graph takes that
            context.setattr(torch, maker, None)
        for _ in range(3):
            state = search.step(state)
    with pytest.raises(AssertionError), NoLooking():
        state.count.item()


@pytest.mark.parametrize("config", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize(
    "architecture",
    with_slow(("ViT-B-32", "ViT-B-16-plus-240", "coca_ViT-B-32"), ("ViT-B-16-plus-240", "coca_ViT-B-32")),
)
def test_a_step_stays_on_its_device(architecture, config):
    """On a device without values: a tensor still on the CPU would raise, and so would reading a value."""
    width = open_clip.get_model_config(architecture)["embed_dim"]
    vocabulary = Vocabulary(open_clip.get_tokenizer(architecture), 49408)
    module = copy.deepcopy(kept(architecture))
    model = ClipModel.of_open_clip(module, lambda picture: picture, vocabulary, architecture)
    target = Target(torch.randn(2, width), torch.ones(2))
    fixed = template_for(model, config)
    model.text.module.to("meta")
    objective = MatchObjective(model, [target], fixed, "fp32")
    search, state = made(objective, config)
    state = search.step(search.step(state))
    assert {tensor.device.type for tensor in tensors(state)} == {"meta"}


@pytest.mark.parametrize("method", ["pez", "swaps"])
def test_splitting_the_restarts_changes_nothing(model, pictures, method):
    config = InversionConfig(method=method, length=5, restarts=7, steps=20)
    objective, in_parts = matching(model, pictures, config), matching(model, pictures, config)
    in_parts.together = 3
    (whole, a), (split, b) = made(objective, config), made(in_parts, config)
    for _ in range(20):
        a, b = whole.step(a), split.step(b)
    assert torch.equal(a.best_ids, b.best_ids)
    torch.testing.assert_close(a.trace, b.trace, atol=1e-5, rtol=0)


@pytest.fixture
def short_of_memory(monkeypatch):
    """A device with memory for a limited number of prompts at once, forward and backward; records what was tried."""
    tried = {"gradients": [], "values": []}

    def limit(gradients: int, values: int = 10_000) -> dict[str, list[int]]:
        score, value = MatchObjective.value_and_gradient, MatchObjective.value

        def in_pieces(name, plain, most):
            def limited(self, ids, problem, *more):
                count = min(len(ids), self.together)
                tried[name].append(count)
                if count > most:
                    raise torch.cuda.OutOfMemoryError("no memory")
                return plain(self, ids, problem, *more)

            return limited

        monkeypatch.setattr(MatchObjective, "value_and_gradient", in_pieces("gradients", score, gradients))
        monkeypatch.setattr(MatchObjective, "value", in_pieces("values", value, values))
        return tried

    def on_cuda(search, state, device):
        search.step(state)  # as a capture does
        return make_stepper(search, state, device)

    monkeypatch.setattr("pez_core.run.loop.make_stepper", on_cuda)
    return limit


def test_memory_that_runs_out_halves_what_was_tried(model, pictures, short_of_memory):
    config = InversionConfig(method="pez", length=5, restarts=8, steps=20, patience=None)
    expected = invert(model, pictures, config)
    tried = short_of_memory(gradients=2)
    assert invert(model, pictures, config).prompt == expected.prompt
    assert tried["gradients"][:3] == [8, 4, 2]


def test_swaps_that_do_not_fit_are_halved_from_what_they_tried_and_the_next_stage_tries_anew(
    model, pictures, short_of_memory
):
    config = InversionConfig(length=5, restarts=8, steps=12, explore=6, halving=2, patience=None)
    expected = invert(model, pictures, config)
    tried = short_of_memory(gradients=10_000, values=100)
    found = invert(model, pictures, config)
    assert [each.text for each in found.candidates] == [each.text for each in expected.candidates]
    assert found.trace == pytest.approx(expected.trace, abs=1e-6)  # the random choices are the same
    most = 4 * config.candidates  # restarts of the first stage of swaps
    assert tried["values"][:2] == [most, most // 2]  # not a quarter of the restarts
    assert tried["values"][-1] == config.candidates  # one restart is left, and its swaps fit at once


def test_memory_that_is_never_enough_is_said_in_one_sentence(model, pictures, short_of_memory):
    tried = short_of_memory(gradients=0)
    with pytest.raises(PezError, match="Not enough memory on cpu to search with embedded"):
        invert(model, pictures, InversionConfig(restarts=4))
    assert tried["gradients"] == [4, 2, 1]


def test_a_model_that_does_not_fit_is_said_in_one_sentence(model, pictures, monkeypatch):
    def full(self, room_bytes=0):
        raise torch.cuda.OutOfMemoryError("no memory")

    monkeypatch.setattr(ClipModel, "ready", full)
    with pytest.raises(PezError, match="Not enough memory on cpu to search with embedded"):
        invert(model, pictures, InversionConfig(restarts=4))


def test_step_that_cannot_be_captured_runs_eagerly_and_says_so(model, pictures, monkeypatch, caplog):
    def refuses(search, state, device):
        raise RuntimeError("operation not permitted when stream is capturing\ndetails")

    monkeypatch.setattr("pez_core.search.stepping.GraphStepper", refuses)
    search, state = made(matching(model, pictures, CONFIGS["pez"]), CONFIGS["pez"])
    stepper = make_stepper(search, state, torch.device("cuda"))
    stepper.advance()
    assert int(stepper.state.count) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "The search runs without a CUDA graph, which is slower: operation not permitted when stream is capturing"
    ]

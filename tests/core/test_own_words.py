"""Searches that begin with a person's own words: a caption is improved, not replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from benchmarks.pictures import held_out
from benchmarks.readable import misplaced
from pez_core import InversionConfig, PezError, Target, invert, score
from pez_core.inversion import template_for, warnings_of
from pez_core.models.caption_model import embedded_caption_model
from pez_core.objectives.fluency import nll_per_word
from pez_core.objectives.reading import LITTLE, Reading
from pez_core.run import reading
from pez_core.search import front, readable
from pez_core.text.own_words import read_own_words

CAPTION = "A snow-covered red-and-white lighthouse, two sailboats & an Orangutan (on grass)."
QUICK = InversionConfig(length=6, steps=12, restarts=4, explore=8, halving=4, readability=0.5, start="words")


def own(model, text: str, **changes):
    template = template_for(model, replace(QUICK, words=text, **changes))
    return read_own_words(model.vocabulary, template, [text], model.name)


def text_of(found) -> str:
    return found.template.text([i for unit in found.texts[0] for i in unit])


@pytest.mark.parametrize("prefix", ["", "a photo of"])
def test_words_of_every_kind_are_spelled_as_they_were(model, prefix):
    found = own(model, CAPTION, prefix=prefix)
    assert text_of(found) == f"{prefix} {CAPTION.lower()}".strip()
    assert len(found.texts[0]) == len(CAPTION.split())
    ids = [i for unit in found.texts[0] for i in unit]
    assert model.vocabulary.encode(text_of(found)) == [*model.vocabulary.encode(prefix), *ids]
    assert not any("ignored" in each for each in found.warnings)


def test_every_caption_of_the_pictures_is_spelled_as_it_was(model):
    for caption in held_out()[1]:
        assert text_of(own(model, caption)) == caption.lower()


def test_the_language_model_reads_own_words_as_they_are_spelled_when_it_ranks_what_follows(model):
    found = own(model, "two sailboats, a lighthouse")
    language = embedded_caption_model()
    read = Reading(language, model.vocabulary, found.template)
    before = tuple(i for unit in found.texts[0][:2] for i in unit)
    following, (nll,) = read.following([before], torch.arange(5))
    assert nll == pytest.approx(nll_per_word(language, ["two sailboats,"])[0], abs=1e-4)
    plain, _ = Reading(language, model.vocabulary, template_for(model, QUICK)).following([before], torch.arange(5))
    assert not torch.allclose(following, plain)


def test_a_word_left_out_leaves_the_others_as_they_were(model):
    found = own(model, "two sailboats, a lighthouse")
    assert (
        found.template.text([i for unit in (found.texts[0][1], found.texts[0][3]) for i in unit])
        == "sailboats, lighthouse"
    )


def test_the_template_of_others_stays_as_it_was(model):
    plain = template_for(model, replace(QUICK, words="two sailboats"))
    ids = [i for unit in own(model, "two sailboats").texts[0] for i in unit]
    assert plain.text(ids) != "two sailboats"


def test_banned_words_and_words_beyond_the_context_are_left_out_with_a_word(model):
    found = own(model, "a red bird on a red roof", banned=("bird", "red roof"))
    assert text_of(found) == "a red on a red"
    assert any("are ignored: they are banned or special tokens" in each for each in found.warnings)
    room = model.vocabulary.room
    found = own(model, "bird " * (room + 5), suffix="in snow")
    assert len(found.texts[0]) == room - 2
    assert any(
        "The last 7 of the words 'bird bird" in each and f"reads {room} tokens" in each for each in found.warnings
    )


def test_words_that_may_not_be_used_at_all_are_refused(model):
    with pytest.raises(PezError, match="it may use none of them"):
        own(model, "bird", banned=("bird",))
    with pytest.raises(PezError, match="there are none"):
        own(model, "")


def test_kept_phrases_are_one_unit_where_they_stand_and_come_last_where_they_do_not(model):
    keep = ("red ball", "snow")
    found = own(model, "a dog, a red ball, grass", keep=keep)
    assert tuple(model.vocabulary.encode("red ball")) in found.texts[0]
    assert text_of(found) == "a dog, a red ball , grass snow"


def test_what_a_model_does_not_know_is_named(model):
    (warning,) = own(model, "a xylophone on grass").warnings
    assert "does not know 'xylophone' (in your own words)" in warning
    assert warning in warnings_of(model, replace(QUICK, words="a xylophone on grass"))


@pytest.fixture(scope="module")
def captioned(model):
    """Pictures with captions of which every second one names another place."""
    pictures, captions = held_out("choose")
    captions = captions[:8]
    mixed = [
        wrong if i % 2 else right for i, (right, wrong) in enumerate(zip(captions, misplaced(captions), strict=True))
    ]
    return Target.from_images(model, pictures[:8]).split(), mixed


def test_no_candidate_matches_or_reads_worse_than_the_words(model, captioned):
    gains = []
    for target, caption in list(zip(*captioned, strict=True))[:3]:
        (before,) = score(model, [caption], target)
        (nll,) = nll_per_word(embedded_caption_model(), [caption])
        result = invert(model, target, replace(QUICK, words=caption))
        for each in result.candidates:
            assert each.similarity >= before.similarity - 1e-5
            assert each.nll <= nll + 1e-4
            assert [each.similarity] == pytest.approx(
                [own.similarity for own in score(model, [each.text], target)], abs=1e-5
            )
        gains.append(result.similarity - before.similarity)
    assert max(gains[1::2]) > 0.05  # a wrong place
    assert sum(gains) / len(gains) > 0.01


def test_the_best_of_several_texts_is_the_start(model, captioned):
    """Wherever it stands: no candidate matches or reads worse."""
    targets, captions = captioned
    for place in (0, 2):
        target, others = targets[place], captions[place + 1 : place + 3]
        texts = [*others[:place], captions[place], *others[place:]]
        values = [each.similarity for each in score(model, texts, target)]
        assert max(values) == values[place]
        (nll,) = nll_per_word(embedded_caption_model(), [captions[place]])
        result = invert(model, target, replace(QUICK, words=" | ".join(texts)))
        for each in result.candidates:
            assert each.similarity >= max(values) - 1e-5
            assert each.nll <= nll + 1e-4
        assert result.began_with == result.to_json()["began_with"] == texts[place].lower()
    assert invert(model, targets[0], replace(QUICK, words=texts[0])).began_with == ""


def test_every_word_of_the_other_texts_is_tried_in_the_best_one(model, captioned, monkeypatch):
    """Also those that are beyond the length, which the restarts do not begin with."""
    targets, captions = captioned
    tried, values = set(), readable.ReadableSearch._values

    def watched(self, prompts):
        tried.update(map(self._reading.text, prompts))
        return values(self, prompts)

    monkeypatch.setattr(readable.ReadableSearch, "_values", watched)
    other = "a dog on a red ball in snow with a guitar"
    invert(model, targets[0], replace(QUICK, words=f"{other} | {captions[0]}"))
    assert any("guitar" in text.split() for text in tried - {other})


def test_each_of_several_texts_is_spelled_as_it_was(model):
    texts = ["a snow-covered bird, (red)", "two sailboats & a dog.", "a red-and-white ball"]
    found = read_own_words(model.vocabulary, template_for(model, QUICK), texts, model.name)
    assert [found.template.text([i for unit in text for i in unit]) for text in found.texts] == texts


def test_a_text_that_cannot_be_used_is_named_and_the_search_goes_on_with_the_others(model, captioned):
    targets, captions = captioned
    settings = replace(QUICK, words=f"{captions[0]} | zebra", banned=("zebra",))
    result = invert(model, targets[0], settings)
    assert result.warnings[0].startswith("The search cannot start from the words 'zebra': it may use none of them.")
    alone = invert(model, targets[0], replace(settings, words=captions[0]))
    assert [each.text for each in result.candidates] == [each.text for each in alone.candidates]
    with pytest.raises(PezError, match="cannot start from the words 'zebra': it may use none"):
        invert(model, targets[0], replace(settings, words="okapi | zebra", banned=("zebra", "okapi")))


def test_a_text_of_unknown_words_is_the_start_only_where_no_other_is(model):
    template = template_for(model, QUICK)
    found = read_own_words(model.vocabulary, template, ["zzzz qqqq", "a zzzz bird", "zzzz"], model.name)
    assert [found.template.text([i for unit in text for i in unit]) for text in found.texts] == ["a zzzz bird"]
    assert found.warnings[-1] == "Not started from, for embedded knows none of their words: 'zzzz qqqq', 'zzzz'."
    only = read_own_words(model.vocabulary, template, ["zzzz", "qqqq"], model.name)
    assert len(only.texts) == 2


def test_an_unknown_word_is_named_once(model):
    (warning,) = warnings_of(model, replace(QUICK, words="a zzzz bird zzzz"))
    assert warning == "embedded does not know 'zzzz' (in your own words), so scores ignore the meaning."


def test_a_prompt_may_be_as_long_as_the_words(model, captioned):
    targets, captions = captioned
    result = invert(model, targets[0], replace(QUICK, words=captions[0], length=2))
    assert len(result.prompt.split()) > 4


@pytest.mark.parametrize(
    "readability", [pytest.param(0.01, marks=pytest.mark.slow), 0.5, pytest.param(1.0, marks=pytest.mark.slow)]
)
def test_kept_and_banned_words_hold_beside_own_words(model, captioned, readability):
    targets, captions = captioned
    fixed = replace(QUICK, words=captions[1], keep=("snow", "snow"), banned=("a",), readability=readability)
    for each in invert(model, targets[1], fixed).candidates:
        words = each.text.split()
        assert words.count("snow") == 2
        assert "a" not in words


def test_no_more_steps_are_taken_than_were_said(model, captioned):
    targets, captions = captioned
    told = []
    invert(model, targets[0], replace(QUICK, words=captions[0], length=2), on_progress=lambda now: told.append(now))
    assert all(each.step <= each.steps for each in told)


def test_a_run_that_is_stopped_at_once_returns_no_worse_than_the_words(model, captioned):
    targets, captions = captioned
    (before,) = score(model, [captions[0]], targets[0])
    result = invert(model, targets[0], replace(QUICK, words=captions[0]), on_progress=lambda _: True)
    assert result.stopped == "asked to"
    assert result.similarity >= before.similarity - 1e-5


def test_each_word_given_up_has_its_price(model, captioned, monkeypatch):
    """With a high price all content words of a caption stay, in their order; with none some go."""
    targets, captions = captioned

    def left(price: float) -> Iterator[bool]:
        for module in (front, readable, reading):
            monkeypatch.setattr(module, "LOSS", price)
        for target, caption in list(zip(targets, captions, strict=True))[:2]:
            words = iter(invert(model, target, replace(QUICK, words=caption)).prompt.split())
            yield all(word in words for word in caption.lower().split() if word not in LITTLE)

    assert all(left(1.0))
    assert not all(left(0.0))

"""The user or the time limit ends a run, also within a long step and before the first."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from pez_core import InversionConfig, NothingAccepted, PezError, invert, invert_all, pick
from pez_core.objectives.match import MatchObjective
from pez_core.run.reading import Reader


@pytest.fixture
def in_pieces(monkeypatch):
    """Every prompt is computed separately, with a report after each."""
    monkeypatch.setattr("pez_core.objectives.match.POSITIONS", 1)
    monkeypatch.setattr("pez_core.run.loop.LOOK_SECONDS", 0)


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """How many prompts the search has computed by the time of each piece."""
    counted: list[int] = []
    plain = MatchObjective.__init__

    def counting(self, *given):
        plain(self, *given)
        encode = self._encode
        self._encode = lambda embeddings, ids, *more: counted.append(len(ids)) or encode(embeddings, ids, *more)

    monkeypatch.setattr(MatchObjective, "__init__", counting)
    return counted


def rescored(model, target, text: str) -> float:
    return target.similarity(model.encode_texts([text])).item()


@pytest.mark.parametrize("method", ["pez", "swaps", "random"])
def test_a_run_stops_within_its_first_step_and_returns_what_it_began_with(model, target, method, in_pieces, encoded):
    result = invert(model, target, InversionConfig(method=method, restarts=50, length=4), lambda _: len(encoded) >= 5)
    assert len(encoded) == 5  # of 50 prompts or more
    assert (result.stopped, result.steps) == ("asked to", 0)
    assert result.similarity == pytest.approx(rescored(model, target, result.prompt), abs=1e-6)
    assert len(result.candidates) == 16  # not all 50 are scored when a run is stopped


def test_the_time_limit_acts_within_a_step(model, target, in_pieces, encoded):
    result = invert(model, target, InversionConfig(restarts=50, length=4, time_limit=1e-9))
    assert (result.stopped, result.steps, len(encoded)) == ("time limit", 0, 1)


def test_half_of_a_time_limit_is_kept_for_making_words_readable(model, target, monkeypatch):
    """The clock moves one second whenever something asks for the time."""
    clock = count()
    monkeypatch.setattr("pez_core.run.loop.time.perf_counter", lambda: next(clock))

    def times_of(readability: float) -> tuple[list[int], list[int]]:
        """The seconds at which words were searched, and then made readable."""
        begun, seen = next(clock), ([], [])
        config = InversionConfig(steps=10_000, patience=None, restarts=2, length=4, time_limit=200)
        config = replace(config, readability=readability)
        result = invert(model, target, config, lambda p: seen[not p.restarts].append(next(clock) - begun))
        assert result.stopped == "time limit"
        assert result.steps < 10_000
        return seen

    searching, reading = times_of(0.5)
    assert searching[-1] < 110
    assert len(reading) > 10
    assert times_of(0.0)[0][-1] > 190


def test_each_of_several_targets_has_its_share_of_the_time_for_reading(model, target, monkeypatch):
    """The clock moves one second whenever something asks for the time."""
    clock, read = count(), [0, 0, 0]
    monkeypatch.setattr("pez_core.run.loop.time.perf_counter", lambda: next(clock))
    plain = Reader.steps

    def counting(self, objective, problem, generator):
        for entry in plain(self, objective, problem, generator):
            read[problem.number] += 1
            yield entry

    monkeypatch.setattr(Reader, "steps", counting)
    config = InversionConfig(steps=10_000, patience=None, restarts=2, length=4, time_limit=130, readability=0.5)
    results = invert_all(model, [target] * 3, config)
    assert {result.stopped for result in results} == {"time limit"}
    assert min(read) > 3
    assert max(read) < 30


def test_the_start_from_single_tokens_reports_and_can_be_stopped(model, target, in_pieces, encoded):
    reports = []
    config = InversionConfig(start="tokens", length=4)
    result = invert(model, target, config, lambda progress: reports.append(progress) or len(encoded) >= 7)
    assert len(encoded) == 7 < model.vocabulary.words.sum()
    assert [report.step for report in reports] == [0] * 8  # the last tells the result
    assert (result.stopped, result.steps) == ("asked to", 0)
    assert result.similarity == pytest.approx(rescored(model, target, result.prompt), abs=1e-6)
    limited = invert(model, target, InversionConfig(start="tokens", length=4, time_limit=1e-9))
    assert limited.stopped == "time limit"


def test_an_interrupt_passes_through_the_start_from_single_tokens(model, target, in_pieces):
    class Interrupt(BaseException):
        pass

    def interrupt(progress):
        raise Interrupt

    with pytest.raises(Interrupt):
        invert(model, target, InversionConfig(start="tokens"), interrupt)


def test_the_best_so_far_is_never_older_than_the_first_score_allows(model, target, monkeypatch):
    """The first score sets libraries up; it must not use up the time that later ones may take."""
    monkeypatch.setattr("pez_core.run.loop.LOOK_SECONDS", 0)
    clock = iter(range(10_000))
    monkeypatch.setattr("pez_core.run.loop.time.perf_counter", lambda: next(clock) / 1000)
    seen = []
    invert(
        model, target, InversionConfig(method="pez", steps=40, length=4), lambda progress: seen.append(progress.prompt)
    )
    assert len(set(seen[:10])) > 1


def test_only_accepted_texts_are_returned(model, target):
    config = InversionConfig(length=4, steps=20, explore=10)
    first = invert(model, target, config)
    other = invert(model, target, config, accept=lambda text: text != first.prompt)
    assert first.prompt not in [each.text for each in other.candidates]
    assert other.similarity == pytest.approx(rescored(model, target, other.prompt), abs=1e-6)
    with pytest.raises(NothingAccepted) as caught:
        invert(model, target, config, accept=lambda text: False)
    assert caught.value.best == first.prompt


def test_another_candidate_in_front(model, target):
    result = invert(model, target, InversionConfig(length=4, steps=20, explore=10))
    second = pick(model, target, result, 2)
    assert second.prompt == result.candidates[1].text
    assert second.similarity == result.candidates[1].similarity
    assert "".join(token.text for token in second.tokens) == second.prompt.replace(" ", "")
    assert sorted(each.text for each in second.candidates) == sorted(each.text for each in result.candidates)
    assert pick(model, target, result, 1) is result
    assert pick(model, target, result, 99).prompt == result.candidates[-1].text
    with pytest.raises(PezError, match="must be 1 or more, not 0"):
        pick(model, target, result, 0)


def test_the_best_of_refused_prompts_is_no_banned_one(model, target, monkeypatch):
    monkeypatch.setattr("pez_core.run.loop.LOOK_SECONDS", 0)
    monkeypatch.setattr("pez_core.objectives.match.POSITIONS", 1)
    config = InversionConfig(method="random", length=4, restarts=30, banned=("*an*", "*er*", "*in*"))
    with pytest.raises(NothingAccepted) as caught:
        invert(model, target, config, lambda _: True, accept=lambda text: False)
    assert not [letters for letters in ("an", "er", "in") if letters in caught.value.best.replace(" ", "")]

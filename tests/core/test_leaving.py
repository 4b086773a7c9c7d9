"""Pictures that leave a search under way, and others that come into their places: each finds what it finds alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from parameters import with_slow

from pez_core import InversionConfig, PezError, PictureSource, Target, invert, make_target
from pez_core.batch import packed
from pez_core.batch.items import Item
from pez_core.batch.packed import Packs, PackSize
from pez_core.batch.preparing import Looks, Prepared, prepared
from pez_core.batch.rows import Row
from pez_core.inversion import invert_each
from pez_core.models.presets import EMBEDDED_FOLDER

SAMPLES = sorted((EMBEDDED_FOLDER / "samples").glob("*.png"))[:6]
PLATEAU = InversionConfig(method="pez", steps=300, patience=20, restarts=2, length=4)
CONFIGS = {
    "pez": PLATEAU,
    "adafactor": replace(PLATEAU, optimizer="adafactor", weight_decay=0),
    "from tokens": replace(PLATEAU, start="tokens"),
    "kept words": replace(PLATEAU, keep=("blue",)),
    "swaps": replace(PLATEAU, method="swaps", steps=33, restarts=1),
    "autoprompt": replace(PLATEAU, method="autoprompt", steps=33, restarts=1),
    "autoprompt-sgd": replace(PLATEAU, method="autoprompt-sgd", steps=60, length=3),
    "fluentprompt": replace(PLATEAU, method="fluentprompt", steps=43, length=3),
    "random": replace(PLATEAU, method="random", steps=103, length=3),
}
"""One stage each, with ends by the plateau and by the steps, also by a number of steps that is no multiple of ten."""
SELDOM = ("adafactor", "kept words", "autoprompt", "autoprompt-sgd", "fluentprompt")


@pytest.fixture(scope="module")
def targets(model) -> list[Target]:
    return [make_target(model, [PictureSource.of(sample)]) for sample in SAMPLES]


@pytest.mark.parametrize("name", with_slow(CONFIGS, SELDOM))
def test_each_finds_what_it_finds_alone(model, targets, name):
    config = CONFIGS[name]
    places, waiting = [0, 1], [2, 3]
    found, deliveries = {}, 0

    def following(place: int) -> tuple[Target, int] | None:
        if not waiting:
            return None
        places[place] = waiting.pop(0)
        return targets[places[place]], places[place]  # its seed

    for some in invert_each(model, targets[:2], config, following, seeds=[0, 1]):
        deliveries += 1
        for place, result in some:
            assert places[place] not in found
            found[places[place]] = result
    assert sorted(found) == [0, 1, 2, 3]
    assert deliveries > 1  # some left before others
    for number, result in found.items():
        alone = invert(model, targets[number], replace(config, seed=number))
        assert result.prompt == alone.prompt
        assert result.seed == number
        assert (result.steps, result.stopped, result.passes) == (alone.steps, alone.stopped, alone.passes)
        assert result.similarity == pytest.approx(alone.similarity, abs=1e-5)
        assert result.trace == pytest.approx(alone.trace, abs=1e-5)
        assert [each.text for each in result.candidates] == [each.text for each in alone.candidates]


def test_drawn_parts_of_the_target_are_those_drawn_alone(model, targets):
    """Each step's gradient uses one of several pictures."""
    both = [Target.from_images(model, [SAMPLES[i], SAMPLES[i - 1]]) for i in range(4)]
    config = replace(PLATEAU, batch_size=1, steps=70, patience=10)
    waiting, found = [2, 3], {}
    places = [0, 1]

    def following(place: int) -> tuple[Target, int] | None:
        if not waiting:
            return None
        places[place] = waiting.pop(0)
        return both[places[place]], places[place]

    for some in invert_each(model, both[:2], config, following, seeds=[0, 1]):
        found |= {places[place]: result for place, result in some}
    for number, result in found.items():
        assert result.trace == pytest.approx(invert(model, both[number], replace(config, seed=number)).trace, abs=1e-5)
    assert len(found) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        InversionConfig(steps=30, explore=10, patience=10, restarts=4, length=4),
        replace(PLATEAU, steps=30, readability=0.5),
        replace(PLATEAU, steps=30, time_limit=60),
    ],
    ids=["stages", "readable", "time limit"],
)
def test_searches_whose_places_cannot_be_taken_end_as_a_whole(model, targets, config):
    def following(place: int) -> tuple[Target, int] | None:
        raise AssertionError(place)

    (some,) = invert_each(model, targets[:2], config, following)
    assert [place for place, _ in some] == [0, 1]
    assert [result.prompt for _, result in some] == [invert(model, each, config).prompt for each in targets[:2]]


def test_a_stop_ends_all_that_are_there(model, targets):
    came, reports = [], []

    def following(place: int) -> tuple[Target, int] | None:
        came.append(place)
        return targets[len(came) % len(targets)], 0

    def stop(progress) -> bool:
        reports.append([each.step for each in progress])
        return len(came) >= 3

    ends = [
        result.stopped
        for some in invert_each(model, targets[:2], replace(PLATEAU, patience=10), following, stop)
        for _, result in some
    ]
    assert ends.count("asked to") == 2
    assert len(ends) == 2 + len(came)
    assert max(map(max, reports)) < 300
    assert any(len(set(steps)) > 1 for steps in reports)  # each place counts its own steps


@pytest.fixture
def started(monkeypatch) -> list[int]:
    """The numbers of pictures that searches began with."""
    real, numbers = packed.invert_each, []

    def counting(model, targets, *more):
        numbers.append(len(targets))
        yield from real(model, targets, *more)

    monkeypatch.setattr(packed, "invert_each", counting)
    return numbers


def ready(model, config: InversionConfig, **changes) -> list[Prepared]:
    items = [Item(sample.name, sample, changes=changes.get(sample.stem, {})) for sample in SAMPLES]
    return list(prepared(items, model, config, Looks(), ahead=False))


def test_one_pack_serves_all_pictures(model, started):
    packs = Packs(model, PackSize(2))
    rows = [row for some in packs.rows(ready(model, PLATEAU)) for row in some]
    assert started == [2]
    assert sorted(row["key"] for row in rows) == [sample.name for sample in SAMPLES]
    assert all(row["seconds"] > 0 for row in rows)
    assert sum(row["seconds"] for row in rows) <= packs.searching + 0.01


def test_without_refill_a_pack_ends_as_a_whole(model, started):
    packs = Packs(model, PackSize(2), refill=False)
    assert len([row for some in packs.rows(ready(model, PLATEAU)) for row in some]) == len(SAMPLES)
    assert started == [2, 2, 2]


def test_a_picture_with_other_settings_waits_for_its_own_pack(model, started):
    other = {SAMPLES[3].stem: {"length": 3}}
    rows = [row for some in Packs(model, PackSize(2)).rows(ready(model, PLATEAU, **other)) for row in some]
    assert started == [2, 1]
    assert [len(row["tokens"]) for row in rows if row["key"] == SAMPLES[3].name] == [3]
    assert len(rows) == len(SAMPLES)


def test_a_picture_that_cannot_be_read_is_a_row_in_the_middle_of_a_pack(model, started, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    items = [Item(path.name, path) for path in (*SAMPLES[:2], tmp_path / "damaged.png", *SAMPLES[2:4])]
    pictures = prepared(items, model, PLATEAU, Looks(), ahead=True)
    rows = {row["key"]: row for some in Packs(model, PackSize(2)).rows(pictures) for row in some}
    assert started == [2]
    assert [name for name, row in rows.items() if row["error"]] == ["damaged.png"]
    assert len(rows) == 5


def test_a_source_that_breaks_off_is_no_fault_of_the_pictures_before(model):
    def broken():
        yield from ready(model, PLATEAU)[:2]
        raise PezError("The folder 'more' cannot be read.")

    rows: list[Row] = []
    with pytest.raises(PezError, match="The folder 'more' cannot be read"):
        rows.extend(row for some in Packs(model, PackSize(2)).rows(broken()) for row in some)
    assert sorted(row["key"] for row in rows) == sorted(sample.name for sample in SAMPLES[:2])
    assert all(row["prompt"] for row in rows)


def test_a_stop_is_heard_while_pictures_fail(model, tmp_path):
    items = [Item(f"{i}.png", tmp_path / f"{i}.png") for i in range(20)]
    asked: list[int] = []
    packs = Packs(model, PackSize(2), on_pack=lambda progress: asked.append(len(progress)) or len(asked) == 3)
    rows = [row for some in packs.rows(prepared(items, model, PLATEAU, Looks(), ahead=False)) for row in some]
    assert packs.stopped
    assert (asked, len(rows)) == ([0, 0, 0], 3)

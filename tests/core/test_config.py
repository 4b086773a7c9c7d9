"""Every setting is checked when it is made, and says its range."""

from __future__ import annotations

import dataclasses

import pytest

from pez_core import InversionConfig, PezError
from pez_core.config import SETTINGS

BAD = [
    ("steps", 0, "1 to 100,000"),
    ("steps", 2.5, "1 to 100,000"),
    ("steps", True, "1 to 100,000"),
    ("length", 0, "whole number from 1 to 1,000, not 0"),
    ("learning_rate", 0.0, "above 0"),
    ("learning_rate", float("nan"), "above 0"),
    ("weight_decay", -0.1, "a number from 0 to 1, not"),
    ("weight_decay", 1.5, "a number from 0 to 1, not"),
    ("restarts", 0, "1 to 1,024"),
    ("batch_size", 0, "1 to 100,000"),
    ("seed", -1, "2\\*\\*64"),
    ("seed", 2**64, "2\\*\\*64"),
    ("prefix", 3, "text"),
    ("suffix", None, "text"),
    ("vocabulary", "all", "words, any"),
    ("banned", "cat", "list"),
    ("banned", 5, "list of words, not 5"),
    ("keep", None, "list of words, not None"),
    ("patience", 0, "1 to 100,000"),
    ("time_limit", 0.0, "above 0"),
    ("method", "gcg", r"pez\+swaps, pez, swaps.*not 'gcg'"),
    ("start", "caption", "random, tokens, words, not 'caption'"),
    ("precision", "int8", "auto, fp32, bf16, fp16, not 'int8'"),
    ("explore", 0, "whole number from 1 to 100,000, not 0"),
    ("halving", -1, "whole number from 1 to 100,000, not -1"),
    ("candidates", 0, "whole number from 1 to 10,000, not 0"),
    ("top", 2.5, "whole number from 1 to 10,000, not 2.5"),
    ("words", 3, "must be text, not 3"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_bad_values_name_the_field_and_its_range(name, value, said):
    with pytest.raises(PezError, match=said) as caught:
        InversionConfig(**{name: value})
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        InversionConfig().steps = 3


def test_published_settings():
    paper = InversionConfig.paper()
    assert (paper.steps, paper.length, paper.learning_rate, paper.weight_decay) == (3000, 16, 0.1, 0.1)
    assert (paper.restarts, paper.batch_size, paper.patience) == (1, 1, None)
    assert InversionConfig.paper(steps=10).steps == 10


def test_largest_seed_is_taken():
    assert InversionConfig(seed=2**64 - 1).seed == 2**64 - 1


def test_white_space_in_fixed_text_and_bans_is_tidied():
    config = InversionConfig(prefix="  a  photo ", banned=(" Cat ", ""))
    assert config.prefix == "a photo"
    assert config.banned == ("cat",)


def test_words_may_come_from_any_iterable_that_is_read_once():
    for name in ("banned", "keep"):
        assert getattr(InversionConfig(**{name: (word for word in ["Cat", "bird"])}), name) != ()
    assert InversionConfig(banned=map(str.strip, [" cat "])).banned == ("cat",)
    assert InversionConfig(keep=iter(["oil  painting"])).keep == ("oil painting",)


def test_every_field_is_declared_once_with_a_default_that_it_takes():
    assert list(SETTINGS) == [field.name for field in dataclasses.fields(InversionConfig)]
    flags = [setting.flag for setting in SETTINGS.values() if setting.flag]
    assert len(flags) == len(set(flags))
    for name, setting in SETTINGS.items():
        assert setting.checked(setting.default) == setting.default == getattr(InversionConfig(), name)
        assert setting.help


@pytest.mark.parametrize(
    ("preset", "value", "searched"),
    [("balanced", 0.2, 0.2), ("paper", 0.2, 0.0), ("paper", 0.3, 0.3), ("balanced", 0.0, 0.0)],
)
def test_a_widget_as_it_was_at_first_leaves_its_setting_to_a_preset_that_has_one(preset, value, searched):
    assert SETTINGS["readability"].first == 0.2
    assert InversionConfig.of_widgets(preset, {"readability": value}).readability == searched


def test_a_widget_without_a_value_holds_its_first_one():
    assert InversionConfig.of_widgets("balanced", {}).readability == 0.2
    assert InversionConfig.of_widgets("paper", {}).readability == 0


def test_what_a_widget_held_at_first_is_that_of_its_node():
    firsts = {"readability": 0.0}  # PEZ Distill's
    assert InversionConfig.of_widgets("balanced", {}, firsts).readability == 0
    assert InversionConfig.of_widgets("paper", {"readability": 0.2}, firsts).readability == 0.2

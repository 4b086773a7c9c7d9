"""Captions put together from the lists of `training.caption_topics`, in the forms that captions often have."""

from __future__ import annotations

from random import Random

from training.caption_topics import DETAILS, KINDS, PLACES, STYLES, SUBJECTS, split

_KINDS, _SUBJECTS, _PLACES, _STYLES = (split(each) for each in (KINDS, SUBJECTS, PLACES, STYLES))
_COLORS = split(DETAILS.partition(", colorful")[0])
_ACTIONS = [word for word in split(DETAILS) if word.endswith("ing") and word not in ("burning", "glowing")]
_TRAITS = [word for word in split(DETAILS) if word not in _ACTIONS and " " not in word and not word.endswith("y")]
_COUNTS = ["two", "three", "four", "five", "several", "many", "a pair of", "a group of", "a row of"]
_ALONE = {
    "people",
    "friends",
    "ruins",
    "stairs",
    "glasses",
    "jeans",
    "shoes",
    "boots",
    "sneakers",
    "gloves",
    "scissors",
}
_RELATIONS = [
    "next to",
    "in front of",
    "behind",
    "under",
    "on top of",
    "near",
    "beside",
    "with",
    "and",
    "above",
    "between",
]


def composed(rng: Random) -> str:
    """One caption of a random form."""
    subject = _thing(rng)
    if rng.random() < 0.2:
        subject += f" {rng.choice(_ACTIONS)}"
    if rng.random() < 0.35:
        subject += f" {rng.choice(_RELATIONS[:-1])} {_thing(rng)}"
    if rng.random() < 0.5:
        subject += f" {rng.choice(_PLACES)}"
    if rng.random() < 0.45:
        kind = rng.choice(_KINDS)
        subject = f"{_article(kind)} {kind} of {subject}" if rng.random() < 0.8 else f"{kind} of {subject}"
    if rng.random() < 0.2:
        subject += "".join(f", {style}" for style in rng.sample(_STYLES, rng.randint(1, 3)))
    return subject


def _thing(rng: Random) -> str:
    noun = rng.choice(_SUBJECTS)
    words = [rng.choice(words) for words, chance in ((_TRAITS, 0.25), (_COLORS, 0.3)) if rng.random() < chance]
    if rng.random() < 0.15 and " " not in noun and not noun.endswith(("s", "sh", "ch", "x", "fe", "f", "y", "man")):
        return " ".join([rng.choice(_COUNTS), *words, noun if noun in _ALONE else f"{noun}s"])
    if noun in _ALONE:
        return " ".join([*words, noun])
    return " ".join([_article((words or [noun])[0]) if rng.random() < 0.9 else "the", *words, noun])


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"

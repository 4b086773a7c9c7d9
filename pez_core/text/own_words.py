"""A person's own texts, such as captions, as words that a search may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import PezError, shorten
from .template import Template, of_usable
from .vocabulary import Vocabulary

MARKS = ".,;:!?"

Ids = tuple[int, ...]


@dataclass(frozen=True)
class OwnWords:
    """Texts, word by word.

    texts: of each text the ids of each word with its punctuation, and of each kept phrase as one. A search may leave out or replace
    words, also those with tokens that it may not use itself. template: spells the words in lower case, otherwise as they are
    written.
    warnings: what a person should know, in sentences.
    """

    texts: tuple[tuple[Ids, ...], ...]
    template: Template
    warnings: tuple[str, ...]


def read_own_words(vocabulary: Vocabulary, template: Template, texts: Sequence[str], name: str) -> OwnWords:
    """The words of each text that may be in the template's prompts and fit into them; kept phrases that it lacks come last.

    Texts without such words are left out, and those of which the model knows no word if it knows one of another.

    name: the model's, for messages.

    Raises PezError if no text is left.
    """
    read, warnings = of_usable(texts, lambda text: _words_of(vocabulary, template, text, name))
    warnings += [warning for _, (_, told) in read for warning in told]
    words_of = {text: words for text, (words, _) in read}
    unknown = {text for text, words in words_of.items() if {*vocabulary.unknown_words(" ".join(words))} == set(words)}
    if 0 < len(unknown) < len(words_of):
        named = shorten(", ".join(repr(text) for text in words_of if text in unknown))
        warnings.append(f"Not started from, for {name} knows none of their words: {named}.")
        words_of = {text: words for text, words in words_of.items() if text not in unknown}
    units, spelled = [], {}
    for words in words_of.values():
        ids = [tuple(vocabulary.encode(word)) for word in words]
        units.append(tuple(_units(ids, template.kept)))
        spelled |= dict(zip(ids, words, strict=True))
    return OwnWords(tuple(units), template.spelling(spelled), tuple(warnings))


def _words_of(vocabulary: Vocabulary, template: Template, text: str, name: str) -> tuple[list[str], list[str]]:
    """The words of one text that a search may use and that fit, and warnings of the others."""
    written = vocabulary.clean(text).split()
    words = [
        word
        for each in written
        for word in _without_marks(vocabulary, _lower(vocabulary, each), template.kept)
        if vocabulary.encode(word)
    ]
    usable = _permitted(vocabulary, template, words)
    room = vocabulary.room - len(template.before) - len(template.after) - sum(map(len, template.kept))
    fitting = _fitting(vocabulary, usable, room)
    if not fitting:
        raise PezError(
            f"The search cannot start from the words {shorten(text)!r}: "
            + ("it may use none of them" if written else "there are none")
            + ". Give other words, or start at random."
        )
    warnings = []
    if len(usable) < len(words):
        warnings.append(f"Some of the words {shorten(text)!r} are ignored: they are banned or special tokens.")
    if len(fitting) < len(usable):
        warnings.append(
            f"The last {len(usable) - len(fitting)} of the words {shorten(text)!r} are ignored: {name} reads "
            f"{vocabulary.room} tokens."
        )
    unknown = vocabulary.unknown_words(" ".join(fitting))
    if unknown:
        named = shorten(", ".join(map(repr, unknown)))
        warnings.append(f"{name} does not know {named} (in your own words), so scores ignore the meaning.")
    return fitting, warnings


def _lower(vocabulary: Vocabulary, word: str) -> str:
    """The word in lower case, as all words of prompts are, unless the model reads that differently."""
    return word.lower() if vocabulary.encode(word.lower()) == vocabulary.encode(word) else word


def _without_marks(vocabulary: Vocabulary, word: str, kept: Sequence[Sequence[int]]) -> list[str]:
    """The word and the punctuation after it, apart if a kept phrase ends with the word, which is found so."""
    bare = word.rstrip(MARKS)
    ids = vocabulary.encode(bare) if bare and bare != word else []
    return [bare, word[len(bare) :]] if ids and any(phrase[-len(ids) :] == ids for phrase in kept) else [word]


def _permitted(vocabulary: Vocabulary, template: Template, words: Sequence[str]) -> list[str]:
    """The words without special tokens and without those that complete a ban."""
    usable: list[str] = []
    for word in words:
        if not vocabulary.special_ids.intersection(vocabulary.encode(word)) and not template.ban_in(
            " ".join([*usable, word])
        ):
            usable.append(word)
    return usable


def _fitting(vocabulary: Vocabulary, words: Sequence[str], room: int) -> list[str]:
    """As many of the first words as fit into `room` tokens."""
    fitting: list[str] = []
    for word, ids in zip(words, vocabulary.encode_all(words), strict=True):
        room -= len(ids)
        if room < 0:
            break
        fitting.append(word)
    return fitting


def _units(words: Sequence[Ids], kept: Sequence[Sequence[int]]) -> list[Ids]:
    """The words, where they spell a kept phrase as one unit; phrases that are missing come last."""
    missing, units, place = [tuple(each) for each in kept], [], 0
    while place < len(words):
        whole: Ids = ()
        end = place
        while end < len(words) and whole not in missing:
            whole += words[end]
            end += 1
        if whole in missing:
            missing.remove(whole)
            units.append(whole)
            place = end
        else:
            units.append(words[place])
            place += 1
    return [*units, *missing]

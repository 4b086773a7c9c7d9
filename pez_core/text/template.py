"""The fixed part of a prompt: prefix, suffix, kept words and bans, and the text of searched ids between them."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from ..errors import PezError, shorten
from .bans import Ban, Bans
from .comfyui import SPECIAL_TOKENS
from .spans import pieces
from .vocabulary import Vocabulary

T = TypeVar("T")
Spelling = tuple[tuple[int, ...], str]
"""Ids in a row, and their text."""


class Template:
    """How L searched token ids become a whole prompt.

    prefix, suffix: the fixed texts, cleaned (see `Vocabulary.clean`). before, after: their ids.
    kept: the ids of each word or phrase that must be in the prompt.
    allowed: bool [V], the tokens that a search may use. bans: what no prompt may contain, or None.
    warnings: what a person should know of the fixed words, in sentences.

    Use `template_of`, which caches templates: bans over a large vocabulary take time to build.

    Raises PezError when the length does not fit the context together with prefix and suffix, when fixed text
    contains a banned word or a special token, when kept words do not fit, or when every token is banned.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        name: str,
        length: int,
        prefix: str,
        suffix: str,
        keep: Sequence[str],
        banned: Sequence[str],
        mode: str,
    ):
        self.length = length
        self._vocabulary = vocabulary
        self._name = name
        self.warnings: list[str] = []
        self._banned = [(word, Ban.parse(vocabulary.clean(word))) for word in banned]
        self.prefix, self.suffix = vocabulary.clean(prefix), vocabulary.clean(suffix)
        self.before, self.after = self._fixed_ids("prefix", self.prefix), self._fixed_ids("suffix", self.suffix)
        self._check_room()
        self.bans = _bans(vocabulary, tuple(vocabulary.clean(word) for word in banned)) if banned else None
        self.allowed = vocabulary.allowed(mode, self.bans)
        self.kept, self._spellings = self._read_kept(keep)
        self._spelled = _by_first(self._spellings)
        if self.bans:
            fixed = [*self.before, *self.after, *(i for ids in self.kept for i in ids)]
            usable = self.allowed.clone()
            usable[fixed] = True
            for letters in self.bans.never_matching(usable | self.bans.single_tokens()):
                self.warnings.append(
                    f"The ban {letters!r} matches nothing that this search can produce: check its spelling."
                )

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt: prefix, the searched tokens `ids`, suffix."""
        return " ".join(filter(None, (self.prefix, self.searched(ids), self.suffix)))

    def searched(self, ids: Sequence[int]) -> str:
        """The text of searched tokens, those that belong together spelled as they were given."""
        words, place = [], 0
        while place < len(ids):
            text, length = next(
                (
                    (text, len(own))
                    for own, text in self._spelled.get(ids[place], ())
                    if tuple(ids[place : place + len(own)]) == own
                ),
                (self._vocabulary.token_texts[ids[place]], 1),
            )
            words.append(text)
            place += length
        return " ".join(filter(None, words))

    def spelling(self, texts: Mapping[tuple[int, ...], str]) -> Template:
        """This template with texts for ids in a row that are spelled otherwise than their decoded tokens."""
        unlike = {ids: text for ids, text in texts.items() if self._vocabulary.decode(ids) != text}
        other = copy.copy(self)
        other._spelled = _by_first([*self._spellings, *unlike.items()])
        return other

    def permits(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text fits the model's context and contains no banned word."""
        fits = [len(ids) <= self._vocabulary.room for ids in self._vocabulary.encode_all(texts)]
        return [fit and not self.ban_in(text) for fit, text in zip(fits, texts, strict=True)]

    def starts_of(self, texts: Sequence[str], restarts: int) -> tuple[list[list[int]], tuple[str, ...]]:
        """The `start_ids` of the texts that restarts take in turn, at most as many as there are restarts, and warnings.

        Raises PezError if none can be used.
        """
        read, warnings = of_usable(texts, self.start_ids)
        used, others = read[:restarts], read[restarts:]
        warnings += [warning for _, (_, told) in used for warning in told]
        if others:
            named = shorten(", ".join(repr(text) for text, _ in others))
            warnings.append(f"Not started from, for each takes a restart: {named}. Raise the restarts.")
        return [ids for _, (ids, _) in used], tuple(warnings)

    def start_ids(self, words: str) -> tuple[list[int], tuple[str, ...]]:
        """The ids of the user's start words, without those that the search may not use, at most as many as the length, and
        warnings.

        Raises PezError if none is left.
        """
        own = self._vocabulary.encode(self._vocabulary.clean(words))
        usable = [i for i in own if self.allowed[i]]
        if not usable:
            raise PezError(
                f"The search cannot start from the words {shorten(words)!r}: "
                + (
                    "it may use none of their tokens. Give other words, or start at random."
                    if own
                    else "there are none. Give some, or start at random."
                )
            )
        warnings = []
        if unusable := list(dict.fromkeys(self._vocabulary.token_texts[i] for i in own if not self.allowed[i])):
            named = shorten(", ".join(map(repr, unusable)))
            warnings.append(f"Left out of the start words {shorten(words)!r}: {named}, which the search may not use.")
        if len(usable) > self.length:
            cut = shorten(self._vocabulary.decode(usable[self.length :]))
            warnings.append(
                f"The start words have {len(usable)} tokens, the length is {self.length}: {cut!r} is cut off. Raise the length."
            )
        return usable[: self.length], tuple(warnings)

    def ban_in(self, text: str) -> str:
        """The first ban that a text contains; '' if there is none."""
        spelled = pieces(self._vocabulary, text) if self._banned and text else []
        return next((word for word, ban in self._banned if ban.is_in(spelled)), "")

    def _fixed_ids(self, name: str, text: str) -> list[int]:
        """The ids of prefix, suffix or kept words, after checking them."""
        vocabulary = self._vocabulary
        ids = vocabulary.encode(text) if text else []
        if set(ids) & vocabulary.special_ids or any(mark in text.lower() for mark in SPECIAL_TOKENS):
            raise PezError(f"The {name} {shorten(text)!r} contains a special token: remove it.")
        word = self.ban_in(text)
        if word:
            raise PezError(f"The banned word {word!r} is in the {name} {shorten(text)!r}: change one of them.")
        unknown = vocabulary.unknown_words(text)
        if unknown:
            named = shorten(", ".join(map(repr, unknown)))
            self.warnings.append(f"{self._name} does not know {named} (in the {name}), so scores ignore the meaning.")
        return ids

    def _check_room(self) -> None:
        reads, fixed = self._vocabulary.room, len(self.before) + len(self.after)
        if fixed >= reads:
            raise PezError(
                f"prefix and suffix have {fixed} tokens, {self._name} reads {reads}: nothing is left to search. "
                "Shorten them."
            )
        if self.length > reads - fixed:
            raise PezError(
                f"length must be from 1 to {reads - fixed}, not {self.length}: {self._name} reads {reads} tokens"
                + (f", prefix and suffix take {fixed} of them." if fixed else ".")
            )

    def _read_kept(self, keep: Sequence[str]) -> tuple[list[list[int]], list[Spelling]]:
        """The ids of each kept phrase, and the texts of those that differ from their decoded tokens."""
        vocabulary, kept, spelled = self._vocabulary, [], []
        neighbor = vocabulary.encode("a")
        for phrase in keep:
            if any(mark in html.unescape(phrase) for mark in ",;\n"):
                raise PezError(f"The kept words {shorten(phrase)!r} seem to be several: give each separately.")
            text = vocabulary.clean(phrase)
            ids = self._fixed_ids("kept words", text)
            if not ids or vocabulary.encode(f"a {text} a") != [*neighbor, *ids, *neighbor]:
                raise PezError(
                    f"The kept words {shorten(phrase)!r} are tokenized differently next to other words: simplify their "
                    "spelling."
                )
            kept.append(ids)
            if vocabulary.decode(ids) != text:
                spelled.append((tuple(ids), text))
        taken = sum(map(len, kept))
        if taken > self.length:
            raise PezError(
                f"The kept words have {taken} tokens, the length is {self.length}: raise the length or keep fewer words."
            )
        return kept, spelled


def _by_first(spellings: Sequence[Spelling]) -> dict[int, list[Spelling]]:
    """The spellings by their first ids, longest first."""
    found: dict[int, list[Spelling]] = {}
    for each in sorted(spellings, key=lambda pair: -len(pair[0])):
        found.setdefault(each[0][0], []).append(each)
    return found


def of_usable(texts: Sequence[str], read: Callable[[str], T]) -> tuple[list[tuple[str, T]], list[str]]:
    """The texts that can be read, each with what `read` makes of it, and why the others cannot, in sentences.

    Raises the PezError of the last one if none can be read.
    """
    found, errors = [], []
    for text in texts:
        try:
            found.append((text, read(text)))
        except PezError as error:
            errors.append(error)
    if errors and not found:
        raise errors[-1]
    return found, list(map(str, errors))


@lru_cache(maxsize=8)
def template_of(
    vocabulary: Vocabulary,
    name: str,
    length: int,
    prefix: str = "",
    suffix: str = "",
    keep: tuple[str, ...] = (),
    banned: tuple[str, ...] = (),
    mode: str = "dictionary",
) -> Template:
    """The template for a model's `vocabulary` and a configuration's fixed words, cached.

    name: the model's, for messages. mode: "dictionary", "words" or "any" (see `Vocabulary.allowed`).

    Raises PezError as `Template` does.
    """
    return Template(vocabulary, name, length, prefix, suffix, keep, banned, mode)


@lru_cache(maxsize=8)
def _bans(vocabulary: Vocabulary, banned: tuple[str, ...]) -> Bans:
    return Bans(banned, vocabulary.token_texts)

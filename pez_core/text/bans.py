"""Banned words, also when several tokens in a row spell them.

Spaces in the prompt are ignored. A ban matches where its letters begin at the start of a token and end at the end of
a token; a `*` before or after the word removes the condition on that side. So `sunset` bans the token
"sunset" and the tokens "sun" "set" in a row, but not "sunsets"; `sunset*` bans that too.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import PezError

MOST_LETTERS = 100  # of a ban: the tables grow with the square of its length


@dataclass(frozen=True)
class Ban:
    """One banned word: its letters without spaces, and which ends have a `*`."""

    letters: str
    open_start: bool
    open_end: bool

    @classmethod
    def parse(cls, word: str) -> Ban:
        """The ban for a word as a person wrote it.

        Raises PezError for a word without letters, several words at once, a `*` in the middle, and a word that is too
        long.
        """
        word = html.unescape(word).strip()  # `&amp;` is one character, as in fixed text
        letters = "".join(word.strip("*").lower().split())
        if not letters:
            raise PezError(f"The banned word {word!r} would ban everything: give letters, such as 'hair' or 'hair*'.")
        if any(mark in word for mark in ",;\n"):
            raise PezError(f"The banned word {word!r} seems to be several: give each word separately.")
        if "*" in letters:
            raise PezError(f"The banned word {word!r} has a * in the middle: put * only at the start or the end.")
        if len(letters) > MOST_LETTERS:
            raise PezError(
                f"The banned word '{word[:20]}…' has {len(letters)} letters, the limit is {MOST_LETTERS}: ban single words."
            )
        return cls(letters, word.startswith("*"), word.endswith("*"))

    def is_in(self, pieces: Sequence[str]) -> bool:
        """Whether a text contains the ban; `pieces`: what its tokens spell."""
        spelled, starts, ends = "", set(), set()
        for piece in pieces:
            starts.add(len(spelled))
            spelled += piece.lower()
            ends.add(len(spelled))
        at = spelled.find(self.letters)
        while at >= 0:
            if (self.open_start or at in starts) and (self.open_end or at + len(self.letters) in ends):
                return True
            at = spelled.find(self.letters, at + 1)
        return False

    def entries(self, text: str) -> set[int]:
        """How many letters can be matched at the end of a token with this text, if the ban begins in that token."""
        n = len(self.letters)
        after = set()
        for start in range(len(text)) if self.open_start else (0,):
            piece = text[start:]
            if self.letters.startswith(piece):
                after.add(len(piece))
            elif self.open_end and piece.startswith(self.letters):
                after.add(n)
        return after

    def continuations(self, text: str) -> tuple[set[int], set[int]]:
        """The numbers of letters matched before a token with this text from which the ban continues past the token, and
        those from which it ends within the token."""
        goes_on = {m for m in range(1, len(self.letters)) if self.letters.startswith(text, m)}
        ends = {m for m in range(1, len(self.letters)) if text.startswith(self.letters[m:])} if self.open_end else set()
        return goes_on, ends - goes_on

    def related(self, texts: Mapping[str, Any], longest: int) -> Iterable[str]:
        """The token texts, of at most `longest` letters, that can be part of this ban."""
        n = len(self.letters)
        found = {self.letters[i:j] for i in range(n) for j in range(i + 1, min(n, i + longest) + 1)} & texts.keys()
        if self.open_start or self.open_end:
            first_letters = tuple(self.letters[:i] for i in range(1, n + 1)) if self.open_start else ()
            last_letters = tuple(self.letters[i:] for i in range(n)) if self.open_end else ()
            within = self.letters if self.open_start and self.open_end else None
            found |= {
                text
                for text in texts
                if text.endswith(first_letters)
                or text.startswith(last_letters)
                or (within is not None and within in text)
            }
        return sorted(found)


class Bans:
    """Recognizes banned words in sequences of token ids, for many sequences and many bans at once.

    Each ban is a small automaton: its states are "m letters matched at the end of a token", its inputs are tokens.
    Tokens with the same effect on a ban share a class; class 0 matches nothing. A token of t letters can
    only move m to m + t, or to the end, so a class is a few rows of S numbers (S: letters of the longest ban, plus 1).

    `texts`: the text of each token of the vocabulary, V of them, without surrounding spaces.
    """

    def __init__(self, banned: Sequence[str], texts: Sequence[str]):
        self.bans = [Ban.parse(word) for word in banned]
        tokens_of: dict[str, list[int]] = defaultdict(list)
        for token, text in enumerate(texts) if self.bans else ():
            tokens_of[text.lower()].append(token)
        longest = max(map(len, tokens_of), default=0)
        self.token_class = torch.zeros(len(self.bans), len(texts), dtype=torch.int16)  # [N, V]
        classes = [_classes(ban, ban.related(tokens_of, longest)) for ban in self.bans]
        for b, each in enumerate(classes):
            for c, (_, members) in enumerate(each.items(), 1):
                self.token_class[b, [token for text in members for token in tokens_of[text]]] = c
        states = 1 + max((len(ban.letters) for ban in self.bans), default=0)
        shape = (len(self.bans), 1 + max(map(len, classes), default=0), states)
        self.entered, self.goes_on, self.ends = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))  # [N, C, S]
        self.length = torch.zeros(shape[:2], dtype=torch.long)  # [N, C], of a class's tokens
        self.last = torch.tensor([len(ban.letters) for ban in self.bans], dtype=torch.long)  # [N]
        for b, each in enumerate(classes):
            for c, moves in enumerate(each, 1):
                self.length[b, c] = moves.length
                for table, at in (
                    (self.entered, moves.entered),
                    (self.goes_on, moves.goes_on),
                    (self.ends, moves.ends),
                ):
                    table[b, c, list(at)] = True

    def __bool__(self) -> bool:
        return bool(self.bans)

    def single_tokens(self) -> Tensor:
        """bool [V]: tokens that are banned on their own."""
        at = self.last[:, None, None].expand(-1, self.entered.shape[1], 1)
        whole = self.entered.gather(2, at)[..., 0]  # [N, C]
        return whole.gather(1, self.token_class.long()).any(0)

    def match(self, ids: Tensor) -> Tensor:
        """bool [R]: which of the sequences `ids` [R, T] contain a banned word. No host sync."""
        every = torch.arange(len(self.bans), device=ids.device)
        place = torch.arange(self.entered.shape[2], device=ids.device)
        last = self.last[None, :, None].expand(len(ids), -1, 1)
        state = torch.zeros((len(ids), *self.entered.shape[::2]), dtype=torch.bool, device=ids.device)  # [R, N, S]
        hits = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        for position in range(ids.shape[1]):
            classes = self.token_class[:, ids[:, position]].T.long()  # [R, N]
            before = place - self.length[every, classes][..., None]  # [R, N, S]
            moved = (state & self.goes_on[every, classes]).gather(2, before.clamp(min=0)) & (before > 0)
            ended = (state & self.ends[every, classes]).any(-1)
            state = self.entered[every, classes] | moved
            hits = hits | (ended | state.gather(2, last)[..., 0]).any(-1)
        return hits

    def never_matching(self, allowed: Tensor) -> list[str]:
        """The letters of the bans that no sequence of the `allowed` tokens, bool [V], can spell."""
        unmatched = []
        for b, ban in enumerate(self.bans):
            used = self.token_class[b, allowed].unique().long().tolist()
            reached = torch.zeros(self.entered.shape[2], dtype=torch.bool)
            for c in used:
                reached |= self.entered[b, c]
            matched = bool(reached[len(ban.letters)])
            for m in range(1, len(ban.letters)):  # tokens only move forward, so one pass reaches every state
                if not reached[m] or matched:
                    continue
                matched = any(bool(self.ends[b, c, m]) for c in used)
                for c in used:
                    if self.goes_on[b, c, m]:
                        reached[m + int(self.length[b, c])] = True
            if not (matched or reached[len(ban.letters)]):
                unmatched.append(ban.letters)
        return unmatched

    def to(self, device: torch.device | str) -> Bans:
        """A copy with its tables on `device`."""
        moved = object.__new__(Bans)
        moved.__dict__ = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in self.__dict__.items()}
        return moved


@dataclass(frozen=True)
class _Moves:
    """The effect of a token on the states of a ban."""

    length: int
    entered: frozenset[int]
    goes_on: frozenset[int]
    ends: frozenset[int]


def _classes(ban: Ban, texts: Iterable[str]) -> dict[_Moves, list[str]]:
    """The token texts, grouped by their effect on the ban's states."""
    classes: dict[_Moves, list[str]] = defaultdict(list)
    for text in texts:
        goes_on, ends = ban.continuations(text)
        moves = _Moves(len(text), frozenset(ban.entries(text)), frozenset(goes_on), frozenset(ends))
        if moves.entered or moves.goes_on or moves.ends:
            classes[moves].append(text)
    return dict(classes)

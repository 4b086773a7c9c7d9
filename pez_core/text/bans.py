"""Banned words, also when several tokens in a row spell them.

A prompt is read without its spaces. A ban matches where its letters begin at the start of a token and
end at the end of a token; a `*` before or after lifts that side's condition. So `sunset` bans the token
"sunset" and the tokens "sun" "set" in a row, but not "sunsets"; `sunset*` bans that too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import PezError


@dataclass(frozen=True)
class Ban:
    """One banned word: its letters without spaces, and which ends a `*` has opened."""

    letters: str
    open_start: bool
    open_end: bool

    @classmethod
    def parse(cls, word: str) -> Ban:
        """The ban that a person wrote. Raises PezError where no letters are left."""
        letters = "".join(word.strip("*").lower().split())
        if not letters:
            raise PezError(f"banned word {word!r} would ban everything; give letters, such as 'hair' or 'hair*'.")
        return cls(letters, word.startswith("*"), word.endswith("*"))

    def advance(self, matched: int, text: str) -> set[int]:
        """The numbers of letters matched after a token's `text`, when `matched` were before it."""
        n = len(self.letters)
        starts = {0}
        if matched == 0 and self.open_start:
            starts = set(range(len(text)))
        after = set()
        for start in starts:
            piece, rest = text[start:], self.letters[matched:]
            if rest.startswith(piece):
                after.add(matched + len(piece))
            elif self.open_end and piece.startswith(rest):
                after.add(n)
        return after

    def related(self, texts: Iterable[str]) -> list[str]:
        """Those of the token texts that can be part of this ban."""
        n = len(self.letters)
        pieces = {self.letters[i:j] for i in range(n) for j in range(i + 1, n + 1)}
        first_letters = tuple(self.letters[:i] for i in range(1, n + 1)) if self.open_start else ()
        last_letters = tuple(self.letters[i:] for i in range(n)) if self.open_end else ()
        within = self.letters if self.open_start and self.open_end else None
        return [
            text
            for text in texts
            if text in pieces
            or text.endswith(first_letters)
            or text.startswith(last_letters)
            or (within is not None and within in text)
        ]


class Bans:
    """Recognises banned words in sequences of token ids, for many sequences and many bans at once.

    Each ban is a small automaton: its states are "k letters matched at a token's end", its input are
    tokens. Tokens that move a ban's states alike share a class; class 0 matches nothing.

    `texts`: the text of each token of the vocabulary, V of them, without surrounding spaces.
    """

    def __init__(self, banned: Sequence[str], texts: Sequence[str]):
        self.bans = [Ban.parse(word) for word in banned]
        lowered = [text.lower() for text in texts] if self.bans else []
        tokens_of: dict[str, list[int]] = defaultdict(list)
        for token, text in enumerate(lowered):
            tokens_of[text].append(token)
        states = 1 + max((len(ban.letters) for ban in self.bans), default=0)
        self.ends = torch.zeros(len(self.bans), states)  # [N, S]
        self.token_class = torch.zeros(len(self.bans), len(texts), dtype=torch.int16)  # [N, V]
        tables = []
        for b, ban in enumerate(self.bans):
            self.ends[b, len(ban.letters)] = 1
            classes: dict[tuple[tuple[int, int], ...], int] = {(): 0}
            for text in ban.related(tokens_of):
                moves = tuple((m, after) for m in range(len(ban.letters)) for after in sorted(ban.advance(m, text)))
                self.token_class[b, tokens_of[text]] = classes.setdefault(moves, len(classes))
            table = torch.zeros(len(classes), states, states)
            for moves, c in classes.items():
                for before, after in moves:
                    table[c, before, after] = 1
            tables.append(table)
        most = max(map(len, tables), default=1)
        self.transitions = torch.zeros(len(self.bans), most, states, states)  # [N, C, S, S]
        for b, table in enumerate(tables):
            self.transitions[b, : len(table)] = table

    def __bool__(self) -> bool:
        return bool(self.bans)

    def single_tokens(self) -> Tensor:
        """bool [V]: tokens that are banned by themselves."""
        reached = (self.transitions[:, :, 0] * self.ends[:, None]).sum(-1) > 0  # [N, C]
        return torch.gather(reached, 1, self.token_class.long()).any(0)

    def found(self, ids: Tensor) -> Tensor:
        """bool [R]: which of the sequences `ids` [R, T] hold a banned word. No host sync."""
        every = torch.arange(len(self.bans), device=ids.device)
        start = torch.zeros_like(self.ends)
        start[:, 0] = 1
        state = start.expand(len(ids), -1, -1)  # [R, N, S]
        hits = torch.zeros(len(ids), device=ids.device)
        for position in range(ids.shape[1]):
            classes = self.token_class[:, ids[:, position]].T.long()  # [R, N]
            state = torch.einsum("rns,rnst->rnt", state, self.transitions[every, classes])
            hits = hits + (state * self.ends).sum((1, 2))
            state = (state + start).clamp(max=1)
        return hits > 0

    def to(self, device: torch.device | str) -> Bans:
        """Moves the tables; returns self."""
        for name in ("ends", "token_class", "transitions"):
            setattr(self, name, getattr(self, name).to(device))
        return self

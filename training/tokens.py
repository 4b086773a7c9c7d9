"""Texts as rows of a small token table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from open_clip import get_tokenizer
from torch import Tensor

TOKENIZER = get_tokenizer("ViT-B-32")  # OpenAI's byte-pair tokens
ROOM = 75  # tokens between the start and the end of a text


class Rows:
    """Maps OpenAI's token ids to the rows of a table that holds only the tokens of `words`, and a comma.

    ids: the token id of each row, ascending; the end token has the highest one, so pooling by argmax finds it.
    """

    def __init__(self, words: Sequence[str]):
        self._pieces = {word: TOKENIZER.encode(word) for word in words}
        seen = {TOKENIZER.sot_token_id, TOKENIZER.eot_token_id, *TOKENIZER.encode(",")}
        seen.update(token for pieces in self._pieces.values() for token in pieces)
        self.ids = sorted(seen)
        self._row = {token: row for row, token in enumerate(self.ids)}
        self._rows_of: dict[str, list[int]] = {}
        self._start, self._end = self._row[TOKENIZER.sot_token_id], self._row[TOKENIZER.eot_token_id]

    def __call__(self, texts: Sequence[str], length: int | None = None) -> Tensor:
        """int64 [len(texts), T], zeros after the end token; T is `length`, or as short as the longest text allows.

        Tokens outside the table are skipped; what does not fit is cut.
        """
        room = ROOM if length is None else length - 2
        rows = [[self._start, *self._text(text)[:room], self._end] for text in texts]
        longest = length or max(map(len, rows))
        made = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            made[i, : len(row)] = torch.tensor(row)
        return made

    def _text(self, text: str) -> list[int]:
        return [row for word in text.split() for row in self._word(word)]

    def _word(self, word: str) -> list[int]:
        """Byte-pair tokens never join two words, so that the rows of a word are looked up once."""
        if word not in self._rows_of:
            self._rows_of[word] = [self._row[token] for token in TOKENIZER.encode(word) if token in self._row]
        return self._rows_of[word]

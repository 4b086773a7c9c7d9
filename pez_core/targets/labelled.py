"""Texts with labels, and how they are divided: splits by seed, a few of each label, as many of each.

`labelled_files.py` reads them from files.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import PezError

HELD_OUT = 500  # texts that choose the prompt, at most
SHARE = 0.2  # and at most this share of the texts


@dataclass(frozen=True)
class Examples:
    """Texts with labels.

    texts: N texts, stripped, none of them empty.
    labels: N numbers, each the place of a label in `names`.
    names: the names of the labels, in order; two or more, all different.
    skipped: one sentence for each row of the file that could not be used, with its line number.

    Raises PezError when these do not fit together.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise PezError(f"{_count(len(self.texts))} need as many labels, not {len(self.labels)}.")
        if len(set(self.names)) != len(self.names) or len(self.names) < 2:
            raise PezError(f"Labels need two or more names, all different, not {list(self.names)}.")
        wrong = next((label for label in self.labels if not 0 <= label < len(self.names)), None)
        if wrong is not None:
            raise PezError(f"The label {wrong} is not in 0..{len(self.names) - 1}, the places of {list(self.names)}.")

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, indices: Iterable[int]) -> Examples:
        """The examples at `indices` (each in 0..N-1), in that order, with the same names."""
        places = list(indices)
        return Examples(tuple(self.texts[i] for i in places), tuple(self.labels[i] for i in places), self.names)

    def describe(self) -> str:
        """How many texts there are, and how many of each label: `8000 texts: 3990 negative, 4010 positive`."""
        return f"{_count(len(self))}: {', '.join(f'{len(own)} {name}' for name, own in self._by_name())}"

    def split(self, *sizes: int, seed: int) -> list[Examples]:
        """Parts of the given `sizes` with no example in common, each shuffled.

        Each part has the labels in the proportions of the whole, as closely as its size allows. The same `seed` and
        sizes give the same parts on every machine.

        Raises PezError when a size is below 1 or there are fewer examples than the sizes need.

        Example:
            train, hold_out, test = examples.split(8000, 500, 500, seed=0)
        """
        if not sizes or min(sizes) < 1:
            raise PezError(f"Each part of a split needs at least 1 text, not {', '.join(map(str, sizes)) or 'none'}.")
        if sum(sizes) > len(self):
            wanted = " + ".join(map(str, sizes)) + (f" = {sum(sizes)}" if len(sizes) > 1 else "")
            raise PezError(f"{_count(len(self))} are too few for a split of {wanted}: ask for fewer, or give more.")
        order = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        left = [own for _, own in self._by_name()]
        for own in left:
            order.shuffle(own)
        parts = []
        for size in sizes:
            chosen: list[int] = []
            for own, share in zip(left, _shares(size, [len(own) for own in left]), strict=True):
                chosen += own[:share]
                del own[:share]
            order.shuffle(chosen)
            parts.append(self.select(chosen))
        return parts

    def hold_out(self, count: int | None, seed: int) -> tuple[Examples, Examples]:
        """The examples to learn from, and `count` others that choose the prompt; None: a fifth of all, 500 at most.

        Texts that are held out are not learned from, even if they are there several times: then a sentence in `skipped` of
        those to learn from says how many.

        Raises PezError when `count` leaves none to learn from.
        """
        total = len(self)
        if total < 2:
            raise PezError("One text is too few: some are learned from, and others choose the prompt.")
        held = max(1, min(HELD_OUT, int(total * SHARE))) if count is None else count
        if not 0 < held < total:
            raise PezError(
                f"The hold-out must be from 1 to {total - 1}, so that some of the {total} texts choose the prompt and others "
                f"are learned from, not {held}."
            )
        train, held_out = self.split(total - held, held, seed=seed)
        chosen_by = set(held_out.texts)
        others = [i for i, text in enumerate(train.texts) if text not in chosen_by]
        if not others:
            raise PezError(
                "The texts that choose the prompt are the same as those to learn from: give more different texts."
            )
        if gone := {train.labels[i] for i in range(len(train))} - {train.labels[i] for i in others}:
            raise PezError(
                f"All texts to learn from with the label {self.names[min(gone)]!r} are held out as well: give more different ones."
            )
        if len(others) < len(train):
            said = f"{_count(len(train) - len(others))} to learn from left out: held out as well."
            train = replace(train.select(others), skipped=(said,))
        return train, held_out

    def few(self, k: int, seed: int) -> Examples:
        """`k` examples of each label, drawn by `seed` and shuffled.

        Raises PezError when `k` is below 1, or a label has fewer.
        """
        if k < 1:
            raise PezError(f"At least 1 text of each label is needed, not {k}.")
        name, own = min(self._by_name(), key=lambda each: len(each[1]))
        if len(own) < k:
            raise PezError(f"There are only {_count(len(own))} with the label {name!r}, fewer than {k}: ask for fewer.")
        order = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        chosen = [i for _, own in self._by_name() for i in order.sample(own, k)]
        order.shuffle(chosen)
        return self.select(chosen)

    def balanced(self, seed: int) -> Examples:
        """As many examples of each label as the rarest label has, drawn by `seed` and shuffled.

        Raises PezError when a label has none.
        """
        name, rarest = min(self._by_name(), key=lambda each: len(each[1]))
        if not rarest:
            raise PezError(f"No text has the label {name!r}: labels can only be balanced where each has a text.")
        return self.few(len(rarest), seed)

    def _by_name(self) -> list[tuple[str, list[int]]]:
        """Each name and the places of its examples."""
        places: list[list[int]] = [[] for _ in self.names]
        for i, label in enumerate(self.labels):
            places[label].append(i)
        return list(zip(self.names, places, strict=True))


def _shares(size: int, left: Sequence[int]) -> list[int]:
    """`size` divided in proportion to `left`, in whole numbers; the largest remainders are rounded up."""
    total = sum(left)
    shares = [size * n // total for n in left]
    by_remainder = sorted(range(len(left)), key=lambda i: -(size * left[i] % total))
    for i in by_remainder[: size - sum(shares)]:
        shares[i] += 1
    return shares


def _count(n: int) -> str:
    return f"{n} text" if n == 1 else f"{n} texts"

"""Texts with labels from files: the columns that hold them, the published layouts, the names of labels."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import PezError, shorten
from .labelled import Examples
from .labelled_archive import DataFile
from .labelled_rows import Row, Table, open_table, text_table

MOST_LABELS = 1000  # different ones; a column with more holds something else
MOST_REPORTED = 10_000  # rows that could not be used; more are counted

NEGATIVE, POSITIVE = "negative", "positive"
SURE = 1.0  # VADER's ratings run from -4 to 4; a text counts as negative or positive outside -SURE..SURE
CLASSES = {  # what the label numbers of published layouts mean
    "sst2": ({"0": NEGATIVE, "1": POSITIVE},),
    "classes": ({"1": NEGATIVE, "2": POSITIVE}, {"1": "World", "2": "Sports", "3": "Business", "4": "Sci/Tech"}),
}
_WHOLE = re.compile(r"[+-]?\d+")


def read_examples(
    path: str | os.PathLike[str] | DataFile,
    text: str | Sequence[str] = "text",
    label: str = "label",
    names: Sequence[str] | None = None,
) -> Examples:
    """The texts with labels in a file: CSV, TSV, JSON Lines (each also as .gz) or Parquet, told by its ending.

    path: the file, or what `find_dataset` returns.
    text: the column of the texts, or several, which are joined by spaces. label: the column of the labels, numbers or
        names.
    names: the labels to use, in order, usually those of other examples; rows with another label are skipped. None:
        those of the file, sorted, numbers by size.

    Files have UTF-8 text and a first line that names the columns. These published layouts need no column names, and
    their label numbers become names: SST-2 (TSV: sentence, label), AG News and Amazon polarity (CSV without a header:
    class, title, body; classes 1 and 2 alone are taken for Amazon's unless `names` says otherwise), VADER's ground
    truth (tab-separated: id, mean rating -4..4, text; ratings from -1 to 1 are not used).

    Each row that cannot be used has a sentence in `skipped`, with its line number, up to 10,000 of them.

    Raises PezError when the file is missing, a folder, damaged, of another kind, larger than 2 GB or 5 million lines;
    when a column does not exist; when no row can be used, or all have the same label and `names` is None.

    Example:
        train = read_examples("train.csv", text=["title", "description"], label="class")
        test = read_examples("test.csv", text=["title", "description"], label="class", names=train.names)
    """
    if isinstance(path, DataFile):
        title, table = path.title, text_table(path.open, path.title, "tsv")
    else:
        title, table = Path(path).name, open_table(Path(path))
    wanted = [text] if isinstance(text, str) else list(text)
    if wanted == ["text"] and "text" not in table.columns:
        wanted = list(table.text)
    if names is not None and (len(set(names)) != len(names) or len(names) < 2):
        raise PezError(f"Labels need two or more names, all different, not {list(names)}.")
    return _examples(table, wanted, label, names, title)


def read_lines(written: str, title: str) -> Examples:
    """The texts with labels in lines of the form `label: text`; empty lines are ignored. title: what messages call it.

    Each other line without a label or a text has a sentence in `skipped`, with its number.

    Raises PezError when no line can be used, or all have the same label.
    """
    if not written.strip():
        raise PezError(f"{title.capitalize()} is empty: write one text per line, as label: text.")
    lines = ((number, line.partition(":")) for number, line in enumerate(written.splitlines(), 1) if line.strip())
    rows = (
        Row(f"Line {number}", (label, text) if colon else f"it has no colon after its label: {shorten(label, 30)!r}")
        for number, (label, colon, text) in lines
    )
    return _examples(Table(["label", "text"], rows), ["text"], "label", None, title)


def _examples(table: Table, text: Sequence[str], label: str, names: Sequence[str] | None, title: str) -> Examples:
    """The examples in the rows of a table. text: its columns with texts. label: that with the labels."""
    rows, skipped = _usable(table, text, label, title)
    labels, order = _named([row.label for row in rows], table, names, label, title)
    if len(order) == 1:
        first = "".join(f" A row that cannot be used: {each}" for each in skipped.sentences()[:1])
        raise PezError(
            f"All texts of {title!r} have the label {shorten(order[0])!r}: two or more labels are needed.{first}"
        )
    number = {name: i for i, name in enumerate(order)}
    texts, numbers = [], []
    for row, own in zip(rows, labels, strict=True):
        if own in number:
            texts.append(row.text)
            numbers.append(number[own])
        else:
            skipped.add(row.where, f"the label {shorten(own)!r} is none of {shorten(', '.join(order), 100)}")
    reports = skipped.sentences()
    if not texts:
        raise PezError(f"No row of {title!r} can be used. {reports[0] if reports else 'It has only a header.'}")
    return Examples(tuple(texts), tuple(numbers), tuple(order), reports)


class _Usable(NamedTuple):
    """A row with a text and a label."""

    text: str
    label: str
    where: str


class _Skipped:
    """What is said about the rows that are not used."""

    def __init__(self) -> None:
        self.uncertain = 0  # ratings too close to 0
        self._sentences: list[str] = []
        self._more = 0

    def add(self, where: str, why: str) -> None:
        if len(self._sentences) < MOST_REPORTED:
            self._sentences.append(f"{where}: {why}.")
        else:
            self._more += 1

    def sentences(self) -> tuple[str, ...]:
        found = list(self._sentences)
        if self._more:
            found.append(f"{self._more} more rows cannot be used.")
        if self.uncertain:
            found.append(
                f"{self.uncertain} texts rated from -{SURE:g} to {SURE:g} are not used: they are not clearly negative "
                "or positive."
            )
        return tuple(found)


def _usable(table: Table, text: Sequence[str], label: str, title: str) -> tuple[list[_Usable], _Skipped]:
    text_at, label_at = [_column(each, table, title) for each in text], _column(label, table, title)
    usable: list[_Usable] = []
    skipped = _Skipped()
    for where, values in table.rows:
        try:
            if isinstance(values, str):
                raise _UnusableError(values)
            own = " ".join(filter(None, (_text(values[i]) for i in text_at)))
            if not own:
                raise _UnusableError("the text is empty")
            name = _label(values[label_at], table.layout)
        except _UnusableError as error:
            skipped.add(where, str(error))
            continue
        if name:
            usable.append(_Usable(own, name, where))
        else:
            skipped.uncertain += 1
    return usable, skipped


class _UnusableError(Exception):
    """A row that cannot be used; says why."""


def _column(name: str, table: Table, title: str) -> int:
    places = [i for i, each in enumerate(table.columns) if each == name]
    if len(places) == 1:
        return places[0]
    if places:
        raise PezError(f"{title!r} has {len(places)} columns {name!r}: rename all except one.")
    there = shorten(", ".join(map(repr, table.columns)), 200) or "none"
    raise PezError(f"There is no column {name!r} in {title!r}: name one of its columns, which are {there}.")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _UnusableError(f"its text is not text: {shorten(repr(value), 30)}")
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise _UnusableError("its text has half of a character (a lone surrogate)")
    return value.strip()


def _label(value: Any, layout: str) -> str:
    """A label as text, numbers without a fraction as whole ones; "" for a rating that is too close to 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        value = str(value).lower()
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        raise _UnusableError("the label is missing")
    if not isinstance(value, str | int | float):
        raise _UnusableError(f"its label is neither text nor a number: {shorten(repr(value), 30)}")
    found = str(value).strip()
    if not found:
        raise _UnusableError("the label is missing")
    if layout == "classes" and not _WHOLE.fullmatch(found):
        raise _UnusableError(f"its class is not a whole number: {shorten(found)!r}")
    return _rated(found) if layout == "rated" else found


def _rated(rating: str) -> str:
    try:
        value = float(rating)
    except ValueError:
        value = math.nan
    if not abs(value) <= 4:
        raise _UnusableError(f"its rating is not a number from -4 to 4: {shorten(rating)!r}")
    return "" if abs(value) <= SURE else (POSITIVE if value > 0 else NEGATIVE)


def _named(
    labels: list[str], table: Table, names: Sequence[str] | None, column: str, title: str
) -> tuple[list[str], Sequence[str]]:
    """The labels with numbers replaced by the names that they stand for, and the names to use, in order."""
    there = set(labels)
    if len(there) > MOST_LABELS:
        raise PezError(
            f"The column {column!r} of {title!r} has {len(there)} different labels, at most {MOST_LABELS} can be used: "
            "name the column that holds the labels."
        )
    known: Sequence[Mapping[str, str]] = CLASSES.get(table.layout, ())
    if table.names:
        known = [{str(i): name for i, name in enumerate(table.names)}]
    for each in known:
        if (there <= each.keys()) if names is None else (set(names) <= set(each.values())):
            labels = [each.get(label, label) for label in labels]
            order = [name for name in each.values() if name in set(labels)]
            break
    else:
        order = sorted(there, key=_by_size)
    if names is not None:
        return labels, names
    return labels, order


def _by_size(label: str) -> tuple[float, str]:
    """Numbers by size, then names."""
    try:
        value = float(label)
    except ValueError:
        value = math.inf
    return (value if math.isfinite(value) else math.inf), label

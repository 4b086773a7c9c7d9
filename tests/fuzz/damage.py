"""Ways to damage bytes, texts and trees of JSON, all of them decided by a `random.Random`."""

from __future__ import annotations

import copy
import random
from typing import Any

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)

ODD_TEXTS = (
    *("", " ", "\0", "\n", "a\nb", "a\r\nb", "x" * 5000, "../../../etc/passwd", "/etc/passwd", "C:\\windows", "=1+1"),
    *("<script>alert(1)</script>", "\ud800", "🐧", "e\u0301", "\u202e", "&amp;", "%s%n{0}", "embedding:x", "(a:1e999)"),
    *("-" * 40, "(" * 400, '"', "'", "null", "nan", "1e999", "-1", "9" * 5000, "a*b", "*", ",", ",,", "None"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 75, 76, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 0.5, 1e308, -1e308),
    *(5e-324, float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], [1, 2, 3], {"a": 1}, {"": None}),
    *ODD_TEXTS,
)


def damaged(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """The bytes with one to three damages; `other`: what a piece may be taken from."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(_WAYS)(data, other, rng)
    return data


def _cut(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _flip(data: bytes, other: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _field(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A whole number of one to eight bytes, in either order, becomes an odd one."""
    size = rng.choice((1, 2, 4, 8))
    value = (rng.choice(_EDGES) % 256**size).to_bytes(size, rng.choice(("little", "big")))
    place = _place(data, rng)
    return data[:place] + value + data[place + size :]


def _remove(data: bytes, other: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place + rng.choice((1, 2, 4, 16, 256)) :]


def _repeat(data: bytes, other: bytes, rng: random.Random) -> bytes:
    place, size = _place(data, rng), rng.choice((1, 4, 16, 256))
    return data[:place] + data[place : place + size] * rng.choice((2, 3, 50)) + data[place + size :]


def _insert(data: bytes, other: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.randbytes(rng.choice((1, 4, 64))) + data[place:]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _place(data: bytes | bytearray, rng: random.Random) -> int:
    """A place, as often as not near the beginning, where headers are."""
    last = max(len(data) - 1, 0)
    return rng.randint(0, min(last, 128) if rng.random() < 0.5 else last)


_WAYS = (_cut, _flip, _flip, _field, _field, _remove, _repeat, _insert, _splice)


def damaged_text(text: bytes, rng: random.Random) -> bytes:
    """A text file with odd values in place of some of its words, or stored in an odd way."""
    for _ in range(rng.randint(1, 3)):
        words = [(i, j) for i, j in _words(text)]
        if words:
            begin, end = rng.choice(words)
            text = text[:begin] + rng.choice(ODD_TEXTS).encode("utf-8", "surrogatepass") + text[end:]
    way = rng.randrange(12)
    if way == 0:
        return text.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")), "replace")
    if way == 1:
        return text.replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\n", b" ")))
    if way == 2:
        return text + rng.choice((b"[", b'{"a":', b'"', b"\xff\xfe", b"\0")) * rng.choice((1, 50, 100_000))
    return text


def _words(text: bytes) -> list[tuple[int, int]]:
    found, begin = [], None
    for place, letter in enumerate(text[:20_000]):
        inside = chr(letter).isalnum() or letter > 127
        if inside and begin is None:
            begin = place
        elif not inside and begin is not None:
            found.append((begin, place))
            begin = None
    return found


def damaged_tree(tree: Any, rng: random.Random) -> Any:
    """A copy of a JSON value with one to three of its parts replaced, removed, doubled or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            return tree
        holder, key = rng.choice(places)
        way = rng.randrange(8)
        if way == 0:
            del holder[key]
        elif way == 1:
            other, there = rng.choice(places)
            holder[key] = copy.deepcopy(other[there])
        elif way == 2 and isinstance(holder, dict):
            holder[rng.choice(ODD_TEXTS)] = copy.deepcopy(holder[key])
        elif way == 3 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * rng.choice((-1, 1.5, 10**9, 0)) + rng.choice((0, -1, 1))
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return tree


def _places(tree: Any) -> Any:
    keys: Any = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])

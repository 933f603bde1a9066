"""Values and bytes that nobody would write, and what was written turned into them."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

DEEP: Any = []
for _ in range(3000):
    DEEP = [DEEP]

NUMBERS = [
    0, 1, -1, 2, 3, 7, 255, 2**31, 2**63, 2**64, -(2**63), 10**9, 10**15, 10**30, 10**400, 0.5,
    -0.5, 1e-320, 1e9, 1e39, 1e308, math.inf, -math.inf, math.nan,
]  # fmt: skip
TEXTS = [
    "", " ", "x", "relu", "../../precious/thesis.txt", "/etc/passwd", "(a+)+$", "(a*)*b", "a" * 30,
    "a" * 5000, "\x1b[2J\x1b]0;title\x07", "$ $", "a|b", "%", "{x}", "{0.__class__}",
    "\ud800", "\0",
    "None", "nan", "1e999", "9" * 5000, "<script>alert(1)</script>", r"\input{/etc/passwd}", "=1+1",
    "U500000000", "object", "float128", "float16", "int8", "bfloat16", "__class__", "eval",
    "class_name", "Dense", "RepeatVector", "Embedding", "Sequential", "Functional", "SGD", "layer",
    "name", "…", "日本語", "a\nb", "a\tb", "-1", "1,2", "q1",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, *NUMBERS, *TEXTS, [], {}, [[]], [None], [0], [1, 2, 3], [-1], ["a"],
    {"a": 1},
    {"class_name": "Dense", "config": {}}, {"class_name": "RepeatVector", "config": {"n": 10**8}},
    {"class_name": "Dense", "config": {"units": 10**7}}, {"class_name": "x"}, {"class_name": []},
    {"config": {}}, {"ref": 0}, {"tuple": [1]}, {"slice": [None, None, 0]}, {"dtype": "U9999999"},
    {"array": [1], "dtype": "object"}, list(range(100)), DEEP,
]  # fmt: skip


def value(chance: random.Random) -> Any:
    """Draw a value that does not belong where it comes."""
    return copy.copy(chance.choice(VALUES))


def data(tree: Any, chance: random.Random) -> Any:
    """Alter plain data in one to three places; the data given stays as it is."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        places = list(_places(tree))
        if not places:
            return value(chance)
        holder, key = chance.choice(places)
        _alter(holder, key, places, chance)
    return tree


def _alter(holder: Any, key: Any, places: list[Any], chance: random.Random) -> None:
    old = holder[key]
    way = chance.randrange(9)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[chance.choice(TEXTS)] = holder.pop(key)
    elif way == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(old))
    elif way == 3:
        there, its = chance.choice(places)
        holder[key] = copy.deepcopy(there[its]) if its in _keys(there) else None
    elif way == 4 and isinstance(old, (int, float)):
        holder[key] = _other_number(old, chance)
    elif way == 5 and isinstance(holder, dict):
        holder[chance.choice(["name", "x", "__class__", "dtype", "path"])] = value(chance)
    elif way == 6:
        holder[key] = [old] * chance.choice([0, 1, 2, 50])
    else:
        holder[key] = value(chance)


def _other_number(old: Any, chance: random.Random) -> Any:
    ways = [-old, old + 1, old * 10**6, old * 10**12, not old]
    return chance.choice(ways if abs(old) > 1e300 else [*ways, float(old), str(old)])


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _places(tree: Any, depth: int = 0) -> Any:
    if depth > 50 or not isinstance(tree, (dict, list)):
        return
    for key in list(_keys(tree)):
        yield tree, key
        yield from _places(tree[key], depth + 1)


def content(whole: bytes, chance: random.Random) -> bytes:
    """Alter bytes in one to four places."""
    raw = bytearray(whole)
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randrange(len(raw) + 1)
        size = chance.choice([1, 1, 2, 8, 100])
        way = chance.randrange(8)
        if way == 0:
            del raw[at:]
        elif way == 1:
            del raw[at : at + size]
        elif way == 2:
            raw[at:at] = chance.randbytes(size)
        elif way == 3 and at < len(raw):
            raw[at] ^= 1 << chance.randrange(8)
        elif way == 4:
            raw[at : at + size] = chance.randbytes(size)
        elif way == 5:
            there = chance.randrange(len(raw) + 1)
            raw[at:at] = raw[there : there + size]
        elif way == 6:
            text = chance.choice(TEXTS).encode("utf-8", "surrogatepass")
            raw[at:at] = text
        else:
            raw[at : at + size] = chance.choice([b"\xff", b"\0", b"\x80", b",", b"\n", b'"']) * size
    return bytes(raw)

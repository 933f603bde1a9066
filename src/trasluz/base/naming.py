"""Names: Keras's way of writing them, and making them unique."""

from __future__ import annotations

import functools
import re


@functools.cache
def snake(name: str) -> str:
    """Write a class name as Keras writes the name of its first instance.

    >>> snake("BatchNormalization"), snake("PReLU"), snake("SimpleRNN")
    ('batch_normalization', 'p_re_lu', 'simple_rnn')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(name: str, taken: set[str]) -> str:
    """Add to a name the lowest number that makes it new."""
    new, n = name, 0
    while new in taken:
        n += 1
        new = f"{name}_{n}"
    taken.add(new)
    return new

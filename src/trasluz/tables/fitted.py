"""What is fitted on some rows of a table and applied to all: filling, scaling, categories.

The fitted things are numbers and texts alone. So a file holds them as JSON, and applying them needs
nothing but NumPy. They are defined as those of scikit-learn (`SimpleImputer`, `StandardScaler`,
`OneHotEncoder`), and tests compare them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_REST = "…"
_MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Scale:
    """Standardises columns: `(x - mean) / scale`; a missing value stays missing.

    Args:
        mean: of each column.
        scale: the standard deviation of each column, 1 for one that does not vary.

    >>> scale = Scale.fit(np.array([[1.0], [3.0]]))
    >>> scale, scale.transform(np.array([[4.0]]))
    (Scale(mean=[2.0], scale=[1.0]), array([[2.]]))
    """

    mean: list[float]
    scale: list[float]

    def __post_init__(self) -> None:
        _check_numbers(self.mean, self.scale)
        if not all(number > 0 for number in self.scale):
            raise ValueError("a scale is not positive")

    @classmethod
    def fit(cls, x: NDArray[np.float64]) -> Scale:
        """Take mean and deviation of columns that hold a value each at least."""
        mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
        noise = len(x) * np.finfo(x.dtype).eps * np.abs(mean)  # what rounding makes of a constant
        return cls(mean.tolist(), np.where(scale > noise, scale, 1.0).tolist())

    def transform(self, x: NDArray[Any]) -> NDArray[Any]:
        """Standardise."""
        return (x - np.array(self.mean)) / np.array(self.scale)

    def inverse_transform(self, x: NDArray[Any]) -> NDArray[Any]:
        """Undo it."""
        return x * np.array(self.scale) + np.array(self.mean)


@dataclass(frozen=True)
class Numbers:
    """Fills columns of numbers by their medians and standardises them.

    Args:
        fill: what stands for a missing number, by column.
        scale: what standardises them once they are filled.
    """

    fill: list[float]
    scale: Scale

    def __post_init__(self) -> None:
        _check_numbers(self.fill, self.scale.mean)

    @classmethod
    def fit(cls, x: NDArray[np.float64]) -> Numbers:
        """Take what columns say that hold a value each at least."""
        fill = np.nanmedian(x, axis=0)
        return cls(fill.tolist(), Scale.fit(_filled(x, fill)))

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fill and standardise."""
        return self.scale.transform(_filled(x, np.array(self.fill)))


@dataclass(frozen=True)
class Booleans:
    """Fills columns of zeros and ones by what is most frequent; 0 if both are.

    Args:
        fill: what stands for a missing value, by column.
    """

    fill: list[float]

    def __post_init__(self) -> None:
        _check_numbers(self.fill)

    @classmethod
    def fit(cls, x: NDArray[np.float64]) -> Booleans:
        """Take what columns say that hold a value each at least."""
        return cls((np.nanmean(x, axis=0) > 0.5).astype(float).tolist())

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fill."""
        return _filled(x, np.array(self.fill))


@dataclass(frozen=True)
class Categories:
    """One column of ones and zeros for each category; rare ones share the last, new ones get none.

    Args:
        fill: what stands for a missing value, by column: the most frequent, the first of several.
        kept: the categories with a column of their own, by column.
        rare: those that share one, by column.
    """

    fill: list[str]
    kept: list[list[str]]
    rare: list[list[str]]

    def __post_init__(self) -> None:
        if not len(self.fill) == len(self.kept) == len(self.rare):
            raise ValueError("fillings and categories are of different numbers")
        for names in (self.fill, *self.kept, *self.rare):
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise TypeError(f"{names!r} is not a list of texts")

    @classmethod
    def fit(cls, x: NDArray[np.object_]) -> Categories:
        """Take the categories of columns that hold a value each at least."""
        fill, kept, rare = [], [], []
        for column in x.T:
            counts = Counter(value for value in column if value is not None)
            fill.append(min(counts, key=lambda name: (-counts[name], name)))
            counts[fill[-1]] += sum(value is None for value in column)
            names = sorted(counts)
            by_size = sorted(names, key=counts.__getitem__)
            few = set(by_size[: 1 - _MOST_CATEGORIES]) if len(names) > _MOST_CATEGORIES else set()
            kept.append([name for name in names if name not in few])
            rare.append([name for name in names if name in few])
        return cls(fill, kept, rare)

    @property
    def columns(self) -> list[list[str]]:
        """The name of each column of ones and zeros, by column of the table."""
        return [k + [_REST] * bool(r) for k, r in zip(self.kept, self.rare, strict=True)]

    def transform(self, x: NDArray[np.object_]) -> NDArray[np.float64]:
        """Fill, and mark the category of each cell."""
        marked = []
        for column, fill, kept, rare in zip(x.T, self.fill, self.kept, self.rare, strict=True):
            places = {name: i for i, name in enumerate(kept)} | dict.fromkeys(rare, len(kept))
            codes = [places.get(fill if value is None else value, -1) for value in column]
            marked.append(np.array(codes)[:, None] == np.arange(len(kept) + bool(rare)))
        return np.concatenate(marked, axis=1).astype(np.float64)


KINDS: dict[str, Any] = {
    "numbers": Numbers,
    "booleans": Booleans,
    "texts": Categories,
    "targets": Scale,
}


def plain(steps: dict[str, Any]) -> dict[str, Any]:
    """Write fitted things down as plain data."""
    return {group: asdict(step) for group, step in steps.items()}


def made_from(said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Make the fitted things that `plain` wrote down.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: for anything else.
    """
    steps: dict[str, Any] = {}
    for group, fields in said.items():
        inner = {"scale": Scale(**fields["scale"])} if group == "numbers" else {}
        steps[group] = KINDS[group](**(fields | inner))
    return steps


def _filled(x: NDArray[np.float64], fill: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(x), fill, x)


def _check_numbers(*lists: list[float]) -> None:
    for numbers in lists:
        if not isinstance(numbers, list) or len(numbers) != len(lists[0]):
            raise ValueError("means, scales and fillings are of different numbers")
        if not all(isinstance(number, float) and np.isfinite(number) for number in numbers):
            raise ValueError(f"{numbers!r} are not finite numbers")

"""Tables that come along: Palmer penguins, and those bundled with scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from trasluz.base.messages import problem, suggest
from trasluz.base.undisturbed import undisturbed
from trasluz.errors import unknown
from trasluz.tables.reading import Table, read_table

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Dataset:
    """What is known about a table before it is read."""

    rows: int
    columns: int
    targets: tuple[str, ...]
    task: str
    source: str
    read: Callable[[], pl.DataFrame]


def names() -> list[str]:
    """List the names that `load` knows.

    >>> names()
    ['breast_cancer', 'diabetes', 'digits', 'iris', 'linnerud', 'penguins', 'wine']
    """
    return sorted(DATASETS)


def load(name: str) -> Table:
    """Read a table by its name.

    Raises:
        UserError: there is no table of that name.

    >>> load("penguins").frame.shape
    (344, 8)
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise unknown("dataset", name, names())
    dataset = DATASETS[name]
    return Table(dataset.read(), name, name, dataset.targets)


def find(source: str, *, delimiter: str | None = None, encoding: str | None = None) -> Table:
    """Read a file where `source` is its path, else the table of that name.

    Raises:
        UserError: it is neither a file nor a known name, or the file cannot be read.
    """
    if not Path(source).exists() and source in DATASETS:
        return load(source)
    if not Path(source).exists():
        raise (
            problem("table-missing", source)
            if _looks_like_path(source)
            else problem("table-neither", source, nearest=suggest(source, names()))
        )
    return read_table(source, delimiter=delimiter, encoding=encoding)


def _looks_like_path(source: str) -> bool:
    return os.sep in source or bool(Path(source).suffix)


def _penguins() -> pl.DataFrame:
    file = resources.files("trasluz.datasets") / "penguins.csv"
    with resources.as_file(file) as path:
        return read_table(path).frame


def _bundled(name: str, target: str = "") -> Callable[[], pl.DataFrame]:
    """Make a reader for a table of scikit-learn; classes are spelled by their names."""

    def read() -> pl.DataFrame:
        import polars as pl

        with undisturbed():
            import sklearn.datasets

        bunch = getattr(sklearn.datasets, f"load_{name}")()
        frame = pl.DataFrame(bunch.data, schema=[_plain(n) for n in bunch.feature_names])
        if not target:
            return frame.hstack(pl.DataFrame(bunch.target, schema=list(bunch.target_names)))
        labels = bunch.target
        if "target_names" in bunch:
            labels = bunch.target_names[labels]
        return frame.with_columns(pl.Series(target, labels))

    return read


def _plain(name: str) -> str:
    return name.replace(" (cm)", "_cm").replace(" ", "_").replace("/", "_per_")


_SCIKIT_LEARN = "scikit-learn (BSD-3-Clause)"

DATASETS = {
    "penguins": Dataset(
        344,
        8,
        ("species",),
        "multi-class",
        "Horst, Hill and Gorman, palmerpenguins (CC0-1.0)",
        _penguins,
    ),
    "iris": Dataset(
        150, 5, ("species",), "multi-class", _SCIKIT_LEARN, _bundled("iris", "species")
    ),
    "wine": Dataset(
        178, 14, ("cultivar",), "multi-class", _SCIKIT_LEARN, _bundled("wine", "cultivar")
    ),
    "breast_cancer": Dataset(
        569, 31, ("diagnosis",), "binary", _SCIKIT_LEARN, _bundled("breast_cancer", "diagnosis")
    ),
    "digits": Dataset(
        1797, 65, ("digit",), "multi-class", _SCIKIT_LEARN, _bundled("digits", "digit")
    ),
    "diabetes": Dataset(
        442, 11, ("progression",), "regression", _SCIKIT_LEARN, _bundled("diabetes", "progression")
    ),
    "linnerud": Dataset(
        20, 6, ("Weight", "Waist", "Pulse"), "regression", _SCIKIT_LEARN, _bundled("linnerud")
    ),
}

"""Which rows are for training, for validation and for testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trasluz.base.messages import problem, say
from trasluz.tables.columns import class_labels
from trasluz.tables.reading import Table
from trasluz.tables.task import Task

if TYPE_CHECKING:
    import polars as pl

PARTS = ("train", "validation", "test")


def check_shares(validation: float, test: float) -> None:
    """Raise if the shares of the held-out rows leave nothing to train on."""
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise problem("split-shares", validation=f"{validation:g}", test=f"{test:g}")


def split_rows(
    table: Table,
    targets: Sequence[str],
    task: Task,
    validation: float,
    test: float,
    seed: int,
) -> tuple[dict[str, Table], list[str]]:
    """Draw the parts; every class keeps its share in each where there are rows enough."""
    rows = table.frame.height
    sizes = {"test": test, "validation": validation}
    counts = {name: max(1, round(rows * share)) for name, share in sizes.items() if share > 0}
    if rows < 2 + len(counts):
        raise problem("table-few-rows", table.source, rows=rows, needed=2 + len(counts))
    labels = None if task is Task.REGRESSION else class_labels(table.frame[targets[0]])
    left, picked, notes = np.arange(rows), {}, []
    for name, count in counts.items():
        left, picked[name], mixed = _draw(left, count, labels, seed)
        if not mixed:
            notes = [say("split-not-stratified")]
    picked["train"] = left
    parts = {name: np.sort(picked[name]) for name in PARTS if name in picked}
    frames = {name: table.frame[chosen] for name, chosen in parts.items()}
    return {name: replace(table, frame=frame) for name, frame in frames.items()}, notes


def _draw(
    rows: NDArray[np.intp], count: int, labels: pl.Series | None, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], bool]:
    """Split `count` rows off; the last value says whether classes kept their shares.

    The rows are those that scikit-learn's `train_test_split` draws.
    """
    of_rows = None if labels is None else labels.gather(rows).to_numpy()
    possible = of_rows is None or _can_stratify(of_rows, count)
    chance = np.random.RandomState(seed)
    if of_rows is None or not possible:
        mixed = chance.permutation(rows)
        return mixed[count:], mixed[:count], possible
    _, classes, sizes = np.unique(of_rows, return_inverse=True, return_counts=True)
    keep = _shares(sizes, rows.size - count, chance)
    draw = _shares(sizes - keep, count, chance)
    left, picked = [], []
    for number, (stay, go) in enumerate(zip(keep, draw, strict=True)):
        mixed = chance.permutation(np.flatnonzero(classes == number))
        left.append(mixed[:stay])
        picked.append(mixed[stay : stay + go])
    places = [chance.permutation(np.concatenate(part)) for part in (left, picked)]
    return rows[places[0]], rows[places[1]], possible


def _shares(sizes: NDArray[np.intp], count: int, chance: Any) -> NDArray[np.intp]:
    """Share `count` rows out among classes by their sizes, the greatest remainders first."""
    exact = sizes / sizes.sum() * count
    shares = np.floor(exact)
    for remainder in np.unique(exact - shares)[::-1]:
        (alike,) = np.nonzero(exact - np.floor(exact) == remainder)
        missing = min(alike.size, int(count - shares.sum()))
        if missing <= 0:
            break
        shares[chance.choice(alike, size=missing, replace=False)] += 1
    return shares.astype(np.intp)


def _can_stratify(labels: NDArray[Any], count: int) -> bool:
    _, sizes = np.unique(labels, return_counts=True)
    return bool(sizes.min() >= 2 and sizes.size <= min(count, labels.size - count))

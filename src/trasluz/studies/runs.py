"""What many trainings gave: tables, curves, models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz.callbacks.watching import EarlyStopping
from trasluz.errors import UserError, unknown
from trasluz.studies.member import Member, Settings

_SHOWN = 20  # lines of a printed table


class Trainings(Sequence[Member]):
    """What `fit_many` reached: its members in order, curves, tables, trained models.

    Args:
        members: the trainings.
        epochs: how many epochs were asked for.
    """

    def __init__(self, members: list[Member], epochs: int) -> None:
        self.members, self.epochs = members, epochs
        self.interrupted = False  # whether Ctrl-C ended it

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, k: Any) -> Any:
        return self.members[k]

    @property
    def names(self) -> list[str]:
        """What was measured."""
        return list(dict.fromkeys(name for member in self.members for name in member.logs))

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Curves by name: members × epochs, NaN where there is nothing."""
        curves = {name: np.full((len(self), self.epochs), np.nan) for name in self.names}
        for k, member in enumerate(self.members):
            for name, values in member.logs.items():
                curves[name][k, : len(values)] = values
        return curves

    def table(self) -> list[Settings]:
        """List for each member its settings, what it reached in the end, and where it diverged.

        `polars.DataFrame(runs.table())` or pandas's make a frame of it.
        """
        names = self.names
        return [
            {
                **member.settings,
                **{name: (member.logs.get(name) or [math.nan])[-1] for name in names},
                "diverged": member.diverged,
            }
            for member in self.members
        ]

    def summary(self) -> list[Settings]:
        """List for each setting mean and standard deviation over its seeds, less what diverged."""
        kinds = [name for name in self.members[0].settings if name != "seed"]
        groups: dict[str, list[Settings]] = {}
        for row in self.table():
            groups.setdefault(repr([row[kind] for kind in kinds]), []).append(row)
        found = []
        for rows in groups.values():
            fine = [row for row in rows if row["diverged"] is None]
            lost = len(rows) - len(fine)
            line = {k: rows[0][k] for k in kinds} | {"runs": len(rows), "diverged": lost}
            for name in self.names:
                values = np.array([row[name] for row in fine])
                line[name] = float(values.mean()) if len(fine) else math.nan
                line[f"± {name}"] = float(values.std(ddof=1)) if len(fine) > 1 else math.nan
            found.append(line)
        return found

    def ranked(self, monitor: str | None = None) -> list[Settings]:
        """Give the summary, the least of a measure first.

        Args:
            monitor: which; `val_loss`, or `loss` where nothing was held out.
        """
        last = self._monitor(monitor) if self.names else ""
        return sorted(self.summary(), key=lambda row: _in_order(row.get(last, math.nan)))

    def best(self, monitor: str | None = None, mode: str = "auto") -> int:
        """Give the number of the member whose measure is best in the end.

        Args:
            monitor: which measure; `val_loss`, or `loss` where nothing was held out.
            mode: "min", "max", or "auto" to tell from the name.

        Raises:
            UserError: if the measure is not known, or finite for no member.
        """
        name = self._monitor(monitor) if self.names else ""
        values = np.array([row.get(name, math.nan) for row in self.table()])
        if not np.isfinite(values).any():
            raise UserError(
                "no member came to an end with finite numbers",
                "Trainings.best",
                "lower the learning rates, or scale the inputs",
            )
        more = EarlyStopping(name, mode=mode).greater_is_better()
        return int(np.nanargmax(values) if more else np.nanargmin(values))

    def model(self, k: int) -> Any:
        """Make the model of a member as training left it: it predicts, and can go on training.

        Raises:
            UserError: if the member had not begun when Ctrl-C came.
        """
        if self.members[k].reached is None:
            raise UserError(f"member {k} has not begun", "Trainings.model", "train it again")
        return self.members[k].trained()

    def _monitor(self, name: str | None) -> str:
        names = self.names
        name = name or ("val_loss" if "val_loss" in names else "loss")
        if name not in names:
            raise unknown("measure", name, names)
        return name

    def __str__(self) -> str:
        """Write the summary, the best first where that is known, as a table."""
        rows = self.ranked()
        heads = [name for name in rows[0] if name[:2] != "± "]
        cells = [heads, *([_cell(row, name) for name in heads] for row in rows[:_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in cells
        ]
        lines.insert(1, "─" * len(lines[0]))
        if len(rows) > _SHOWN:
            lines.append(f"… and {len(rows) - _SHOWN} more: see summary()")
        if self.interrupted:
            lines.append("Ctrl-C ended it before all was done.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Trainings: {len(self)} of {self.epochs} epochs>"


def _in_order(value: float) -> tuple[bool, float]:
    """Let what is not a number come last."""
    return (True, 0.0) if math.isnan(value) else (False, value)


def _cell(row: Settings, name: str) -> str:
    """Write an entry of a table, a mean with its deviation."""
    value = row[name]
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    deviation = row.get(f"± {name}", math.nan)
    return text if math.isnan(deviation) else f"{text} ± {deviation:.2g}"

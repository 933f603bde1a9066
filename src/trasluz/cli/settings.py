"""What a training on a table is asked to do, and the command line that asks for it."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trasluz import datasets
from trasluz.callbacks.watching import EarlyStopping
from trasluz.families.tabular import network
from trasluz.tables.preparation import Preparation, Prepared, prepare
from trasluz.tables.reading import Table


@dataclass(frozen=True)
class Settings:
    """What a training is asked to do; the same settings on the same rows give the same weights."""

    data: str
    target: str = ""
    task: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    hidden: tuple[int, ...] = (32, 16)
    activation: str = "relu"
    optimizer: str = "adam"
    learning_rate: float | None = None
    clipnorm: float | None = None
    batch_size: int = 32
    epochs: int = 100
    dropout: float = 0.0
    batch_norm: bool = False
    l1: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    validation: float = 0.2
    test: float = 0.2
    patience: int = 20
    seed: int = 0
    engine: str = "auto"
    devices: str | int | None = None
    distributed: bool = False
    deterministic: bool = False

    def table(self) -> tuple[Table, Prepared]:
        """Find the table and prepare it.

        Raises:
            UserError: there is none, or it cannot be learnt from.
        """
        table = datasets.find(self.data, delimiter=self.delimiter, encoding=self.encoding)
        prepared = prepare(
            table,
            _split_names(self.target, table),
            task=self.task,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
        )
        return table, prepared

    def model(self, preparation: Preparation, inputs: int, measures: Sequence[Any] = ()) -> Any:
        """Make and compile the network for a table that was prepared.

        Raises:
            UserError: a name is unknown; the nearest is suggested.
        """
        return network(
            preparation,
            inputs,
            hidden=self.hidden,
            activation=self.activation,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            clipnorm=self.clipnorm,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            l1=self.l1,
            l2=self.l2,
            label_smoothing=self.label_smoothing,
            engine=self.engine,
            measures=measures,
        )

    def early_stopping(self, has_validation: bool) -> EarlyStopping | None:
        """Make the callback that ends a training without progress, if one is asked for."""
        if not self.patience:
            return None
        return EarlyStopping(
            "val_loss" if has_validation else "loss",
            patience=self.patience,
            restore_best_weights=True,
        )


def _split_names(target: str, table: Table) -> tuple[str, ...]:
    """Split ``A,B`` into names, unless a column has the comma in its own name."""
    if target in table.frame.columns:
        return (target,)
    return tuple(name.strip() for name in target.split(",") if name.strip())


def command(settings: Settings, *more: str) -> str:
    """Spell the command line of a training with these settings."""
    words = [program(), "train", settings.data]
    plain = asdict(Settings(settings.data))
    for name, value in asdict(settings).items():
        if name == "data" or value == plain[name]:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(",".join(map(str, value)) if isinstance(value, tuple) else str(value))
    return shlex.join([*words, *more])


def program() -> str:
    """Spell the program so that it can be typed: by its path where PATH does not lead to it."""
    called = Path(sys.argv[0])
    return str(called) if called.stem == "trasluz" and not shutil.which("trasluz") else "trasluz"

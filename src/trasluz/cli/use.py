"""`trasluz evaluate`, `predict`, `summary` and `datasets`: what is done with what was trained."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trasluz import datasets
from trasluz.base.files import write_atomically
from trasluz.base.messages import enumerated, problem, say
from trasluz.cli.folder import MODEL, settle
from trasluz.cli.output import Output
from trasluz.cli.report import measure, show_measures
from trasluz.errors import visible
from trasluz.saving.models import load_extras, load_model
from trasluz.tables.preparation import Preparation
from trasluz.tables.reading import Table, csv_of

if TYPE_CHECKING:
    import polars as pl

_ENDINGS = (".csv", ".tsv", ".parquet")


def open_model(place: str) -> tuple[Any, Preparation]:
    """Read a model and its preparation from a file, or from the folder of a training.

    Raises:
        UserError: there is none, the file is not whole, or it was not trained on a table.
    """
    path = model_file(place)
    model = load_model(path)
    return model, Preparation.load(load_extras(path), str(path))


def model_file(place: str) -> Path:
    """Give the file of a model, which may be named by the folder of its training."""
    path = Path(place)
    if not path.is_dir():
        return path
    settle(path)
    return path / MODEL


def evaluate_on_table(place: str, table: Table, output: Output) -> None:
    """Measure a model on the rows of a table that have the targets.

    Raises:
        UserError: the table lacks a column, or holds what the training never met.
    """
    model, preparation = open_model(place)
    unreadable = preparation.unreadable(table)
    table, notes = preparation.labelled(table)
    output.note([*table.notes, *notes, *unreadable])
    outputs = model.predict(preparation.transform(table))
    measures = {"all": measure(preparation, preparation.truths(table), outputs)}
    show_measures(preparation, measures, output)
    output.document({"model": place, "data": table.source, **measures["all"]})


def predict_table(place: str, table: Table, out: str | None, output: Output) -> None:
    """Write the rows of a table with their predictions, as CSV or Parquet, or on standard output.

    Raises:
        UserError: the table lacks a column, one cannot be read, or the file cannot be written.
    """
    _check_out(out, place, table)
    model, preparation = open_model(place)
    output.note(preparation.unreadable(table))
    predictions = preparation.predictions(model.predict(preparation.transform(table)))
    kept = table.frame.drop([n for n in predictions.columns if n in table.frame.columns])
    frame = kept.hstack(predictions)
    if out:
        path = write_atomically(out, _file_of(frame, out))
        output.tell(say("predicted", rows=frame.height, file=str(path)))
        output.document({"rows": frame.height, "file": str(path)})
    elif output.json:
        output.document({"rows": frame.height, "predictions": predictions.to_dicts()})
    else:
        rows = csv_of(frame)
        sys.stdout.write(visible(rows) if sys.stdout.isatty() else rows)


def _check_out(out: str | None, place: str, table: Table) -> None:
    """Refuse a file whose ending says no format, and files that are read."""
    if not out:
        return
    path = Path(out)
    if path.exists() and model_file(place).exists() and path.samefile(model_file(place)):
        raise problem("out-is-model", out)
    if path.exists() and Path(table.source).exists() and path.samefile(table.source):
        raise problem("out-is-data", out)
    if path.suffix.lower() not in _ENDINGS:
        raise problem("out-ending", out, ending=path.suffix or path.name)


def _file_of(frame: pl.DataFrame, name: str) -> bytes:
    if Path(name).suffix.lower() == ".parquet":
        file = io.BytesIO()
        frame.write_parquet(file)
        return file.getvalue()
    separator = "\t" if Path(name).suffix.lower() == ".tsv" else ","
    return csv_of(frame, separator).encode()


def summarise(place: str, output: Output) -> None:
    """Show the layers of a model, and what it reads and predicts.

    Raises:
        UserError: there is no whole model file there.
    """
    model, preparation = open_model(place)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    output.tell("\n".join(lines))
    about = preparation.describe()
    output.tell(say("summary-reads", columns=enumerated(preparation.columns)))
    output.tell(
        say(
            "summary-predicts",
            targets=enumerated(preparation.targets),
            task=say(f"task-{preparation.task}"),
        )
    )
    if preparation.classes:
        output.tell(say("introduce-classes", classes=enumerated(preparation.classes)))
    output.document({"parameters": model.count_params(), "preparation": about})


def list_datasets(output: Output) -> None:
    """List the tables that come along, with the targets they are trained on by default."""
    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "rows": dataset.rows,
            "columns": dataset.columns,
            "targets": list(dataset.targets),
            "task": dataset.task,
            "source": dataset.source,
            "about": say(f"dataset-{name.replace('_', '-')}"),
        }
        for name, dataset in sorted(datasets.DATASETS.items())
    ]
    for one in listed:
        facts = say(
            "dataset-facts",
            rows=one["rows"],
            columns=one["columns"],
            targets=", ".join(one["targets"]),
            task=say(f"task-{one['task']}"),
        )
        output.tell(one["name"], style="bold")
        output.tell(f"  {one['about']}\n  {facts}")
    output.tell(say("datasets-next"))
    output.document({"datasets": listed})

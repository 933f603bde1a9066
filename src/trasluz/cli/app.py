"""The commands and how they end."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from trasluz.cli.face import Face, show_error
from trasluz.cli.options import (
    Command,
    Group,
    Number,
    Widths,
    common,
    language_option,
    option,
    reads_tables,
)
from trasluz.errors import UserError
from trasluz.messages import problem, say, speak

DONE, DEFECT, MISTAKE, INTERRUPTED = 0, 1, 2, 130

_SHARE = Number(0, 1, max_open=True)
_NOT_NEGATIVE = Number(min=0)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; mistakes are said without a traceback."""
    speak(None)
    json_too = "--json" in arguments
    try:
        with contextlib.suppress(AttributeError):  # what stands in for a stream may lack it
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        app.main(list(arguments) or ["--help"], prog_name="trasluz", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        show_error(error, json_too)
        return MISTAKE
    except click.ClickException as error:
        hint = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        mend = say("usage-mend", command=hint) if hint else ""
        show_error(UserError(error.format_message(), mend=mend), json_too)
        return MISTAKE
    except (KeyboardInterrupt, click.Abort) as error:
        news = str(error.__cause__ or error)  # click makes an Abort of a KeyboardInterrupt
        sys.stderr.write(f"{news or say('interrupted')}\n")
        return INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _defect()
        _be_silent()
        show_error(problem("output-full"), False)
        return MISTAKE
    except MemoryError:
        show_error(problem("memory-short"), json_too)
        return MISTAKE
    except Exception:
        return _defect()
    return DONE


def _defect() -> int:
    traceback.print_exc()
    sys.stderr.write(say("defect") + "\n")
    return DEFECT


def _be_silent() -> None:
    """Let what standard output could not take go nowhere, or Python fails once more at its end."""
    if sys.stdout is sys.__stdout__:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@language_option
@click.version_option(package_name="trasluz")
def app() -> None:
    """Hold the commands; the help of each is in the catalogues of messages."""


@app.command(
    cls=Command,
    examples=(
        "trasluz train penguins --target species",
        "trasluz train prices.csv --target price --hidden 64,64 --epochs 300",
        "trasluz train body.tsv --target Weight,Waist --optimizer adamw --l2 1e-4",
        "trasluz train prices.csv --target price --out runs/prices --resume",
    ),
)
@click.argument("data")
@option("--target", "-t", metavar="COL[,COL]")
@option("--task", type=click.Choice(["regression", "binary", "multi-class"]))
@reads_tables
@option("--hidden", type=Widths(), default="32,16", show_default=True)
@option("--activation", default="relu", show_default=True, metavar="NAME")
@option("--optimizer", default="adam", show_default=True, metavar="NAME")
@option("--learning-rate", type=Number(min=0, min_open=True))
@option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@option("--epochs", type=click.IntRange(min=1), default=100, show_default=True)
@option("--dropout", type=_SHARE, default=0.0, show_default=True)
@option("--batch-norm", is_flag=True)
@option("--l1", type=_NOT_NEGATIVE, default=0.0, show_default=True)
@option("--l2", type=_NOT_NEGATIVE, default=0.0, show_default=True)
@option("--label-smoothing", type=_SHARE, default=0.0, show_default=True)
@option("--validation", type=_SHARE, default=0.2, show_default=True)
@option("--test", type=_SHARE, default=0.2, show_default=True)
@option("--patience", type=click.IntRange(min=0), default=20, show_default=True)
@option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@option("--engine", type=click.Choice(["auto", "numpy", "xla"]), default="auto", show_default=True)
@option("--out", "-o", type=click.Path(file_okay=False), metavar="DIR")
@option("--resume", is_flag=True)
@common
def train(
    data: str,
    target: str | None,
    out: str | None,
    resume: bool,
    json_too: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train on a table."""
    from trasluz.cli.training import Settings, train_on_table

    chosen = Settings(data=data, target=target or "", **settings)
    train_on_table(chosen, out, resume, Face(json_too, quiet))


@app.command(
    cls=Command,
    examples=(
        "trasluz evaluate runs/penguins-species penguins",
        "trasluz evaluate runs/prices/model.trasluz more-prices.csv --json",
    ),
)
@click.argument("model")
@click.argument("data")
@reads_tables
@common
def evaluate(
    model: str,
    data: str,
    delimiter: str | None,
    encoding: str | None,
    json_too: bool,
    quiet: bool,
) -> None:
    """Measure a model on a table that has the targets."""
    from trasluz import datasets
    from trasluz.cli.using import evaluate_on_table

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    evaluate_on_table(model, table, Face(json_too, quiet))


@app.command(
    cls=Command,
    examples=(
        "trasluz predict runs/penguins-species new-penguins.csv --out predicted.csv",
        "trasluz predict runs/prices houses.parquet --out predicted.parquet",
    ),
)
@click.argument("model")
@click.argument("data")
@option("--out", "-o", type=click.Path(dir_okay=False), metavar="FILE")
@reads_tables
@common
def predict(
    model: str,
    data: str,
    out: str | None,
    delimiter: str | None,
    encoding: str | None,
    json_too: bool,
    quiet: bool,
) -> None:
    """Predict the rows of a table."""
    from trasluz import datasets
    from trasluz.cli.using import predict_table

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    predict_table(model, table, out, Face(json_too, quiet, aside=out is None))


@app.command(
    cls=Command,
    examples=(
        "trasluz explain runs/penguins-species penguins --row 17 --wrt 'dense/kernel[0, 3]'",
        "trasluz explain runs/prices houses.csv --row 1 --wrt 'dense_1/bias[0]' --update",
    ),
)
@click.argument("model")
@click.argument("data")
@option("--row", type=int, default=1, show_default=True)
@option("--wrt", required=True, metavar="PATH[I, J]")
@option("--update", is_flag=True)
@option(
    "--format",
    "form",
    type=click.Choice(["text", "latex", "markdown", "json"]),
    default="text",
    show_default=True,
)
@reads_tables
@common
def explain(
    model: str,
    data: str,
    row: int,
    wrt: str,
    update: bool,
    form: str,
    delimiter: str | None,
    encoding: str | None,
    json_too: bool,
    quiet: bool,
) -> None:
    """Derive the derivative of the loss in one weight, on one row."""
    from trasluz import datasets
    from trasluz.cli.explaining import explain_row

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    face = Face(json_too, quiet, aside=form != "text")
    explain_row(model, table, row, wrt, form, update, face)


@app.command(cls=Command, examples=("trasluz summary runs/penguins-species",))
@click.argument("model")
@common
def summary(model: str, json_too: bool, quiet: bool) -> None:
    """Show what a model is made of."""
    from trasluz.cli.using import summarise

    summarise(model, Face(json_too, quiet))


@app.command(cls=Command, examples=("trasluz datasets", "trasluz train iris"))
@common
def datasets(json_too: bool, quiet: bool) -> None:
    """List the tables that come along."""
    from trasluz.cli.using import list_datasets

    list_datasets(Face(json_too, quiet))


@app.command(
    cls=Command,
    examples=(
        "trasluz example",
        "trasluz example unam-2-2-2",
        "trasluz example aisc-dose --plot dose.png --lang es",
    ),
)
@click.argument("name", required=False)
@option("--plot", type=click.Path(dir_okay=False), metavar="FILE")
@common
def example(name: str | None, plot: str | None, json_too: bool, quiet: bool) -> None:
    """Work an example out."""
    from trasluz.cli.worked import list_examples, work_out

    face = Face(json_too, quiet)
    if name:
        work_out(name, plot, face)
    else:
        list_examples(face)

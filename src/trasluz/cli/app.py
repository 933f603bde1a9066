"""The commands and how they end."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import click

from trasluz.base.messages import problem, say, speak
from trasluz.base.version import __version__
from trasluz.cli.options import (
    Command,
    Devices,
    Group,
    Names,
    Number,
    Rows,
    Stacks,
    Values,
    Widths,
    common,
    language_option,
    option,
    reads_tables,
)
from trasluz.cli.output import Output, show_error
from trasluz.distribution import LOST, LostProcess, process_index
from trasluz.errors import UserError, visible

DONE, MISTAKE, DEFECT, INTERRUPTED = 0, 2, 70, 130

_SHARE = Number(0, 1, max_open=True)
_NOT_NEGATIVE = Number(min=0)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; mistakes are said without a traceback."""
    speak(None)
    if sys.stdout is None:  # the shell closed it
        _be_silent()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    json_too = "--json" in arguments
    shown_before, warnings.showwarning = warnings.showwarning, _show_warning
    try:
        with contextlib.suppress(AttributeError):  # what stands in for a stream may lack it
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        app.main(list(arguments) or ["--help"], prog_name="trasluz", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        show_error(error, json_too and not process_index())
        return LOST if isinstance(error, LostProcess) else MISTAKE
    except click.ClickException as error:
        hint = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        mend = say("usage-mend", command=hint) if hint else ""
        show_error(UserError(error.format_message(), mend=mend), json_too)
        return MISTAKE
    except (KeyboardInterrupt, click.Abort) as error:
        news = str(error.__cause__ or error)  # click makes an Abort of a KeyboardInterrupt
        sys.stderr.write(visible(f"{news or say('interrupted')}\n"))
        return INTERRUPTED
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _be_silent()
            show_error(problem("output-full"), False)
            return MISTAKE
        if error.filename is None:
            return _defect(error, json_too)
        show_error(problem("system-refuses", os.fsdecode(error.filename), reason=error.strerror))
        return MISTAKE
    except MemoryError:
        show_error(problem("memory-short"), json_too)
        return MISTAKE
    except Exception as error:
        return _defect(error, json_too)
    finally:
        warnings.showwarning = shown_before
    return DONE


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    """Say what Python would warn of as one of the command's own remarks."""
    if sys.stderr is not None:
        sys.stderr.write(visible(f"· {message}\n"))


def _defect(error: Exception, json_too: bool) -> int:
    """Tell what should not have happened in a sentence, and keep its trace for a report."""
    trace = "".join(traceback.format_exception(error))
    what = f"{type(error).__name__}: {str(error) or '–'}"
    try:
        number, path = tempfile.mkstemp(".txt", "trasluz-")
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"trasluz {__version__}, Python {sys.version}\n{sys.argv!r}\n{trace}")
        show_error(problem("defect", what=what, file=path), json_too)
    except OSError:  # there is no place for it
        sys.stderr.write(visible(trace))
        show_error(problem("defect", what=what, file="stderr"), json_too)
    return DEFECT


def _be_silent() -> None:
    """Let what standard output could not take go nowhere, or Python fails once more at its end."""
    if sys.stdout is None or sys.stdout is sys.__stdout__:
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
@option("--clipnorm", type=Number(min=0, min_open=True))
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
@option("--devices", type=Devices())
@option("--distributed", is_flag=True)
@option("--deterministic", is_flag=True)
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
    from trasluz.cli.settings import Settings
    from trasluz.cli.train import train_on_table

    chosen = Settings(data=data, target=target or "", **settings)
    train_on_table(chosen, out, resume, Output(json_too, quiet))


@app.command(
    cls=Command,
    examples=(
        "trasluz sweep penguins --learning-rates 0.001,0.01,0.1 --batch-sizes 8,32,128",
        "trasluz sweep prices.csv --target price --hidden 16/32,16 --l2 0,1e-4 --seeds 5",
        "trasluz sweep prices.csv --target price --trials 50 --dropout 0..0.5 --l2 1e-6..1e-2",
        "trasluz sweep wine --trials 200 --storage postgresql+psycopg://ana@server/studies",
    ),
)
@click.argument("data")
@option("--target", "-t", metavar="COL[,COL]")
@option("--task", type=click.Choice(["regression", "binary", "multi-class"]))
@reads_tables
@option("--learning-rates", type=Values(Number(min=0, min_open=True), log=True))
@option("--batch-sizes", type=Values(click.IntRange(min=1), log=True))
@option("--seeds", type=click.IntRange(min=1))
@option("--hidden", type=Stacks(), default="32,16", show_default=True)
@option("--activation", type=Names(), default="relu", show_default=True)
@option("--optimizer", type=Names(), default="adam", show_default=True)
@option("--dropout", type=Values(_SHARE, log=False), default="0", show_default=True)
@option("--l1", type=Values(_NOT_NEGATIVE, log=True), default="0", show_default=True)
@option("--l2", type=Values(_NOT_NEGATIVE, log=True), default="0", show_default=True)
@option("--batch-norm", is_flag=True)
@option("--label-smoothing", type=_SHARE, default=0.0, show_default=True)
@option("--epochs", type=click.IntRange(min=1), default=100, show_default=True)
@option("--validation", type=_SHARE, default=0.2, show_default=True)
@option("--test", type=_SHARE, default=0.2, show_default=True)
@option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@option("--engine", type=click.Choice(["auto", "numpy", "xla"]), default="auto", show_default=True)
@option("--trials", type=click.IntRange(min=1))
@option("--storage", metavar="URL")
@option("--study", metavar="NAME")
@option("--patience", "trial_patience", type=click.IntRange(min=0))
@option("--heartbeat", type=click.IntRange(1, 86_400), default=30, show_default=True)
@option("--out", "-o", type=click.Path(file_okay=False), metavar="DIR")
@common
def sweep(
    data: str,
    target: str | None,
    seeds: int | None,
    trials: int | None,
    storage: str | None,
    study: str | None,
    trial_patience: int | None,
    heartbeat: int,
    out: str | None,
    json_too: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train with many settings: all of them, or in search of the best."""
    from trasluz.cli.sweep import SweepPlan, train_all

    output = Output(json_too, quiet)
    if trials is None:
        for name, value in (("storage", storage), ("study", study), ("patience", trial_patience)):
            if value is not None:
                raise problem("sweep-needs-trials", option=name)
        train_all(SweepPlan.of(data, target, settings, searched=False), seeds or 1, out, output)
    else:
        from trasluz.cli.search import SearchRequest, find_best

        if seeds is not None:
            raise problem("sweep-seeds-and-trials")
        request = SearchRequest(trials, storage, study, trial_patience, heartbeat)
        find_best(SweepPlan.of(data, target, settings, searched=True), request, out, output)


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
    from trasluz.cli.use import evaluate_on_table

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    evaluate_on_table(model, table, Output(json_too, quiet))


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
    from trasluz.cli.use import predict_table

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    predict_table(model, table, out, Output(json_too, quiet, aside=out is None))


@app.command(
    cls=Command,
    examples=(
        "trasluz explain runs/penguins-species penguins --row 17 --wrt 'dense/kernel[0, 3]'",
        "trasluz explain runs/prices houses.csv --wrt 'dense_1/bias[0]' --update --out page.pdf",
        "trasluz explain runs/prices houses.csv --row 1,2,3 --wrt dense/kernel",
    ),
)
@click.argument("model")
@click.argument("data")
@option("--row", type=Rows(), default="1", show_default=True)
@option("--wrt", required=True, metavar="PATH[I, J]")
@option("--update", is_flag=True)
@option("--training", is_flag=True)
@option("--depth", type=click.Choice(["layer", "op"]), default="layer", show_default=True)
@option(
    "--names", type=click.Choice(["math", "course", "keras"]), default="math", show_default=True
)
@option("--digits", type=click.IntRange(1, 17), default=5, show_default=True)
@option(
    "--format",
    "form",
    type=click.Choice(["text", "latex", "markdown", "html", "pdf", "json"]),
)
@option("--out", "-o", type=click.Path(dir_okay=False), metavar="FILE")
@reads_tables
@common
def explain(
    model: str,
    data: str,
    row: tuple[int, ...],
    wrt: str,
    form: str | None,
    out: str | None,
    delimiter: str | None,
    encoding: str | None,
    json_too: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Derive the derivative of the loss in one number, on rows of a table."""
    from trasluz import datasets
    from trasluz.cli.explain import ExplainRequest, explain_rows

    table = datasets.find(data, delimiter=delimiter, encoding=encoding)
    output = Output(json_too, quiet, aside=not out and form not in (None, "text"))
    explain_rows(model, table, ExplainRequest(row, wrt, form, out, how), output)


@app.command(cls=Command, examples=("trasluz summary runs/penguins-species",))
@click.argument("model")
@common
def summary(model: str, json_too: bool, quiet: bool) -> None:
    """Show what a model is made of."""
    from trasluz.cli.use import summarise

    summarise(model, Output(json_too, quiet))


@app.command(cls=Command, examples=("trasluz datasets", "trasluz train iris"))
@common
def datasets(json_too: bool, quiet: bool) -> None:
    """List the tables that come along."""
    from trasluz.cli.use import list_datasets

    list_datasets(Output(json_too, quiet))


@app.command(
    cls=Command,
    examples=(
        "trasluz example",
        "trasluz example unam-2-2-2",
        "trasluz example aisc-dose --plot dose.png --lang es",
        "trasluz example toledo-tanh-sigmoid --format html",
    ),
)
@click.argument("name", required=False)
@option("--plot", type=click.Path(dir_okay=False), metavar="FILE")
@option(
    "--format",
    "page_form",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    show_default=True,
)
@common
def example(
    name: str | None, plot: str | None, page_form: str, json_too: bool, quiet: bool
) -> None:
    """Work an example out."""
    from trasluz.cli.examples import list_examples, work_out

    output = Output(json_too, quiet, aside=page_form != "text")
    if name:
        work_out(name, page_form, plot, output)
    else:
        list_examples(output)


@app.command(
    cls=Command,
    examples=(
        "trasluz worksheet --students 30 --format pdf --out sheets",
        "trasluz worksheet --network 1-2-1 --activation relu --loss sum_of_squared_residuals",
        "trasluz worksheet --example unam-2-2-2 --lang es",
        "trasluz worksheet --model runs/prices --data prices.csv --rows 3,5 --blanks 8",
    ),
)
@option("--network", default="2-2-2", show_default=True, metavar="N-N-N")
@option("--activation", "activations", default="sigmoid", show_default=True, metavar="NAME")
@option("--loss", default="half_squared_error", show_default=True, metavar="NAME")
@option("--optimizer", default="sgd", show_default=True, metavar="NAME")
@option("--learning-rate", "rate", type=Number(min=0, min_open=True))
@option("--seed", "sheet_seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@option("--students", type=click.IntRange(1, 500), default=1, show_default=True)
@option("--blanks", type=click.IntRange(min=1))
@option(
    "--stages", default="forward,loss,backward,update", show_default=True, metavar="NAME[,NAME]"
)
@option("--wrt", "weights", multiple=True, metavar="NAME")
@option("--example", metavar="NAME")
@option("--model", metavar="MODEL")
@option("--data", metavar="DATA")
@option("--rows", type=Rows(), default=())
@option(
    "--format",
    "sheet_form",
    type=click.Choice(["pdf", "html", "ipynb", "md"]),
    default="html",
    show_default=True,
)
@option(
    "--out",
    "-o",
    "folder",
    type=click.Path(file_okay=False),
    default="worksheets",
    show_default=True,
    metavar="DIR",
)
@reads_tables
@common
def worksheet(
    sheet_seed: int,
    students: int,
    blanks: int | None,
    stages: str,
    weights: tuple[str, ...],
    example: str | None,
    model: str | None,
    data: str | None,
    rows: tuple[int, ...],
    sheet_form: str,
    folder: str,
    delimiter: str | None,
    encoding: str | None,
    json_too: bool,
    quiet: bool,
    **plan: Any,
) -> None:
    """Make worksheets for a class."""
    from trasluz.cli.worksheets import Source, make_sheets

    reading = {"delimiter": delimiter, "encoding": encoding}
    source = Source(model, data, rows, example, reading)
    plan["learning_rate"], plan["activation"] = plan.pop("rate"), plan.pop("activations")
    how = {"blanks": blanks, "stages": stages, "wrt": weights}
    make_sheets(
        plan, source, sheet_seed, students, folder, sheet_form, Output(json_too, quiet), **how
    )


@app.command(
    cls=Command,
    examples=(
        "trasluz grade sheets/sheet-07.json ana.md",
        "trasluz grade sheets answers --lang es",
        "trasluz grade sheets sheets/teacher/answers.csv --tolerance 0.02",
    ),
)
@click.argument("sheet")
@click.argument("answers")
@option("--tolerance", type=Number(min=0, max=0.5), default=0.01, show_default=True)
@common
def grade(sheet: str, answers: str, tolerance: float, json_too: bool, quiet: bool) -> None:
    """Grade the answers to worksheets."""
    from trasluz.cli.worksheets import grade_answers

    grade_answers(sheet, answers, tolerance, Output(json_too, quiet))

"""What is shown and written about how good a model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from trasluz.base.messages import say
from trasluz.base.numbers import number
from trasluz.cli.output import Output
from trasluz.tables.preparation import Preparation
from trasluz.tables.scores import confusion, residuals, scores
from trasluz.tables.split import PARTS
from trasluz.tables.task import Task

_MOST_CLASSES_SHOWN = 20


def measure(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> dict[str, Any]:
    """Gather metrics and the confusion matrix or the residuals of some rows."""
    measures: dict[str, Any] = {
        "rows": len(truths),
        "metrics": scores(preparation, truths, outputs),
    }
    if preparation.task is Task.REGRESSION:
        measures["residuals"] = residuals(preparation, truths, outputs)
    else:
        measures["confusion"] = confusion(preparation, truths, outputs).tolist()
    return measures


def show_measures(
    preparation: Preparation, measures: Mapping[str, Mapping[str, Any]], output: Output
) -> None:
    """Print the metrics of every part, and the details of the one furthest from the training."""
    names = [name for name in PARTS if name in measures] or list(measures)
    metrics = {metric: None for name in names for metric in measures[name]["metrics"]}
    output.table(
        say("metrics-title"),
        [say("metrics-metric"), *(say(f"part-{name}") for name in names)],
        [[m, *(number(measures[name]["metrics"].get(m)) for name in names)] for m in metrics],
    )
    last = names[-1]
    if preparation.task is Task.REGRESSION:
        _show_residuals(measures[last]["residuals"], last, output)
    elif len(preparation.classes) <= _MOST_CLASSES_SHOWN:
        _show_confusion(preparation, measures[last]["confusion"], last, output)


def _show_confusion(
    preparation: Preparation, counts: list[list[int]], part: str, output: Output
) -> None:
    output.table(
        say("confusion-title", part=say(f"part-{part}")),
        [say("confusion-corner"), *preparation.classes],
        [
            [name, *(str(count) for count in row)]
            for name, row in zip(preparation.classes, counts, strict=True)
        ],
    )


def _show_residuals(
    summaries: Mapping[str, Mapping[str, float]], part: str, output: Output
) -> None:
    columns = next(iter(summaries.values()))
    output.table(
        say("residuals-title", part=say(f"part-{part}")),
        [say("residuals-target"), *columns],
        [
            [name, *(number(value) for value in summary.values())]
            for name, summary in summaries.items()
        ],
    )

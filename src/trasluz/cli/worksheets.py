"""`trasluz worksheet` and `trasluz grade`: exercises for a class, and their marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from trasluz import datasets
from trasluz.base.messages import enumerated, problem, say, suggest
from trasluz.cli.options import is_count
from trasluz.cli.output import Output
from trasluz.cli.use import open_model
from trasluz.pages.text import plain
from trasluz.typeset.symbols import number
from trasluz.worksheets.answers import Answers
from trasluz.worksheets.folder import write_class
from trasluz.worksheets.grading import grade, grade_class
from trasluz.worksheets.making import Plan, make, notes, of_example, of_rows
from trasluz.worksheets.sheet import ASKED, Sheet

# Options, by the names of their values, that say how networks are drawn, what is left blank, and
# which rows of a table are read.
DRAWN = ("network", "activations", "loss", "optimizer", "rate", "sheet_seed", "students")
CHOSEN = ("blanks", "stages", "weights")
READ = ("data", "rows", "delimiter", "encoding")


@dataclass(frozen=True)
class Source:
    """What sheets are made of other than drawn numbers: a model and rows, or an example."""

    model: str | None
    data: str | None
    rows: Sequence[int]
    example: str | None
    reading: dict[str, Any]


def make_sheets(
    plan: dict[str, Any],
    source: Source,
    seed: int,
    students: int,
    folder: str,
    form: str,
    output: Output,
    **how: Any,
) -> None:
    """Make the worksheets of a class and write them.

    Args:
        plan: the arguments of `Plan`.
        source: what they are made of instead, if anything.
        seed: the seed of the numbers.
        students: how many sheets.
        folder: where to.
        form: their format.
        output: where it is told.
        how: the blanks, as for `make`.

    Raises:
        UserError: something cannot be made of what was given.
    """
    how["stages"] = stages(how["stages"])
    if source.model and source.example:
        raise problem("worksheet-two-sources")
    _check_options(source)
    if source.example:
        sheets = of_example(source.example)
    elif source.model or source.data:
        sheets = _of_rows(source, how, output)
    else:
        plan["network"] = sizes(plan["network"])
        sheets = make(Plan(**plan), seed, students, **how)
    key = Path(folder) / "teacher"
    before = {*Path(folder).glob("*"), *key.glob("*")}
    files = write_class(sheets, folder, form)
    gone = sorted(file.name for file in before if not file.exists())
    output.tell(say("worksheets-written", sheets=len(sheets), folder=folder, key=str(key)))
    said = notes(sheets) if source.model else []
    said += [say("worksheets-removed", names=enumerated(gone))] if gone else []
    output.note(said)
    output.document(
        {
            "sheets": [{"name": s.name, "sheet": s.id, "blanks": len(s.blanks)} for s in sheets],
            "files": [str(file) for file in files],
            "removed": gone,
            "notes": said,
        }
    )


def _check_options(source: Source) -> None:
    """Refuse options that would be ignored.

    Raises:
        UserError: some do not go together with what the sheets are made of.
    """
    context = click.get_current_context(silent=True)
    given = {
        str(one.name): one.opts[0]
        for one in (context.command.params if context else ())
        if context and context.get_parameter_source(str(one.name)) is ParameterSource.COMMANDLINE
    }
    other = ""
    apart: tuple[str, ...] = READ[1:]
    if source.example:
        other, apart = "--example", (*DRAWN, *CHOSEN, *READ)
    elif source.model or source.data:
        other, apart = "--model", DRAWN
    names = enumerated([spelled for name, spelled in given.items() if name in apart])
    if names and other:
        raise problem("worksheet-apart", names=names, other=other)
    if names:
        raise problem("worksheet-no-model", names=names)


def _of_rows(source: Source, how: dict[str, Any], output: Output) -> list[Sheet]:
    """Make sheets from rows of a table, as the user's own model sees them."""
    if not (source.model and source.data):
        raise problem("worksheet-no-data")
    table = datasets.find(source.data, **source.reading)
    model, preparation = open_model(source.model)
    height = table.frame.height
    for row in source.rows:
        if not 1 <= row <= height:
            raise problem("row-unknown", table.source, row=row, rows=height)
    chosen = [row - 1 for row in source.rows] or list(range(height))
    some, notes = preparation.labelled(replace(table, frame=table.frame[chosen]))
    output.note([*table.notes, *notes])
    return of_rows(model, preparation.transform(some), preparation.transform_targets(some), **how)


def sizes(text: str) -> tuple[int, ...]:
    """Read `2-2-2` as `(2, 2, 2)`.

    Raises:
        UserError: there is something else than whole numbers.
    """
    parts = text.split("-")
    if not all(is_count(part.strip()) for part in parts):
        raise problem("worksheet-sizes-wrong", value=text)
    return tuple(int(part) for part in parts)


def stages(text: str) -> tuple[str, ...]:
    """Read `forward,loss` as `("forward", "loss")`.

    Raises:
        UserError: one is not known.
    """
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in ASKED:
            raise problem("worksheet-stage-unknown", name=name, nearest=suggest(name, ASKED))
    return names


def grade_answers(sheet: str, answers: str, tolerance: float, output: Output) -> None:
    """Grade a student's answers, or those of a class.

    Args:
        sheet: the sheet, or the folder of the sheets.
        answers: the answers, the folder of all of them, or a table of the class.
        tolerance: how far an answer may be off, relatively.
        output: where the marks are shown.

    Raises:
        UserError: sheets or answers cannot be read, or do not belong together.
    """
    if Path(sheet).is_dir():
        _show_class(sheet, answers, tolerance, output)
        return
    marks = grade(Sheet.load(sheet), Answers.load(answers), tolerance)

    def spelled(value: float) -> str:
        return plain(number(value, marks.sheet.digits))

    rows = []
    for m in marks.marks:
        right, expected = spelled(m.right), spelled(m.expected)
        given = m.text if m.given is None else spelled(m.given)
        own = "" if expected == right else expected
        rows.append([m.blank, m.name, given, right, own, say(f"verdict-{m.verdict}")])
    header = [
        say("marks-blank"), say("marks-step"), say("marks-given"), say("marks-right"),
        say("marks-expected"), say("marks-verdict"),
    ]  # fmt: skip
    output.table(say("marks-title", name=Path(answers).name), header, rows)
    output.tell(say("marks-score", score=marks.score, points=marks.points), style="bold")
    if first := marks.first_wrong:
        given = first.text if first.given is None else spelled(first.given)
        expected = spelled(first.expected)
        output.tell(
            say("marks-first", blank=first.blank, step=first.name, given=given, expected=expected)
        )
    output.document(marks.as_dict())


def _show_class(folder: str, answers: str, tolerance: float, output: Output) -> None:
    graded = grade_class(folder, answers, tolerance)
    rows = []
    for name, marks in graded.marks.items():
        first = marks.first_wrong
        step = f"{first.blank}: {first.name}" if first else "–"
        rows.append([name, f"{marks.score} / {marks.points}", step])
    header = [say("marks-student"), say("marks-points"), say("marks-first-wrong")]
    output.table(say("marks-class"), header, rows)
    if graded.missed:
        step, count = graded.missed[0]
        output.tell(say("marks-missed", step=step, count=count))
    if graded.problems:
        output.tell(say("marks-problems", count=len(graded.problems)), style="bold")
        output.note(f"{one.where}: {one.what}" for one in graded.problems)
    output.document(graded.as_dict())

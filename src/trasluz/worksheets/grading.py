"""Grading: each answer against the engine's and against what the student's own ones lead to."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trasluz.base.messages import enumerated, problem
from trasluz.errors import UserError
from trasluz.explain.derivation import Derivation
from trasluz.pages.text import plain
from trasluz.worksheets.answers import Answers, is_empty, load_class, read_number
from trasluz.worksheets.sheet import Item, Sheet

TOLERANCE = 0.01
FULL = ("right", "followed")


@dataclass(frozen=True)
class Mark:
    """What one answer is worth.

    Args:
        blank: q1, q2, …
        symbol: what was asked for, in LaTeX.
        text: what the student wrote.
        given: the number in it, if there is one.
        right: the right answer.
        expected: what the student's own earlier answers lead to.
        verdict: "right", "followed" (right given an earlier mistake), "wrong", "missing" or
            "unreadable".
    """

    blank: str
    symbol: str
    text: str
    given: float | None
    right: float
    expected: float
    verdict: str

    @property
    def name(self) -> str:
        """What was asked for, on a line of text."""
        return plain(self.symbol)

    @property
    def counts(self) -> bool:
        """Whether it gets the point."""
        return self.verdict in FULL


@dataclass(frozen=True)
class Marks:
    """The marks of a sheet."""

    sheet: Sheet
    marks: tuple[Mark, ...]

    @property
    def score(self) -> int:
        """How many points were got."""
        return sum(mark.counts for mark in self.marks)

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self.marks)

    @property
    def first_wrong(self) -> Mark | None:
        """The first answer that is wrong by itself: where the mistake was made."""
        return next((m for m in self.marks if m.verdict in ("wrong", "unreadable")), None)

    def as_dict(self) -> dict[str, Any]:
        """Give the marks as plain data."""
        first = self.first_wrong
        return {
            "sheet": self.sheet.id,
            "student": self.sheet.student,
            "score": self.score,
            "points": self.points,
            "first_wrong": first and first.blank,
            "marks": [asdict(mark) for mark in self.marks],
        }


def grade(
    sheet: Sheet, answers: Answers | Mapping[str, Any], tolerance: float = TOLERANCE
) -> Marks:
    """Grade the answers to a sheet, and follow early mistakes through.

    An answer gets its point if it is right, or if it is what the step's formula gives with the
    student's own earlier answers. It may be off by `tolerance` of the value it is compared with
    (of the change, if that is a weight's new value: the change is what was worked out), and
    always by what rounding to one digit less than the key prints makes of it.

    Args:
        sheet: the sheet.
        answers: the student's, from `Answers.load`, or by the names of blanks.
        tolerance: how far an answer may be off, relatively.

    Raises:
        UserError: the answers are for another sheet, or have blanks that this one lacks.

    >>> from trasluz.worksheets import make
    >>> sheet = make(seed=7, blanks=4)[0]
    >>> grade(sheet, sheet.answers).score
    4
    """
    if not isinstance(answers, Answers):
        answers = Answers({k: "" if v is None else str(v) for k, v in answers.items()})
    if answers.sheet and answers.sheet != sheet.id:
        raise problem("answers-other-sheet", sheet=sheet.id, other=answers.sheet)
    if foreign := [name for name in answers.texts if name not in sheet.blanks]:
        raise problem(
            "answers-foreign", names=enumerated(foreign), blanks=enumerated(list(sheet.blanks))
        )
    worked: dict[str, Any] = {}  # what is printed is right, and not among it
    marks = []
    for item in sheet.items:
        step, value = item.step, None
        below = {name: sheet.keys[one] for name, one in sheet.below(step).items()}
        known = {name: worked[key] for name, key in below.items() if key in worked}
        if item.blank:
            mark = _mark(sheet, item, answers.texts.get(item.blank, ""), known, tolerance)
            value = mark.given
            marks.append(mark)
        elif step.note:  # another way to a value that has been worked out
            continue
        elif not item.printed:
            value = _evaluated(step, known)
        if value is not None and math.isfinite(value):
            worked[sheet.keys[step]] = np.float64(value)
    return Marks(sheet, tuple(marks))


def _mark(sheet: Sheet, item: Item, text: str, known: Mapping[str, Any], tolerance: float) -> Mark:
    """Mark one answer, after the student's earlier ones."""
    step, given = item.step, read_number(text)
    right, expected = float(step.value) + 0.0, _evaluated(step, known)
    near = _Near(sheet, step, tolerance)
    if given is None:
        verdict = "missing" if is_empty(text) else "unreadable"
    elif near(given, right):
        verdict = "right"
    else:
        verdict = "followed" if near(given, expected) else "wrong"
    return Mark(item.blank, step.symbol, text, given, right, expected, verdict)


class _Near:
    """Tells whether a number is near enough to another."""

    def __init__(self, sheet: Sheet, step: Derivation, tolerance: float) -> None:
        self.tolerance, self.digits = tolerance, sheet.digits
        self.old = sheet.old(step)

    def __call__(self, given: float, value: float) -> bool:
        if not math.isfinite(value):
            return False
        size = abs(value)
        change = size if self.old is None else abs(value - self.old)
        place = math.floor(math.log10(size)) - self.digits + 2 if size else 1 - self.digits
        rounding = 0.5 * 10.0**place
        allowed = max(self.tolerance * change, min(rounding, change / 4) if change else rounding)
        return abs(given - value) <= allowed * (1 + 1e-9)


def _evaluated(step: Derivation, known: Mapping[str, Any]) -> float:
    """Work a step out with the student's values; what they lead to may not be a number."""
    with np.errstate(all="ignore"):
        try:
            return float(step.evaluated(known))
        except (ArithmeticError, TypeError, ValueError):
            return math.nan


@dataclass(frozen=True)
class ClassMarks:
    """The marks of a class, by the names of the sheets.

    Args:
        marks: of each file or row of answers that could be marked.
        problems: why the others could not, and which sheets were answered more than once.
    """

    marks: Mapping[str, Marks]
    problems: list[UserError] = field(default_factory=list)

    @property
    def missed(self) -> list[tuple[str, int]]:
        """The steps where mistakes were made, and in how many sheets, the most often first."""
        missed = Counter(
            plain(mark.symbol)
            for one in self.marks.values()
            for mark in one.marks
            if mark.verdict in ("wrong", "unreadable")
        )
        return missed.most_common()

    def as_dict(self) -> dict[str, Any]:
        """Give the marks as plain data."""
        return {
            "sheets": {name: one.as_dict() for name, one in self.marks.items()},
            "missed": [{"step": step, "sheets": count} for step, count in self.missed],
            "problems": [
                {"what": one.what, "where": one.where, "mend": one.mend} for one in self.problems
            ],
        }


def grade_class(
    folder: str | Path, answers: str | Path, tolerance: float = TOLERANCE
) -> ClassMarks:
    """Grade a class; what cannot be marked is among the problems, and stops nobody else's marks.

    Args:
        folder: where the sheets were made.
        answers: a folder with a file for each sheet, or one CSV table.
        tolerance: how far an answer may be off, relatively.

    Raises:
        UserError: there are no sheets or answers there, or nothing of it can be marked.
    """
    sheets: dict[str, Sheet] = {}
    broken: list[UserError] = []
    for file in sorted(Path(folder).glob("sheet-*.json")):
        try:
            sheet = Sheet.load(file)
        except UserError as error:
            broken.append(error)
        else:
            sheets |= {sheet.name: sheet} if sheet.name == file.stem else {}
    if not sheets:
        raise broken[0] if broken else problem("worksheet-none", str(folder))
    given, unread = load_class(answers)
    problems = broken + unread
    marks: dict[str, Marks] = {}
    for name, one in given.items():
        try:
            marks[name] = grade(_sheet_of(name, one, sheets, str(answers)), one, tolerance)
        except UserError as error:
            place = error.where or str(Path(answers) / name)
            problems.append(UserError(error.what, place, error.mend))
    if not marks:
        raise problems[0] if problems else problem("answers-none", str(answers))
    for sheet in sheets.values():
        same = [name for name, one in marks.items() if one.sheet.id == sheet.id]
        if len(same) > 1:
            names = enumerated(same)
            problems.append(problem("answers-twice", str(answers), sheet=sheet.name, names=names))
    return ClassMarks(marks, problems)


def _sheet_of(name: str, answers: Answers, sheets: Mapping[str, Sheet], where: str) -> Sheet:
    """Find the sheet of answers: by what they say, else by the name of the file or row.

    Raises:
        UserError: there is none.
    """
    own = re.sub(r" \(\d+\)$", "", name)  # of a row or file that comes again
    number = re.search(r"sheet-(\d{1,9})", own, re.IGNORECASE) or re.fullmatch(r"(\d{1,9})", own)
    known = {sheet.id: sheet for sheet in sheets.values()}
    found = known.get(answers.sheet)
    if not answers.sheet:
        known |= sheets
        found = known.get(own) or (known.get(f"sheet-{int(number[1]):02d}") if number else None)
    if found is None:
        raise problem("answers-unplaced", where, names=name)
    return found

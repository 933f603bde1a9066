"""Worksheets for a class: a training step with blanks, graded with mistakes followed through."""

from __future__ import annotations

from trasluz.worksheets.answers import Answers
from trasluz.worksheets.folder import write_class
from trasluz.worksheets.grading import Mark, Marks, grade, grade_class
from trasluz.worksheets.making import Plan, make, of_example, of_rows
from trasluz.worksheets.sheet import Sheet

__all__ = [
    "Answers",
    "Mark",
    "Marks",
    "Plan",
    "Sheet",
    "grade",
    "grade_class",
    "make",
    "of_example",
    "of_rows",
    "write_class",
]

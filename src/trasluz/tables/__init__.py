"""From a table to what a network takes, and back from its outputs to values and classes."""

from trasluz.tables.columns import class_labels
from trasluz.tables.fitted import KINDS, Booleans, Categories, Numbers, Scale, made_from, plain
from trasluz.tables.preparation import Preparation, Prepared, prepare, with_targets
from trasluz.tables.reading import DELIMITERS, MISSING, Table, read_table
from trasluz.tables.split import PARTS
from trasluz.tables.task import Task

__all__ = [
    "DELIMITERS",
    "KINDS",
    "MISSING",
    "PARTS",
    "Booleans",
    "Categories",
    "Numbers",
    "Preparation",
    "Prepared",
    "Scale",
    "Table",
    "Task",
    "class_labels",
    "made_from",
    "plain",
    "prepare",
    "read_table",
    "with_targets",
]

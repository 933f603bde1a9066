"""Reading answers: a filled page, a filled notebook, a CSV or JSON file, or a table of a class."""

from __future__ import annotations

import csv
import html
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trasluz.base.files import read_regular
from trasluz.base.messages import enumerated, problem
from trasluz.errors import UserError

MOST_BYTES = 2**26
ENDINGS = (".md", ".ipynb", ".csv", ".json", ".txt")

_ANSWER = re.compile(r"^[\s>|*`\"'-]*(q\d+)[\s*`\"']*[=:;,\t|](.*)$", re.IGNORECASE)
_SHEET = re.compile(r"\bsheet[\s\"'*`]{0,20}[:=;,|\t][\s\"'*`]{0,20}([0-9a-f]{8})\b", re.IGNORECASE)
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(?:e([-+]?\d+))?", re.IGNORECASE)
_POWER = re.compile(r"\s*(?:·|×|\*|x|\\cdot|\\times)\s*10\s*(?:\^|\*\*)\s*\{?\s*([-+]?\d+)\s*\}?")
_EMPTY = ("", "none", "null", "nan", "?", "-", "–", "…", "...")


@dataclass
class Answers:
    """What a student wrote: texts by the names of blanks, and the sheet they say they are for."""

    texts: dict[str, str] = field(default_factory=dict)
    sheet: str = ""

    @classmethod
    def load(cls, path: str | Path) -> Answers:
        """Read a student's file.

        Raises:
            UserError: there is none, it cannot be read, or no answer is in it.

        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            raise problem("answers-ending", str(path), endings=enumerated(ENDINGS))
        text = _read(path)
        if ending in (".ipynb", ".json"):
            try:
                data = json.loads(text)
                answers = cls.of_notebook(data) if ending == ".ipynb" else cls.of_data(data)
            except (ValueError, RecursionError) as error:
                raise problem("answers-json", str(path)) from error
        else:
            answers = cls.of_lines(text.splitlines())
        if not answers.texts:
            raise problem("answers-none", str(path))
        return answers

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> Answers:
        """Read lines such as `q3 = 0.41`, `q3;0,41` or `| q3 | 0.41 |`; others say nothing.

        >>> Answers.of_lines(["**q3** = 0,41", "q4,", "and so on"]).texts
        {'q3': '0,41', 'q4': ''}
        """
        answers = cls()
        for line in lines:
            if match := _ANSWER.match(line):
                answers.texts[match[1].lower()] = match[2].strip(" |`*_\"'\t")
            elif match := _SHEET.search(line):
                answers.sheet = match[1].lower()
        return answers

    @classmethod
    def of_data(cls, data: Any) -> Answers:
        """Read `{"sheet": …, "answers": {"q1": …}}`, or the answers alone."""
        if not isinstance(data, Mapping):
            return cls()
        inner = data.get("answers", data)
        if not isinstance(inner, Mapping):
            return cls()
        texts = {str(k).lower(): "" if v is None else _text(v) for k, v in inner.items()}
        texts = {k: v for k, v in texts.items() if re.fullmatch(r"q\d+", k)}
        return cls(texts, _text(data.get("sheet") or ""))

    @classmethod
    def of_notebook(cls, data: Any) -> Answers:
        """Read the cells of a notebook; what they printed counts before what is written in them."""
        lines: list[str] = []
        printed: list[str] = []
        cells = data.get("cells") if isinstance(data, Mapping) else None
        for cell in cells if isinstance(cells, list) else []:
            if not isinstance(cell, Mapping):
                continue
            source = _joined(cell.get("source"))
            if cell.get("cell_type") != "code":
                lines += [line for line in source.splitlines() if _SHEET.search(line)]
                continue
            lines += [line.split("#")[0] for line in source.splitlines()]
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else []:
                if isinstance(output, Mapping):
                    printed += _joined(output.get("text")).splitlines()
        written, ran = cls.of_lines(lines), cls.of_lines(printed)
        ran.texts = {k: v for k, v in ran.texts.items() if not is_empty(v)}
        return cls(written.texts | ran.texts, written.sheet)


def load_class(path: str | Path) -> tuple[dict[str, Answers], list[UserError]]:
    """Read the answers of a class by the names of their files or rows.

    Args:
        path: a folder with a file for each sheet, `sheet-07.csv`, or a CSV table with a row for
            each: the sheet's name, then q1, q2, ….

    Returns:
        The answers, a name that comes again with a number after it, and what is wrong with the
        files that cannot be read.

    Raises:
        UserError: there is no such folder or table, or it cannot be read.
    """
    answers: dict[str, Answers] = {}
    problems: list[UserError] = []
    path, free = Path(path), _Free()
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() not in ENDINGS or not file.is_file() or _is_problem(file):
                continue
            try:
                answers[free(file.stem)] = Answers.load(file)
            except UserError as error:
                problems.append(error)
        return answers, problems
    lines = _read(path).splitlines()
    head = lines[0] if lines else ""
    delimiter = max(";,\t", key=head.count)
    try:
        header, *rows = list(csv.reader(lines, delimiter=delimiter)) or [[]]
    except csv.Error as error:
        raise problem("answers-table", str(path)) from error
    names = [name.strip().lower() for name in header]
    if len(names) < 2 or not any(re.fullmatch(r"q\d+", name) for name in names):
        raise problem("answers-table", str(path))
    for row in rows:
        if row and row[0].strip():
            cells = zip(names[1:], row[1:], strict=False)
            texts = {k: v.strip() for k, v in cells if re.fullmatch(r"q\d+", k)}
            answers[free(row[0].strip())] = Answers(texts)
    return answers, problems


class _Free:
    """Gives names that are not taken: a name itself, else with a number after it."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        again, free = self.taken.get(name, 0), name
        while free in self.taken:
            again += 1
            free = f"{name} ({again + 1})"
        self.taken[name] = again
        self.taken.setdefault(free, 0)
        return free


def _is_problem(path: Path) -> bool:
    """Tell a sheet's own file, which may lie beside the answers."""
    try:
        return path.suffix.lower() == ".json" and b'"arrays"' in read_regular(path, MOST_BYTES)
    except (OSError, UserError):  # which is said where it is read
        return False


def is_empty(text: str) -> bool:
    """Tell whether nothing was answered.

    >>> is_empty(" ____ "), is_empty("None"), is_empty("0")
    (True, True, False)
    """
    return text.strip().strip("_ ").lower() in _EMPTY


def read_number(text: str) -> float | None:
    """Read a number as people write it; None if it is not one.

    >>> read_number("0,41"), read_number("−1.5·10^-3"), read_number("4e-2"), read_number("x")
    (0.41, -0.0015, 0.04, None)
    """
    plain = html.unescape(text).strip().strip("$_ ").replace("−", "-").replace("–", "-")
    plain = plain.removeprefix("=").replace(",", ".").replace("{.}", ".").strip()
    match = _NUMBER.match(plain)
    if not match:
        return None
    rest = plain[match.end() :]
    power = _POWER.fullmatch(rest)
    if rest and not power:
        return None
    try:  # 2e3·10^4 is no number
        value = float(f"{match[0]}e{power[1]}" if power else match[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _joined(text: Any) -> str:
    """Join the lines of a notebook's text, which may be a list or one string."""
    return "".join(map(_text, text)) if isinstance(text, (str, list)) else ""


def _text(value: Any) -> str:
    """Spell what a file holds; half of a pair of surrogates, which JSON may hold, is no text."""
    return str(value).encode("utf-8", "replace").decode()


def _read(path: Path) -> str:
    try:
        raw = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise problem("answers-missing", str(path)) from error
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else encoding)
        except UnicodeDecodeError:
            continue
    raise problem("answers-broken", str(path))

"""A worksheet: one training step of a small network, some of its results left blank."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trasluz import saving
from trasluz.base.arguments import number_type
from trasluz.base.files import read_regular
from trasluz.base.messages import problem, say, speaking, suggest
from trasluz.drawing import network as diagram
from trasluz.errors import UserError
from trasluz.explain.derivation import Derivation
from trasluz.explain.names import scheme
from trasluz.explain.reading import Reading
from trasluz.explain.steps import STAGES
from trasluz.typeset.symbols import named_in, number

Entry = tuple[str, tuple[int, ...]]

FORMAT = 1
_MOST_BYTES = 2**26
FORMATS = ("pdf", "html", "ipynb", "md")
ASKED = ("forward", "loss", "backward", "update")
_FOLDER = "trasluz.worksheets.folder"  # by name, as it stands above
# What reading a file may lead to that is JSON, and no worksheet.
_SENSELESS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError,
    StopIteration, TypeError, ValueError,
)  # fmt: skip


class Item(NamedTuple):
    """A step as it stands on a sheet: the members of its equation, in LaTeX, and its blank.

    Its result is not `printed` if it is asked for, or the same as one that is but for the sign.
    """

    number: int
    step: Derivation
    members: list[str]
    blank: str
    printed: bool


class Part(NamedTuple):
    """Steps that follow each other: a stage, and the layer or the derivative they are about."""

    stage: str
    where: str
    items: list[Item]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A worksheet for one student.

    Everything on it, and every answer, is worked out by the engine from the model and its row.

    Args:
        model: a small compiled model.
        x: the inputs.
        y: the targets.
        wrt: the weights that are derived and updated: path and entry of each.
        asked: the steps that are left blank, each as its name and formula in LaTeX: see `keys`.
        student: the number of the student.
        lang: the language of its pages.
        title: what stands above; a title of its language unless given.
        digits: significant digits in print.
        names: how things are called: "math", "course" or "keras".
    """

    model: Any
    x: np.ndarray
    y: np.ndarray
    wrt: Sequence[Entry]
    asked: Sequence[str] = ()
    student: int = 1
    lang: str = "en"
    title: str = ""
    digits: int = 5
    names: str = "course"

    # ------------------------------------------------------------------------------------ steps

    @cached_property
    def derivations(self) -> list[Derivation]:
        """The derivation of each weight's new value."""
        return [
            self.model.explain(
                self.x,
                self.y,
                path,
                at,
                digits=self.digits,
                update=True,
                names=self.names,
                lang=self.lang,
            )
            for path, at in self.wrt
        ]

    @cached_property
    def steps(self) -> list[Derivation]:
        """The steps of all derivations, each once, stage after stage."""
        steps: dict[str, Derivation] = {}
        for derivation in self.derivations:
            for step in derivation.steps():
                steps.setdefault(self.keys[step], step)
        return sorted(steps.values(), key=lambda step: ("data", *ASKED).index(stage_of(step)))

    @cached_property
    def keys(self) -> dict[Derivation, str]:
        """Tell steps apart: those of all derivations that rest on the same are one.

        Each is known by its name and formula. Where steps of the same look rest on others, as
        the averages that an optimizer keeps of each weight do, a number is added.
        """
        keys: dict[Derivation, str] = {}
        known: dict[tuple[str, frozenset[str]], str] = {}
        count: Counter[str] = Counter()

        def add(step: Derivation) -> str:
            if step not in keys:
                look = f"{step.symbol} = {step.formula}"
                same = look, frozenset(map(add, self.below(step).values()))
                if same not in known:
                    count[look] += 1
                    known[same] = look if count[look] == 1 else f"{look} ({count[look]})"
                keys[step] = known[same]
            return keys[step]

        for derivation in self.derivations:
            for step in derivation.steps():
                add(step)
        return keys

    @cached_property
    def slopes(self) -> list[Derivation]:
        """The step that is the derivative in each weight: the first that its update rests on."""
        return [
            next(
                one
                for step in derivation.steps()
                if stage_of(step) == "update"
                for one in (*step.children, *step.reused)
                if stage_of(one) == "backward"
            )
            for derivation in self.derivations
        ]

    def below(self, step: Derivation) -> dict[str, Derivation]:
        """Give the steps that the names in a step's formula come from, by name."""
        known = {one.symbol: one for one in (*self.slopes, *step.children, *step.reused)}
        names = dict.fromkeys(leaf.name for leaf in named_in(step.spelled))
        return {name: known[name] for name in names if name in known}

    @cached_property
    def given(self) -> dict[str, float]:
        """What the formulas start from, by name: inputs, weights, targets."""
        worked = {step.symbol for step in self.steps}
        leaves = {leaf.name: leaf for step in self.steps for leaf in named_in(step.spelled)}
        given = {
            name: float(leaf.value)
            for name, leaf in leaves.items()
            if name not in worked and np.ndim(leaf.value) == 0
        }
        return dict(sorted(given.items(), key=lambda item: _natural(item[0])))

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights of the network by path."""
        return {v.path: v.numpy() for v in self.model.weights}

    @cached_property
    def blanks(self) -> dict[str, Derivation]:
        """The steps to be worked out by the student, by the names of their blanks: q1, q2, …."""
        wished = set(self.asked)
        asked = [step for step in self.steps if self.keys[step] in wished]
        return {f"q{n}": step for n, step in enumerate(asked, 1)}

    @property
    def answers(self) -> dict[str, float]:
        """The right answers, by the names of the blanks."""
        return {name: float(step.value) + 0.0 for name, step in self.blanks.items()}

    @cached_property
    def items(self) -> list[Item]:
        """The steps as they stand on the sheet."""
        names = {self.keys[step]: name for name, step in self.blanks.items()}
        results = {size for step in self._told_by_blanks() for size in _sizes(step)}
        secret = {self.keys[step] for step in self.steps if _sizes(step) & results}

        def item(number: int, step: Derivation) -> Item:
            members, printed = [step.symbol, step.formula], self.keys[step] not in secret
            if printed and not any(self.keys[one] in secret for one in self.below(step).values()):
                members.append(step.numbers)
            if printed:
                members.append(step.result)
            members = [m for i, m in enumerate(members) if i == 0 or m != members[i - 1]]
            return Item(number, step, members, names.get(self.keys[step], ""), printed)

        return [item(n, step) for n, step in enumerate(self.steps, 1)]

    def _told_by_blanks(self) -> list[Derivation]:
        """List the blanks, and the losses that blanks add up to: the rest would tell them."""
        told: dict[str, Derivation] = {self.keys[step]: step for step in self.blanks.values()}
        for step in self.steps:
            parts = [one for one in self.below(step).values() if one.kind == "loss"]
            if step.kind == "loss" and any(self.keys[one] in told for one in parts):
                told.setdefault(self.keys[step], step)
        return list(told.values())

    @property
    def parts(self) -> list[Part]:
        """The items, parted wherever a stage begins, or in a stage a layer or derivative."""
        parted: list[Part] = []
        for item in self.items:
            stage = stage_of(item.step)
            where = self._derivative(item.step) if stage == "backward" else item.step.where
            if not parted or parted[-1][:2] != (stage, where):
                parted.append(Part(stage, where, []))
            parted[-1].items.append(item)
        return parted

    def _derivative(self, step: Derivation) -> str:
        """Name the derivative, in LaTeX, in whose derivation a step comes first."""
        for derivation, slope in zip(self.derivations, self.slopes, strict=True):
            if any(self.keys[one] == self.keys[step] for one in derivation.steps()):
                return slope.symbol
        return ""

    def old(self, step: Derivation) -> float | None:
        """Give the value before the update, if the step is a new value of a weight."""
        for (path, at), derivation in zip(self.wrt, self.derivations, strict=True):
            if derivation.symbol == step.symbol:
                return float(self.weights[path][at])
        return None

    # ------------------------------------------------------------------------------------ files

    @cached_property
    def id(self) -> str:
        """Eight letters and digits that only this problem has."""
        return digest_of(self._problem())

    @property
    def name(self) -> str:
        """The name of its files, without an ending."""
        return f"sheet-{self.student:02d}"

    def as_dict(self) -> dict[str, Any]:
        """Give the problem as plain data; the answers are not in it."""
        return {"format": FORMAT, "sheet": self.id, **self._problem()}

    def _problem(self) -> dict[str, Any]:
        arrays, document = saving.describe(self.model)
        arrays.pop("root", None)  # drawn anew at each compile, and nothing here is drawn
        document.pop("version")
        return {
            "student": self.student,
            "title": self.title,
            "lang": self.lang,
            "digits": self.digits,
            "names": self.names,
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "wrt": [[path, list(at)] for path, at in self.wrt],
            "asked": list(self.asked),
            "model": document,
            "arrays": {k: {"dtype": str(a.dtype), "of": a.tolist()} for k, a in arrays.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "") -> Sheet:
        """Make the sheet that `as_dict` gave.

        Raises:
            UserError: it was changed, is not a worksheet, or is of a newer version.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT or "asked" not in data:
            raise problem("worksheet-not-one", where)
        try:
            kept = data["arrays"].items()
            arrays = {k: np.array(a["of"], number_type(a["dtype"])) for k, a in kept}
            sheet = cls(
                saving.restore(arrays, data["model"], where=where),
                np.array(data["x"]),
                np.array(data["y"]),
                [(path, tuple(at)) for path, at in data["wrt"]],
                data["asked"],
                data["student"],
                data["lang"],
                data["title"],
                data["digits"],
                data["names"],
            )
            whole = sheet.id == data.get("sheet")
            whole = whole and len(sheet.blanks) == len(sheet.asked) > 0 and bool(sheet.name)
        except _SENSELESS as error:
            raise problem("worksheet-not-one", where) from error
        if not whole:
            raise problem("worksheet-changed", where)
        return sheet

    @classmethod
    def load(cls, path: str | Path) -> Sheet:
        """Read a sheet from its JSON file, or from the page that lies beside it.

        Raises:
            UserError: there is none, or it is not a worksheet.
        """
        path = Path(path)
        beside = path if path.suffix == ".json" else path.with_suffix(".json")
        return cls.from_dict(read_json(beside), str(beside))

    def write(self, folder: str | Path, form: str = "html") -> list[Path]:
        """Write the sheet, and the JSON file with its problem by which answers are graded.

        Args:
            folder: where to.
            form: one of `FORMATS`.

        Returns:
            The files.

        Raises:
            UserError: the format is not known, its extra is not installed, or a file cannot be
                written.
        """
        files: list[Path] = importlib.import_module(_FOLDER).write(self, folder, form)
        return files

    # ------------------------------------------------------------------------------------- words

    @property
    def heading(self) -> str:
        """The title in the sheet's language."""
        with speaking(self.lang):
            return self.title or say("worksheet-title")

    @cached_property
    def called(self) -> dict[Entry, str]:
        """The names, in LaTeX, of weights and of units by the path of their layer."""
        reading = Reading(self.model, self.x, self.y)
        shapes = {path: array.shape for path, array in self.weights.items()}
        book = scheme(self.names)(reading.marks.values(), shapes)
        names = {
            (path, at): book.parameter(path, at)
            for path, shape in shapes.items()
            for at in np.ndindex(shape)
        }
        for line, mark in reading.marks.items():
            if mark.role in ("output", "prediction"):
                units = range(reading.value(line).shape[-1])
                names |= {(mark.where, (k,)): book.unit(mark, (k,)) for k in units}
        return names

    def entry(self, wish: str) -> Entry:
        """Find a weight by its name, `w5`, or by its path and entry, `output/kernel[0, 0]`.

        Raises:
            UserError: there is none of that name.
        """
        if match := re.fullmatch(
            r"([^\[\]]+)\[\s*(\d{1,18}(?:\s*,\s*\d{1,18})*)\s*\]", wish.strip()
        ):
            path, at = match[1].strip(), tuple(int(n) for n in match[2].split(","))
            if (path, at) in self.called:
                return path, at
        known = {
            re.sub(r"[_{}]", "", name): entry
            for entry, name in self.called.items()
            if entry[0] in self.weights
        }
        if wish.strip() in known:
            return known[wish.strip()]
        paths = [f"{path}[{', '.join(map(str, at))}]" for path, at in known.values()]
        names = paths if "[" in wish or "/" in wish else list(known)
        raise problem("worksheet-wrt", wish, nearest=suggest(wish, names))

    def drawing(self) -> str:
        """Draw the network with its numbers, as SVG."""
        one = len(self.x) == 1
        x, y = (self.x, self.y) if one else (None, None)
        return diagram.network(self.model, x, y, self.lang, self.called)


def digest_of(problem_: Mapping[str, Any]) -> str:
    """Give the eight letters and digits of a problem as plain data."""
    text = json.dumps(problem_, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: there is none, or it is not JSON.
    """
    try:
        return json.loads(read_regular(path, _MOST_BYTES).decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise problem("worksheet-missing", str(path)) from error
    except UserError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise problem("worksheet-not-one", str(path)) from error


def dump(data: Any) -> bytes:
    """Write plain data as the bytes of a JSON file."""
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()


def stage_of(step: Derivation) -> str:
    """Name the stage of a step; the chain rule is the backward one."""
    stage = STAGES[step.kind]
    return "backward" if stage == "chain" else stage


def candidates(sheet: Sheet, stages: Sequence[str] = ASKED) -> list[str]:
    """List the steps that can be asked for: those in which there is something to work out.

    What is worked out in another way once more is not asked for.

    Args:
        sheet: a sheet.
        stages: where they may be.
    """
    return [
        sheet.keys[step]
        for step in sheet.steps
        if stage_of(step) in stages
        and not step.note
        and step.spelled.made is not None
        and np.ndim(step.value) == 0
        and step.numbers != step.result
        and step.value != 0
    ]


def chosen(names: Sequence[str], count: int) -> list[str]:
    """Choose so many names, evenly from the first to the last.

    >>> chosen("abcdefg", 3), chosen("abc", 1)
    (['a', 'd', 'g'], ['c'])
    """
    places = np.linspace(0, len(names) - 1, count) if count > 1 else np.array([len(names) - 1])
    return [names[int(place)] for place in np.floor(places + 0.5)]


def _sizes(step: Derivation) -> set[str]:
    """Spell the numbers of a result as they are printed, without their signs."""
    return {number(abs(value), step.digits) for value in np.ravel(step.value)}


def _natural(name: str) -> tuple[Any, ...]:
    """Sort inputs first, targets last, and names by their numbers."""
    part = {"x": 0, "t": 2}.get(name[:1], 1)
    return part, [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name)]

"""What names stand for, and the tree of steps that is grown from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from trasluz.explain.derivation import Derivation
from trasluz.explain.remarks import Remark
from trasluz.explain.steps import STAGES
from trasluz.explain.tidy import tidied
from trasluz.typeset.symbols import Symbol, named_in

LAST = 1 << 40  # comes after whatever else there is in its stage


class Definition:
    """A name and what it stands for, spelled when it is asked for.

    Args:
        leaf: the name in formulas.
        spell: gives the formula.
        kind: what kind of step works it out.
        where: the layer, or "loss", or the optimizer.
        order: which comes first within a stage.
        symbol: how the step names it, if not as formulas do.
        note: a remark, the id of a message.
        role: the landmark's, if it is one.
        remarks: gives what is said beside it, from its formula.
    """

    def __init__(
        self,
        leaf: Symbol,
        spell: Callable[[], Symbol],
        kind: str,
        where: str,
        order: int = 0,
        symbol: str = "",
        note: str = "",
        role: str = "",
        remarks: Callable[[Symbol], Iterable[Remark]] = lambda formula: (),
    ) -> None:
        self.leaf, self._spell, self.kind, self.where = leaf, spell, kind, where
        self.order, self.symbol, self.note, self.role = order, symbol or leaf.latex, note, role
        self.remarks = remarks
        self._formula: Symbol | None = None

    @property
    def is_told(self) -> bool:
        """Whether somebody has asked what the name stands for."""
        return self._formula is not None

    @property
    def formula(self) -> Symbol:
        """What the name stands for."""
        if self._formula is None:
            self._formula = tidied(self._spell())
        return self._formula


def grown(
    root: Definition,
    beside: Iterable[Definition],
    defined: Mapping[int, Definition],
    digits: int,
    lang: str | None,
) -> Derivation:
    """Grow the tree of steps: what was worked out before is only referred to.

    Args:
        root: what is derived.
        beside: what is told too, though the root does not rest on it.
        defined: what names stand for, by their identity.
        digits: significant digits in print.
        lang: the language of its pages.
    """
    steps: dict[int, Derivation] = {}
    told: list[tuple[Definition, Derivation]] = []  # what a step rests on comes before it

    def begun(one: Definition) -> tuple[Definition, Derivation, Iterator[Symbol]]:
        steps[id(one.leaf)] = step = Derivation(
            one.symbol, one.formula, one.kind, one.where, note=one.note, digits=digits, lang=lang,
            remarks=tuple(one.remarks(one.formula)),
        )  # fmt: skip
        return one, step, iter(dict.fromkeys(named_in(one.formula)))

    def grow(one: Definition) -> Derivation:
        branch = [begun(one)]
        while branch:
            one, step, names = branch[-1]
            for name in names:
                if id(name) in steps:
                    step.reused.append(steps[id(name)])
                elif id(name) in defined:
                    branch.append(begun(defined[id(name)]))
                    step.children.append(branch[-1][1])
                    break
            else:
                told.append((one, step))
                branch.pop()
        return step

    whole = grow(root)
    whole.children += [grow(one) for one in beside if id(one.leaf) not in steps]
    ranks = list(STAGES.values())
    rank = lambda one: LAST * 2 if one is root else one.order  # noqa: E731
    told.sort(key=lambda pair: (ranks.index(STAGES[pair[0].kind]), rank(pair[0])))
    for number, (_, step) in enumerate(told, 1):
        step.number = number
    return whole

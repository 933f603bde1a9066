r"""The chain rule path by path: \frac{\partial E_1}{\partial w} as a product of named factors.

From the loss to what is asked for, each path is a product of local derivatives. A factor is the
derivative of one step's formula in one of its names, read off the rows of the formula.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from trasluz.autodiff import ops
from trasluz.explain.names import derivative_name
from trasluz.explain.tidy import tidied
from trasluz.typeset.entries import LEFT_OUT
from trasluz.typeset.symbols import Symbol, constant, named_in

MOST_PATHS = 24  # of one derivative; beyond that deltas are shorter
TOGETHER = 8  # of these that one formula adds up: beyond that it is not read any more
MOST_ENTRIES = 200  # that a network with so few paths can have


class ByDeltasError(Exception):
    """The chain rule is told by deltas: there are too many paths, or a row has no formula."""


def slope_in(
    spelled: Symbol,
    name: Symbol,
    y: Symbol | None = None,
    through: Mapping[int, Symbol] | None = None,
) -> Symbol | None:
    """Spell the derivative of a formula in one of its names; None if it does not hold the name.

    Args:
        spelled: the formula.
        name: the name.
        y: the formula's own name, which rules use for its value.
        through: derivatives of other names in it, by their identity.
    """
    if spelled is name:
        return constant(1)
    if through and id(spelled) in through:
        return through[id(spelled)]
    if spelled.made is None:
        if spelled.latex.startswith(LEFT_OUT):
            raise ByDeltasError  # terms that are left out may hold it
        return None
    primitive, parts = spelled.made
    total: Symbol | None = None
    for position, part in enumerate(parts):
        inner = slope_in(part, name, None, through)
        if inner is None:
            continue
        rule = primitive.rules[min(position, len(primitive.rules) - 1)]
        if rule is None or primitive.kind != "elementwise":
            raise ByDeltasError
        local = rule(y or spelled, *parts)
        term = tidied(local * inner)
        total = term if total is None else total + term
    return None if total is None else tidied(total)


class Chain:
    """The paths from the loss to one name.

    Args:
        script: the tape of entries, which knows what names stand for.
        target: the name.
    """

    def __init__(self, script: Any, target: Symbol) -> None:
        self.script, self.target = script, target
        self.counts: dict[int, int] = {id(target): 1}
        self.factors: dict[tuple[int, int], Symbol] = {}
        self.below: dict[int, list[Symbol]] = {}

    def whole(self, total: Symbol) -> Any:
        """Define the derivative of the loss; None where there are too many paths."""
        if self.script.size > MOST_ENTRIES or total is self.target:
            return None
        try:
            if not 0 < self.count(total) <= MOST_PATHS:
                return None
            return self.script.defined[id(self.derivative(total))]
        except ByDeltasError:
            return None

    def count(self, name: Symbol) -> int:
        """Count the paths from a name to the target."""
        if id(name) not in self.counts:
            self.counts[id(name)] = 0  # while it is being counted
            paths = sum(self.count(child) for child in self.names_in(name))
            self.counts[id(name)] = paths
        return self.counts[id(name)]

    def names_in(self, name: Symbol) -> list[Symbol]:
        """List the names that a name's formula holds; a softmax's logarithm is looked through."""
        if id(name) not in self.script.defined:
            return []
        if id(name) not in self.below:
            definition = self.script.defined[id(name)]
            known = {id(one): one for one in named_in(definition.formula)}
            for through in [one for one in known.values() if self._is_passage(one)]:
                del known[id(through)]
                known |= {id(one): one for one in self.names_in(through)}
            self.below[id(name)] = list(known.values())
        return self.below[id(name)]

    def leading(self, name: Symbol) -> list[Symbol]:
        """List the names in a formula from which a path goes on to the target."""
        return [child for child in self.names_in(name) if self.count(child)]

    def derivative(self, name: Symbol) -> Symbol:
        """Define the derivative of a part of the loss in the target: a sum over its parts."""
        children = self.leading(name)
        sign = derivative_name(name.latex, self.target.latex)
        where = name.latex
        parts = [c for c in children if self._is_loss(c)]
        if not parts:
            return self._product(name, sign, where)
        slopes, rests = [], []
        for child in children:
            slopes.append(self.slope(name, child))
            if child is self.target:
                rests.append(constant(1))
            elif self._is_loss(child):
                rests.append(self.derivative(child))
            else:
                rests.append(self._paths(child, where))
        if len({slope.latex for slope in slopes}) == 1 and not list(named_in(slopes[0])):
            formula = slopes[0] * functools.reduce(ops.add, rests)
        else:
            terms = [slope * rest for slope, rest in zip(slopes, rests, strict=True)]
            formula = functools.reduce(ops.add, terms)
        return self._defined(sign, tidied(formula), "chain", where)

    def _product(self, name: Symbol, sign: str, where: str) -> Symbol:
        direct = self.count(name) == 1 and self.leading(name)[0] is self.target
        formula = self.slope(name, self.target) if direct else self._paths(name, where)
        return self._defined(sign, formula, "chain", where)

    def _paths(self, name: Symbol, where: str) -> Symbol:
        """Add up the products of factors along all paths."""
        if self.count(name) > TOGETHER:
            raise ByDeltasError
        products = [
            functools.reduce(
                ops.multiply,
                (self.factor(a, b, where) for a, b in itertools.pairwise(path)),
            )
            for path in self._walk(name)
        ]
        return functools.reduce(ops.add, products)

    def _walk(self, name: Symbol) -> list[list[Symbol]]:
        if name is self.target:
            return [[name]]
        return [[name, *rest] for child in self.leading(name) for rest in self._walk(child)]

    def factor(self, upper: Symbol, lower: Symbol, where: str) -> Symbol:
        """Define one factor: the derivative of a name in a name of its formula."""
        key = id(upper), id(lower)
        if key not in self.factors:
            formula = self.slope(upper, lower)
            sign = derivative_name(upper.latex, lower.latex)
            leaf = Symbol(rf"\boxed{{{sign}}}", formula.value)
            self.factors[key] = self.script.define(leaf, lambda: formula, "factor", where, 0, sign)
        return self.factors[key]

    def slope(self, upper: Symbol, lower: Symbol) -> Symbol:
        """Spell the derivative of a name in a name of its formula."""
        formula = self._formula(upper)
        slopes = [slope_in(formula, lower, upper)]
        for passage, inner in self.passages(formula, lower):
            outer = slope_in(formula, passage, upper)
            if outer is not None:
                slopes.insert(0, outer * inner)
        return tidied(functools.reduce(ops.add, [one for one in slopes if one is not None]))

    def slope_inside(self, upper: Symbol, lower: Symbol) -> Symbol:
        """Spell the same derivative in one go, as of a formula without a logarithm's name."""
        formula = self._formula(upper)
        through = {id(passage): inner for passage, inner in self.passages(formula, lower)}
        return slope_in(formula, lower, upper, through) or constant(0)

    def passages(self, formula: Symbol, lower: Symbol) -> list[tuple[Symbol, Symbol]]:
        """List the logarithms in a formula that are looked through, with their derivatives."""
        names = {id(one): one for one in named_in(formula) if self._is_passage(one)}.values()
        slopes = [(one, slope_in(self._formula(one), lower, one)) for one in names]
        return [(one, self.script.recognised(slope)) for one, slope in slopes if slope is not None]

    def _is_passage(self, name: Symbol) -> bool:
        definition = self.script.defined.get(id(name))
        return definition is not None and definition.role == "logsumexp"

    def _formula(self, name: Symbol) -> Symbol:
        formula: Symbol = self.script.defined[id(name)].formula
        return formula

    def _is_loss(self, name: Symbol) -> bool:
        definition = self.script.defined.get(id(name))
        return definition is not None and definition.kind == "loss"

    def _defined(self, sign: str, formula: Symbol, kind: str, where: str) -> Symbol:
        leaf = Symbol(sign, formula.value)
        known: Symbol = self.script.define(leaf, lambda: formula, kind, where)
        return known

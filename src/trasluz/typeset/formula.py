r"""Formulas as trees: the LaTeX that the typesetter writes, read once for every kind of page.

>>> parse(r"\frac{1}{x}")
Fraction(above=Number(text='1'), below=Name(sign='x'))
"""

from __future__ import annotations

import bisect
import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from trasluz.errors import visible


def parting(sign: str, decimal: str) -> str:
    """Give the sign between the members of a list: a semicolon where commas are in the numbers."""
    return ";" if sign == decimal else sign


@dataclass(frozen=True)
class Node:
    """A piece of a formula."""


@dataclass(frozen=True)
class Number(Node):
    """Digits, with a decimal point."""

    text: str


@dataclass(frozen=True)
class Name(Node):
    """One letter, or a sign that stands for something: x, σ, ∂, ∞, ⋯."""

    sign: str


@dataclass(frozen=True)
class Word(Node):
    """Letters that belong together, in a style: "roman", "bold", "symbol", "mono" or "text".

    A "symbol" is one bold letter, slanted as a name is.
    """

    text: str
    style: str = "roman"


@dataclass(frozen=True)
class Function(Node):
    """The upright name of a function."""

    name: str


@dataclass(frozen=True)
class Operator(Node):
    """A sign between or before others."""

    sign: str

    @property
    def kind(self) -> str:
        """Say what it does: "binary", "relation", "comma", "big" or "other"."""
        return _KINDS.get(self.sign, "other")


@dataclass(frozen=True)
class Space(Node):
    """Room between factors, in em."""

    width: float


@dataclass(frozen=True)
class Row(Node):
    """Pieces next to each other."""

    items: tuple[Node, ...]


EMPTY = Row(())


@dataclass(frozen=True)
class Fraction(Node):
    """One piece above another."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Root(Node):
    """A square root."""

    of: Node


@dataclass(frozen=True)
class Scripts(Node):
    """A piece with an index, a power, or both."""

    base: Node
    low: Node | None
    high: Node | None


@dataclass(frozen=True)
class Fenced(Node):
    """A piece between delimiters; an empty one is not drawn."""

    left: str
    inside: Node
    right: str


@dataclass(frozen=True)
class Accent(Node):
    """A piece with a mark above it: "hat", "bar", "tilde", "vec" or "dot"."""

    mark: str
    base: Node


@dataclass(frozen=True)
class Boxed(Node):
    """A piece in a box: a factor of a chain."""

    of: Node


@dataclass(frozen=True)
class Brace(Node):
    """A piece with a brace under it, and what stands under the brace."""

    of: Node
    below: Node | None


@dataclass(frozen=True)
class Matrix(Node):
    """Pieces in rows and columns."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Cases(Node):
    """Values, each with the condition it holds under."""

    rows: tuple[tuple[Node, ...], ...]


NAMES = {
    "partial": "∂", "infty": "∞", "top": "⊤", "prime": "′", "ell": "ℓ", "nabla": "∇",
    "cdots": "⋯", "vdots": "⋮", "ddots": "⋱", "ldots": "…", "Delta": "Δ", "Sigma": "Σ",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω",
}  # fmt: skip
OPERATORS = {
    "cdot": "·", "times": "×", "odot": "⊙", "circ": "∘", "pm": "±", "leq": "≤", "geq": "≥",
    "neq": "≠", "approx": "≈", "to": "→", "in": "∈", "sum": "∑", "prod": "∏",
}  # fmt: skip
_KINDS = {
    **dict.fromkeys("+-·×⊙∘±/*", "binary"),
    **dict.fromkeys("=<>≤≥≠≈→∈", "relation"),
    **dict.fromkeys(",;", "comma"),
    **dict.fromkeys("∑∏", "big"),
}
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307"}
STYLES = {
    "text": "text", "mathrm": "roman", "mathbf": "bold", "mathtt": "mono", "texttt": "mono",
}  # fmt: skip
FUNCTIONS = ("arccos", "arcsin", "arctan", "cos", "cosh", "det", "exp", "lim", "ln", "log",
             "max", "min", "sin", "sinh", "tan", "tanh")  # fmt: skip
FENCES = {
    ".": "", r"\{": "{", r"\}": "}", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈",
    r"\rceil": "⌉", r"\lvert": "|", r"\rvert": "|", r"\|": "‖",
}  # fmt: skip
SPACES = {",": 1 / 6, ":": 2 / 9, ";": 5 / 18, " ": 1 / 3, "quad": 1.0, "qquad": 2.0}
ESCAPES = {
    **{sign: rf"\{sign}" for sign in "#$%&_{}"},
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
SILENT = ("textstyle", "displaystyle", "limits", "!")

_TOKEN = re.compile(r"\\(?:[a-zA-Z]+|.)|\d+(?:\.\d+)?|[^\W\d_]+|\S", re.DOTALL)
_END = ""
_CLOSING = frozenset(("}", ")", "]", r"\right", r"\end"))
LEADING = frozenset(  # commands that act on what follows
    f"\\{name}" for name in (
        "frac", "sqrt", "left", "begin", "boxed", "underbrace", "operatorname", "boldsymbol",
        *ACCENTS, *STYLES
    )
)  # fmt: skip
_SIGNS = {spelled: sign for sign, spelled in ESCAPES.items()}
_ESCAPED = re.compile(r"\\text[a-z]+\{\}|\\[^a-zA-Z]")


def escaped(words: str) -> str:
    r"""Write words that stand for themselves.

    >>> escaped("dense_1 & more")
    'dense\\_1 \\& more'
    """
    return "".join(ESCAPES.get(sign, sign) for sign in visible(words, lines=False))


def _unescaped(match: re.Match[str]) -> str:
    return _SIGNS.get(match.group(), match.group().removeprefix("\\"))


def parse(latex: str) -> Node:
    """Read a formula.

    Args:
        latex: a formula of the typesetter; a command that is not known stands for its own name.

    Raises:
        ValueError: for braces, brackets or environments that are not balanced.

    >>> parse("x^{2")
    Traceback (most recent call last):
        ...
    ValueError: '{' at 2 is not closed in 'x^{2'
    """
    return _Reader(latex).row(_END)


@functools.lru_cache(4096)
def _alone(token: str) -> Node | None:
    """Give the piece that a token is without others; none where it begins more, or is silent."""
    if token.startswith("\\"):
        return _named(token[1:])
    if token in ("&", "~"):
        return Space(SPACES[" "])
    if token[0].isdigit():
        return Number(token)
    if token[0].isalpha():
        return Name(token) if len(token) == 1 else Word(token)
    return Name(token) if token in NAMES.values() else Operator(token)


def _named(name: str) -> Node | None:
    match name:
        case _ if name in NAMES:
            return Name(NAMES[name])
        case _ if name in OPERATORS:
            return Operator(OPERATORS[name])
        case _ if name in FUNCTIONS:
            return Function(name)
        case _ if name in SPACES:
            return Space(SPACES[name])
        case _ if name in SILENT:
            return None
        case "" | "\\":
            return Space(SPACES["quad"])
    return Operator(FENCES.get("\\" + name, name)) if not name.isalpha() else Word(name)


class _Reader:
    """A walk over the tokens of a formula."""

    def __init__(self, latex: str) -> None:
        self.latex, self.at = latex, 0
        self.tokens = [*_TOKEN.findall(latex), _END]

    @property
    def next(self) -> str:
        return self.tokens[self.at]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    @functools.cached_property
    def places(self) -> list[int]:
        """Where in the formula tokens begin, and its end."""
        return [*(match.start() for match in _TOKEN.finditer(self.latex)), len(self.latex)]

    def row(self, *ends: str) -> Node:
        """Read up to one of some tokens, and leave that token where it is."""
        opening = max(self.at - 1, 0)
        items: list[Node] = []
        while (token := self.next) not in ends:
            if token == _END:
                self.fail("is not closed", opening)
            if token in _CLOSING:
                self.fail("closes nothing", self.at)
            if token in ("^", "_", "'"):
                items.append(self.scripts(items.pop() if items else EMPTY))
            elif (atom := self.atom()) is not None:
                items.append(atom)
        return items[0] if len(items) == 1 else Row(tuple(items))

    def fail(self, what: str, at: int) -> NoReturn:
        raise ValueError(f"{self.tokens[at]!r} at {self.places[at]} {what} in {self.latex!r}")

    def enclosed(self, *ends: str) -> Node:
        """Read up to one of some tokens, and go past it."""
        inside = self.row(*ends)
        self.take()
        return inside

    def argument(self) -> Node:
        """Read what follows a command: a group, or one piece."""
        if self.next == _END or self.next in _CLOSING:
            self.fail("lacks what it acts on", self.at - 1)
        return self.atom() or EMPTY

    def scripts(self, base: Node) -> Node:
        """Read an index or a power, and put it where there is room, else on the whole."""
        mark = self.take()
        script = Name("′") if mark == "'" else self.argument()
        if isinstance(base, Brace) and mark == "_" and base.below is None:
            return Brace(base.of, script)
        low, high = (script, None) if mark == "_" else (None, script)
        if isinstance(base, Scripts) and (base.low is None if low else base.high is None):
            return Scripts(base.base, base.low or low, base.high or high)
        return Scripts(base, low, high)

    def atom(self) -> Node | None:
        """Read one piece; what only sets the size is none."""
        match token := self.take():
            case "{":
                inside = self.enclosed("}")
                return None if inside == EMPTY else inside
            case "(" | "[":
                inside = self.row(")", "]")
                return Fenced(token, inside, self.take())
        return self.command(token[1:]) if token in LEADING else _alone(token)

    def command(self, name: str) -> Node:
        """Read what acts on what follows it."""
        match name:
            case "frac":
                return Fraction(self.argument(), self.argument())
            case "sqrt":
                return Root(self.argument())
            case "left":
                return self.fenced()
            case "begin":
                return self.environment()
            case "boxed":
                return Boxed(self.argument())
            case "underbrace":
                return Brace(self.argument(), None)
            case "operatorname":
                return Function(self.raw())
            case "boldsymbol":
                return Word(
                    "".join(n.sign for n in items(self.argument()) if isinstance(n, Name)), "symbol"
                )
            case _ if name in ACCENTS:
                return Accent(name, self.argument())
        return Word(self.raw(), STYLES[name])

    def fenced(self) -> Node:
        left = self.take()
        inside = self.row(r"\right")
        self.take()
        return Fenced(FENCES.get(left, left), inside, FENCES.get(self.next, self.take()))

    def raw(self) -> str:
        """Read the letters of a group as they are, the signs among them too."""
        if self.next != "{":
            return self.take()
        start = self.places[self.at]
        depth = 0
        for sign in re.finditer(r"\\.|[{}]", self.latex[start:]):
            depth += {"{": 1, "}": -1}.get(sign.group(), 0)
            if depth == 0:
                end = start + sign.start()
                self.at = bisect.bisect_right(self.places, end)
                return _ESCAPED.sub(_unescaped, self.latex[start + 1 : end])
        self.fail("is not closed", self.at)

    def environment(self) -> Node:
        name = self.raw()
        rows: list[tuple[Node, ...]] = []
        cells: list[Node] = []
        while True:
            cells.append(self.row("&", r"\\", r"\end"))
            end = self.take()
            if end == "&":
                continue
            rows.append(tuple(cells))
            cells = []
            if end == r"\end":
                self.raw()
                return (Cases if name == "cases" else Matrix)(tuple(rows))


def items(node: Node) -> tuple[Node, ...]:
    """List the pieces of a row; of anything else, itself."""
    return node.items if isinstance(node, Row) else (node,)


def prefixes(row: tuple[Node, ...]) -> Iterator[tuple[Node, bool]]:
    """List pieces, and whether each is a sign before something rather than between two."""
    before: Node | None = None
    for item in row:
        starts = before is None or (isinstance(before, Operator) and before.sign != "!")
        yield item, isinstance(item, Operator) and item.kind == "binary" and starts
        if not isinstance(item, Space):
            before = item


def terms(node: Node, signs: str = "+-=") -> list[Node]:
    r"""Part a formula where a line may be broken: before a sign that stands between two pieces.

    Such a sign keeps an empty row before it, so that it goes on standing between.

    >>> [len(items(term)) for term in terms(parse(r"-a + b\,\left(1 - c\right) - 2"))]
    [2, 5, 3]
    """
    parts: list[list[Node]] = [[]]
    for item, prefix in prefixes(items(node)):
        if isinstance(item, Operator) and item.sign in signs and not prefix and parts[-1]:
            parts.append([EMPTY] if item.kind == "binary" else [])
        parts[-1].append(item)
    return [Row(tuple(part)) for part in parts]


def unstacked(node: Scripts) -> Scripts:
    r"""Give a base what it needs to carry a power: one place for it, or parentheses.

    A power of a fraction, or of a name that has an index above, goes on parentheses; a prime or
    the sign of a transposed matrix joins the index above.

    >>> unstacked(parse(r"w^{(1)}^{\prime}")).high.items[1]
    Name(sign='′')
    >>> unstacked(parse(r"w^{(1)}^{2}")).base.left
    '('
    """
    base = node.base
    if isinstance(base, Scripts) and base.high and node.high in (Name("′"), Name("⊤")):
        return Scripts(base.base, base.low, Row((*items(base.high), *items(node.high))))
    if isinstance(base, (Fraction, Scripts)) and not (isinstance(base, Scripts) and node.low):
        return Scripts(Fenced("(", base, ")"), node.low, node.high)
    return node


def tall(node: Node) -> bool:
    """Say whether a piece needs delimiters that grow."""
    match node:
        case Row(row):
            return any(map(tall, row))
        case Fenced(_, inside, _) | Scripts(inside):
            return tall(inside)
    return isinstance(node, (Fraction, Root, Boxed, Brace, Matrix, Cases))


def width(node: Node | None) -> float:
    """Guess how wide a piece is in print, in characters."""
    match node:
        case None:
            return 0
        case Number(text) | Word(text) | Function(text):
            return len(text)
        case Operator():
            return 1 if node.kind in ("comma", "other") else 3
        case Space(em):
            return em
        case Row(row):
            return sum(map(width, row))
        case Fraction(above, below):
            return max(width(above), width(below)) + 0.5
        case Scripts(base, low, high):
            return width(base) + 0.7 * max(width(low), width(high))
        case Fenced(_, inside, _):
            return width(inside) + 1.5
        case Root(of) | Boxed(of):
            return width(of) + 1.5
        case Brace(of, below):
            return max(width(of), 0.7 * width(below))
        case Accent(_, base):
            return width(base)
        case Matrix(rows) | Cases(rows):
            return sum(max(map(width, column)) + 1.5 for column in zip(*rows, strict=False)) + 1
    return 1


def accented(mark: str, text: str) -> str | None:
    """Put a mark on a letter; None if there are several."""
    return unicodedata.normalize("NFC", text + ACCENTS[mark]) if len(text) == 1 else None

"""Formulas: every one that rows spell is read, and its numbers come to its value."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from latex2mathml.converter import convert

from evaluation import evaluate
from rows import each
from trasluz import ops
from trasluz.pages import html, latex
from trasluz.pages import typst as printed
from trasluz.pages.text import plain
from trasluz.typeset import Symbol, matrix, spelled
from trasluz.typeset.formula import Brace, Fenced, Matrix, Word, items, parse, terms, width

GOLDEN = Path(__file__).parent / "golden" / "derivatives.txt"
UNARY = ("exp", "expm1", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "relu",
         "negative", "absolute", "sign", "floor")  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "less_equal")


def golden():
    """List the formulas of the golden file."""
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        yield from (part for part in re.split(r"  =  |: ", line) if part.strip())


def read_by_all(formula):
    """Write a formula in every way, and read what was written with other people's readers."""
    tree = parse(formula)
    for decimal in ".,":
        line = plain(formula, decimal)
        assert "\\" not in line and line
        spelled = latex.write(tree, decimal)
        convert(spelled)
        assert html.mathml(tree, decimal).startswith("<math")
        assert printed.write(tree, decimal)
    again = latex.write(tree)
    assert latex.write(parse(again)) == again
    assert width(tree) > 0


@pytest.mark.parametrize(("name", "sample"), each())
def test_every_row_is_read(name, sample):
    symbols = [Symbol(sign, a) for sign, a in zip("abc", sample.args, strict=False)]
    read_by_all(spelled(ops.PRIMITIVES[name], symbols))


def test_every_formula_of_the_golden_file_is_read():
    found = list(golden())
    assert len(found) > 100
    for formula in found:
        read_by_all(formula)


def drawn(generator, depth):
    """Draw a formula of numbers, spelled and worked out by the rows."""
    if depth == 0:
        return Symbol("x", generator.choice([1, 10, 1e-7, 100]) * generator.normal())
    one = drawn(generator, depth - 1)
    with np.errstate(all="ignore"):
        if generator.random() < 0.5:
            return ops.PRIMITIVES[generator.choice(UNARY)](one)
        if generator.random() < 0.2:
            return one ** int(generator.integers(1, 4))
        two = drawn(generator, depth - 1)
        return ops.astype(
            ops.PRIMITIVES[generator.choice(BINARY)](one, two), dtype=np.dtype("float64")
        )


def calm(symbol):
    """Say whether no part is so large that its exponential is infinite."""
    inner = symbol.made[1] if symbol.made else []
    return abs(symbol.value) < 700 and all(map(calm, inner))


@pytest.mark.parametrize("seed", range(300))
def test_numbers_come_to_the_value(seed):
    generator = np.random.default_rng(seed)
    formula = next(filter(calm, (drawn(generator, 1 + seed % 4) for _ in range(1000))))
    value = float(formula.value)
    found = evaluate(formula.numbers(17))
    assert found == pytest.approx(value, rel=1e-6, abs=1e-12, nan_ok=True), formula.numbers(17)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (r"-2^{2}", -4),
        (r"\left(-2\right)^{2}", 4),
        (r"(-0.3) \cdot 2", -0.6),
        (r"2\,3\,\left(1 - 0.5\right)", 3),
        (r"2 - 3 - 4 \cdot 2 + 1", -8),
        (r"1.5 \times 10^{-7}", 1.5e-7),
        (r"\frac{1}{1.5 \times 10^{-7}} \cdot 3", 2e7),
        (r"\left[1 > 2\right] + 0.5 \cdot \left[2 = 2\right]", 0.5),
        (r"\left[1 \neq 2\right] \left[2 \geq 2\right] \left[1 \leq 1\right]", 1),
        (r"\left|-3\right|^{2} + \left\lfloor -0.5 \right\rfloor", 8),
        (r"\ln e^{2}", 2),
        (r"\ln\left(1 + e^{0}\right)^{2}", np.log(2) ** 2),
        (r"\sigma\left(0\right)^{2}\,\operatorname{relu}\left(-1\right)", 0),
        (r"\sigma\left(0\right)^{2}", 0.25),
        (r"\max\left(1, -3, 2\right) - \min\left(1, -3\right)", 5),
        (r"\underbrace{1.23}_{508} + \underbrace{2}_{3}^{2}", 5.23),
        (r"\boxed{0.5} \boxed{4}", 2),
        (r"e^{-0.5^{2}}", np.exp(-0.25)),
        (r"\sqrt{16}^{3} / 2", 32),
        (r"\begin{cases}3 & \left[1 > 2\right]\\ 4 & \text{else}\end{cases}", 4),
        (r"-\infty", -np.inf),
        (r"0.6{} \cdot 2", 1.2),
        (r"2 \cdot -3", -6),
        (r"1 > 2", 0),
    ],
)
def test_by_hand(formula, value):
    assert evaluate(formula) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "formula", ["x", r"x_{1}", "1 +", r"\foo", "1 , 2", r"e_{1}^{2}", r"\left\{1", "1 + * 2"]
)
def test_what_is_no_number_is_said(formula):
    with pytest.raises(ValueError):
        evaluate(formula)


@pytest.mark.parametrize(
    ("formula", "place"),
    [
        ("x^{2", "'{' at 2"),
        ("1 + x}", "'}' at 5"),
        (r"\left(x", r"'\\\\left' at 0|'\(' at 5"),
        (r"x \right)", r"at 2"),
        (r"(x", r"'\(' at 0"),
        (r"\frac{1}", r"'}' at 7"),
        (r"\text{a", r"'{' at 5"),
        (r"\begin{cases} 1 & 2", "is not closed"),
        (r"x^", r"'\^' at 1"),
        (r"\end{cases}", "closes nothing"),
    ],
)
def test_what_is_not_balanced_is_said(formula, place):
    with pytest.raises(ValueError, match=place):
        parse(formula)


def test_what_is_not_known_stands_for_itself():
    assert plain(r"\foo x \! + \quux{y}") == "foo x + quux y"
    assert plain(r"[0, 1) \in \mathbf{R} \; \% \rangle") == "[0, 1) ∈ R %rangle"
    assert parse("") == parse("{}") == parse(" { { } }")


def test_names_of_layers_keep_their_signs():
    assert parse(r"\texttt{dense\_1 \{a\} \& b}") == Word("dense_1 {a} & b", "mono")
    assert plain(r"w_{\mathrm{a\_b}}") == "w_(a_b)"


def test_parts():
    assert [plain(latex.write(term)) for term in terms(parse(r"a = -b - c\,(d + e) + 1"))] == [
        "a", "= -b", "-c (d + e)", "+1",
    ]  # fmt: skip
    (brace,) = items(parse(r"\underbrace{\cdots}_{508}"))
    assert isinstance(brace, Brace) and plain(r"\underbrace{\cdots}_{508}") == "⟨508: ⋯⟩"
    table = parse(matrix(np.arange(30.0).reshape(5, 6)))
    assert isinstance(table, Matrix)
    assert [len(row) for row in table.rows] == [4, 4, 4, 4]
    assert isinstance(parse(r"\left\lfloor x \right\rfloor"), Fenced)


@pytest.mark.parametrize(
    ("formula", "line"),
    [
        (r"\frac{\partial E}{\partial w_{1}}^{2}", "(∂E/∂w₁)²"),
        (r"\frac{a + b}{c\,d}", "(a + b)/(c d)"),
        (r"\frac{-y}{\frac{a}{b}}", "-y/(a/b)"),
        (r"w^{(1)}_{1,2}^{\prime}", "w⁽¹⁾₁,₂′"),
        (r"\hat{y}_{1}^{2} + \bar{w} + \tilde{x}'", "ŷ₁² + w̄ + x̃′"),
        (r"e^{-x^{2}} + x^{0.5} + W^{\top}", "e^(-x²) + x^(0.5) + Wᵀ"),
        (r"\max\left(0.5, 1.5\right)", "max(0.5, 1.5)"),
        (r"\ln \textstyle\sum e^{X}", "ln Σ e^(X)"),
        (r"\sqrt{x} \leq \alpha_t \odot \delta", "√(x) ≤ α_t ⊙ δ"),
        (r"\begin{bmatrix} 1.5 & 0 \\ \vdots & \ddots \end{bmatrix}", "[1.5  0; ⋮  ⋱]"),
        (r"\boxed{\frac{\partial E}{\partial y}} \, \boxed{x}", "(∂E/∂y) (x)"),
    ],
)
def test_lines(formula, line):
    assert plain(formula) == line


def test_decimal_commas():
    formula = r"\max\left(0.5, w_{1,2}\right)^{0.5} \cdot 10^{-7}"
    assert plain(formula, ",") == "max(0,5; w₁,₂)^(0,5) · 10⁻⁷"
    assert "0{,}5;" in latex.write(parse(formula), ",").replace(" ", "")
    assert "<mn>0,5</mn><mo>;</mo>" in html.mathml(parse(formula), ",")


def test_powers_of_what_has_an_index_above():
    """LaTeX allows one index above: a power of such a name goes on parentheses."""
    with pytest.raises(Exception, match=r"(?i)superscript|^$"):
        convert("w^{(1)}^{2}")
    for formula in (
        "w^{(1)}_{1}^{2}",
        r"w^{(1)}_{1}^{\prime}",
        r"W^{(2)}^{\top}",
        "a_{1}_{2}^{3}^{4}",
    ):
        convert(latex.write(parse(formula)))

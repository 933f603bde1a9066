"""The worked examples against every number of the course, to its printed digits.

python tests/test_examples.py     writes the golden pages anew
"""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from tinyhtml5.parser import HTMLParser

from trasluz import examples
from trasluz.base.messages import LANGUAGES, speak
from trasluz.cli.app import run
from trasluz.errors import UserError
from trasluz.examples.page import Word
from trasluz.pages.text import plain

GOLDEN = Path(__file__).parent / "golden" / "examples"
NOTEBOOKS = Path(__file__).parent.parent / "examples" / "notebooks"


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak(None)


@pytest.fixture(scope="module")
def page():
    """Give an example; each is worked out once."""
    made = {}
    return lambda name: made.setdefault(name, examples.load(name))


def values(step, key="name", value="value"):
    return dict(zip(step.column(key), step.column(value), strict=True))


def erratum(example, name):
    return next(e for e in example.errata if e.name == name)


def near(value, digits):
    """Equal to the printed digits, which the notes cut off as often as they round them."""
    return pytest.approx(value, abs=1.01 * 10.0**-digits)


def full(value, digits=8):
    return pytest.approx(value, abs=0.51 * 10.0**-digits)


# ----------------------------------------------------------------------------------------- UNAM


def test_unam_forward(page):
    found = values(page("unam-2-2-2").step("forward"))
    assert list(found.values()) == full(
        [0.41, 0.47, 0.60108788, 0.61538376, 1.01977419, 1.26306852, 0.73492861, 0.77955388]
    )
    assert found["n₁"] == near(0.60108, 5)
    assert found["n₂"] == near(0.61538, 5)
    assert (found["ŷ₁"], found["ŷ₂"]) == (near(0.73492, 5), near(0.77955, 5))
    errors = values(page("unam-2-2-2").step("errors"))
    assert list(errors.values()) == full([0.23456360, 0.01452594, 0.24908954])
    assert list(errors.values()) == near([0.23456, 0.01452, 0.24908], 5)


def test_unam_derivatives(page):
    step = page("unam-2-2-2").step("derivatives")
    slopes, new = values(step, value="∂E/∂"), values(step, value="new")
    assert list(slopes.values()) == full(
        [
            0.00110806,
            0.00134024,
            0.00554029,
            0.0067012,
            0.08020312,
            0.08211062,
            -0.01760653,
            -0.01802527,
            0.02448298,
            0.10413885,
        ]
    )
    assert [slopes[f"w{k}"] for k in "₅₆₇₈"] == near([0.0802, 0.08211, -0.01760, -0.01802], 5)
    assert list(new.values())[:8] == full(
        [
            0.09933517,
            0.19919586,
            0.29667583,
            0.39597928,
            0.45187813,
            0.55073363,
            0.71056392,
            0.81081516,
        ]
    )
    assert [new[f"w{k}"] for k in "₅₆₇₈"] == near([0.45188, 0.55073, 0.71056, 0.81081], 5)
    assert new["w₁"] == near(0.09934, 5)
    first, second = (values(step, value=f"∂E{k}/∂")["w₁"] for k in "₁₂")
    assert (first, second, slopes["w₁"]) == (near(0.00159, 5), near(-0.00049, 5), near(0.0011, 5))
    assert first + second == pytest.approx(slopes["w₁"])


def test_unam_again_and_to_convergence(page):
    example = page("unam-2-2-2")
    again = values(example.step("second-forward"), "biases", "E")
    assert again["biases-frozen"] == full(0.24072491)
    assert again["biases-trained"] == full(0.23384589)
    last = values(example.step("convergence"), "biases", "E")
    assert max(last.values()) < 1e-4
    for row in example.step("checks").rows:
        assert row[1] == pytest.approx(row[2], rel=1e-9) == pytest.approx(row[3], rel=1e-6)


LAYERS = ("output", "hidden")
PATH = ("ŷ₁", "sum_(ŷ₁)")


def test_unam_derivation_reads_as_in_the_course(page):
    example = page("unam-2-2-2")
    outer, inner = (list(example.step(f"{n}-weights").derivation.steps()) for n in LAYERS)
    found = {plain(step.symbol): step for step in outer + inner}
    factors = [found[f"∂{over}/∂{under}"] for over, under in pairwise(["E₁", *PATH, "w₅"])]
    assert [one.value for one in factors] == full([0.68492861, 0.19480855, 0.60108788])
    assert found["∂E₁/∂w₅"].formula == r"\,".join(rf"\boxed{{{one.symbol}}}" for one in factors)
    assert found["∂E/∂w₅"].value == full(0.08020312)
    hidden = ["∂E₁/∂ŷ₁", "∂ŷ₁/∂sum_(ŷ₁)", "∂sum_(ŷ₁)/∂n₁", "∂n₁/∂sum_(n₁)", "∂sum_(n₁)/∂w₁"]
    assert found["∂E₁/∂w₁"].formula.count("boxed") == 5
    assert found["∂E₁/∂w₁"].value == pytest.approx(np.prod([found[one].value for one in hidden]))
    assert found["∂E₁/∂w₁"].reused == [found[one] for one in hidden[:2]]  # of the output layer
    again = found["∂E₂/∂w₁"].reused
    assert again == [found[one] for one in ("∂n₁/∂sum_(n₁)", "∂sum_(n₁)/∂w₁")] + [
        found[one] for one in ("∂E₂/∂ŷ₂", "∂ŷ₂/∂sum_(ŷ₂)")
    ]
    assert plain(found["∂E/∂w₁"].formula) == "∂E₁/∂w₁ + ∂E₂/∂w₁"
    for k, derivative in enumerate(example.step("derivatives").column("∂E/∂")[:8]):
        assert found[f"∂E/∂w{'₁₂₃₄₅₆₇₈'[k]}"].value == pytest.approx(derivative)
    assert [step.number for step in outer + inner] == list(range(1, len(outer + inner) + 1))
    assert not {plain(step.line()) for step in outer} & {plain(step.line()) for step in inner}


def test_unam_errata(page):
    example = page("unam-2-2-2")
    wrong = erratum(example, "unam-sum")
    assert wrong.right == full(1.01977419)
    assert wrong.printed == full(0.73492861 * 0.5 + 0.77955388 * 0.6 + 0.35)
    linear = erratum(example, "unam-linear")
    assert linear.printed == full([1.01977419, 1.26306852])
    assert linear.right == full([0.73492861, 0.77955388])
    smoothed = erratum(example, "unam-smoothing")
    assert smoothed.printed == pytest.approx([0.0025, 0.0025, 0.99, 0.0025, 0.0025])
    assert smoothed.right == pytest.approx([0.002, 0.002, 0.992, 0.002, 0.002])
    norms = erratum(example, "unam-penalties")
    assert norms.printed == pytest.approx([3.6 / 2, 2.04 / 2])
    assert norms.right == pytest.approx([3.6, 2.04 / 2])
    g = 0.0802031247
    root = erratum(example, "unam-rmsprop")
    assert root.printed == pytest.approx(g / ((0.1 * g**2) ** 0.5 + 1e-7) ** 0.5, rel=1e-6)
    assert root.right == pytest.approx(g / ((0.1 * g**2) ** 0.5 + 1e-7), rel=1e-6)
    names = erratum(example, "unam-normalisation")
    assert (names.printed, names.right) == ("σ, β", "γ, β")


# ----------------------------------------------------------------------------------------- AISC

PREDICTED = [0, 0, 0.3456, 1.41075, 1.7658, 2.12085, 2.4759, 2.83095, 3.186]
UPPER = [0, 0, 0, 0.105, 0.248, 0.391, 0.534, 0.677, 0.82]
RESIDUALS = [0, 0, -0.3456, -0.41075, -0.7658, -1.12085, -2.4759, -2.83095, -3.186]
CURVE = [7.242445, 2.233206, 0.506558, 2.062499, 6.901031, 15.022152, 26.425864]


def test_aisc_forward_and_curve(page):
    table = page("aisc-dose").step("predictions")
    assert table.column("dose") == [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert table.column("observed") == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert table.column("predicted") == full(PREDICTED, 9)
    assert table.column("y_U") == full(UPPER, 9)
    assert table.column("residual") == full(RESIDUALS, 9)
    assert page("aisc-dose").step("curve").column("w₃") == list(range(-6, 1))
    assert page("aisc-dose").step("curve").column("SSR") == full(CURVE, 6)


def test_aisc_derivative_step_and_convergence(page):
    example = page("aisc-dose")
    *terms, total = example.step("sum-of-rows").column("dSSR/dw₃")
    assert terms == full([-2 * r * u for r, u in zip(RESIDUALS, UPPER, strict=True)])
    assert sum(terms) == pytest.approx(total) == full(13.0450065, 7)
    step = values(example.step("update"))
    assert step["derivative"] == full(13.0450065, 7)
    assert (step["rate"], step["step-size"], step["w₃"]) == full((0.01, 0.130450065, -0.130450065))
    last = example.step("repetition").rows[-1]
    assert last[1] == full(-3.973998, 6)
    assert last[3] == full(0.505448, 6)
    weighted = np.array(UPPER)
    lower = np.array(PREDICTED) - np.array([0, 0, 0, 1, 1, 1, 0, 0, 0])
    assert last[1] == pytest.approx(-(weighted @ lower) / (weighted @ weighted), abs=1e-6)


def test_aisc_all_six_and_the_unit_curves(page):
    example = page("aisc-dose")
    trained = example.step("all-trained")
    assert trained.column("SSR")[-1] < 0.505448
    assert trained.rows[0][1:-1] == (1.43, -0.61, 2.63, -0.27, 0, 1.35)
    curves = example.step("unit-curves")
    upper, lower, total = (curves.column(n) for n in ("y_U · w₃", "y_L · w₄", "sum"))
    assert np.add(upper, lower) == pytest.approx(total)
    assert example.step("count").column("parameters")[-1] == 6
    told = example.step("hidden-chain-rule").derivation.steps()
    assert any(plain(step.formula) == "[x_U > 0]" for step in told)


def test_aisc_errata(page):
    example = page("aisc-dose")
    derivative = erratum(example, "aisc-derivative")
    assert (derivative.printed, derivative.right) == (full(9.87, 2), full(13.0450065, 7))
    rows = erratum(example, "aisc-rows")
    printed = [0.191257, 0.578237, 1.111105, 1.789861, 2.614506, 3.585040]
    assert rows.printed == pytest.approx(printed, abs=1.5e-6)
    step = erratum(example, "aisc-step")
    assert (step.printed, step.right) == (full(-0.0987, 4), full(-0.130450, 6))
    dose = erratum(example, "aisc-dose")
    assert (dose.printed, dose.right) == (pytest.approx([8.0]), pytest.approx([0.8]))


# ---------------------------------------------------------------------------------- walkthroughs


def test_walkthrough_2_2_2(page):
    example = page("walkthrough-2-2-2")
    assert values(example.step("errors"))["E"] == full(0.298371109, 9)
    slopes = values(example.step("derivatives"), value="∂E/∂")
    assert (slopes["w₅"], slopes["w₁"]) == full((0.082167041, 0.000438568), 9)
    again = values(example.step("second-forward"), "biases", "E")
    assert again["biases-frozen"] == full(0.291027774, 9)
    assert again["biases-trained"] == full(0.285750887, 9)


def test_walkthrough_dose(page):
    step = page("walkthrough-dose").step("repetition")
    assert step.column("b₃")[1:4] == full([1.5655, 2.1917, 2.4422], 4)
    assert step.column("SSR")[0] == full(20.4236, 4)
    assert step.column("dSSR/db₃")[0] == full(-15.6551, 4)
    assert step.column("b₃")[-1] == full(2.6092, 4)


# ------------------------------------------------------------------------------------ the others


def test_toledo_against_its_formulas(page):
    example = page("toledo-tanh-sigmoid")
    w20, w21, w10, w11, w12 = example.step("updates").column("value")
    (x1, x2), y = example.x[0], example.y[0, 0]
    g = np.tanh(w10 + w11 * x1 + w12 * x2)
    f = 1 / (1 + np.exp(-(w20 + w21 * g)))
    output = -(y - f) * f * (1 - f)
    hidden = output * w21 * (1 - g**2)
    right = np.array([output, output * g, hidden, hidden * x1, hidden * x2])
    assert example.step("updates").column("∂e/∂") == pytest.approx(right)
    new = np.array([w20, w21, w10, w11, w12]) - 0.5 * right
    assert example.step("updates").column("new") == pytest.approx(new)
    slope = erratum(example, "toledo-tanh")
    assert (slope.printed, slope.right) == pytest.approx((g**2, 1 - g**2))
    crossed = erratum(example, "toledo-crossentropy")
    assert (crossed.printed, crossed.right) == pytest.approx((np.log(0.7), -np.log(0.7)))


def test_t8_against_its_matrices(page):
    example = page("t8-matrix")
    given = values(example.step("given"), value="numbers")
    a1 = np.tanh(given["W⁽¹⁾"] @ example.x + given["b⁽¹⁾"])
    p = 1 / (1 + np.exp(-(given["W⁽²⁾"] @ a1 + given["b⁽²⁾"])))
    delta2 = -2 * (example.y - p) * p * (1 - p)
    delta1 = given["W⁽²⁾"].T @ delta2 * (1 - a1**2)
    found = values(example.step("matrix-backward"), value="numbers")
    assert found["∂C/∂W⁽²⁾"] == pytest.approx(delta2 @ a1.T)
    assert found["∂C/∂W⁽¹⁾"] == pytest.approx(delta1 @ example.x.T)
    assert found["∂C/∂b⁽¹⁾"] == pytest.approx(delta1)
    formulas = values(example.step("matrix-backward"), value="formula")
    assert formulas["∂C/∂W⁽²⁾"] == "∂C/∂z⁽²⁾ a⁽¹⁾ᵀ"
    assert values(example.step("matrix-backward"), value="shape")["∂C/∂W⁽¹⁾"] == "2×3"
    before, after = example.step("after").column("value")
    assert after < before


def test_perceptrons_and_xor(page):
    assert values(page("perceptron-and").step("result"))["accuracy"] == 1
    errata = {e.name: e for e in page("perceptron-and").errata}
    assert errata["toledo-update"].printed < errata["toledo-update"].right == 1
    assert (errata["toledo-epoch"].printed, errata["toledo-epoch"].right) == (1, 4)
    assert not np.any(errata["toledo-surrogate"].printed)
    assert errata["toledo-surrogate"].right == pytest.approx([-1, -1])
    assert errata["toledo-hinge"].printed == 0
    assert errata["toledo-hinge"].right == pytest.approx(0.6)
    assert values(page("perceptron-xor").step("result"))["accuracy"] <= 0.75
    said = page("perceptron-xor").step("three-say")
    assert said.column("third") == said.column("y")
    rows = page("perceptron-xor").errata[0]
    assert (rows.printed, rows.right) == (0.75, 1)
    network = page("xor").errata[0]
    assert (network.printed, network.right) == (0.75, 1)
    assert values(page("xor").step("collapse"))["difference-of-outputs"] < 1e-12


@pytest.mark.parametrize("name", ["descent-1d", "descent-2d"])
def test_rates_too_small_right_and_too_large(page, name):
    small, right, large = page(name).step("rates").column("last-loss")
    start = page(name).step("paths").rows[0][-1]
    assert right < 1e-3 < small < start < large


# ------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("name", examples.names())
def test_every_example_reads_in_every_language(page, name):
    example = page(name)
    texts = {lang: example.text(lang) for lang in LANGUAGES}
    assert texts["en"] != texts["es"]
    for text in texts.values():
        assert "\\" not in text and "nan" not in text.split()
    assert not re.search(r"\d\.\d", texts["es"])
    document = json.loads(json.dumps(example.as_dict(), default=lambda a: a.tolist()))
    assert [s["name"] for s in document["steps"]] == [s.name for s in example.steps]


@pytest.mark.parametrize("name", examples.names())
def test_pages_of_markdown_and_html(page, name):
    example = page(name)
    written = example.markdown("es")
    assert written.startswith("# ") and written.count("\n## ") >= len(example.steps)
    assert written.count("$$") % 2 == 0
    document = example.html("es")
    assert '<html lang="es">' in document and "\\" not in document
    parser = HTMLParser()
    parser.parse(document)
    assert not parser.errors
    targets = set(re.findall(r'id="([^"]+)"', document))
    assert set(re.findall(r'href="#([^"]+)"', document)) <= targets
    assert len(targets) == document.count(' id="')
    assert example._repr_html_().startswith("<style>")


NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?(?: × 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹,", "-0123456789.")


def numbers(text):
    found = NUMBER.findall(text)
    return [float(n.replace(" × 10", "e").translate(RAISED)) for n in found]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", examples.names())
def test_pages_against_the_golden_ones(page, name, lang):
    written = page(name).text(lang)
    golden = (GOLDEN / f"{name}.{lang}.txt").read_text(encoding="utf-8")
    assert NUMBER.sub("#", written).split() == NUMBER.sub("#", golden).split()
    assert numbers(written) == pytest.approx(numbers(golden), rel=1e-5, abs=1e-8)


def test_words_are_known():
    assert Word("step").spelled() == "step"
    with pytest.raises(UserError, match="did you mean 'unam-2-2-2'"):
        examples.load("unam-222")


@pytest.mark.parametrize("name", ["aisc-dose", "perceptron-xor", "descent-2d"])
def test_pictures_are_drawn_in_both_languages(page, name):
    spanish, english = (page(name).picture(lang) for lang in ("es", "en"))
    assert spanish.startswith(b"\x89PNG")
    assert spanish != english
    assert examples.load("t8-matrix").picture() is None


def test_the_terminal(capsys, tmp_path):
    def call(*words):
        code = run([str(word) for word in words])
        caught = capsys.readouterr()
        return code, caught.out, caught.err

    code, out, _ = call("example")
    assert code == 0
    assert all(name in out for name in examples.names())
    picture = tmp_path / "dose.png"
    code, out, _ = call("example", "aisc-dose", "--lang", "es", "--plot", picture)
    assert code == 0
    assert "Dónde se equivocan los apuntes" in out and "13,0450065" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = call("example", "unam-2-2-2", "--json", "--lang", "es")
    document = json.loads(out)
    assert document["steps"][0]["rows"][2] == ["n₁", pytest.approx(0.60108788)]
    assert document["errata"][0]["right"] == pytest.approx(1.01977419)
    assert call("example", "unam-2-2-2", "--lang", "en")[1].count("printed, from its mistake") == 6
    code, _, err = call("example", "t8-matrix", "--plot", picture)
    assert code == 2 and "has no picture" in err
    code, _, err = call("example", "unam", "--lang", "es")
    assert code == 2 and "no hay un ejemplo «unam»" in err


def test_the_terminal_writes_markdown_and_html(capsys):
    assert run(["example", "t8-matrix", "--format", "markdown", "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith("# Backpropagation with matrices\n")
    assert run(["example", "t8-matrix", "--format", "html", "--lang", "es"]) == 0
    assert capsys.readouterr().out.startswith('<!DOCTYPE html>\n<html lang="es">')


# --------------------------------------------------------------------------------- the notebooks


def test_every_example_has_a_notebook():
    assert sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb")) == sorted(examples.names())
    listed = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}.ipynb" in listed for name in examples.names())


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", examples.names())
def test_notebooks_run(name, lang):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    nbformat.validate(notebook)
    space, shown = {}, []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [] and cell["execution_count"] is None
        source = "".join(cell["source"]).replace('speak("en")', f'speak("{lang}")')
        *body, last = ast.parse(source).body
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(body, []), name, "exec"), space)
            shown.append(eval(compile(ast.Expression(last.value), name, "eval"), space))
        else:
            exec(compile(ast.parse(source), name, "exec"), space)
    spoken = space["example"].title
    assert spoken in shown[0]._repr_html_()
    assert len([one for one in shown if one is not None]) >= 3


def write_golden_pages():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in examples.names():
        example = examples.load(name)
        for lang in LANGUAGES:
            (GOLDEN / f"{name}.{lang}.txt").write_text(example.text(lang) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_golden_pages()

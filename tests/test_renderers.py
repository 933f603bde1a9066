"""Pages of a derivation: valid, safe, in both languages, and seen in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from latex2mathml.converter import convert
from tinyhtml5.parser import HTMLParser

from trasluz import Input, Model, Sequential, config, layers, optimizers, utils
from trasluz.base.messages import LANGUAGES, speaking
from trasluz.errors import UserError
from trasluz.explain import Derivation, explain
from trasluz.explain.document import document
from trasluz.pages import latex, markdown
from trasluz.pages import typst as printed
from trasluz.typeset import Symbol, formula, matrix

NASTY = """<script>alert("&")</script> #panic("x") $_^{}*`~\\ |"""
XHTML = "{http://www.w3.org/1999/xhtml}"


def course():
    """Derive and update a weight of the 2-2-2 network of the course."""
    model = Sequential([Input((2,)), layers.Dense(2, "sigmoid"), layers.Dense(2, "sigmoid")])
    model.compile(optimizers.SGD(0.6), "half_squared_error")
    first, second = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.5, 0.7], [0.6, 0.8]])
    model.set_weights([first, np.full(2, 0.25), second, np.full(2, 0.35)])
    x, y = np.array([[0.1, 0.5]]), np.array([[0.05, 0.95]])
    return explain(model, x, y, "dense/kernel", (0, 0), update=True)


def classifier():
    """Derive and update a weight of a 4-8-3 classifier, after two steps of Adam."""
    utils.set_random_seed(0)
    model = Sequential([Input((4,)), layers.Dense(8, "tanh"), layers.Dense(3, "softmax")])
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]), np.array([0, 1])
    for _ in range(2):
        model.train_on_batch(x, y)
    return explain(model, x[:1], y[:1], "dense/kernel", (1, 2), update=True)


def matrices():
    """Derive all weights of a layer at once, on two rows."""
    utils.set_random_seed(0)
    model = Sequential([Input((4,)), layers.Dense(8, "tanh"), layers.Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]])
    return explain(model, x, np.eye(3)[:2], "dense/kernel")


def filtered():
    """Derive a weight of a filter: remarks with formulas in them, and a picture."""
    utils.set_random_seed(0)
    model = Sequential([Input((3, 3, 1)), layers.Conv2D(1, 2), layers.MaxPooling2D(2)])
    model.add(layers.Flatten())
    model.compile("sgd", "mse")
    x = np.arange(18.0).reshape(2, 3, 3, 1) / 7 - 1
    return explain(model, x, np.ones((2, 1)), "conv2d/kernel", (0, 1, 0, 0))


def attended():
    """Derive all weights of a head: masks, windows and places say what they are."""
    utils.set_random_seed(0)
    inputs = Input((3, 2))
    head = layers.MultiHeadAttention(1, 2)(inputs, inputs, use_causal_mask=True)
    model = Model(inputs, layers.Dense(1)(layers.GRU(2)(head)))
    model.compile("sgd", "mse")
    x = np.arange(6.0).reshape(1, 3, 2) / 5
    path = next(v.path for v in model.trainable_weights if v.path.endswith("query/kernel"))
    return explain(model, x, np.ones((1, 1)), path, None)


def step(symbol, spelled, kind, number, where="dense_1", **more):
    return Derivation(symbol, spelled, kind, where, number=number, **more)


def handmade():
    """Build a derivation of everything that pages can hold, with names that mean mischief."""
    name = latex.text(NASTY)
    x = Symbol(rf"x_{{\texttt{{{name}}}}}", 0.5)
    long = Symbol(r"w^{(1)}_{1,2}", -1.5)
    first = step(r"z_{1}", sum_of([x * long] * 14), "forward", 1, NASTY)
    matrices = step(r"\mathbf{Z}", Symbol(r"\mathbf{W}\,\mathbf{x}", np.eye(6)), "forward", 2)
    note = "explain-checks"
    loss = step("E_{1}", (x - long) ** 2, "loss", 3, "loss", note=note)
    factor = Symbol(r"\boxed{\frac{\partial E}{\partial z_{1}}}", 1.5e-7)
    chain = step(
        r"\frac{\partial E}{\partial w}", factor * factor * factor, "chain", 4, "E_{1}",
        children=[first, matrices, loss], reused=[first, loss],
    )  # fmt: skip
    braced = Symbol(r"\underbrace{\cdots}_{508}", 2.5) + x**2
    root = step(
        r"w^{(1)}_{1,2}^{\prime}", braced, "update", 5, NASTY, children=[chain],
        checks={"derived": 1.5e-7, "backward": -2.25, "central difference": 0.5},
    )  # fmt: skip
    return root


def sum_of(symbols):
    total = symbols[0]
    for one in symbols[1:]:
        total = total + one
    return total


def normalised():
    """Derive the matrix form for several rows: bold Greek letters."""
    model = Sequential([Input((3,)), layers.LayerNormalization(), layers.Dense(2)])
    model.compile("sgd", "mse")
    return explain(model, np.eye(3)[:2] + 0.5, np.eye(2), "layer_normalization/gamma")


@pytest.fixture(
    scope="module",
    params=[course, classifier, matrices, normalised, filtered, attended, handmade],
    ids=lambda f: f.__name__,
)
def derivation(request):
    config.set_floatx("float64")
    yield request.param()
    config.set_floatx("float32")


@pytest.fixture(params=LANGUAGES)
def lang(request):
    with speaking(request.param):
        yield request.param


def sections_of(derivation):
    """Count the sections of a page: those of the steps, and what a filter's weight met."""
    return len(list(derivation.sections())) + (derivation.places is not None)


def checked(document):
    """Read HTML as a browser does, and allow no mistake."""
    parser = HTMLParser()
    tree = parser.parse(document)
    assert not parser.errors, parser.errors[:3]
    return tree


# ----------------------------------------------------------------------------------------- text


def test_text(derivation, lang):
    text = derivation.text()
    lines = text.splitlines()
    assert lines[0].startswith({"en": "Derivation of ", "es": "Deducción de "}[lang])
    assert "\\" not in text.replace(NASTY, "")
    for section in derivation.sections():
        assert section.title in lines
    for one in derivation.steps():
        assert f"({one.number}) " in text
    longest = [line for line in lines if len(line) > 100 and NASTY not in line]
    assert not longest
    assert re.search(r"\d,\d{3}" if lang == "es" else r"\d\.\d{3}", text)


def test_long_equations_break_before_their_signs():
    text = handmade().text()
    first = text.splitlines()[3:6]
    column = first[1].index("=") if "=" in first[1] else first[0].index("=")
    assert all(line[column:].lstrip().startswith(("=", "+", "x_")) for line in first)
    assert "[see (1), (3)]" in text
    assert "⟨508: ⋯⟩" in text


class Product(Symbol):
    """A formula whose numbers are matrices."""

    def numbers(self, digits=4):
        one = matrix(np.array([[1.0, 2.0], [3.0, 14.5], [5.0, 6.0]]))
        return rf"{one}^{{\top}}\,\left(1 - {matrix(np.array([[0.5], [-1.25]]))}\right)"


def test_every_command_is_known(derivation):
    """A command that is not known would stand on pages as a word, as `\\boldsymbol` once did."""
    known = {
        *formula.NAMES,
        *formula.OPERATORS,
        *formula.FUNCTIONS,
        *formula.SPACES,
    }
    known |= {name.removeprefix("\\") for name in (*formula.LEADING, *formula.FENCES)}
    known |= {*formula.SILENT, "right", "end"}
    for step in derivation.steps():
        line = re.sub("|".join(map(re.escape, formula.ESCAPES.values())), "", step.line())
        assert set(re.findall(r"\\([a-zA-Z]+)", line)) <= known, line


def test_matrices_stand_in_blocks():
    whole = Product(r"X^{\top}\,Y", np.arange(1.0, 5.0).reshape(2, 2))
    assert step("Z", whole, "forward", 7).text().splitlines()[3:] == [
        "  (7) Z = Xᵀ Y",
        "          ⎡1     2⎤",
        "        = ⎢3  14.5⎥ᵀ (1 - ⎡  0.5⎤)",
        "          ⎣5     6⎦       ⎣-1.25⎦",
        "        = ⎡1  2⎤",
        "          ⎣3  4⎦",
    ]
    narrow = Symbol("X", np.arange(6.0).reshape(3, 2))
    narrow.latex = matrix(narrow.value)
    assert step("X", narrow, "forward", 8).text().splitlines()[3:6] == [
        "          ⎡0  1⎤",
        "  (8) X = ⎢2  3⎥",
        "          ⎣4  5⎦",
    ]


# ---------------------------------------------------------------------------------------- LaTeX


def test_latex_is_read_by_another_reader(derivation, lang):
    page = derivation.latex()
    blocks = re.findall(r"\\begin\{align\*\}(.*?)\\end\{align\*\}", page, re.DOTALL)
    numbers = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", page)]
    assert numbers == [one.number for one in derivation.steps()]
    for block in blocks:
        bare = re.sub(r"\\(tag|text)\{[^{}]*\}", "", block)
        assert "<math" in convert(rf"\begin{{align*}}{bare}\end{{align*}}")
    assert page.count(r"\subsection*{") == sections_of(derivation) + 1
    assert (r"{,}" in page) == (lang == "es")
    words = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}|\\[#$_]", "", page, flags=re.DOTALL)
    assert not re.search(r"[_#^~<]", re.sub(r"\$[^$]*\$", "", words))


def test_markdown(derivation, lang):
    page = derivation.markdown()
    blocks = page.split("$$")[1::2]
    numbered = [block for block in blocks if r"\tag" in block]
    for block, one in zip(numbered, derivation.steps(), strict=True):
        assert rf"\tag{{{one.number}}}" in block
    assert (len(numbered) == len(blocks)) == (derivation.places is None)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert len(headings) == sections_of(derivation) + 1
    assert not re.search(r"(?<!\\)<", page)
    assert page.startswith("# ")


def test_words_of_markdown_stand_for_themselves():
    assert markdown.text("dense_1 *b* <i>") == r"dense\_1 \*b\* \<i\>"


# ----------------------------------------------------------------------------------------- HTML


def test_html_is_valid(derivation, lang):
    page = derivation.html()
    tree = checked(page)
    assert tree.get("lang") == lang
    assert not list(tree.iter(f"{XHTML}script"))
    assert "http" not in page
    anchors = {one.get("id") for one in tree.iter() if one.get("id")}
    assert {f"step-{one.number}" for one in derivation.steps()} == anchors
    links = {one.get("href") for one in tree.iter(f"{XHTML}a")}
    assert links and all(link[0] == "#" and link[1:] in anchors for link in links)
    assert len(list(tree.iter(f"{XHTML}section"))) == sections_of(derivation)


def test_formulas_are_well_formed(derivation, lang):
    formulas = re.findall(r"<math.*?</math>", derivation.html(), re.DOTALL)
    children = {"mfrac": 2, "msup": 2, "msub": 2, "msubsup": 3, "mover": 2, "munder": 2}
    for text in formulas:
        for element in ElementTree.fromstring(text.replace(" class=cases", "")).iter():
            assert len(element) == children.get(element.tag, len(element)), text
            if element.tag in ("mi", "mn", "mo", "mtext"):
                assert element.text and not len(element)


def test_names_are_no_markup():
    page = handmade().html()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    where = [one for one in checked(page).iter(f"{XHTML}span") if one.get("class") == "heading"]
    assert NASTY in "".join(where[0].itertext())


def test_boxes_and_links():
    page = handmade().html()
    assert page.count('<mrow class="box">') == 3
    assert '<span class="seen">see <a href="#step-1">(1)</a>, <a href="#step-3">(3)</a>' in page


def test_two_derivations_in_one_notebook_keep_their_links():
    """Of two weights of one network, of an update and a derivative, in both languages."""
    one = course()
    two = Derivation(**{**vars(one), "lang": "es"})
    shown = [d._repr_html_() for d in (one, *one.children, two)]
    anchors = [set(re.findall(r' id="([^"]+)"', page)) for page in shown]
    assert len(set.union(*anchors)) == sum(map(len, anchors)) > 0
    for page, own in zip(shown[::3], anchors[::3], strict=True):
        assert set(re.findall(r'href="#([^"]+)"', page)) <= own


def test_fragments_keep_their_anchors_apart():
    one, two = handmade(), handmade()
    two.symbol = "v"
    found = [set(re.findall(r'id="([^"]+)"', d._repr_html_())) for d in (one, two)]
    assert all(found) and not found[0] & found[1]
    fragment = one._repr_html_()
    assert "<html" not in fragment
    assert set(re.findall(r'href="#([^"]+)"', fragment)) <= found[0]
    checked(f"<!DOCTYPE html><title>.</title><div>{fragment.replace('<style>', '<p>', 0)}</div>")


# ------------------------------------------------------------------------------------------ PDF


def test_pdf(derivation, lang):
    assert derivation.pdf().startswith(b"%PDF-")
    pictures = printed.picture(document(derivation), 40)
    assert pictures and all(one.startswith(b"\x89PNG") for one in pictures)


def test_words_of_typst_stand_for_themselves():
    source = printed.source(document(handmade()))
    assert source.count("#panic") == source.count('#panic(\\"x\\")') > 0
    printed.picture(document(handmade()), 30)


def test_without_typst_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(UserError, match=r"pip install 'trasluz\[print\]'"):
        handmade().pdf()


# ------------------------------------------------------------------------------------ a browser

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
MEASURE = """<script>
const box = one => one.getBoundingClientRect();
const found = {
  fractions: [...document.querySelectorAll("mfrac")].map(
    one => box(one.children[0]).bottom <= box(one.children[1]).top + 1),
  powers: [...document.querySelectorAll("msup")].map(
    one => box(one.children[1]).top < box(one.children[0]).top + 2),
  boxes: [...document.querySelectorAll("mrow.box")].map(
    one => getComputedStyle(one).borderTopWidth),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  steps: [...document.querySelectorAll(".step")].map(one => box(one).height),
  back: getComputedStyle(document.body).backgroundColor,
};
document.body.innerHTML = "";
document.title = JSON.stringify(found);
</script>"""


def measured(document, folder, *flags):
    """Open a page in Chromium, and let it measure itself."""
    page = folder / "page.html"
    page.write_text(document.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    call = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom"]
    done = subprocess.run(
        [*call, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    title = checked(done.stdout).find(f".//{XHTML}title")
    return json.loads(title.text)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: `make browser` installs it as root")
@pytest.mark.parametrize("width", [1100, 500])
def test_a_browser_lays_the_page_out(derivation, tmp_path, width):
    found = measured(derivation.html(), tmp_path, f"--window-size={width},900")
    assert all(found["fractions"]) and all(found["powers"])
    assert all(border == "1px" for border in found["boxes"])
    assert found["wide"] <= 0
    assert all(height > 10 for height in found["steps"])
    assert found["back"] == "rgb(255, 255, 255)"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: `make browser` installs it as root")
def test_a_browser_draws_boxes_and_the_dark(tmp_path):
    dark = "--blink-settings=preferredColorScheme=0"
    found = measured(handmade().html(), tmp_path, dark)
    assert found["boxes"] == ["1px"] * 3 and len(found["fractions"]) >= 4
    assert found["back"] == "rgb(22, 24, 28)"

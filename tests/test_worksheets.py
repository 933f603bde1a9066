"""Worksheets: good numbers, nothing given away, every format, and fair marks."""

import contextlib
import io
import json
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import evaluate
from trasluz.base.messages import speak
from trasluz.errors import UserError
from trasluz.worksheets import (
    Answers,
    Plan,
    Sheet,
    grade,
    grade_class,
    make,
    making,
    of_example,
    of_rows,
    write_class,
)
from trasluz.worksheets import (
    document as pages,
)
from trasluz.worksheets.answers import load_class, read_number
from trasluz.worksheets.making import asked, is_moderate
from trasluz.worksheets.sheet import FORMATS, candidates, stage_of

PLANS = {
    "course": Plan(),
    "relu": Plan((1, 2, 1), "relu", "sum_of_squared_residuals"),
    "softmax": Plan((2, 3, 2), "sigmoid,softmax", "categorical_crossentropy"),
    "adam": Plan((2, 2, 1), "tanh", "mse", "adam"),
    "deep": Plan((2, 2, 2, 1), "tanh", "half_squared_error"),
    "binary": Plan((3, 2, 1), "relu", "binary_crossentropy", "rmsprop"),
    "shares": Plan((2, 2, 2), "tanh", "kl_divergence"),
    "sparse": Plan((2, 2, 3), "tanh", "sparse_categorical_crossentropy"),
}


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak(None)


@pytest.fixture(scope="module", params=PLANS)
def sheet(request):
    return make(PLANS[request.param], seed=7)[0]


@pytest.fixture(scope="module")
def course():
    return make(seed=7, students=3)


def wrong_from(sheet, blank, factor=1.3):
    """Answer as someone who makes one mistake, and goes on correctly from there.

    Each answer is worked out from the steps that it rests on, down to those that are printed.
    """

    def same(step):
        return step.symbol, step.formula, str(step.value)

    items, worked = {same(item.step): item for item in sheet.items}, {}

    def value(step):
        item = items[same(step)]
        if item.printed:
            return step.value
        if item.number not in worked:
            below = [one for one in (*step.children, *step.reused) if one.symbol in step.formula]
            worked[item.number] = float(step.evaluated({one.symbol: value(one) for one in below}))
            worked[item.number] *= factor if item.blank == blank else 1
        return worked[item.number]

    return {item.blank: f"{value(item.step):.5g}" for item in sheet.items if item.blank}


# ------------------------------------------------------------------------------ good numbers


def test_numbers_are_good_to_work_with(sheet):
    assert is_moderate(sheet.model, sheet.x, sheet.y)
    for value in (*np.ravel(sheet.x), *(w for a in sheet.weights.values() for w in a.ravel())):
        assert math.isclose(value * 20, round(value * 20), abs_tol=1e-9)
    for step in sheet.steps:
        if stage_of(step) != "update":
            sizes = np.abs(np.ravel(step.value))
            assert np.all((sizes == 0) | (sizes >= 1e-4)), step.symbol
    for derivation in sheet.derivations:
        assert abs(float(derivation.value) - sheet.old(derivation)) > 1e-5


def test_steps_are_each_there_once_and_after_what_they_need(sheet):
    seen = set()
    for step in sheet.steps:
        for other in step.children:
            assert other.symbol in seen or stage_of(step) == "update", step.symbol
        seen.add(step.symbol)
    assert len({(s.symbol, s.formula, str(s.value)) for s in sheet.steps}) == len(sheet.steps)


def test_the_same_seed_makes_the_same_sheets_and_students_differ():
    one, two = (make(seed=3, students=4) for _ in range(2))
    assert [s.id for s in one] == [s.id for s in two]
    assert len({s.id for s in one}) == 4
    assert make(seed=4)[0].id != one[0].id


def test_a_class_of_thirty_has_thirty_problems():
    sheets = make(Plan((1, 1), "sigmoid"), students=30)
    problems = {json.dumps({**s.as_dict(), "student": 0, "sheet": 0}) for s in sheets}
    assert len(problems) == 30


def test_blanks_are_where_they_are_asked_for():
    for stage in ("forward", "loss", "backward", "update"):
        sheet = make(seed=1, stages=(stage,))[0]
        assert sheet.blanks and {stage_of(s) for s in sheet.blanks.values()} == {stage}
    assert len(make(seed=1, blanks=5)[0].blanks) == 5


def test_weights_are_asked_for_by_name_or_path():
    by_name = make(seed=1, wrt=("w8", "b1"))[0]
    assert by_name.wrt == [("output/kernel", (1, 1)), ("hidden/bias", (0,))]
    by_path = make(seed=1, wrt=("output/kernel[1, 1]",))[0]
    assert by_path.wrt == [("output/kernel", (1, 1))]


@pytest.mark.parametrize(
    ("how", "what"),
    [
        (lambda: Plan((2, 9)), "does not fit"),
        (lambda: Plan((2,)), "does not fit"),
        (lambda: Plan((2, 1), "sigmoid", "categorical_crossentropy"), "tells classes apart"),
        (lambda: Plan((2, 2, 1), "relu,tanh,relu"), "does not name one activation"),
        (lambda: Plan(loss="msee"), "no loss “msee”.*“mse”"),
        (lambda: Plan(activation="rleu"), "no activation “rleu”.*“relu”"),
        (lambda: make(blanks=99), "99 blanks"),
        (lambda: make(wrt=("w99",)), "not a weight"),
        (lambda: make(wrt=("hidden/kernel[7, 7]",)), "not a weight"),
        (lambda: make(Plan(learning_rate=1e-9)), "no good numbers"),
        (lambda: of_example("nothing"), "no worksheet of the example"),
    ],
)
def test_what_cannot_be_made_is_said(how, what, monkeypatch):
    monkeypatch.setattr(making, "TRIES", 20)
    with pytest.raises(UserError, match=what) as caught:
        how()
    assert caught.value.mend


# ------------------------------------------------------------------------------ files


@pytest.mark.parametrize("form", FORMATS)
def test_a_sheet_comes_back_from_its_file(sheet, form, tmp_path):
    files = sheet.write(tmp_path, form)
    page = next(f for f in files if f.suffix == f".{form}")
    again = Sheet.load(page)
    assert again.id == sheet.id
    assert again.answers == sheet.answers


def test_a_changed_sheet_is_refused(course, tmp_path):
    path = course[0].write(tmp_path, "md")[0]
    data = json.loads(path.read_text())
    data["x"][0][0] += 0.05
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match="was changed"):
        Sheet.load(path)
    for text in ("[1]", "{}", '{"format": 1, "asked": []}', "no"):
        path.write_text(text)
        with pytest.raises(UserError, match="not a worksheet"):
            Sheet.load(path)
    with pytest.raises(UserError, match="no such worksheet"):
        Sheet.load(tmp_path / "sheet-99.json")


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_seed_writes_the_same_bytes(form, tmp_path):
    for folder in ("a", "b"):
        write_class(make(seed=5, students=2, lang="es"), tmp_path / folder, form)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) >= 7
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize("form", [f for f in FORMATS if f != "pdf"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_no_answer_is_on_the_students_pages(sheet, form, lang):
    made = pages.student(Sheet(**{**vars_of(sheet), "lang": lang}), form)
    text = b"".join(made.values()).decode() + json.dumps(sheet.as_dict())
    text = text.replace("{,}", ".").replace(",", ".").replace("−", "-")
    for name, step in sheet.blanks.items():
        printed = f"{abs(float(step.value)):.{sheet.digits}g}"
        if len(printed.replace("0.", "")) >= 4:
            assert printed not in text, (name, printed)
            assert repr(float(step.value)) not in text


def vars_of(sheet):
    return {name: getattr(sheet, name) for name in sheet.__dataclass_fields__}


def test_html_is_well_formed_and_has_a_field_for_each_blank(sheet):
    import tinyhtml5

    text = pages.student(sheet, "html")[f"{sheet.name}.html"].decode()
    assert tinyhtml5.parse(text) is not None
    names = re.findall(r'<input name="(q\d+)"', text)
    assert names == list(sheet.blanks)
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    body = text[text.index("<body") : text.index("<script")].replace("&#x2061;", "")
    ET.fromstring(re.sub(r"<input([^>]*)>", r"<input\1/>", body) + "</div></body>")


def test_markdown_has_a_line_for_each_blank_and_formulas_that_are_read(sheet):
    made = pages.student(sheet, "md")
    text = made[f"{sheet.name}.md"].decode()
    assert re.findall(r"^(q\d+) = $", text, re.MULTILINE) == list(sheet.blanks)
    assert f"({sheet.name}.svg)" in text and f"{sheet.name}.svg" in made
    ET.fromstring(made[f"{sheet.name}.svg"])


def test_a_notebook_is_valid_and_its_cells_run(sheet, tmp_path):
    import nbformat

    sheet.write(tmp_path, "ipynb")
    book = nbformat.read(tmp_path / f"{sheet.name}.ipynb", as_version=4)
    nbformat.validate(book)
    picture = book.cells[0].attachments["network.svg"]["image/svg+xml"]
    assert picture and "attachment:network.svg" in book.cells[0].source
    room, told = {}, io.StringIO()
    with contextlib.redirect_stdout(told):
        for cell in book.cells:
            if cell.cell_type == "code":
                exec(cell.source, room)
    assert told.getvalue().splitlines() == [f"{name} = None" for name in sheet.blanks]


def test_a_pdf_is_printed_and_has_all_pages_in_one(course, tmp_path):
    files = write_class(course, tmp_path, "pdf")
    for file in files:
        if file.suffix == ".pdf":
            assert file.read_bytes()[:5] == b"%PDF-"
    assert {"all.pdf", "key.pdf", "answers.csv", "key.json"} <= {f.name for f in files}


def numbers_of(sheet):
    """Give what the model itself says of a sheet's row, by name: it predicts, and trains once."""
    model, rate = Sheet.from_dict(sheet.as_dict()).model, float(sheet.model.optimizer.learning_rate)
    found = {"E": model.evaluate(sheet.x, sheet.y, verbose=0)}
    for k, value in enumerate(np.ravel(model.predict(sheet.x, verbose=0))):
        found[sheet.called["output", (k,)]] = value
    before = {v.path: v.numpy().copy() for v in model.weights}
    model.train_on_batch(sheet.x, sheet.y)
    for v in model.weights:
        for at in np.ndindex(v.shape):
            name, old, new = sheet.called[v.path, at], before[v.path][at], v.numpy()[at]
            found[rf"{name}^{{\prime}}"] = new
            if sheet.model.optimizer.name.lower() == "sgd":
                found[rf"\frac{{\partial E}}{{\partial {name}}}"] = (old - new) / rate
    return found


def test_the_key_has_the_models_own_numbers(sheet, tmp_path):
    write_class([asked(sheet, len(candidates(sheet)))], tmp_path, "md")
    (key,) = json.loads((tmp_path / "teacher" / "key.json").read_text())["sheets"]
    again = Sheet.from_dict({k: v for k, v in key.items() if k != "answers"})
    own = numbers_of(sheet)
    compared = set()
    for name, step in again.blanks.items():
        spelled = evaluate(step.numbers)
        assert math.isclose(spelled, key["answers"][name], rel_tol=2e-3, abs_tol=1e-6), step.symbol
        if step.symbol in own:
            compared.add(stage_of(step))
            assert math.isclose(own[step.symbol], key["answers"][name], rel_tol=1e-6), step.symbol
    assert {"forward", "update"} <= compared


def test_an_unknown_format_is_refused(course, tmp_path):
    with pytest.raises(UserError, match="not a format"):
        course[0].write(tmp_path, "docx")


# ------------------------------------------------------------------------------ marks


@pytest.mark.parametrize("digits", [17, 5, 4])
def test_perfect_answers_get_full_marks(sheet, digits):
    marks = grade(sheet, {k: f"{v:.{digits}g}" for k, v in sheet.answers.items()})
    assert marks.score == marks.points == len(sheet.blanks), marks.as_dict()
    assert marks.first_wrong is None


def test_an_early_mistake_costs_its_own_point_only(sheet):
    for blank in sheet.blanks:
        marks = grade(sheet, wrong_from(sheet, blank))
        assert marks.first_wrong.blank == blank
        assert marks.score == marks.points - 1, (blank, [m.verdict for m in marks.marks])


@pytest.mark.parametrize(
    "plan",
    [
        Plan((2, 2, 2), "softmax,softmax", "categorical_crossentropy"),  # two sums named alike
        Plan((2, 2, 2, 2)),
        Plan((2, 2, 2), optimizer="nadam"),
    ],
    ids=["softmax", "deep", "nadam"],
)
def test_a_mistake_is_followed_through_what_rests_on_it_only(plan):
    for sheet in make(plan, seed=3, students=3):
        for blanks in (12, len(candidates(sheet))):
            sheet = asked(sheet, blanks)
            assert not any(step.note for step in sheet.blanks.values())
            for blank in sheet.blanks:
                marks = grade(sheet, wrong_from(sheet, blank))
                assert [m.blank for m in marks.marks if not m.counts] == [blank]


def test_what_an_optimizer_keeps_of_each_weight_stays_apart():
    (sheet,) = make(Plan((2, 2, 1), "tanh", "mse", "nadam"), seed=7)
    for derivation in sheet.derivations:
        for step in derivation.steps():
            (one,) = (s for s in sheet.steps if sheet.keys[s] == sheet.keys[step])
            assert np.array_equal(one.value, step.value), step.symbol


def test_a_followed_mistake_is_called_one(course):
    marks = grade(course[0], wrong_from(course[0], "q2", 2))
    verdicts = [m.verdict for m in marks.marks]
    assert verdicts[:2] == ["right", "wrong"] and "followed" in verdicts


def test_a_weight_that_was_not_moved_is_wrong(sheet):
    for name, step in sheet.blanks.items():
        if (old := sheet.old(step)) is not None:
            marks = grade(sheet, {**sheet.answers, name: old})
            assert [m.blank for m in marks.marks if not m.counts] == [name]


def test_commas_empty_blanks_and_nonsense(course):
    sheet = course[0]
    given = {k: f"{v:.5g}".replace(".", ",") for k, v in sheet.answers.items()}
    assert grade(sheet, given).score == 12
    given |= {"q1": "", "q2": "____", "q3": "about a half", "q4": "0,5.5", "q5": None}
    verdicts = [m.verdict for m in grade(sheet, given).marks[:5]]
    assert verdicts == ["missing", "missing", "unreadable", "unreadable", "missing"]
    assert grade(sheet, {}).score == 0


@given(st.lists(st.text(max_size=12) | st.floats().map(str), max_size=12))
def test_no_answer_stops_the_grading(course, texts):
    names = list(course[0].blanks)
    marks = grade(course[0], dict(zip(names, texts, strict=False)))
    assert 0 <= marks.score <= marks.points == 12
    json.dumps(marks.as_dict())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.41", 0.41), ("0,41", 0.41), (" -0.5 ", -0.5), ("−0,5", -0.5), ("$0.3$", 0.3),
        ("4.1e-3", 0.0041), ("4,1·10^-3", 0.0041), (r"2 \times 10^{-2}", 0.02), (".5", 0.5),
        ("= 3", 3.0), ("1e999", None), ("nan", None), ("inf", None), ("1/2", None), ("", None),
        ("0.4 0.5", None), ("1.234.5", None), ("q3", None), ("1e-9999999999", 0.0),
        ("1·10^99999", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, value):
    assert read_number(text) == value


def test_answers_to_another_sheet_are_refused(course):
    with pytest.raises(UserError, match="for sheet deadbeef"):
        grade(course[0], Answers({"q1": "1"}, "deadbeef"))
    with pytest.raises(UserError, match="no blanks q77"):
        grade(course[0], {"q77": "1"})


def filled(sheet, folder, form):
    """Fill a sheet in as a student would, and give the file."""
    given = {k: f"{v:.5g}" for k, v in sheet.answers.items()}
    if form == "csv":
        path = folder / f"{sheet.name}.csv"
        path.write_text("blank,answer\n" + "".join(f'{k},"{v}"\n' for k, v in given.items()))
    elif form == "semicolons":
        path = folder / f"{sheet.name}.csv"
        lines = "".join(f"{k};{v.replace('.', ',')}\n" for k, v in given.items())
        path.write_text("﻿hueco;respuesta\n" + lines, encoding="utf-8")
    elif form == "json":
        path = folder / f"{sheet.name}-answers.json"
        path.write_text(json.dumps({"sheet": sheet.id, "answers": given}))
    else:
        sheet.write(folder, form)
        path = folder / f"{sheet.name}.{form}"
        text = path.read_text()
        for name, value in given.items():
            text = text.replace(f"{name} = None", f"{name} = {value}")
            text = re.sub(rf"^{name} = $", f"{name} = {value}", text, flags=re.MULTILINE)
        path.write_text(text)
    return path


@pytest.mark.parametrize("form", ["csv", "semicolons", "json", "md", "ipynb"])
def test_filled_files_are_read(sheet, form, tmp_path):
    answers = Answers.load(filled(sheet, tmp_path, form))
    if form in ("json", "md", "ipynb"):
        assert answers.sheet == sheet.id
    assert grade(sheet, answers).score == len(sheet.blanks)


def test_what_a_notebook_printed_counts(course, tmp_path):
    path = filled(course[0], tmp_path, "ipynb")
    book = json.loads(path.read_text())
    q1 = next(c for c in book["cells"] if c["source"].startswith("q1 ="))
    q1["source"] = "q1 = 0.1 + 0.2  # worked out"
    told = f"q1 = {course[0].answers['q1']}\nq2 = None\n"
    book["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": told}]
    path.write_text(json.dumps(book))
    assert grade(course[0], Answers.load(path)).score == 12


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.docx", b"", "ending"), ("a.json", b"{", "not the JSON"), ("a.md", b"", "no answers"),
        ("a.json", b"[]", "no answers"), ("a.ipynb", b'{"cells": 3}', "no answers"),
        ("a.ipynb", b'{"cells": [1, {"source": 2}]}', "no answers"), ("b.md", None, "no such file"),
        ("a.json", b"[" * 100_000, "not the JSON"), ("a.ipynb", b"[" * 100_000, "not the JSON"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "outputs": null}]}', "no answers"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "outputs": [3]}]}', "no answers"),
        ("a.json", b"9" * 9999, "not the JSON"),
    ],
)  # fmt: skip
def test_files_that_hold_no_answers_are_said(name, content, what, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=what):
        Answers.load(tmp_path / name)


def test_a_class_is_graded_from_files_and_from_a_table(course, tmp_path):
    sheets, given = tmp_path / "sheets", tmp_path / "given"
    write_class(course, sheets, "md")
    given.mkdir()
    filled(course[0], given, "md").rename(given / "ana.md")
    (given / "sheet-01.json").unlink()
    filled(course[1], given, "csv")
    found = grade_class(sheets, given)
    assert {n: m.score for n, m in found.marks.items()} == {"ana": 12, "sheet-02": 12}
    assert not found.missed

    table = sheets / "teacher" / "answers.csv"
    head, *rows = table.read_text("utf-8-sig").splitlines()
    assert head == "sheet," + ",".join(f"q{n}" for n in range(1, 13))
    for n, sheet in enumerate(course):
        values = wrong_from(sheet, "q3") if n else sheet.answers
        rows[n] = f"{sheet.name}," + ",".join(str(v) for v in values.values())
    table.write_text("\n".join([head, *rows]))
    found = grade_class(sheets, table)
    assert [m.score for m in found.marks.values()] == [12, 11, 11]
    assert found.missed[0][1] == 2
    json.dumps(found.as_dict())


def test_answers_find_their_sheet_by_their_name(course, tmp_path):
    sheets, given = tmp_path / "sheets", tmp_path / "given"
    write_class(course, sheets, "md")
    given.mkdir()
    lines = "".join(f"{name} = {value}\n" for name, value in course[1].answers.items())
    for name in ("2024-grupo3-sheet-02.TXT", "Sheet-2.md", "02.txt"):
        (given / name).write_text(lines)
    filled(course[2], given, "ipynb").rename(given / "A.IPYNB")
    (given / "sheet-03.json").unlink()
    found = grade_class(sheets, given)
    assert {name: one.score for name, one in found.marks.items()} == {
        "2024-grupo3-sheet-02": 12, "Sheet-2": 12, "02": 12, "A": 12,
    }  # fmt: skip
    (given / "2-grupo2.txt").write_text(lines)
    found = grade_class(sheets, given)
    assert len(found.marks) == 4
    assert ["2-grupo2" in p.what for p in found.problems] == [True, False]
    assert "sheet-02 was answered more than once: 02, 2024" in found.problems[1].what


def test_one_bad_file_or_row_stops_nobody_elses_marks(course, trasluz, tmp_path):
    sheets, given = tmp_path / "sheets", tmp_path / "given"
    write_class(course, sheets, "md")
    given.mkdir()
    for n in (0, 2):
        filled(course[n], given, "csv")
    (given / "sheet-02.csv").write_text("nothing\n")
    (given / "sheet-04.ipynb").mkdir()
    (given / "sheet-05.json").write_bytes(b"[" * 100_000)
    (sheets / "sheet-77.json").write_text('{"format": 1, "asked": 5}')
    code, out, err = trasluz("grade", sheets, given, "--json")
    found = json.loads(out)
    assert code == 0, err
    assert {k: v["score"] for k, v in found["sheets"].items()} == {"sheet-01": 12, "sheet-03": 12}
    places = [one["where"].rsplit("/", 1)[1] for one in found["problems"]]
    assert places == ["sheet-77.json", "sheet-02.csv", "sheet-05.json"]
    (sheets / "sheet-77.json").unlink()

    row = ",".join(map(str, course[0].answers.values()))
    names = ",".join(course[0].blanks)
    rows = f"sheet,{names}\nsheet-01,{row}\nsheet-01,1,2\nsheet-99,1\n"
    (tmp_path / "a.csv").write_text(rows)
    code, out, err = trasluz("grade", sheets, tmp_path / "a.csv", "--lang", "es")
    assert code == 0 and "12 / 12" in out and "2 cosas" in out, err
    assert "no se encontró la hoja de sheet-99" in out
    assert "sheet-01 se respondió más de una vez: sheet-01, sheet-01 (2)" in out
    (tmp_path / "b.csv").write_text("sheet,q1\nsheet-99,1\n")
    speak(None)
    with pytest.raises(UserError, match="no sheet was found"):
        grade_class(sheets, tmp_path / "b.csv")


def test_a_table_without_blanks_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("name,mark\nAna,3\n")
    with pytest.raises(UserError, match="not a table of a class"):
        load_class(tmp_path / "a.csv")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_sheet_of_wrong_types_is_refused(course, data):
    whole = json.loads(json.dumps(course[0].as_dict()))
    into = whole
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [v for v in into.values() if isinstance(v, dict) and v]
        into = data.draw(st.sampled_from(inner)) if inner else into
    name, bad = data.draw(st.sampled_from(sorted(into))), data.draw(junk)
    if into[name] != bad and not (into is whole and name == "format" and bad == 1):
        into[name] = bad
        with contextlib.suppress(UserError):  # what only says the same in another way is read
            assert Sheet.from_dict(whole).answers == course[0].answers


@given(junk, junk)
def test_answers_of_wrong_types_are_read_or_refused(one, other):
    for read in (Answers.of_data, Answers.of_notebook):
        read(one)
        read({"answers": {"q1": one}, "sheet": other})
        read({"cells": [{"cell_type": "code", "source": one, "outputs": other}]})
        read({"cells": [{"cell_type": "code", "outputs": [{"text": [one, "\ud800"]}]}]})
    assert Answers.of_data({"q1": "\ud800", "sheet": None}) == Answers({"q1": "?"})


def test_a_sheet_that_says_what_it_asks_wrongly_is_refused(course, trasluz, tmp_path):
    for name, bad in {"asked": 5, "student": "x", "wrt": [1], "x": [[1], [2, 3]]}.items():
        path = tmp_path / "sheet-01.json"
        path.write_text(json.dumps(course[0].as_dict() | {name: bad}))
        code, _, err = trasluz("grade", path, path)
        assert code == 2 and "Traceback" not in err and "sheet-01.json: " in err
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(UserError, match="not a worksheet"):
        Sheet.load(path)


# ---------------------------------------------------------------------- losses and activations


@pytest.mark.parametrize(
    ("activation", "loss", "last"),
    [
        ("relu", "poisson", "softplus"), ("softplus", "poisson", "softplus"),
        ("sigmoid", "hinge", "linear"), ("tanh", "hinge", "tanh"), ("relu", "msle", "relu"),
        ("tanh", "BinaryCrossentropy", "sigmoid"), ("relu", "kld", "softmax"),
        ("relu", "mse", "linear"), ("sigmoid", "Poisson", "softplus"),
        ("sigmoid", "categorical_hinge", "softmax"), ("relu", "perceptron", "linear"),
    ],
)  # fmt: skip
def test_the_last_activation_fits_the_loss(activation, loss, last):
    plan = Plan((2, 2, 2), activation, loss)
    assert plan.activations == [activation, last]
    sheet = make(plan, seed=1)[0]
    assert grade(sheet, sheet.answers).score == len(sheet.blanks)


@pytest.mark.parametrize(
    ("activations", "loss", "fits"),
    [
        ("relu,linear", "poisson", "softplus, exponential"), ("relu,tanh", "bce", "sigmoid"),
        ("relu,relu", "categorical_crossentropy", "softmax, sigmoid"),
        ("relu,sigmoid", "kl_divergence", "softmax"), ("relu,sigmoid", "hinge", "linear, tanh"),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_is_refused(activations, loss, fits):
    with pytest.raises(UserError, match="means nothing after") as caught:
        Plan((2, 2, 2), activations, loss)
    assert f"end with {fits}" in caught.value.mend


# ------------------------------------------------------------------------------ other sources


def test_sheets_of_a_saturated_model_say_so():
    from trasluz import Sequential, layers

    for last in ([layers.Dense(1, "sigmoid")], [layers.Dense(1), layers.Activation("tanh")]):
        model = Sequential([layers.Input((1,)), *last])
        model.compile("sgd", "mse")
        model.set_weights([np.array([[1.0]]), np.array([0.0])])
        sheets = of_rows(model, np.array([[0.5], [30.0]]), np.array([[0.0], [0.0]]))
        said = making.notes(sheets)
        assert len(said) == 2 and all("sheet-02" in one for one in said)
        assert not any("sheet-01" in one for one in said)


def test_the_courses_worksheet_has_the_courses_blanks():
    (sheet,) = of_example("unam-2-2-2")
    asked = [step.symbol for step in sheet.blanks.values()]
    for name in (r"\mathrm{sum}_{n_{2}}", "n_{2}", r"\hat{y}_{2}", "E_{2}"):
        assert name in asked
    for weight, new in {"w_{2}": 0.19919586, "w_{3}": 0.29667583, "w_{4}": 0.39597928}.items():
        step = next(s for s in sheet.blanks.values() if s.symbol == rf"{weight}^{{\prime}}")
        assert math.isclose(step.value, new, abs_tol=5e-9)
    assert Sheet.from_dict(json.loads(json.dumps(sheet.as_dict()))).answers == sheet.answers
    (whole,) = (item for item in sheet.items if item.step.symbol == "E")
    assert not whole.printed and not whole.blank  # E_2 is what E is more than E_1


def test_sheets_of_a_model_of_ones_own():
    from trasluz import Sequential, layers

    model = Sequential([layers.Input((2,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.array([[0.12345, 1.5], [0.3, -0.2]]), np.array([[1.0], [0.25]])
    one, two = of_rows(model, x, y, blanks=6)
    assert one.id != two.id and len(one.blanks) == 6
    assert one.x[0, 0] == 0.123
    assert grade(two, two.answers).score == 6
    model.compile("adam", "mse")
    model.fit(x, y, epochs=2, verbose=0)
    assert of_rows(model, x, y)[0].given["m"] == 0  # not one weight's average for all
    with pytest.raises(UserError, match="too large"):
        big = Sequential([layers.Input((50,)), layers.Dense(20), layers.Dense(1)])
        big.compile("sgd", "mse")
        of_rows(big, np.zeros((1, 50)), np.zeros((1, 1)))


def test_a_sheet_names_the_loss_however_it_was_given(tmp_path):
    from trasluz import Sequential, layers, losses
    from trasluz.models import load_model

    model = Sequential([layers.Input((2,)), layers.Dense(2, "tanh"), layers.Dense(1)])
    x, y = np.array([[0.3, -0.2]]), np.array([[0.25]])
    for loss in (losses.MeanSquaredError(), losses.mean_squared_error, ["mean_squared_error"]):
        model.compile("sgd", loss)
        model.save(tmp_path / "a.trasluz")
        for one in (model, load_model(tmp_path / "a.trasluz")):
            of_rows(one, x, y)[0].write(tmp_path, "md")
            assert "mean squared error" in (tmp_path / "sheet-01.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------ command lines


def test_the_command_makes_and_grades(trasluz, tmp_path):
    folder = tmp_path / "out"
    code, out, err = trasluz("worksheet", "--seed", 7, "--students", 2, "--format", "md",
                             "--blanks", 6, "--out", folder, "--json")  # fmt: skip
    assert code == 0, err
    assert [s["blanks"] for s in json.loads(out)["sheets"]] == [6, 6]
    sheet = Sheet.load(folder / "sheet-01.json")
    path = filled(sheet, tmp_path, "csv")
    code, out, err = trasluz("grade", folder / "sheet-01.json", path, "--lang", "es")
    assert code == 0 and "Puntos: 6 de 6" in out
    code, out, err = trasluz("grade", folder / "sheet-02.md", path, "--json")
    marks = json.loads(out)
    assert code == 0 and marks["score"] < 6 and marks["first_wrong"] == "q1"
    (tmp_path / "all").mkdir()
    path.rename(tmp_path / "all" / path.name)
    code, out, err = trasluz("grade", folder, tmp_path / "all")
    assert code == 0 and "6 / 6" in out


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("worksheet", "--network", "2-x"),
        ("worksheet", "--network", "2-99-1"),
        ("worksheet", "--network", "2-1", "--loss", "categorical_crossentropy"),
        ("worksheet", "--activation", "relu,relu,relu"),
        ("worksheet", "--stages", "forwards"),
        ("worksheet", "--blanks", "500"),
        ("worksheet", "--wrt", "w77"),
        ("worksheet", "--example", "unam"),
        ("worksheet", "--model", "m"),
        ("worksheet", "--data", "iris"),
        ("worksheet", "--example", "unam-2-2-2", "--students", "5", "--blanks", "3"),
        ("worksheet", "--example", "unam-2-2-2", "--network", "2-2-2"),
        ("worksheet", "--model", "m", "--data", "iris", "--students", "3"),
        ("worksheet", "--rows", "3"),
        ("worksheet", "--activation", "sign"),
        ("worksheet", "--activation", "step"),
        ("worksheet", "--optimizer", "sdg"),
        ("worksheet", "--loss", "poisson", "--activation", "relu,linear"),
        ("worksheet", "--model", "m", "--example", "unam-2-2-2"),
        ("worksheet", "--learning-rate", "1e-12"),
        ("grade", "nothing.json", "nothing.csv"),
        ("grade", ".", "nothing.csv"),
    ],
)
def test_mistakes_are_said_in_both_languages(trasluz, arguments, lang, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(making, "TRIES", 20)
    code, _, err = trasluz(*arguments, "--lang", lang)
    assert code == 2 and "Traceback" not in err
    assert err.startswith("Error: ")
    assert ("To mend it: " if lang == "en" else "Para arreglarlo: ") in err
    assert list(tmp_path.iterdir()) == []
    if lang == "es":
        assert not re.search(r"\b(the|unknown|known|did you mean|choose)\b", err, re.IGNORECASE)


def test_options_that_would_change_nothing_are_named(trasluz, tmp_path):
    code, _, err = trasluz("worksheet", "--example", "unam-2-2-2", "--students", 5, "--blanks", 3,
                           "--network", "3-3", "--out", tmp_path / "out")  # fmt: skip
    assert code == 2 and all(o in err for o in ("--students", "--blanks", "--network"))
    code, _, err = trasluz("worksheet", "--example", "unam-2-2-2", "--out", tmp_path / "out",
                           "--format", "md")  # fmt: skip
    assert code == 0, err


def test_what_an_earlier_class_left_is_removed(trasluz, tmp_path):
    def sheets(students, *more):
        code, out, err = trasluz("worksheet", "--seed", 1, "--students", students, "--out",
                                 tmp_path, "--json", *more)  # fmt: skip
        assert code == 0, err
        return json.loads(out)["removed"]

    sheets(4, "--format", "md")
    page = tmp_path / "sheet-03.md"
    page.write_text(page.read_text().replace("q1 = ", "q1 = 0.5"))
    own = ("sheet-02.csv", "sheet-4.md", "notes.md", "all.pdf.md")
    for name in own:
        (tmp_path / name).write_text("mine")
    (tmp_path / "all.pdf").write_bytes(b"old")
    assert "sheet-04.svg" in sheets(1, "--format", "html")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"sheet-01.json", "sheet-01.html", "sheet-03.md", "teacher", *own}
    assert {p.name for p in (tmp_path / "teacher").iterdir()} == {
        "answers.csv", "key.html", "key.json",
    }  # fmt: skip
    assert sheets(1, "--format", "html") == []


def test_sheets_from_a_trained_model_and_its_table(trasluz, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    assert trasluz("train", "linnerud", "--target", "Weight", "--hidden", 2, "--epochs", 1,
                   "--out", run, "--quiet")[0] == 0  # fmt: skip
    code, _, err = trasluz("worksheet", "--model", run, "--data", "linnerud", "--rows", "3,5",
                           "--format", "md", "--out", out)  # fmt: skip
    assert code == 0, err
    assert len(list(out.glob("sheet-*.md"))) == 2
    code, _, err = trasluz("worksheet", "--model", run, "--data", "linnerud", "--rows", "99")
    assert code == 2 and "99" in err

"""Worksheets on paper, in the browser, as notebooks and as Markdown, and the teacher's answers."""

from __future__ import annotations

import base64
import csv
import datetime
import functools
import io
import json
from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from typing import Any

from trasluz import losses
from trasluz.base.messages import decimal_sign, enumerated, language, problem, say, speaking
from trasluz.drawing.network import titled
from trasluz.explain import document as pages
from trasluz.pages import html, latex, markdown
from trasluz.pages import text as plain
from trasluz.pages import typst as printed
from trasluz.typeset import formula
from trasluz.typeset.formula import Node, Operator, Row
from trasluz.typeset.symbols import number
from trasluz.worksheets.sheet import FORMATS, Item, Part, Sheet, dump

Files = dict[str, bytes]


def student(sheet: Sheet, form: str) -> Files:
    """Make the pages of a sheet, by the names of their files; no answer is in them.

    Raises:
        UserError: the format is not known, or its extra is not installed.
    """
    _check(form)
    with speaking(sheet.lang):
        return _STUDENT[form](sheet)


def teacher(sheets: Sequence[Sheet], form: str) -> Files:
    """Make the answers to all sheets: a page, their exact values, and a table to type marks into.

    Raises:
        UserError: the format is not known, or its extra is not installed.
    """
    _check(form)
    with speaking(sheets[0].lang):
        return {
            **_TEACHER[form](sheets),
            "key.json": dump({"sheets": [{**s.as_dict(), "answers": s.answers} for s in sheets]}),
            "answers.csv": _table(sheets),
        }


def together(sheets: Sequence[Sheet], form: str) -> Files:
    """Make the one file with all sheets, for the printer, where the format has it."""
    if form != "pdf" or len(sheets) < 2:
        return {}
    with speaking(sheets[0].lang):
        return {"all.pdf": _pdf("\n#pagebreak()\n".join(map(_typst_sheet, sheets)))}


def _check(form: str) -> None:
    if form not in FORMATS:
        raise problem("worksheet-format", form=form, forms=enumerated(FORMATS))


# ------------------------------------------------------------------------------ what all have


def _nodes(item: Item) -> list[Node]:
    """Read the members of a step's equation; all but the first begin with an equals sign."""
    first, *rest = map(formula.parse, item.members)
    return [first, *(Row((Operator("="), *formula.items(part))) for part in rest)]


def _given(sheet: Sheet) -> list[Node]:
    """List what is given, as equations."""
    equation = "{} = {}".format
    return [formula.parse(equation(n, number(v, 6))) for n, v in sheet.given.items()]


def _facts(sheet: Sheet) -> list[tuple[str, str]]:
    """Name the loss and the optimizer."""
    loss = sheet.model._compiled_with["loss"]
    (one,) = loss if isinstance(loss, (list, tuple)) else (loss,)
    name = one if isinstance(one, str) else getattr(losses.resolve(one), "name", "")
    optimizer = type(sheet.model.optimizer).__name__
    return [
        (say("worksheet-loss"), str(name).replace("_", " ")),
        (say("worksheet-optimizer"), optimizer),
    ]


def _whose(sheet: Sheet) -> str:
    return say("worksheet-student", student=sheet.student)


def _about(sheet: Sheet) -> str:
    return f"{_whose(sheet)} · {say('worksheet-sheet')} {sheet.id}"


def _task(sheet: Sheet) -> str:
    names = list(sheet.blanks)
    return say(
        "worksheet-task",
        blanks=len(names),
        first=names[0] if names else "",
        last=names[-1] if names else "",
        digits=sheet.digits,
    )


def _heading(part: Part, words: Callable[[str], str], math: Callable[[Node], str]) -> str:
    """Say what a part of the sheet is about."""
    match part.stage, part.where:
        case "forward", "hidden":
            return words(say("worksheet-forward-hidden"))
        case "forward", "output":
            return words(say("worksheet-forward-output"))
        case "forward", layer:
            return words(say("worksheet-forward", layer=titled(layer)))
        case "loss", _:
            return words(say("worksheet-loss"))
        case "backward", slope:
            return f"{words(say('worksheet-backward'))} {math(formula.parse(slope))}"
        case "update", _:
            return words(say("worksheet-update"))
    return words(part.where)


def _result(sheet: Sheet, value: float) -> Node:
    return formula.parse(number(value, sheet.digits))


def _table(sheets: Sequence[Sheet]) -> bytes:
    """Make the table into which the answers of a class on paper are typed."""
    file = io.StringIO()
    delimiter = ";" if decimal_sign() == "," else ","
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    names = max((list(sheet.blanks) for sheet in sheets), key=len)
    writer.writerows([["sheet", *names], *([sheet.name, *[""] * len(names)] for sheet in sheets)])
    return file.getvalue().encode("utf-8-sig")


# ------------------------------------------------------------------------------------ Markdown


def _markdown(sheet: Sheet) -> Files:
    picture = f"{sheet.name}.svg"
    lines = [*_markdown_head(sheet, picture), ""]
    for part in sheet.parts:
        lines += [f"## {_heading(part, markdown.text, _dollars)}", ""]
        for item in part.items:
            lines += [f"({item.number}) {_markdown_step(item)}", ""]
            if remark := pages.remark(item.step):
                lines += [f"*{markdown.text(remark)}*", ""]
            if item.blank:
                lines += [f"{item.blank} = ", ""]
    return {f"{sheet.name}.md": "\n".join(lines).encode(), picture: sheet.drawing().encode()}


def _markdown_head(sheet: Sheet, picture: str) -> list[str]:
    facts = " · ".join(f"{what}: {name}" for what, name in _facts(sheet))
    lines = (
        f"{say('worksheet-name')}: {'_' * 22} {say('worksheet-date')}: {'_' * 14} "
        f"{say('worksheet-points')}: {'_' * 6} / {len(sheet.blanks)}"
    )
    return [
        f"# {markdown.text(sheet.heading)}",
        "",
        f"<!-- sheet: {sheet.id} -->",
        "",
        lines,
        "",
        f"{_whose(sheet)} · {say('worksheet-sheet')} `{sheet.id}`",
        "",
        _task(sheet),
        "",
        f"![{say('worksheet-drawing')}]({picture})",
        "",
        f"**{say('worksheet-given')}**: {', '.join(map(_dollars, _given(sheet)))}",
        "",
        facts,
    ]


def _markdown_step(item: Item) -> str:
    spelled = " ".join(latex.write(node, decimal_sign()) for node in _nodes(item))
    return rf"$\displaystyle {spelled}{' = ' if item.blank else ''}$"


def _dollars(node: Node) -> str:
    return latex.inline(node, decimal_sign())


def _markdown_key(sheets: Sequence[Sheet]) -> Files:
    lines = [f"# {say('worksheet-key')}", ""]
    for sheet in sheets:
        lines += [
            f"## {_whose(sheet)} · {sheet.id}", "",
            "| | | |", "|---|---|---:|",
            *(
                f"| {name} | {_dollars(formula.parse(step.symbol))} | "
                f"{_dollars(_result(sheet, float(step.value)))} |"
                for name, step in sheet.blanks.items()
            ),
            "",
        ]  # fmt: skip
    return {"key.md": "\n".join(lines).encode()}


# ----------------------------------------------------------------------------------- notebooks


def _notebook(sheet: Sheet) -> Files:
    """Make a notebook: a cell a section, and a cell for the answer to each blank."""
    head: dict[str, Any] = _cell(
        "markdown", "\n".join(_markdown_head(sheet, "attachment:network.svg"))
    )
    drawn = base64.b64encode(sheet.drawing().encode()).decode()
    head["attachments"] = {"network.svg": {"image/svg+xml": drawn}}
    cells = [
        head,
        _cell("markdown", say("worksheet-notebook")),
        _cell("code", f'sheet = "{sheet.id}"\nfrom math import exp, log, sqrt, tanh'),
    ]
    for part in sheet.parts:
        text = [f"## {_heading(part, markdown.text, _dollars)}"]
        for item in part.items:
            text += ["", f"({item.number}) {_markdown_step(item)}"]
            if remark := pages.remark(item.step):
                text += ["", f"*{markdown.text(remark)}*"]
            if item.blank:
                cells.append(_cell("markdown", "\n".join(text)))
                name = plain.plain(item.step.symbol)
                cells.append(_cell("code", f"{item.blank} = None  # {name}"))
                text = []
        if text:
            cells.append(_cell("markdown", "\n".join(text).strip()))
    told = f"for name in {list(sheet.blanks)}:\n    print(name, '=', globals()[name])"
    cells.append(_cell("code", told))
    for n, cell in enumerate(cells):
        cell["id"] = f"cell-{n}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return {f"{sheet.name}.ipynb": dump(made)}


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


# ---------------------------------------------------------------------------------------- HTML


_SCRIPT = """
document.getElementById("download").addEventListener("click", () => {
  const answers = Object.fromEntries(
    [...document.querySelectorAll("input[name^=q]")].map((field) => [field.name, field.value]));
  const name = document.getElementById("student-name").value;
  const text = JSON.stringify({sheet: document.body.dataset.sheet, name, answers}, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  link.download = document.body.dataset.name + "-answers.json";
  link.click();
  URL.revokeObjectURL(link.href);
});
"""


def _html_page(title: str, body: str, about: str = "") -> bytes:
    style = html.style(resources.files(__package__) / "sheet.css")
    whole = (
        '<div class="derivation worksheet">\n'
        f'<h1 class="title">{escape(title)}</h1>\n{body}</div>\n'
    )
    return html.document(title, whole, style, about).encode()


def _html(sheet: Sheet) -> Files:
    math = functools.partial(html.mathml, decimal=decimal_sign())
    fields = "".join(
        f'<label>{word} <input id="student-{what}"></label>\n'
        for what, word in (("name", say("worksheet-name")), ("date", say("worksheet-date")))
    )
    facts = "".join(f"<li>{escape(f'{what}: {name}')}</li>" for what, name in _facts(sheet))
    points = f"{say('worksheet-points')} <span></span> / {len(sheet.blanks)}"
    body = [
        f'<div class="lines">{fields}<span class="points">{points}</span></div>',
        f'<p class="about">{_about(sheet)}</p>',
        f"<p>{escape(_task(sheet))}</p>",
        f'<figure>{sheet.drawing()}</figure>\n<ul class="given">'
        + "".join(f"<li>{math(node)}</li>" for node in _given(sheet)) + f"{facts}</ul>",
    ]  # fmt: skip
    for part in sheet.parts:
        steps = "\n".join(map(_html_step, part.items))
        body.append(f"<section><h2>{_heading(part, escape, math)}</h2>\n{steps}</section>")
    body.append(
        f'<p class="hand-in"><button id="download">{say("worksheet-download")}</button></p>\n'
        f"<script>{_SCRIPT}</script>\n"
    )
    about = f' data-sheet="{sheet.id}" data-name="{sheet.name}"'
    return {f"{sheet.name}.html": _html_page(sheet.heading, "\n".join(body), about)}


def _html_step(item: Item) -> str:
    math = functools.partial(html.mathml, decimal=decimal_sign())
    first, *rest = map(math, _nodes(item))
    if item.blank:
        label = escape(f"{item.blank}: {plain.plain(item.step.symbol)}")
        rest.append(
            f'<label class="blank">= <span>{item.blank}</span><input name="{item.blank}" '
            f'inputmode="decimal" autocomplete="off" aria-label="{label}"></label>'
        )
    members = "".join(f'<span class="member">{part}</span>' for part in rest)
    remark = pages.remark(item.step)
    remark = f'<p class="remark">{escape(remark)}</p>' if remark else ""
    return (
        f'<div class="step"><span class="number">({item.number})</span>'
        f'<div class="equation"><span class="name">{first}</span>'
        f'<span class="members">{members}</span></div>{remark}</div>'
    )


def _html_key(sheets: Sequence[Sheet]) -> Files:
    math = functools.partial(html.mathml, decimal=decimal_sign())
    parts = []
    for sheet in sheets:
        rows = "".join(
            f'<tr><th scope="row">{name}</th><td>{math(formula.parse(step.symbol))}</td>'
            f"<td>{math(_result(sheet, float(step.value)))}</td></tr>"
            for name, step in sheet.blanks.items()
        )
        title = f"{_whose(sheet)} · {sheet.id}"
        parts.append(f'<table class="key"><caption>{title}</caption><tbody>{rows}</tbody></table>')
    body = f'<div class="keys">{"".join(parts)}</div>'
    return {"key.html": _html_page(say("worksheet-key"), body)}


# ----------------------------------------------------------------------------------------- PDF


def _pdf(body: str) -> bytes:
    """Print a page: the same bytes for the same text, without date and fonts of the machine."""
    read = lambda part, name: resources.files(part).joinpath(name).read_text("utf-8")  # noqa: E731
    lines = [
        f"#set text(lang: {json.dumps(language())})",
        read("trasluz.pages", "page.typ"),
        read(__package__, "sheet.typ"),
        body,
    ]
    epoch = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    source = "\n".join(lines).encode()
    made: bytes = printed.typst().compile(source, ignore_system_fonts=True, timestamp=epoch)
    return made


def _typst_sheet(sheet: Sheet) -> str:
    text, math = printed.text, functools.partial(printed.inline, decimal=decimal_sign())
    about = _about(sheet)
    given = ", ".join(f"[{math(node)}]" for node in _given(sheet))
    facts = " #h(1em) ".join(text(f"{what}: {name}") for what, name in _facts(sheet))
    words = [say("worksheet-name"), say("worksheet-date"), say("worksheet-points")]
    lines = [
        "#counter(page).update(1)",
        f"#lines({', '.join(f'[{text(word)}]' for word in words)}, {len(sheet.blanks)})",
        f"= {text(sheet.heading)}",
        f"#about[{text(about)}]",
        text(_task(sheet)),
        f"#drawing({json.dumps(sheet.drawing(), ensure_ascii=False)})",
        f"#given([{text(say('worksheet-given'))}], ({given},), [{facts}])",
    ]
    for part in sheet.parts:
        lines += [f"== {_heading(part, text, math)}", *map(_typst_step, part.items)]
    return "\n".join(lines)


def _typst_step(item: Item) -> str:
    decimal = decimal_sign()
    first, *rest = [f"#term[$display({printed.write(n, decimal)})$]" for n in _nodes(item)]
    if item.blank:
        rest.append(f"$=$ #blank[{printed.text(item.blank)}]")
    long = sum(map(formula.width, _nodes(item))) > printed.LONG
    members = ", ".join(f"[{part}]" for part in rest)
    remark = pages.remark(item.step)
    return (
        f"#step([({item.number})], [{first}], ({members},), long: {str(long).lower()}, "
        f"remark: [{printed.text(remark) if remark else ''}])"
    )


def _typst(sheet: Sheet) -> Files:
    return {f"{sheet.name}.pdf": _pdf(_typst_sheet(sheet))}


def _typst_key(sheets: Sequence[Sheet]) -> Files:
    math = functools.partial(printed.inline, decimal=decimal_sign())
    lines = [f"= {printed.text(say('worksheet-key'))}", "#columns(2)["]
    for sheet in sheets:
        title = f"{_whose(sheet)} · {sheet.id}"
        cells = ", ".join(
            f"[{printed.text(name)}], [{math(formula.parse(step.symbol))}], "
            f"[{math(_result(sheet, float(step.value)))}]"
            for name, step in sheet.blanks.items()
        )
        lines.append(f"#key([{printed.text(title)}], {cells})")
    return {"key.pdf": _pdf("\n".join([*lines, "]"]))}


_STUDENT = {"pdf": _typst, "html": _html, "ipynb": _notebook, "md": _markdown}
_TEACHER = {
    "pdf": _typst_key, "html": _html_key, "ipynb": _markdown_key, "md": _markdown_key,
}  # fmt: skip

"""What is on the page of a worksheet and of the key to several, and the files with these pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from trasluz import losses
from trasluz.base.messages import decimal_sign, enumerated, language, problem, say, speaking
from trasluz.drawing.network import titled
from trasluz.pages import html, markdown, notebook, typst
from trasluz.pages.document import (
    Code,
    Document,
    Drawing,
    Exercise,
    Form,
    Given,
    Inline,
    Paragraph,
    Section,
    Table,
    Verbatim,
)
from trasluz.typeset.formula import Node, Operator, Row, items, parse
from trasluz.typeset.symbols import number
from trasluz.worksheets.sheet import FORMATS, Item, Part, Sheet, dump

Files = dict[str, bytes]
_LOOK: dict[str, Any] = {
    "kind": "derivation worksheet", "style": "worksheets/sheet", "stamped": False,
}  # fmt: skip
_WRITERS: dict[str, Callable[..., str | bytes]] = {
    "pdf": typst.page, "html": html.page, "ipynb": notebook.page, "md": markdown.page,
}  # fmt: skip


def student(sheet: Sheet, form: str) -> Files:
    """Make the pages of a sheet, by the names of their files; no answer is in them.

    Raises:
        UserError: the format is not known, or its extra is not installed.
    """
    _check(form)
    page = document(sheet, "network.svg" if form == "ipynb" else f"{sheet.name}.svg")
    files = {f"{sheet.name}.{form}": _file(form, page)}
    if form == "md":
        drawings = [block for block in page.blocks if isinstance(block, Drawing)]
        files |= {one.file: one.svg.encode() for one in drawings}
    return files


def teacher(sheets: Sequence[Sheet], form: str) -> Files:
    """Make the answers to all sheets: a page, their exact values, and a table to type marks into.

    Raises:
        UserError: the format is not known, or its extra is not installed.
    """
    _check(form)
    ending = "md" if form == "ipynb" else form
    with speaking(sheets[0].lang):
        return {
            f"key.{ending}": _file(ending, key(sheets)),
            "key.json": dump({"sheets": [{**s.as_dict(), "answers": s.answers} for s in sheets]}),
            "answers.csv": _answers(sheets),
        }


def together(sheets: Sequence[Sheet], form: str) -> Files:
    """Make the one file with all sheets, for the printer, where the format has it."""
    if form != "pdf" or len(sheets) < 2:
        return {}
    return {"all.pdf": typst.page(*(document(sheet) for sheet in sheets))}


def _check(form: str) -> None:
    if form not in FORMATS:
        raise problem("worksheet-format", form=form, forms=enumerated(FORMATS))


def _file(form: str, page: Document) -> bytes:
    written = _WRITERS[form](page)
    return written if isinstance(written, bytes) else (written.rstrip("\n") + "\n").encode()


def _answers(sheets: Sequence[Sheet]) -> bytes:
    """Make the table into which the answers of a class on paper are typed."""
    file = io.StringIO()
    delimiter = ";" if decimal_sign() == "," else ","
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    names = max((list(sheet.blanks) for sheet in sheets), key=len)
    writer.writerows([["sheet", *names], *([sheet.name, *[""] * len(names)] for sheet in sheets)])
    return file.getvalue().encode("utf-8-sig")


# ------------------------------------------------------------------------------ what is on them


def document(sheet: Sheet, drawing: str = "") -> Document:
    """Make the page of a sheet.

    Args:
        sheet: the sheet.
        drawing: the name of the file of its drawing, for pages that have it in one.
    """
    names = list(sheet.blanks)
    with speaking(sheet.lang):
        blocks = [
            Paragraph((f"{_whose(sheet)} · {say('worksheet-sheet')} ", Verbatim(sheet.id)), True),
            Paragraph((_task(sheet),)),
            Drawing(sheet.drawing(), say("worksheet-drawing"), drawing),
            Given(say("worksheet-given"), _given(sheet), _facts(sheet)),
            Code(
                f'sheet = "{sheet.id}"\nfrom math import exp, log, sqrt, tanh',
                _marked(say("worksheet-notebook")),
            ),
            *(Section(_heading(part), tuple(map(_exercise, part.items))) for part in sheet.parts),
            Code(f"for name in {names}:\n    print(name, '=', globals()[name])"),
        ]
        form = Form(
            sheet.id, sheet.name, say("worksheet-name"), say("worksheet-date"),
            say("worksheet-points"), len(names), say("worksheet-download"),
        )  # fmt: skip
        return Document((sheet.heading,), tuple(blocks), language(), form=form, **_LOOK)


def key(sheets: Sequence[Sheet]) -> Document:
    """Make the page with the answers to all sheets, in the language of messages."""
    tables = tuple(
        Table(
            tuple(
                ((name,), (parse(step.symbol),), (parse(number(float(step.value), sheet.digits)),))
                for name, step in sheet.blanks.items()
            ),
            (f"{_whose(sheet)} · {sheet.id}",),
        )
        for sheet in sheets
    )
    return Document((say("worksheet-key"),), tables, language(), columns=True, **_LOOK)


def _whose(sheet: Sheet) -> str:
    return say("worksheet-student", student=sheet.student)


def _task(sheet: Sheet) -> str:
    names = list(sheet.blanks)
    return say(
        "worksheet-task",
        blanks=len(names),
        first=names[0] if names else "",
        last=names[-1] if names else "",
        digits=sheet.digits,
    )


def _given(sheet: Sheet) -> tuple[Node, ...]:
    """List what is given, as equations."""
    return tuple(parse(f"{name} = {number(value, 6)}") for name, value in sheet.given.items())


def _facts(sheet: Sheet) -> tuple[str, ...]:
    """Name the loss and the optimizer."""
    loss = sheet.model._compiled_with["loss"]
    (one,) = loss if isinstance(loss, (list, tuple)) else (loss,)
    name = one if isinstance(one, str) else getattr(losses.resolve(one), "name", "")
    optimizer = type(sheet.model.optimizer).__name__
    return (
        f"{say('worksheet-loss')}: {str(name).replace('_', ' ')}",
        f"{say('worksheet-optimizer')}: {optimizer}",
    )


def _marked(message: str) -> Inline:
    """Take what stands between backticks letter by letter."""
    parts = enumerate(message.split("`"))
    return tuple(Verbatim(words) if n % 2 else words for n, words in parts)


def _heading(part: Part) -> Inline:
    """Say what a part of the sheet is about."""
    match part.stage, part.where:
        case "forward", "hidden":
            return (say("worksheet-forward-hidden"),)
        case "forward", "output":
            return (say("worksheet-forward-output"),)
        case "forward", layer:
            return (say("worksheet-forward", layer=titled(layer)),)
        case "loss", _:
            return (say("worksheet-loss"),)
        case "backward", slope:
            return (f"{say('worksheet-backward')} ", parse(slope))
        case "update", _:
            return (say("worksheet-update"),)
    return (part.where,)


def _exercise(item: Item) -> Exercise:
    """Make a step an exercise; all members but the first begin with an equals sign."""
    first, *rest = map(parse, item.members)
    members = (first, *(Row((Operator("="), *items(part))) for part in rest))
    return Exercise(item.number, members, item.blank, item.step.remark)

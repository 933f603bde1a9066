"""What is on a page, whatever it is written as: its title, and its blocks from top to bottom.

Who has something to show makes a `Document` of it; each writer beside this file knows documents
and nothing else. What stands within a line is words or formulas, never yet in any format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from trasluz.errors import visible
from trasluz.typeset.formula import Node


class Verbatim(str):
    """Words to be copied letter by letter, such as a name in a program."""


@dataclass(frozen=True)
class Reference:
    """The number of an equation further up."""

    number: int


Inline = tuple[str | Node | Reference, ...]


def joined(
    line: Inline,
    words: Callable[[str], str],
    math: Callable[[Node], str],
    refer: Callable[[int], str] = "({})".format,
) -> str:
    """Write a line in some format.

    Args:
        line: words, formulas and references.
        words: how words are written.
        math: how a formula is written among words.
        refer: how the number of an equation is written.
    """

    def one(piece: str | Node | Reference) -> str:
        if isinstance(piece, str):
            return words(visible(piece))
        return refer(piece.number) if isinstance(piece, Reference) else math(piece)

    return "".join(map(one, line))


@dataclass(frozen=True)
class Block:
    """A part of a page, as wide as the page."""


@dataclass(frozen=True)
class Heading(Block):
    """A line above the blocks that follow, up to the next heading."""

    line: Inline


@dataclass(frozen=True)
class Section(Block):
    """Blocks under a heading; what `kind` they are is for styles, and lets them be folded."""

    heading: Inline
    blocks: tuple[Block, ...]
    kind: str = ""


@dataclass(frozen=True)
class Excerpt(Block):
    """Blocks of another document: headings in them stand a level lower."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Paragraph(Block):
    """Words; `small` ones are there to be looked up, not to be read."""

    line: Inline
    small: bool = False


@dataclass(frozen=True)
class Points(Block):
    """A list: each point a line, and those that stand under it."""

    points: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True)
class Table(Block):
    """Rows of cells, under a title or under the names of the columns."""

    rows: tuple[tuple[Inline, ...], ...]
    title: Inline = ()
    header: tuple[Inline, ...] = ()


@dataclass(frozen=True)
class Display(Block):
    """A formula on a line of its own."""

    formula: Node


@dataclass(frozen=True)
class Equation(Block):
    """A step of a derivation.

    Args:
        number: by which others refer to it; 0 for none.
        members: what is equal; each but the first begins with its sign.
        kind: what kind of step it is, for styles.
        seen: which equations it leans on.
        remark: words under it, and formulas among them.
    """

    number: int
    members: tuple[Node, ...]
    kind: str = ""
    seen: Inline = ()
    remark: Inline = ()


@dataclass(frozen=True)
class Exercise(Block):
    """A step to be worked out by the reader: an equation, and the name of the blank at its end."""

    number: int
    members: tuple[Node, ...]
    blank: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Given(Block):
    """What exercises start from: equations, and facts in words."""

    title: str
    equations: tuple[Node, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Picture(Block):
    """A picture in pixels, drawn as the bytes of a PNG file by the pages that can show it."""

    draw: Callable[[], bytes]
    title: str


@dataclass(frozen=True)
class Drawing(Block):
    """A picture in lines: the text of an SVG file, and that file's name where it lies beside."""

    svg: str
    title: str
    file: str


@dataclass(frozen=True)
class Code(Block):
    """Python to be run by the pages that can, after what is said about it."""

    source: str
    about: Inline = ()


@dataclass(frozen=True)
class Form:
    """What makes a page one to be filled in and handed in.

    Args:
        sheet: by which answers are known to be to this page.
        file: the name of its files, without an ending.
        name: asks for the reader's name.
        date: asks for the date.
        points: stands before the points got.
        most: how many points there are.
        download: offers to save what was filled in.
    """

    sheet: str
    file: str
    name: str
    date: str
    points: str
    most: int
    download: str


@dataclass(frozen=True)
class Document:
    """A page.

    Args:
        title: what stands above.
        blocks: what follows, from top to bottom.
        lang: the language of its words and of the decimal sign.
        kind: what kinds of page it is, for styles: words with spaces between them.
        style: more styles than all pages have: a path in the package, to which a writer adds the
            ending of its own (.css, .typ).
        anchor: what its references begin with, to differ from those of other documents on a page.
        prose: whether it is text with derivations in it rather than one derivation.
        columns: whether its blocks are narrow, and stand in columns.
        form: what makes it one to be filled in.
        stamped: whether its file says, besides, what it is called and when it was written.
    """

    title: Inline
    blocks: tuple[Block, ...]
    lang: str
    kind: str = "derivation"
    style: str = ""
    anchor: str = ""
    prose: bool = False
    columns: bool = False
    form: Form | None = None
    stamped: bool = True

    def styles(self, ending: str) -> list[str]:
        """Read the styles that all pages have, and those that this one adds.

        Args:
            ending: of the files in which a format has its styles.
        """
        files = [f"{path}{ending}" for path in ("pages/page", self.style) if path]
        package = resources.files("trasluz")
        return [package.joinpath(file).read_text(encoding="utf-8") for file in files]

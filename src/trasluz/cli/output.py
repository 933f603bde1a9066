"""How commands talk: a console for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trasluz.base.messages import say
from trasluz.errors import UserError, spelled, visible

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Output:
    """What a command shows: `json` keeps standard output for one document, `quiet` says little.

    With `aside`, standard output is for what the command makes (rows, formulas), too.
    """

    json: bool = False
    quiet: bool = False
    aside: bool = False

    @cached_property
    def console(self) -> Console:
        """The console for people, which is standard error where output is for programs."""
        from rich.console import Console

        return Console(
            stderr=self.json or self.aside, quiet=self.quiet, highlight=False, soft_wrap=True
        )

    def tell(self, text: str, style: str = "") -> None:
        """Print a line as it is: brackets in data are not markup, nor are signs obeyed."""
        self.console.print(visible(text), style=style or None, markup=False)

    def note(self, texts: Iterable[str]) -> None:
        """Print what was found out, one line each."""
        for text in texts:
            self.tell(f"· {text}", style="dim")

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows in columns; all but the first column are aligned to the right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(visible(title)), title_justify="left", title_style="bold")
        for place, name in enumerate(header):
            table.add_column(Text(visible(name, lines=False)), justify="right" if place else "left")
        for row in rows:
            table.add_row(*[Text(visible(cell, lines=False)) for cell in row])
        self.console.print(table)

    def document(self, content: Mapping[str, Any]) -> None:
        """Print the one JSON document, where that was asked for."""
        if self.json:
            write_json(content)


def write_json(content: Mapping[str, Any]) -> None:
    """Write a document to standard output, in ASCII where that is not in Unicode."""
    text = json_text(content)
    if not (sys.stdout.encoding or "utf").lower().startswith("utf"):
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text + "\n")


def json_text(content: Mapping[str, Any]) -> str:
    """Spell a JSON document; a number that JSON lacks (NaN) is null, no sign acts on a terminal."""
    text = json.dumps(_plain(content), ensure_ascii=False, indent=2, allow_nan=False)
    return spelled(text)


def show_error(error: UserError, json_too: bool = False) -> None:
    """Say a mistake and its mend on standard error, and as a document where asked."""
    place = f"{error.where}: " if error.where else ""
    lines = [f"{say('error')}: {place}{error.what}"]
    if error.mend:
        lines.append(f"{say('error-mend')}: {error.mend}")
    sys.stderr.write("\n".join(lines) + "\n")
    if json_too:
        about = {"what": error.what, "where": error.where, "mend": error.mend}
        write_json({"error": about})


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays into JSON's terms."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value

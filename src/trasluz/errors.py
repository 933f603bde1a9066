"""What goes wrong on the user's side, said so that it can be mended: what, where, how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MOST_LISTED = 40

# What a terminal obeys instead of showing, what turns the direction of writing, and halves of
# signs, which no encoding can write. Line ends and tabs are left to those who lay out lines.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(text: str, lines: bool = True) -> str:
    r"""Show the signs in a text that would act on a terminal or a page, instead of letting them.

    Args:
        text: with names and words that come from the user's files.
        lines: whether it may have several lines; else line ends and tabs are shown too.

    >>> visible("a\x1b[2Jb"), visible("a\nb", lines=False)
    ('a␛[2Jb', 'a␊b')
    """
    shown = HIDDEN.sub(lambda match: _picture(match.group()), text)
    return shown if lines else shown.replace("\n", "␊").replace("\t", "␉")


def spelled(text: str) -> str:
    r"""Write such signs by their numbers, where their pictures would not do: JSON, figures.

    >>> spelled("a\x1b[2J")
    'a\\u001b[2J'
    """
    return HIDDEN.sub(lambda match: rf"\u{ord(match.group()):04x}", text)


def _picture(sign: str) -> str:
    code = ord(sign)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else spelled(sign)


class UserError(ValueError):
    """A mistake in what was given, with its cause and its mend.

    The message reads ``what (where): mend``; the command line prints it without a traceback
    and ends with exit code 2. `link` is what stands between the two in the language of both.

    >>> print(UserError("the table has no rows", "data.csv", "give a file with at least two rows"))
    data.csv: the table has no rows. To mend it: give a file with at least two rows.
    """

    def __init__(
        self, what: str, where: str = "", mend: str = "", link: str = "To mend it"
    ) -> None:
        what, where, mend = (visible(text) for text in (what, where, mend))
        self.what, self.where, self.mend = what, where, mend
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}. {link}: {mend}." if mend else text)


def shown(value: object, most: int = 60) -> str:
    """Spell a value for an error message, briefly, whatever it is.

    >>> shown("a" * 99, 20), shown([1, 2])
    ("'aaaaaaaaaaaaaaaaaa…", '[1, 2]')
    """
    try:
        text = repr(value)
    except Exception:  # too deep, too long, or its own mistake
        text = f"something of type {type(value).__name__}"
    return shown_text(text, most)


def shown_text(text: str, most: int) -> str:
    """Spell a text on one line of so many signs."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


# What Python and NumPy raise where things do not fit together.
MISFITS = (AttributeError, LookupError, OverflowError, TypeError, ValueError)


def is_misfit(error: Exception) -> bool:
    """Tell what Python and NumPy say of things that do not fit from errors of another kind.

    >>> class Mine(ValueError): ...
    >>> is_misfit(ValueError("shapes")), is_misfit(Mine()), is_misfit(UserError("said already"))
    (True, False, False)
    """
    told = getattr(error, "__notes__", None)  # by a layer of the user's own, below
    return not told and type(error).__module__.partition(".")[0] in ("builtins", "numpy")


def misfit(error: Exception, what: str, where: str, mend: str) -> UserError:
    """Say where something did not fit that is not of our making.

    Args:
        error: what was raised, of which `is_misfit` holds.
        what: what did not go.
        where: what it belongs to.
        mend: what to do.
    """
    said = shown_text(str(error), 200)
    return UserError(f"{what} ({type(error).__name__}: {said})", where, mend)


def nearest(name: str, known: Iterable[str]) -> str:
    """Spell the known names for an error message, the nearest to `name` first.

    >>> nearest("rleu", ["relu", "tanh"])
    "did you mean 'relu'? Known: 'relu', 'tanh'"
    """
    known = sorted(known)
    close = closest(name, known)
    more = ", …" if len(known) > MOST_LISTED else ""
    listed = "Known: " + ", ".join(repr(k) for k in known[:MOST_LISTED]) + more
    return f"did you mean {close!r}? {listed}" if close else listed


def closest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that was probably meant, whatever its capitals.

    >>> closest("Petal_Lenght", ["petal_length", "petal_width"])
    'petal_length'
    """
    by_small = {str(k).lower(): k for k in known}
    close = difflib.get_close_matches(str(name).lower(), list(by_small), n=1, cutoff=0.5)
    return by_small[close[0]] if close else None


def unknown(kind: str, name: object, known: Iterable[str]) -> UserError:
    """Make the error for a name that is not in a list of known ones."""
    return UserError(f"unknown {kind} {name!r}", mend=nearest(str(name), known))

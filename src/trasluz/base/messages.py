"""What a user is told, in the user's language: catalogues of messages in English and Spanish."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from typing import TYPE_CHECKING

from trasluz.errors import MOST_LISTED, UserError, closest, unknown

if TYPE_CHECKING:
    from fluent.runtime import FluentBundle

LANGUAGES = ("en", "es")

_LONGEST = 900

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


def language() -> str:
    """Name the language of messages: the one chosen, else TRASLUZ_LANG's, else English."""
    wished = _short(os.environ.get("TRASLUZ_LANG", ""))
    return _chosen.get() or (wished if wished in LANGUAGES else "en")


def speak(name: str | None) -> None:
    """Choose the language of messages; None goes back to the environment's.

    Raises:
        UserError: there is no catalogue in that language.

    >>> speak("es")
    >>> say("table-delimiter", delimiter=";")
    'delimitador encontrado: «;»'
    >>> speak(None)
    """
    _chosen.set(name and _known(name))


@contextmanager
def speaking(name: str | None) -> Iterator[None]:
    """Speak a language for a while; None keeps the one that is spoken.

    >>> with speaking("es"):
    ...     print(say("table-empty"))
    el archivo está vacío
    """
    token = _chosen.set(_known(name) if name else _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


def say(message: str, **values: object) -> str:
    """Spell the message of that id with its values, in the user's language."""
    bundle = _catalogue(language())
    return _spelled(bundle, bundle.get_message(message).value, message, values)


def problem(message: str, where: str = "", **values: object) -> UserError:
    """Make the error of that id: its text says what is wrong, its attribute `mend` how to mend it.

    >>> problem("table-empty", "data.csv").what
    'the file is empty'
    """
    bundle = _catalogue(language())
    entry = bundle.get_message(message)
    mend = entry.attributes.get("mend")
    return UserError(
        _spelled(bundle, entry.value, message, values),
        where,
        _spelled(bundle, mend, message, values) if mend else "",
        say("error-mend"),
    )


def suggest(name: str, known: Iterable[str], *, columns: bool = False) -> str:
    """Spell the known names, or columns, after the one that was probably meant.

    >>> suggest("specie", ["island", "species"])
    'did you mean “species”? Known: island, species'
    """
    known = sorted(known)
    names = enumerated(known)
    listed = say("suggest-columns", names=names) if columns else say("suggest-known", names=names)
    close = closest(name, known)
    if not close:
        return listed
    return f"{say('suggest-nearest', name=close)} {listed[0].upper()}{listed[1:]}"


def enumerated(names: Sequence[str]) -> str:
    """Join names by commas, and leave out those that are too many to read.

    >>> enumerated([str(n) for n in range(100)])[-15:]
    '38, 39, … (+60)'
    """
    left = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f", … (+{left})" if left > 0 else "")


def _short(name: str) -> str:
    """Take the language out of a locale's name."""
    return name.replace("-", "_").split("_")[0].lower()


def _known(name: str) -> str:
    short = _short(name)
    if short not in LANGUAGES:
        raise unknown("language", name, LANGUAGES)
    return short


@functools.cache
def _catalogue(name: str) -> FluentBundle:
    from fluent.runtime import FluentBundle, FluentResource

    bundle = FluentBundle([name], use_isolating=False)
    folder = resources.files("trasluz") / "locale" / name
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".ftl"):
            bundle.add_resource(FluentResource(file.read_text(encoding="utf-8")))
    return bundle


def _spelled(bundle: FluentBundle, pattern: object, message: str, values: dict[str, object]) -> str:
    short = {name: _plain(value) for name, value in values.items()}
    text, errors = bundle.format_pattern(pattern, short)  # type: ignore[arg-type]
    if errors:
        raise LookupError(f"message {message!r}: {errors}")
    return str(text)


def _plain(value: object) -> object:
    """Cut text that nobody would read to its end (Fluent takes no more than 1000 characters).

    Only English parts thousands: the point that Spanish would put there is the decimal point here.
    """
    from fluent.runtime.types import fluent_number

    if isinstance(value, int) and not isinstance(value, bool):
        return fluent_number(value, useGrouping=language() == "en")
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 1] + "…"
    return value


DECIMALS = {"en": ".", "es": ","}


def decimal_sign() -> str:
    """Give the sign between whole and decimals in the language of messages."""
    return DECIMALS[language()]

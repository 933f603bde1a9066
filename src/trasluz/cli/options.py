"""Options and commands whose help is looked up in the user's language when it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from trasluz.base.messages import LANGUAGES, say, speak


class Option(click.Option):
    """An option whose help is the message ``option-NAME``."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Look the help up, then let click lay it out."""
        self.help = say(message_of(self))
        return super().get_help_record(ctx)


class Command(click.Command):
    """A command whose help is the message ``command-NAME``, followed by examples."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def get_short_help_str(self, limit: int = 80) -> str:
        """Give the line that stands in the list of commands."""
        return say(f"command-{self.name}")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(say(f"command-{self.name}"))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, a line each."""
        if self.examples:
            with formatter.section(say("examples")):
                formatter.write("".join(f"  {line}\n" for line in self.examples))


class Group(click.Group):
    """The command line as a whole, with the message ``command-trasluz`` as its help."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the program is."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(say("command-trasluz"))


class Number(click.FloatRange):
    """A finite number of a range: “nan” and “inf” are not among them."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Read the number, then compare it with the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(say("number-wrong", value=str(value)), param, ctx)
        return number


class Widths(click.ParamType):
    """Whole numbers above 0 with commas between them; nothing at all is none."""

    name = "N,N"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Read ``32,16`` as ``(32, 16)``."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            widths = tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            widths = (0,)
        if any(width < 1 for width in widths):
            self.fail(say("widths-wrong", value=value), param, ctx)
        return widths


class Span(NamedTuple):
    """All numbers from one to another, which a search may choose from."""

    low: float
    high: float


class Values(click.ParamType):
    """Numbers of a range with commas between them, or a span of them: ``1e-4..1e-1``.

    Args:
        number: what each number has to be.
        log: whether spans are searched by their logarithms, and so begin above 0.
    """

    name = "X,X|X..X"

    def __init__(self, number: click.ParamType, log: bool) -> None:
        self.number, self.log = number, log

    def convert(self, value: Any, param: Any, ctx: Any) -> Span | tuple[float, ...]:
        """Read ``1,2`` as ``(1, 2)`` and ``1..2`` as ``Span(1, 2)``."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        ends = value.split("..")
        if len(ends) == 1:
            return _without_twins(
                [self.number.convert(v.strip(), param, ctx) for v in value.split(",")]
            )
        if len(ends) > 2:
            self.fail(say("span-wrong", value=value), param, ctx)
        low, high = (self.number.convert(end.strip(), param, ctx) for end in ends)
        if low >= high:
            self.fail(say("span-order", value=value), param, ctx)
        if self.log and low <= 0:
            self.fail(say("span-zero", value=value), param, ctx)
        return Span(low, high)


class Stacks(click.ParamType):
    """Several lists of widths with slashes between them: ``16/32,16``; each stays text."""

    name = "N,N[/N,N]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Read ``16/32,16`` as ``("16", "32,16")``."""
        if not isinstance(value, str):
            return tuple(value)
        stacks = [Widths().convert(stack, param, ctx) for stack in value.split("/")]
        return _without_twins([",".join(map(str, stack)) for stack in stacks])


class Names(click.ParamType):
    """Names with commas between them."""

    name = "NAME[,NAME]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Read ``relu,tanh`` as ``("relu", "tanh")``."""
        return _without_twins([name.strip() for name in value.split(",")])


def _without_twins(values: Sequence[Any]) -> tuple[Any, ...]:
    """Give values in order, each once."""
    return tuple(dict.fromkeys(values))


class Devices(click.ParamType):
    """How many devices, from 1; or all of them."""

    name = "all|N"

    def convert(self, value: Any, param: Any, ctx: Any) -> str | int:
        """Read ``4`` as 4."""
        if str(value) == "all":
            return "all"
        if not is_count(str(value)) or int(value) < 1:
            self.fail(say("devices-wrong", value=str(value)), param, ctx)
        return int(value)


def is_count(text: str) -> bool:
    """Tell the digits of a whole number that may be meant: one of a thousand digits is not."""
    return text.isdecimal() and len(text) < 19


class Rows(click.ParamType):
    """Numbers of rows with commas between them."""

    name = "N,N"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Read ``3,7`` as ``(3, 7)``."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(say("rows-wrong", value=value), param, ctx)


def message_of(parameter: click.Parameter) -> str:
    """Name the message that is a parameter's help."""
    return "option-" + str(parameter.name).replace("_", "-")


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare an option whose help is a message."""
    return click.option(*names, cls=Option, **settings)


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all have."""
    return json_option(quiet_option(language_option(command)))


def _choose_language(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        speak(value)


json_option = option("--json", "json_too", is_flag=True)
quiet_option = option("--quiet", "-q", is_flag=True)
language_option = option(
    "--lang",
    type=click.Choice(LANGUAGES),
    is_eager=True,
    expose_value=False,
    callback=_choose_language,
)
reading = [
    option("--delimiter", metavar="CHAR"),
    option("--encoding", metavar="NAME"),
]


def reads_tables(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options about how a table is read."""
    for one in reversed(reading):
        command = one(command)
    return command

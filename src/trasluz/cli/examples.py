"""`trasluz example`: the worked examples, listed or worked out."""

from __future__ import annotations

import sys

from trasluz import examples
from trasluz.base.files import write_atomically
from trasluz.base.messages import enumerated, problem, say, suggest
from trasluz.cli.output import Output

FORMATS = ("text", "markdown", "html")


def list_examples(output: Output) -> None:
    """List the examples, with their titles."""
    listed = [examples.load(name) for name in examples.names()]
    for one in listed:
        output.tell(one.name, style="bold")
        output.tell(f"  {one.title}")
    output.tell(say("example-next"))
    output.document({"examples": [{"name": one.name, "title": one.title} for one in listed]})


def work_out(name: str, form: str, picture: str | None, output: Output) -> None:
    """Show an example's page, and draw its picture where that was asked for.

    Args:
        name: the example.
        form: one of `FORMATS`, the methods of an example.
        picture: the file to draw in.
        output: where it is shown.

    Raises:
        UserError: there is no such example, or it has no picture.
    """
    if name not in examples.names():
        raise problem("example-unknown", name=name, nearest=suggest(name, examples.names()))
    example = examples.load(name)
    if picture:
        drawn = example.picture()
        if drawn is None:
            having = [n for n in examples.names() if examples.load(n).draw]
            raise problem("example-no-picture", name, names=enumerated(having))
        write_atomically(picture, drawn)
    if not (output.json or output.quiet):
        sys.stdout.write(getattr(example, form)() + "\n")
    if picture:
        output.tell(say("example-drawn", file=picture))
    output.document(example.as_dict())

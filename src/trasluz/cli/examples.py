"""`trasluz example`: the worked examples, listed or worked out."""

from __future__ import annotations

import sys

from trasluz import examples
from trasluz.base.files import write_atomically
from trasluz.base.messages import enumerated, problem, say, suggest
from trasluz.cli.output import Face


def list_examples(face: Face) -> None:
    """List the examples, with their titles."""
    listed = [examples.load(name) for name in examples.names()]
    for one in listed:
        face.tell(one.name, style="bold")
        face.tell(f"  {one.title}")
    face.tell(say("example-next"))
    face.document({"examples": [{"name": one.name, "title": one.title} for one in listed]})


def work_out(name: str, form: str, picture: str | None, face: Face) -> None:
    """Show an example's page, and draw its picture where that was asked for.

    Args:
        name: the example.
        form: "text", "markdown" or "html".
        picture: the file to draw in.
        face: where it is shown.

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
    pages = {"text": example.text, "markdown": example.markdown, "html": example.html}
    if not (face.json or face.quiet):
        sys.stdout.write(pages[form]() + "\n")
    if picture:
        face.tell(say("example-drawn", file=picture))
    face.document(example.as_dict())

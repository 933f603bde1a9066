"""Every fenced block of the documents runs: Python in order, command lines as real processes.

python tests/test_readme.py README.md     runs the blocks of a document, as the test does

Documents run together, each in a folder of its own: a process has to import once.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from trasluz import activations, layers, optimizers
from trasluz.cli.app import app
from trasluz.cli.app import run as run_command_line

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "README.md",
    "README.es.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
LANGUAGES = {"python", "console", "text", "json"}
TRANSLATED = [
    ("README.md", "README.es.md"),
    ("docs/explain.md", "docs/explain.es.md"),
    ("docs/worksheets.md", "docs/worksheets.es.md"),
    ("docs/sweep.md", "docs/sweep.es.md"),
    ("docs/security.md", "docs/security.es.md"),
    ("docs/layers.md", "docs/layers.es.md"),
    ("docs/own-steps.md", "docs/own-steps.es.md"),
]
LONG = [("README.md", "README.es.md"), ("docs/sweep.md", "docs/sweep.es.md")]
TOGETHER = [*LONG, tuple(name for name in DOCUMENTS if not any(name in pair for pair in LONG))]
FENCE = re.compile(r"^\s*```")
LINK = re.compile(r"\]\(([^)#\s]+)[^)\s]*\)")

# What a console block may show without the test running it, each with its own check below.
INSTALLS = re.compile(r"(python -m )?pip install (\.|'\.\[(?P<extras>[a-z,]+)\]')")
MAKES = re.compile(r"make (?P<target>[a-z]+)")
CHECKS = re.compile(r"\.venv/bin/(python( -m pytest)? (?P<file>tests/\w+\.py)|pre-commit install)")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line it starts on."""

    language: str
    text: str
    line: int


def blocks(name: str) -> list[Block]:
    """List the fenced blocks of a document; a fence that does not pair up is an error."""
    found: list[Block] = []
    opened: tuple[str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        if not FENCE.match(line):
            lines.append(line)
        elif opened is None:
            assert line.startswith("```"), f"{name}:{number}: fences are not indented"
            opened, lines = (line[3:].strip(), number + 1), []
        else:
            assert line == "```", f"{name}:{number}: a fence opens inside another"
            found.append(Block(opened[0], "\n".join(lines) + "\n", opened[1]))
            opened = None
    assert opened is None, f"{name}: a fence is never closed"
    return found


def run(name: str) -> None:
    """Run a document's blocks in order, here: what it shows has to come out."""
    space: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(name):
        if block.language in ("text", "json"):
            check_printed(name, block, printed)
        elif block.language == "console":
            run_commands(name, block)
        elif ">>> " in block.text:
            run_examples(name, block, space)
        else:
            tree = ast.increment_lineno(ast.parse(block.text, name), block.line - 1)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(tree, name, "exec"), space)
            printed = out.getvalue()


def check_printed(name: str, block: Block, printed: str) -> None:
    """Compare a block of text with what the Python block before it printed."""
    fits = doctest.OutputChecker().check_output
    if not fits(block.text, printed.rstrip("\n") + "\n", doctest.ELLIPSIS):
        sys.exit(f"{name}:{block.line}: the block before printed\n{printed}")


def run_examples(name: str, block: Block, space: dict[str, object]) -> None:
    """Run a block with `>>>` in it as a doctest."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, name, name, block.line - 1)
    test.globs = space
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    runner.run(test, out=said.append, clear_globs=False)
    if runner.failures:
        sys.exit("".join(said))


def run_commands(name: str, block: Block) -> None:
    """Run the command lines of a block; lines below a command are what it has to say."""
    fits = doctest.OutputChecker().check_output
    assert block.text.startswith("$ "), f"{name}:{block.line}: starts with a command"
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        if check_by_reading(command):
            continue
        program, *words = shlex.split(command)
        assert program == "trasluz", f"{name}: nothing runs `{command}`"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_command_line(words)
        mistake = shown.startswith("Error: ")
        said = (err if mistake else out).getvalue()
        assert code == (2 if mistake else 0), (
            f"{name}: `{command}` ends with {code}\n{err.getvalue()}"
        )
        if shown.strip():
            options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert fits(shown, said, options), f"{name}: `{command}` said:\n{said}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_block_is_of_a_kind_that_runs(name):
    assert {block.language for block in blocks(name)} <= LANGUAGES


@pytest.mark.slow
@pytest.mark.parametrize("names", TOGETHER, ids=["README", "sweep", "others"])
def test_every_block_runs(names, tmp_path):
    here = str(Path(sys.executable).parent)
    environment = {k: v for k, v in os.environ.items() if k != "TRASLUZ_LANG"}
    environment |= {"PATH": here + os.pathsep + os.environ["PATH"], "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, *names],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_and_option_is_described():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    told = {word for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()}
    options = {
        name
        for command in app.commands.values()
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("-")
    }
    assert options | set(app.commands) <= told, options | set(app.commands) - told


@pytest.mark.parametrize("name", ["README.md", "README.es.md"])
def test_the_box_is_shown_in_full(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    told = set(re.findall(r"\w+", text[text.index("| | |") :]))
    everything = {
        *(n for n in layers.__all__ if n[0].isupper()),
        *activations.registry.names(),
        *(kind.__name__ for kind in optimizers.registry.known.values()),
    }
    untold = everything - told - {"Identity", "Input", "InputLayer", "Layer", "swish"}
    assert not untold, f"add to the table after “| | |” in {name}: {untold}"


def check_by_reading(command: str) -> bool:
    """Check a command that a test cannot run, as it installs or tests, against what it names."""
    if found := MAKES.fullmatch(command):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{found['target']}:", makefile, re.MULTILINE), command
        return True
    if found := INSTALLS.fullmatch(command):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = (found["extras"] or "").split(",")
        assert set(filter(None, extras)) <= set(project["optional-dependencies"]), command
        return True
    if found := CHECKS.fullmatch(command):
        assert (ROOT / (found["file"] or ".pre-commit-config.yaml")).exists(), command
        return True
    return False


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


@pytest.mark.parametrize(("one", "other"), TRANSLATED)
def test_both_languages_show_the_same(one, other):
    english, spanish = blocks(one), blocks(other)
    assert [b.language for b in english] == [b.language for b in spanish]
    for first, second in zip(english, spanish, strict=True):
        if first.language == "python":
            assert shape(first) == shape(second), f"blocks at lines {first.line} and {second.line}"


def shape(block: Block) -> str:
    """Give a Python block without comments and without the words of its strings."""
    source = "".join(example.source for example in doctest.DocTestParser().get_examples(block.text))
    tree = ast.parse(source or block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)


if __name__ == "__main__":
    for document in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            run(document)

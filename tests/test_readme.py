"""Every fenced block of the documents runs: Python in order, command lines as real processes.

python tests/test_readme.py README.md     runs one document's Python, as the test does
"""

from __future__ import annotations

import ast
import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from trasluz.cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    name
    for name in (
        "README.md",
        "README.es.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    )
    if (ROOT / name).exists()
]
LANGUAGES = {"python", "console"}
FENCE = re.compile(r"^\s*```")
LINK = re.compile(r"\]\(([^)#\s]+)[^)\s]*\)")

# What a console block may show without the test running it, each with its own check below.
INSTALLS = re.compile(r"(python -m )?pip install (\.|'\.\[(?P<extras>[a-z,]+)\]')")
MAKES = re.compile(r"make (?P<target>[a-z]+)")


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


def run_python(name: str) -> None:
    """Run a document's Python blocks in one namespace; what `>>>` shows has to come out."""
    space: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(name):
        if block.language != "python":
            continue
        if ">>> " not in block.text:
            tree = ast.parse(block.text, name)
            ast.increment_lineno(tree, block.line - 1)
            exec(compile(tree, str(ROOT / name), "exec"), space)
            continue
        parser = doctest.DocTestParser()
        test = parser.get_doctest(block.text, {}, name, str(ROOT / name), block.line - 1)
        test.globs = space
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        said: list[str] = []
        runner.run(test, out=said.append, clear_globs=False)
        if runner.failures:
            sys.exit("".join(said))


def environment() -> dict[str, str]:
    """The environment in which a reader types: `trasluz` is on the path, and speaks English."""
    here = str(Path(sys.executable).parent)
    others = {name: value for name, value in os.environ.items() if name != "TRASLUZ_LANG"}
    return {**others, "PATH": here + os.pathsep + os.environ["PATH"], "COLUMNS": "120"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_block_is_of_a_kind_that_runs(name):
    assert {block.language for block in blocks(name)} <= LANGUAGES


@pytest.mark.parametrize("name", DOCUMENTS)
def test_python(name, tmp_path):
    if not any(block.language == "python" for block in blocks(name)):
        return
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, name],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def commands(block: Block):
    """List the command lines of a console block, each with the output that is shown for it."""
    assert block.text.startswith("$ "), f"line {block.line}: a console block starts with a command"
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown.strip()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_console(name, tmp_path):
    fits = doctest.OutputChecker().check_output
    for block in blocks(name):
        if block.language != "console":
            continue
        for command, shown in commands(block):
            if check_by_reading(command):
                continue
            words = shlex.split(command)
            assert words[0] in ("trasluz", "python"), f"{name}: nothing runs `{command}`"
            done = subprocess.run(
                words,
                cwd=tmp_path if words[0] == "trasluz" else ROOT,
                env=environment(),
                capture_output=True,
                text=True,
            )
            mistake = shown.startswith("Error: ")
            said = (done.stderr if mistake else done.stdout).strip()
            assert done.returncode == (2 if mistake else 0), f"{name}: {command}\n{done.stderr}"
            if shown:
                options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert fits(shown, said, options), f"{name}: `{command}` said:\n{said}"


def test_all_options_are_described():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    options = {
        name
        for command in (app, *app.commands.values())
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("-")
    }
    assert {
        name for name in options if f"`{name}`" not in text and f"`{name} " not in text
    } == set()
    assert {
        f"`trasluz {name} " in text or f"`trasluz {name}`" in text for name in app.commands
    } == {True}


def check_by_reading(command: str) -> bool:
    """Check a command that installs or makes, which a test cannot run, against what it names."""
    if found := MAKES.fullmatch(command):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{found['target']}:", makefile, re.MULTILINE), command
        return True
    if found := INSTALLS.fullmatch(command):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = (found["extras"] or "").split(",")
        assert set(filter(None, extras)) <= set(project["optional-dependencies"]), command
        return True
    return False


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


def test_both_readmes_show_the_same():
    english, spanish = blocks("README.md"), blocks("README.es.md")
    assert [b.language for b in english] == [b.language for b in spanish]
    for one, other in zip(english, spanish, strict=True):
        if one.language == "python":
            assert shape(one) == shape(other), f"the blocks at lines {one.line} and {other.line}"


def shape(block: Block) -> str:
    """Give a Python block without comments and without the words of its strings."""
    source = "".join(example.source for example in doctest.DocTestParser().get_examples(block.text))
    tree = ast.parse(source or block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)


if __name__ == "__main__":
    run_python(sys.argv[1])

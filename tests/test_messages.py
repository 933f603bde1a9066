"""Both catalogues say the same things, and everything that is said is in them."""

import ast
from importlib import resources
from pathlib import Path

import click
import pytest
from fluent.syntax import ast as ftl
from fluent.syntax import parse
from fluent.syntax.visitor import Visitor

import trasluz
from trasluz.base.messages import LANGUAGES, language, problem, say, speak, speaking, suggest
from trasluz.cli.app import app
from trasluz.cli.options import Option, message_of
from trasluz.errors import UserError

SOURCES = sorted(Path(trasluz.__file__).parent.rglob("*.py"))


class Variables(Visitor):
    def __init__(self):
        self.names = set()

    def visit_VariableReference(self, node):
        self.names.add(node.id.name)


def catalogue(name):
    """Give the variables of each message of a language, and whether it says how to mend."""
    found = {}
    for file in (resources.files("trasluz") / "locale" / name).iterdir():
        for entry in parse(file.read_text(encoding="utf-8")).body:
            assert not isinstance(entry, ftl.Junk), entry.content
            if isinstance(entry, ftl.Message):
                assert entry.id.name not in found, f"{entry.id.name} stands twice"
                variables = Variables()
                variables.visit(entry)
                mends = [attribute.id.name for attribute in entry.attributes]
                found[entry.id.name] = (variables.names, mends)
    return found


def calls():
    """Find each `say("id", ...)` and `problem("id", ...)` with the names of its values."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("say", "problem") and isinstance(node.args[0], ast.Constant):
                values = {word.arg for word in node.keywords} - {"where"}
                yield node.func.id, node.args[0].value, values, f"{path.name}:{node.lineno}"


def commands():
    return [app, *app.commands.values()]


def test_catalogues_have_the_same_messages_and_variables():
    english = catalogue("en")
    for name in LANGUAGES:
        assert catalogue(name) == english


def test_everything_said_is_in_the_catalogues():
    english = catalogue("en")
    found = list(calls())
    assert len(found) > 50
    for kind, message, values, place in found:
        assert message in english, place
        variables, mends = english[message]
        assert values == variables, place
        assert mends == (["mend"] if kind == "problem" else []), place


def test_every_message_is_said_somewhere():
    said = {message for _, message, _, _ in calls()}
    options = {message_of(p) for c in commands() for p in c.params if isinstance(p, Option)}
    composed = (
        "command-", "task-", "part-", "dataset-", "example-", "verdict-", "explain-", "worksheet-",
        "setting-",
    )  # fmt: skip
    for message in catalogue("en"):
        assert message in said | options or message.startswith(composed), message


def test_every_command_and_option_has_help_in_every_language():
    for name in LANGUAGES:
        known = catalogue(name)
        for command in commands():
            assert f"command-{command.name if command is not app else 'trasluz'}" in known
            for parameter in command.params:
                if isinstance(parameter, click.Option) and parameter.name != "version":
                    assert message_of(parameter) in known, parameter.name


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak(None)


def test_language_is_the_chosen_one_then_the_environments(monkeypatch):
    assert language() == "en"
    monkeypatch.setenv("TRASLUZ_LANG", "es_ES.UTF-8")
    assert language() == "es"
    assert say("table-delimiter", delimiter=",") == "delimitador encontrado: «,»"
    speak("en")
    assert say("table-delimiter", delimiter=",") == "delimiter found: “,”"


def test_an_unknown_language_is_refused():
    with pytest.raises(UserError, match="unknown language 'fr'"):
        speak("fr")


def test_a_problem_has_its_mend_in_the_same_language():
    speak("es")
    error = problem("table-ragged", "a.csv", line=7, found=1, expected=3)
    assert error.where == "a.csv"
    assert error.what == "la línea 7 tiene 1 celda y la primera tiene 3"
    assert error.mend.startswith("da a cada línea")


def test_thousands_are_never_parted_by_a_point():
    assert say("predicted", rows=1_234_567, file="p.csv").startswith("1,234,567 rows")
    speak("es")
    assert say("predicted", rows=1_234_567, file="p.csv").startswith("1234567 filas")


def test_known_names_go_on_with_the_sentence():
    assert suggest("zzz", ["a"]) == "known: a"
    assert suggest("zzz", ["a"], columns=True) == "the columns are a"
    assert suggest("specie", ["species"], columns=True).endswith("? The columns are species")
    speak("es")
    assert suggest("zzz", ["a"], columns=True) == "las columnas son a"
    assert suggest("specie", ["species"], columns=True).endswith("? Las columnas son species")


def test_a_message_without_its_value_is_a_defect():
    with pytest.raises(LookupError, match="delimiter"):
        say("table-delimiter")


def test_an_error_is_in_one_language_throughout():
    with speaking("es"):
        error = problem("table-empty", "datos.csv")
    assert ". Para arreglarlo: " in str(error) and "To mend it" not in str(error)

"""The house: imports go one way, parts stay small, and `import trasluz` brings in NumPy alone."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import trasluz
from trasluz import former
from trasluz.models.faces import Face
from trasluz.state import registry

ROOT = Path(trasluz.__file__).parent

# The wings and the files beside them, in the order in which one may build on the other: each may
# import from those before it, at the head of a file or further down.
ORDER = [
    "errors", "config", "base", "autodiff", "tape", "ops", "messages", "distribution",
    "typeset", "state", "random", "activations", "initializers", "regularizers", "constraints",
    "data", "losses", "metrics", "optimizers", "layers", "saving", "callbacks", "training",
    "models", "utils", "testing", "pages", "tables", "datasets", "drawing", "families", "linear",
    "studies", "explain", "examples", "worksheets", "cli", "former",
]  # fmt: skip

# What the heart is made of: it imports NumPy and the standard library.
HEART = ("errors", "config", "base", "autodiff", "typeset", "state")

# Imports of our own further down than the head of a file are there for a light start, in these
# files and for these reasons; nowhere else.
LIGHT = {
    "models.model": "models are drawn, loaded and asked without what drives training",
    "cli": "the terminal answers Ctrl-C before anything is loaded",
    "cli.app": "each command loads what it runs, so that `--help` answers at once",
}

# What is longer than it should be; why is said where it stands.
LONG = {"models.model:Model"}
MOST_LINES = {"file": 600, "class": 400, "function": 80}


@functools.cache
def modules():
    """List the modules by name, without the package's own; a folder's face is named as it is."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        *folders, name = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(folders if name == "__init__" and folders else [*folders, name])] = path
    return found


@functools.cache
def tree_of(name):
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def imported(name):
    """Give what a module imports, and whether further down than its head; not for types alone."""
    tree = tree_of(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.col_offset > 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.col_offset > 0


def own(name):
    """Give which of our modules a module imports, and whether further down than its head."""
    for path, below in imported(name):
        if path.startswith("trasluz."):
            rest = path.removeprefix("trasluz.")
            while rest not in modules():
                rest = rest.rpartition(".")[0] or "__init__"
            if rest != name:
                yield rest, below


def wing(name):
    return name.partition(".")[0]


def test_every_wing_has_its_place():
    assert set(map(wing, modules())) - {"__init__", "__main__"} == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("name", [n for n in modules() if n not in ("__init__", "__main__")])
def test_imports_go_one_way(name):
    for other, _ in own(name):
        if wing(other) != wing(name) and other != "__init__":
            assert ORDER.index(wing(other)) < ORDER.index(wing(name)), f"{name} imports {other}"


def test_no_files_lean_on_each_other_in_a_circle():
    graph = {name: {other for other, _ in own(name)} for name in modules()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_imports_further_down_are_there_for_a_light_start():
    assert {name for name in modules() if any(below for _, below in own(name))} == set(LIGHT)


def sizes():
    for name, path in modules().items():
        yield name, "file", path.read_text(encoding="utf-8").count("\n")
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                lines = node.end_lineno - node.lineno + 1
                if kind == "function" and ast.get_docstring(node):
                    lines -= node.body[0].end_lineno - node.body[0].lineno + 1
                yield f"{name}:{node.name}", kind, lines


def test_parts_stay_small_enough_to_be_read():
    assert {name for name, kind, lines in sizes() if lines > MOST_LINES[kind]} == LONG


def test_names_of_modules_in_texts_are_those_of_modules():
    faces = [name for name, face in vars(trasluz.Model).items() if isinstance(face, Face)]
    assert faces
    assert all(callable(getattr(trasluz.Model, name)) for name in faces)
    for home in (*registry.OPEN, *trasluz.layers.base.registry.homes):
        importlib.import_module(home)
    for home in " ".join(former.MOVED.values()).split():
        assert home in modules()


def test_only_the_backend_names_jax():
    for name in modules():
        if name != "autodiff.backend":
            assert not {p.partition(".")[0] for p, _ in imported(name)} & {"jax", "jaxlib"}, name


def test_the_heart_imports_numpy_alone():
    for name in filter(lambda name: wing(name) in HEART, modules()):
        foreign = {p.partition(".")[0] for p, below in imported(name) if not below}
        assert foreign - {"trasluz", "__future__", "numpy"} <= sys.stdlib_module_names, name


@pytest.mark.parametrize(
    "line", (Path(__file__).parent / "fixtures" / "paths-0.1.txt").read_text().splitlines()
)
def test_what_could_be_imported_from_version_0_1_can_be(line):
    path, names = line.split(":")
    module = importlib.import_module(path)
    assert [name for name in names.split() if not hasattr(module, name)] == []


def loaded_by(statement):
    """List the packages that are not of the standard library which a statement brings in."""
    program = (
        f"import sys; before = set(sys.modules); {statement}; "
        "print(*{n.split('.')[0] for n in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import trasluz",
        "import trasluz; trasluz.Sequential([trasluz.layers.Input((2,)), trasluz.layers.Dense(1)])",
        "from trasluz import callbacks, losses, metrics, optimizers, saving",
        "from trasluz import datasets, tables, drawing",
        "from trasluz.tables import preparation; from trasluz.drawing import curves",
    ],
)
def test_nothing_heavier_than_numpy_is_imported(statement):
    assert loaded_by(statement) <= {"numpy", "trasluz"}


def test_training_on_numpy_imports_numpy_alone():
    assert loaded_by(
        "import numpy as np; from trasluz import Sequential, layers; "
        "m = Sequential([layers.Input((2,)), layers.Dense(1)]); m.compile('sgd', 'mse'); "
        "m.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0, engine='numpy')"
    ) <= {"numpy", "trasluz"}

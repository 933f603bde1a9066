"""Imports go one way, and `import trasluz` brings in NumPy and nothing heavier."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import trasluz

ROOT = Path(trasluz.__file__).parent

# Each floor may import from those above it in this list, at the head of a file.
FLOORS = [
    ["errors", "tree"],
    ["files", "config"],
    ["backend"],
    ["distribution"],
    ["tape"],
    ["ops"],
    ["scan", "random"],
    ["typeset"],
    ["entries"],
    ["state"],
    ["registry"],
    ["symbolic", "activations", "initializers", "regularizers", "constraints", "schedules"],
    ["layer"],
    ["layers", "losses", "optimizers"],
    ["metrics", "parquet"],
    ["data", "callbacks"],
    ["training", "blocks"],
    ["loop", "summary", "saving", "recording"],
    ["model"],
    ["functional"],
    ["models", "testing", "utils", "linear"],
    ["member"],
    ["many"],
]
FACES = [
    "messages",
    "study",
    "explain",
    "tables",
    "fitted",
    "preparation",
    "datasets",
    "plots",
    "examples",
    "worksheets",
    "cli",
    "lab",
    "interop",
]
HEART = [name for floor in FLOORS[:9] for name in floor]


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem[0] != "_")


def part(path):
    """Name the module or package at the top that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path, everywhere=False):
    """List what a file imports, at its head or everywhere, leaving out what only types need."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else _run_at_import(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "trasluz":
                yield from (f"trasluz.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _run_at_import(body):
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _run_at_import(node.body)


def own_parts(path):
    return {name.split(".")[1] for name in imported(path) if name.startswith("trasluz.")}


def test_every_module_has_its_floor():
    placed = {name for floor in FLOORS for name in floor} | set(FACES)
    assert {part(path) for path in modules()} <= placed


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    mine = part(path)
    for name in own_parts(path) - {mine}:
        if mine in FACES:
            assert name in height or name in FACES
        else:
            assert name not in FACES, f"{mine} stands under the faces, and imports {name}"
            assert height.get(name, 0) < height[mine], f"{mine} imports {name}"


def test_faces_do_not_lean_on_each_other_in_a_circle():
    seen = {name: set() for name in FACES}
    for path in modules():
        if part(path) in FACES:
            seen[part(path)] |= own_parts(path) & set(FACES) - {part(path)}
    for number, name in enumerate(FACES):
        assert seen[name] <= set(FACES[:number]), name


def test_only_the_backend_names_jax():
    naming = {
        part(path)
        for path in modules()
        if any(name.split(".")[0] in ("jax", "jaxlib") for name in imported(path, True))
    }
    assert naming <= {"backend"}


def test_the_heart_imports_numpy_alone():
    for path in modules():
        if part(path) in HEART:
            foreign = {name.split(".")[0] for name in imported(path)} - {"trasluz", "__future__"}
            assert foreign - set(sys.stdlib_module_names) <= {"numpy"}, path.name


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
        "from trasluz import datasets, tables, preparation, plots",
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

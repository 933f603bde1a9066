"""Attacks by files: forged with checksums that fit, or altered byte by byte."""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

from fuzz import mutate
from fuzz.world import FIT, TRAIN, Stop, World, answered, remembering, rows, small
from trasluz import datasets, saving
from trasluz.data import ParquetStream
from trasluz.models import load_model
from trasluz.tables import prepare
from trasluz.tables.reading import read_table
from trasluz.worksheets import Sheet

DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint8", "bool", "uint32"]
MODELS = ["run/model.trasluz", "wide.trasluz", "recurrent.trasluz"]


def models(chance: random.Random, world: World) -> None:
    """Attack what reads models."""
    name = chance.choice(MODELS)
    world.fresh("fruit.csv", "weights.trasluz")
    Path("m").write_bytes(_forged(world.files[name], chance))
    if name == MODELS[0]:
        words = chance.choice(
            [
                ["summary", "m"],
                ["evaluate", "m", "fruit.csv"],
                ["predict", "m", "fruit.csv", "--out", "p.csv"],
                ["explain", "m", "fruit.csv", "--wrt", "dense/kernel[0, 0]"],
                ["worksheet", "--model", "m", "--data", "fruit.csv", "--rows", "1"],
            ]
        )
        world.command(*words)
        return
    if chance.random() < 0.2:
        kept = _forged(world.files["weights.trasluz"], chance)
        Path("w").write_bytes(kept)
        Path("m").write_bytes(world.files["recurrent.trasluz"])
        answered(lambda: load_model("m").load_weights("w"))
        return
    model = answered(lambda: load_model("m"))
    if model is not None:
        x = np.ones((2, 4), np.float32) if name == MODELS[1] else np.ones((2, 5), np.int32)
        with contextlib.suppress(ArithmeticError):
            answered(lambda: model.predict(x, verbose=0))
        answered(lambda: model.save("again"))


def checkpoints(chance: random.Random, world: World) -> None:
    """Attack what goes on with a training."""
    if chance.random() < 0.1:
        world.fresh("fruit.csv", *(n for n in world.files if n.startswith("run/")))
        file = Path("run/checkpoint.trasluz")
        file.write_bytes(_forged(file.read_bytes(), chance))
        world.command(*TRAIN, "--resume", "--epochs", "3")
        return
    world.fresh()
    Path("checkpoint").write_bytes(_forged(world.files["checkpoint"], chance))
    with contextlib.suppress(Stop):
        answered(lambda: small().fit(*rows(), **FIT, callbacks=remembering("checkpoint")))


def settings(chance: random.Random, world: World) -> None:
    """Attack what an interrupted run was asked for."""
    world.fresh("fruit.csv", *(n for n in world.files if n.startswith("run/")))
    file = Path("run/settings.json")
    file.write_bytes(_json(json.loads(file.read_bytes()), chance))
    world.command(*TRAIN, "--resume", "--epochs", chance.choice(["2", "1", "3"]))


def sheets(chance: random.Random, world: World) -> None:
    """Attack what grades, by the sheet."""
    world.fresh("sheet-01.md")
    problem = chance.choice(world.sheets).as_dict()
    if chance.random() < 0.8:
        with contextlib.suppress(Exception):  # a digest that fits, wherever one can be taken
            problem = mutate.data({k: v for k, v in problem.items() if k != "sheet"}, chance)
            from trasluz.worksheets.sheet import digest_of

            problem["sheet"] = digest_of(problem)
        content = _json(problem, chance, alter=False)
    else:
        content = _json(problem, chance)
    Path("s.json").write_bytes(content)
    world.command("grade", "s.json", "sheet-01.md")


def answers(chance: random.Random, world: World) -> None:
    """Attack what grades, by the answers."""
    world.fresh("sheet-01.json")
    sheet = world.sheets[0]
    given = {name: chance.choice([value, value]) for name, value in sheet.answers.items()}
    way = chance.randrange(5)
    if way == 0:
        file, content = "a.md", mutate.content(world.files["sheet-01.md"], chance)
    elif way == 1:
        file, content = "a.json", _json({"sheet": sheet.id, "answers": given}, chance)
    elif way == 2:
        cells = [
            {"cell_type": "code", "source": [f"{k} = {v}"], "outputs": [{"text": [f"{k} = {v}\n"]}]}
            for k, v in given.items()
        ]
        file, content = "a.ipynb", _json({"cells": cells, "nbformat": 4}, chance)
    elif way == 3:
        lines = [f"{k} = {chance.choice(mutate.TEXTS)}" for k in given]
        file, content = "a.txt", "\n".join(lines).encode("utf-8", "surrogatepass")
    else:
        table = "sheet,q1,q2,q3,q4\nsheet-01," + ",".join(str(v) for v in given.values()) + "\n"
        file, content = "class.csv", mutate.content(table.encode(), chance)
    Path(file).write_bytes(content)
    place = "." if file == "class.csv" and chance.random() < 0.7 else "sheet-01.json"
    world.command("grade", place, file)


def tables(chance: random.Random, world: World) -> None:
    """Attack what reads CSV."""
    world.fresh("run/model.trasluz")
    content = mutate.content(world.files["fruit.csv"], chance)
    if chance.random() < 0.3:
        cells = [[chance.choice([*mutate.TEXTS, "1", "2.5", "a"]) for _ in range(3)]
                 for _ in range(chance.choice([1, 2, 15]))]  # fmt: skip
        lines = [",".join(f'"{c}"' if "," in c else c for c in row) for row in cells]
        content = "\n".join(["a,b,price", *lines]).encode("utf-8", "surrogatepass")
    Path("t.csv").write_bytes(content)
    if chance.random() < 0.5:
        world.command(chance.choice(["evaluate", "predict"]), "run", "t.csv")
    else:
        answered(lambda: prepare(datasets.find("t.csv"), chance.choice([("price",), ("b",), ()])))


def parquet(chance: random.Random, world: World) -> None:
    """Attack what reads Parquet."""
    world.fresh("run/model.trasluz")
    file = io.BytesIO()
    _odd_frame(chance).write_parquet(file)
    content = file.getvalue()
    if chance.random() < 0.6:
        content = mutate.content(content, chance)
    Path("t.parquet").write_bytes(content)
    way = chance.randrange(4)
    if way == 0:
        world.command(chance.choice(["evaluate", "predict"]), "run", "t.parquet")
    elif way == 1:
        answered(lambda: prepare(read_table("t.parquet"), ("price",)))
    else:
        features = chance.choice([["size", "weight"], "size", ["size"], []])
        answered(lambda: list(ParquetStream("t.parquet", features, "price", batch_size=8)))


def _odd_frame(chance: random.Random) -> Any:
    """Make a table, its columns of types that tables of numbers do not have, in part."""
    import polars as pl

    n = chance.choice([0, 1, 12, 12, 12])
    kinds = [
        pl.Series("c", [[1.0, 2.0]] * n, pl.List(pl.Float64)),
        pl.Series("c", [[1.0, 2.0]] * n, pl.Array(pl.Float64, 2)),
        pl.Series("c", [{"a": 1}] * n, pl.Struct({"a": pl.Int64})),
        pl.Series("c", [b"x"] * n, pl.Binary),
        pl.Series("c", ["a"] * n, pl.Categorical),
        pl.Series("c", [1] * n, pl.UInt64),
        pl.Series("c", [None] * n, pl.Null),
        pl.Series("c", [1] * n, pl.Int32).cast(pl.Decimal(10, 2)),
        pl.Series("c", [1] * n, pl.Int64).cast(pl.Duration("us")),
        pl.Series("c", [1] * n, pl.Int64).cast(pl.Time),
        pl.Series("c", [float("nan")] * n, pl.Float32),
        pl.Series("c", [True, None] * n, pl.Boolean)[:n],
        pl.Series("c", list(range(n)), pl.Int64),
        pl.Series("c", ["1", "x"] * n, pl.String)[:n],
    ]
    names = ["size", "weight", "kind", "ripe", "price"]
    numbers = pl.Series("c", [k * 0.5 for k in range(n)], pl.Float64)
    return pl.DataFrame(
        [(chance.choice(kinds) if chance.random() < 0.3 else numbers).alias(k) for k in names]
    )


def _json(tree: Any, chance: random.Random, alter: bool = True) -> bytes:
    """Write altered data as JSON, or JSON with altered bytes."""
    if alter and chance.random() < 0.3:
        return mutate.content(json.dumps(tree).encode(), chance)
    with contextlib.suppress(RecursionError):
        return json.dumps(mutate.data(tree, chance) if alter else tree).encode()
    return b"[" * 10**5


def _forged(whole: bytes, chance: random.Random) -> bytes:
    """Alter a file of named arrays: its bytes, what its head says, or all, with a checksum."""
    way = chance.random()
    if way < 0.1:
        return mutate.content(whole, chance)
    size = struct.unpack("<Q", whole[:8])[0]
    head = json.loads(whole[8 : 8 + size])
    if way < 0.2:
        with contextlib.suppress(RecursionError):
            name = chance.choice([n for n in head if n != "__metadata__"])
            head[name] = mutate.data(head[name], chance)
            if chance.random() < 0.5:
                head[name] = {"dtype": chance.choice(["BF16", "F8_E4M3", "F16", "C64", "BOOL"]),
                              "shape": [1], "data_offsets": [0, 2]}  # fmt: skip
            text = json.dumps(head).encode()
            return struct.pack("<Q", len(text)) + text + whole[8 + size :]
    Path("whole").write_bytes(whole)
    arrays, document = saving.unpack("whole")
    Path("whole").unlink()
    document.pop("format")
    if way < 0.45:
        arrays = _altered(arrays, chance)
    else:
        changed = mutate.data(document, chance)
        document = changed if isinstance(changed, dict) else {"position": changed}
    try:
        return saving.pack(arrays, document)
    except Exception:  # nobody can write such a file
        return mutate.content(whole, chance)


def _altered(arrays: dict[str, np.ndarray], chance: random.Random) -> dict[str, np.ndarray]:
    """Alter arrays: their names, types, shapes, numbers."""
    arrays = dict(arrays)
    name = chance.choice(sorted(arrays))
    old = arrays[name]
    way = chance.randrange(8)
    if name.startswith("extra|") and chance.random() < 0.8:
        arrays[name] = np.frombuffer(_json(json.loads(old.tobytes()), chance), np.uint8)
    elif way == 0:
        del arrays[name]
    elif way == 1:
        arrays[chance.choice(["x", "weights|x", "slots|x", "more|x|y", "weights", name + "|m"])] = (
            arrays.pop(name)
        )
    elif way == 2:
        arrays[name] = old.astype(chance.choice(DTYPES))
    elif way == 3:
        arrays[name] = old.reshape(-1)[: chance.choice([0, 1, old.size])]
    elif way == 4:
        arrays[name] = np.zeros(chance.choice([(), (0,), (10**9, 0), (1,) * 40]), old.dtype)
    elif way == 5:
        with np.errstate(all="ignore"):
            arrays[name] = np.full_like(old, chance.choice([0, 1, 100]))
            if old.dtype.kind == "f":
                arrays[name] = np.full_like(old, chance.choice([np.nan, np.inf, 3e38]))
    elif way == 6:
        arrays[name] = arrays[chance.choice(sorted(arrays))]
    else:
        arrays["slots|dense/kernel|" + chance.choice(mutate.TEXTS[:5])] = old
    return arrays


KINDS = {
    "models": models, "checkpoints": checkpoints, "settings": settings, "sheets": sheets,
    "answers": answers, "tables": tables, "parquet": parquet,
}  # fmt: skip
__all__ = ["KINDS", "Sheet"]

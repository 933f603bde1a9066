"""Attacks by the command line: every option of every command, with values of every sort."""

from __future__ import annotations

import random
from typing import Any

import click

from fuzz import mutate
from fuzz.world import World
from trasluz.cli.app import app

BASE = {
    "train": ["fruit.csv", "--target", "price", "--epochs", "1", "--engine", "numpy"],
    "sweep": ["fruit.csv", "--target", "price", "--epochs", "1", "--engine", "numpy",
              "--seeds", "1", "--learning-rates", "0.1", "--batch-sizes", "16"],
    "evaluate": ["run", "fruit.csv"],
    "predict": ["run", "fruit.csv"],
    "explain": ["run", "fruit.csv", "--wrt", "dense/kernel[0, 0]"],
    "summary": ["run"],
    "datasets": [],
    "example": ["unam-2-2-2"],
    "worksheet": ["--network", "1-2-1", "--format", "md"],
    "grade": ["sheet-01.json", "sheet-01.md"],
}  # fmt: skip
# What a user may ask for, and has to wait for then.
PATIENT = {"--epochs": ["1", "2"], "--seeds": ["1", "2"], "--trials": ["1", "2"],
           "--students": ["1", "3"], "--format": ["html", "md", "text", "json", "latex", "x"],
           "--heartbeat": ["1", "60"]}  # fmt: skip
# Absurd, so that it is refused before anything is done.
ABSURD = {"--epochs": ["0", "-1", "1e3", "x", "9" * 5000], "--seeds": ["0", "9" * 12, "9" * 5000],
          "--trials": ["0", "9" * 5000], "--heartbeat": ["0", "9" * 30, "9" * 5000],
          "--students": ["0", "501", "9" * 5000],
          "--hidden": ["1000000000", "9" * 4999, "1," * 9000],
          "--network": ["1000000-2", "1-" * 999 + "1", "9" * 4999 + "-1"],
          "--digits": ["0", "18"], "--row": ["9" * 4999, "0"]}  # fmt: skip
WRITTEN = {"--out", "-o", "--plot"}
FREE = {"--devices", "--distributed", "--storage"}  # ask for other devices, hosts and servers


def commands(chance: random.Random, world: World) -> None:
    """Attack a command by its options and arguments."""
    needed = [n for n in world.files if n.startswith("run/")] + ["fruit.csv", "sheet-01.md"]
    world.fresh(*needed, "sheet-01.json")
    name = chance.choice(sorted(BASE))
    words = list(BASE[name])
    options = [p for p in app.commands[name].params if isinstance(p, click.Option)]
    for one in chance.sample(options, chance.choice([1, 1, 2, 3])):
        words += _option(one, chance)
    if chance.random() < 0.2 and words:
        words[chance.randrange(len(words))] = _text(chance)
    if name in ("train", "sweep") and "--out" not in words:
        words += ["--out", "new"]
    world.command(name, *words)


def _option(one: click.Option, chance: random.Random) -> list[str]:
    spelled = one.opts[0]
    if one.is_flag:
        return [] if spelled in FREE else [spelled]
    if spelled in FREE:
        return [spelled, chance.choice(["0", "-1", "x", "", "1e3", "sqlite://", "x://y"])]
    if spelled in WRITTEN:
        names = ["a.csv", "a.html", "a.txt", "a.png", "a", "a.json", "a.md", "run", "fruit.csv", ""]
        return [
            spelled,
            chance.choice([*names, "b/" * 9 + "x.csv", "x" * 300, "a\nb.csv", "ñ$$.tex"]),
        ]
    if isinstance(one.type, click.Choice) and chance.random() < 0.7:
        values: Any = PATIENT.get(spelled, [c for c in one.type.choices if c not in ("xla", "pdf")])
        return [spelled, chance.choice(list(values))]
    if spelled in ABSURD and chance.random() < 0.5:
        return [spelled, chance.choice(ABSURD[spelled])]
    if spelled in PATIENT:
        return [spelled, chance.choice(PATIENT[spelled])]
    return [spelled, _text(chance)]


def _text(chance: random.Random) -> str:
    one = mutate.value(chance)
    text = one if isinstance(one, str) else str(one) if not isinstance(one, list) else "1,2,x"
    return text.replace("\0", "␀").replace("../", "").replace("/etc/passwd", "etc")


KINDS = {"commands": commands}

"""Run the attack, or one case of it again."""

from __future__ import annotations

import argparse
import faulthandler
import resource
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz import arguments, commands, files
from fuzz.guard import BYTES, Found
from fuzz.world import World, chance_of

KINDS = {**files.KINDS, **commands.KINDS, **arguments.KINDS}
SHARES = {"models": 20, "checkpoints": 9, "settings": 3, "sheets": 10, "answers": 10, "tables": 12,
          "parquet": 8, "commands": 8, "python": 20}  # fmt: skip
HANGS = 120  # seconds after which a case that cannot be interrupted ends the attack


def main(words: list[str]) -> int:
    """Give 0 if no case did what none may do."""
    asked = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    asked.add_argument("--cases", type=int, default=2000, help="of all kinds together")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", nargs="+", choices=[*KINDS], help="some kinds of attack")
    asked.add_argument("--case", type=int, help="one case alone, by its number")
    asked.add_argument("--prove", action="store_true", help="show that what is looked for is seen")
    given = asked.parse_args(words)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        if given.prove:
            return _prove(world)
        return _attack(world, given)


def _attack(world: World, given: argparse.Namespace) -> int:
    """Run the cases; tell what was found, and how to see each again."""
    found: Counter[str] = Counter()
    done = 0
    for kind in given.only or KINDS:
        numbers = range(given.cases * SHARES[kind] // sum(SHARES.values()))
        for case in numbers if given.case is None else [given.case]:
            done += 1
            if told := _run(world, kind, given.seed, case):
                found[told.strip().splitlines()[-1][-200:]] += 1
                _say(f"FOUND --only {kind} --case {case} --seed {given.seed}\n{told}")
    _say(f"{done} of {given.cases} cases with seed {given.seed}: {sum(found.values())} found")
    for told, count in found.most_common():
        _say(f"  {count} × {told}")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.__stdout__.write(text + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def _run(world: World, kind: str, seed: int, case: int) -> str:
    """Run a case; give what it did that none may do."""
    return _watched(world, kind, lambda: KINDS[kind](chance_of(seed, kind, case), world))


def _watched(world: World, kind: str, case: Callable[[], object]) -> str:
    faulthandler.dump_traceback_later(HANGS, exit=True)
    try:
        with world.guard.watching():
            case()
    except Found as one:
        return f"{kind}: {one}"
    except BaseException as error:  # a panic of what reads Parquet is one too
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{kind}: {traceback.format_exc()}"
    finally:
        faulthandler.cancel_dump_traceback_later()
    return ""


def _wait() -> None:
    while True:
        pass


def _prove(world: World) -> int:
    """Do what no case may do, and name what is seen of it."""
    world.guard.seconds = 0.5
    wrong: dict[str, Callable[[], object]] = {
        "writing": lambda: Path("../precious/thesis.txt").write_text("mine"),
        "waiting": _wait,
        "memory": lambda: np.ones(BYTES // 8 + 1).sum(),
        "process": lambda: subprocess.run(["true"], check=True),
        "traceback": lambda: [][0],
    }
    seen = [name for name, do in wrong.items() if _watched(world, name, do)]
    _say("\n".join(seen))
    return 0 if seen == [*wrong] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What all benchmarks share: contestants that take turns, medians, ratios, and results.md.

    python benchmarks/bench.py                every question; writes benchmarks/results.md
    python benchmarks/bench.py --quick        a part of each; fails where a ratio is far behind
    python benchmarks/steps.py                one question; writes its section anew
    python benchmarks/steps.py --quick        the same part of it alone

A question is a file with a `QUESTION`: the jobs, and for each contestant a function that prepares
for a job and gives what takes one turn at it. Each contestant lives in a process of its own, so
that thread pools and memory do not meet, and they take turns: A, B, A, B, … What is shown are
medians, and as ratio the median over the turns of ours as part of theirs, which a busy machine
moves least.

What results.md says is the record. The quick mode takes the same ratios again, with fewer and
shorter turns, each contestant on the same one core: threads that wait for each other would measure
how busy the machine is. Where a ratio is more than `margin` times as large as the record, it asks
once more, and fails if it is so again.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.md"
# The questions in the order of results.md; a file that is not named here comes last.
ORDER = (
    "steps", "rate", "batches", "sizes", "rules", "cold", "first_fit", "memory", "one_row",
    "throughput", "many", "sweep", "streams", "devices", "gradient", "explaining", "lightness",
    "quality", "layers", "generating", "own_step", "networks", "fresh",
)  # fmt: skip
PACKAGES = ("numpy", "jax", "optax", "torch", "keras", "scikit-learn")

Turn = Callable[[], float]
Found = dict[str, dict[str, list[float]]]  # what the turns gave, by job and contestant


@dataclass(frozen=True)
class Question:
    """One question to all contestants.

    Args:
        title: what is asked.
        unit: what is measured; less is better.
        jobs: what contestants are given, by the name in the table.
        sides: what prepares a contestant for a job and gives what takes a turn, or `None` where it
            cannot do the job; ours comes first.
        bars: ours as part of theirs, at most, by job and contestant.
        limits: the most that ours may be, by job.
        rounds: how many turns each takes that count.
        warm: how many turns each takes before.
        quick: the jobs of the quick mode; none where another question's stand for them.
        shorter: jobs of the quick mode that are shorter there.
        peers: the contestants of the quick mode, beside ours.
        margin: how far above its record a ratio may be in the quick mode.
        note: what else has to be said.
    """

    title: str
    unit: str
    jobs: dict[str, tuple]
    sides: dict[str, Callable[..., Turn | None]]
    bars: dict[tuple[str, str], float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    rounds: int = 5
    warm: int = 1
    quick: tuple[str, ...] = ()
    shorter: dict[str, tuple] = field(default_factory=dict)
    peers: tuple[str, ...] = ()
    margin: float = 2.5
    note: str = ""

    @property
    def own(self) -> str:
        """The name of our own side."""
        return next(iter(self.sides))


def per(work: Callable[[], object], units: float, scale: float = 1e6) -> Turn:
    """Give a turn that times some work: microseconds a unit."""

    def turn() -> float:
        begin = time.perf_counter()
        work()
        return (time.perf_counter() - begin) / units * scale

    return turn


# -------------------------------------------------------------------------------- taking turns


class Contestant:
    """A process that takes turns at whatever it is asked."""

    def __init__(self, quick: bool) -> None:
        command = [sys.executable, str(HERE / "bench.py"), "--contest"]
        self.process = subprocess.Popen(
            [*command, "--quick"] if quick else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def turn(self, question: str, side: str, job: str) -> float:
        """Take a turn at a job as one of the sides; NaN where it cannot."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(f"{question}\t{side}\t{job}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return float("nan")
        return float(self.process.stdout.readline() or "nan")

    def leave(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def contest(quick: bool) -> None:
    """Serve as a contestant: read question, side and job, take a turn, print what it gave."""
    answers, sys.stdout = sys.stdout, sys.stderr
    if quick and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    turns: dict[str, Turn | None] = {}
    for line in sys.stdin:
        name, side, job = line.rstrip("\n").split("\t")
        took = float("nan")
        try:
            if line not in turns:
                turns.clear()  # one job at a time is in memory
                turns[line] = None
                question = importlib.import_module(name).QUESTION
                jobs = question.jobs | question.shorter if quick else question.jobs
                turns[line] = question.sides[side](*jobs[job])
            if (turn := turns[line]) is not None:
                took = turn()
        except Exception as error:  # a peer that is not installed, or not able
            print(f"{side}, {job}: {type(error).__name__}: {error}", file=sys.stderr)
            turns[line] = None
        print(took, file=answers, flush=True)


class Contestants:
    """Processes by contestant, begun when they are first asked; they end together.

    In the quick mode, sides of one library share a process, which has to import it once.
    """

    def __init__(self, quick: bool) -> None:
        self.quick, self.there = quick, dict[str, Contestant]()

    def __enter__(self) -> Contestants:
        return self

    def __exit__(self, *_: object) -> None:
        for contestant in self.there.values():
            contestant.leave()

    def turns(
        self, name: str, question: Question, jobs: Iterable[str], sides: list[str], rounds: int
    ) -> Found:
        """Let contestants take turns at each job in its turn."""
        found: Found = {}
        for job in jobs:
            turn = {side: partial(self._process(question, side).turn, name, side) for side in sides}
            for side in sides:
                for _ in range(question.warm):
                    turn[side](job)
            taken = [{s: turn[s](job) for s in sides} for _ in range(rounds)]
            found[job] = {s: [t[s] for t in taken] for s in sides if taken[0][s] == taken[0][s]}
        return found

    def _process(self, question: Question, side: str) -> Contestant:
        library = "ours" if side == question.own else re.split(r"\W", side)[0].lower()
        key = library if self.quick else side
        if key not in self.there:
            self.there[key] = Contestant(self.quick)
        return self.there[key]


def ratio(own: list[float], theirs: list[float]) -> float:
    """Ours as part of theirs: the median over the turns, each compared with its neighbour."""
    return statistics.median(a / b for a, b in zip(own, theirs, strict=True))


# ------------------------------------------------------------------------------------ results.md


def shown(value: float, digits: int = 3) -> str:
    """Write a number with a few digits.

    >>> [shown(v) for v in (0.01234, 27.13, 28_249.0)], shown(389.0, 2)
    (['0.0123', '27.1', '28,200'], '390')
    """
    value = float(f"{value:.{digits}g}")
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def table(question: Question, found: Found) -> str:
    """Write medians, and ours as part of theirs, as Markdown."""
    names = [n for n in question.sides if any(n in row for row in found.values())]
    lines = [f"| {question.unit} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for job, row in found.items():
        cells = []
        for name in names:
            cell = shown(statistics.median(row[name])) if name in row else "–"
            if name in row and name != question.own and question.own in row:
                cell += f" ({shown(ratio(row[question.own], row[name]), 2)})"
            cells.append(cell)
        lines.append(f"| {job} | {' | '.join(cells)} |")
    return "\n".join(lines)


def recorded(text: str, name: str) -> dict[tuple[str, str], float]:
    """Read the ratios of a question back from what results.md says.

    >>> text = section("x", "T", "| µs | ours | A |\\n|---|---|---|\\n| job | 1 | 4 (0.25) |")
    >>> recorded(text, "x")
    {('job', 'A'): 0.25}
    """
    found, names = {}, []
    for line in _sections(text).get(name, "").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = names or cells
        for side, cell in zip(names[1:], cells[1:], strict=False):
            if numbers := re.fullmatch(r"\S+ \(([\d.,e-]+)\)", cell):
                found[cells[0], side] = float(numbers[1].replace(",", ""))
        names = names if line.startswith("|") else []
    return found


def bars(question: Question, found: Found) -> str:
    """Say which bars are reached."""
    lines = []
    for (job, side), most in question.bars.items():
        if side in found.get(job, {}) and question.own in found[job]:
            reached = ratio(found[job][question.own], found[job][side])
            word = "reached" if reached <= most else "**missed**"
            lines.append(f"- {job}, of {side}: at most {shown(most)}, is {shown(reached)}: {word}")
    return "\n".join([*lines, *(f"- {line}: **missed**" for line in over(question, found))])


def over(question: Question, found: Found) -> list[str]:
    """List the limits of ours that are passed."""
    medians = {job: statistics.median(row[question.own]) for job, row in found.items()}
    limits = {job: question.limits.get(job, medians[job]) for job in medians}
    return [
        f"{job}: at most {shown(limits[job])}, is {shown(medians[job])}"
        for job in medians
        if medians[job] > limits[job]
    ]


def section(name: str, title: str, *parts: str) -> str:
    """Write the section of a question."""
    whole = "\n\n".join(part.strip() for part in parts if part.strip())
    return f"<!-- {name} -->\n## {title}\n{whole}\n"


def write(name: str, title: str, *parts: str) -> None:
    """Put a section into results.md, in place of what it said before."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    sections = {**_sections(text), name: section(name, title, *parts, _measured_on())}
    place = {known: i for i, known in enumerate(ORDER)}
    names = sorted(sections, key=lambda n: (place.get(n, len(place)), n))
    head = f"# Results\n\n{_HEAD}\n"
    RESULTS.write_text("\n".join([head, *(sections[n] for n in names)]), encoding="utf-8")


_HEAD = """\
Written by `make bench`; `python benchmarks/steps.py` measures one question again, and replaces its
section. Medians, less is better; in brackets ours as part of theirs, the median over turns that
alternate. Each library lives in a process of its own. How it is measured stands at the head of
`benchmarks/bench.py` and of each question's file; what makes it so, and what bounds it, in
[docs/speed.md](../docs/speed.md). Ratios move by a tenth between runs on a shared machine."""


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=<!-- \w+ -->$)", text, flags=re.MULTILINE)[1:]
    return {part.split()[1]: part.rstrip("\n") + "\n" for part in parts}


def _measured_on() -> str:
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    processor = platform.processor() or platform.machine()
    if (file := Path("/proc/cpuinfo")).exists():
        said = re.search(r"model name\s*: (.*)", file.read_text())
        processor = said[1] if said else processor
    python = f"Python {platform.python_version()}"
    cores = f"{os.cpu_count()} × {processor}"
    return f"<sub>{date.today()} · {cores} · {', '.join([python, *versions])}</sub>"


# -------------------------------------------------------------------------------------- asking


def measure(name: str, question: Question) -> None:
    """Ask all of a question and write its section."""
    begin, found = time.perf_counter(), {}
    with Contestants(quick=False) as contestants:
        for job in question.jobs:
            sides = list(question.sides)
            found |= contestants.turns(name, question, [job], sides, question.rounds)
            print(table(question, {job: found[job]}).splitlines()[-1], flush=True)
    whole = table(question, found), bars(question, found), question.note
    write(name, question.title, *whole)
    print(*whole[:2], f"{time.perf_counter() - begin:.0f} s", sep="\n", flush=True)


def behind(question: Question, found: Found, record: dict[tuple[str, str], float]) -> list[str]:
    """List the ratios that are far above their record, and those that have none."""
    off = over(question, found)
    for job, row in found.items():
        for side in row:
            if side == question.own or question.own not in row:
                continue
            reached = ratio(row[question.own], row[side])
            if (job, side) not in record:
                off.append(f"{job}, of {side}: {reached:.2g}, and results.md does not say it")
            elif reached > question.margin * record[job, side]:
                off.append(f"{job}, of {side}: {reached:.2g}, recorded {record[job, side]:g}")
    return off


def ask_quickly(contestants: Contestants, name: str, question: Question) -> list[str]:
    """Ask a part of a question, and once more where a ratio is far behind its record."""
    record = recorded(RESULTS.read_text(encoding="utf-8"), name)
    sides = [question.own, *question.peers]
    begin = time.perf_counter()
    for _ in range(2):
        found = contestants.turns(name, question, question.quick, sides, min(3, question.rounds))
        off = behind(question, found, record)
        if not off:
            break
    took = f"{time.perf_counter() - begin:.1f} s"
    print(f"{name}: {took}", *(off or ["nothing is far behind"]), sep="\n  ", flush=True)
    return [f"{name}: {line}" for line in off]


def files() -> list[Path]:
    """Give the files with questions, in the order of results.md."""
    there = [file for file in HERE.glob("*.py") if file.stem not in ("bench", "peers")]
    place = {known: i for i, known in enumerate(ORDER)}
    return sorted(there, key=lambda file: (place.get(file.stem, len(place)), file.stem))


def question_of(file: Path) -> Question | None:
    """Give the question in a file; a file may also measure in a way of its own."""
    has_one = "QUESTION = " in file.read_text(encoding="utf-8")
    return importlib.import_module(file.stem).QUESTION if has_one else None


def ask_all() -> int:
    """Ask every question in full; one that fails does not keep the others from being asked."""
    failed = []
    for file in files():
        print(f"== {file.stem}", flush=True)
        if subprocess.run([sys.executable, str(file)]).returncode:
            failed.append(file.stem)
    print(*[f"failed: python benchmarks/{name}.py" for name in failed], sep="\n")
    return 1 if failed else 0


def ask_all_quickly() -> int:
    """Ask a part of every question, each contestant staying in its process throughout."""
    off = []
    with Contestants(quick=True) as contestants:
        for file in files():
            if (question := question_of(file)) is None:
                if subprocess.run([sys.executable, str(file), "--quick"]).returncode:
                    off.append(file.stem)
            elif question.quick:
                off += ask_quickly(contestants, file.stem, question)
    print(*(off or ["nothing is far behind"]), sep="\n")
    return 1 if off else 0


def main(file: str, question: Question) -> int:
    """Ask the question of a file, in full or quickly."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a part; writes nothing")
    name = Path(file).stem
    if not parser.parse_args().quick:
        measure(name, question)
        return 0
    with Contestants(quick=True) as contestants:
        return 1 if ask_quickly(contestants, name, question) else 0


def _command() -> int:
    parser = argparse.ArgumentParser(description="Ask every question.")
    parser.add_argument("--quick", action="store_true", help="a part of each; writes nothing")
    parser.add_argument("--contest", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contest:
        contest(asked.quick)
        return 0
    return ask_all_quickly() if asked.quick else ask_all()


if __name__ == "__main__":
    sys.exit(_command())

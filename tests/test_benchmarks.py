"""The benchmarks: their quick mode holds what results.md says; how they read and judge ratios."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("bench")
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def question(bench):
    nothing = lambda: None  # noqa: E731
    sides = {"ours": nothing, "A": nothing, "B": nothing, "C (jax)": nothing}
    bars = {("job", "A"): 0.5, ("job", "B"): 0.5}
    return bench.Question("Title", "µs", {"job": (), "other": ()}, sides, bars, {"other": 9.0})


FOUND = {"job": {"ours": [1.0, 10.0, 1.0], "A": [4.0, 40.0, 4.0], "B": [1.0, 10.0, 2.0]}}


@pytest.mark.interop
@pytest.mark.slow
def test_no_ratio_is_far_behind_its_record():
    asked = [sys.executable, BENCHMARKS / "bench.py", "--quick"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_ratio_compares_turns_that_were_neighbours(bench):
    assert bench.ratio([1.0, 10.0, 1.0], [4.0, 40.0, 4.0]) == 0.25
    assert bench.ratio([1.0, 10.0, 1.0], [1.0, 10.0, 2.0]) == 1.0


def test_a_table_is_read_back(bench, question):
    found = {**FOUND, "other": {"ours": [8.0] * 3, "A": [0.01] * 3, "C (jax)": [8e4] * 3}}
    text = bench.section("title", "Title", bench.table(question, found))
    assert "| µs | ours | A | B | C (jax) |" in text
    assert "| job | 1 | 4 (0.25) | 2 (1) | – |" in text
    assert "| other | 8 | 0.01 (800) | – | 80,000 (0.0001) |" in text
    wanted = {("job", "A"): 0.25, ("job", "B"): 1.0}
    wanted |= {("other", "A"): 800.0, ("other", "C (jax)"): 0.0001}
    assert bench.recorded(text, "title") == wanted
    assert bench.recorded(text, "another") == {}


def test_bars_and_limits_are_judged(bench, question):
    said = bench.bars(question, {**FOUND, "other": {"ours": [9.5]}})
    assert "job, of A: at most 0.5, is 0.25: reached" in said
    assert "job, of B: at most 0.5, is 1: **missed**" in said
    assert "other: at most 9, is 9.5: **missed**" in said


def test_what_is_far_behind_is_found(bench, question):
    record = {("job", "A"): 0.25, ("job", "B"): 0.5}
    assert bench.behind(question, FOUND, record) == []
    (line,) = bench.behind(question, FOUND, {**record, ("job", "B"): 0.3})
    assert line == "job, of B: 1, recorded 0.3"
    (line,) = bench.behind(question, FOUND, {("job", "A"): 0.25})
    assert "results.md does not say it" in line
    (line,) = bench.behind(question, {"other": {"ours": [10.0]}}, {})
    assert line == "other: at most 9, is 10"


def test_a_section_replaces_its_own_and_takes_its_place(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.md")
    for name, text in (("many", "first"), ("steps", "second"), ("zebra", "third"), ("many", "new")):
        bench.write(name, name.title(), text)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    places = [text.index(part) for part in ("# Results", "second", "new", "third")]
    assert places == sorted(places) and "first" not in text
    assert text.count("## Many") == 1 and "Python 3" in text


def test_every_question_has_its_place_and_its_record(bench, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    results = (BENCHMARKS / "results.md").read_text(encoding="utf-8")
    for file in bench.files():
        assert file.stem in bench.ORDER, file
        question = bench.question_of(file)
        if question is None:
            continue
        assert set(question.quick) <= set(question.jobs), file
        assert set(question.peers) <= set(question.sides), file
        assert {job for job, _ in question.bars} <= set(question.jobs), file
        recorded = {job for job, _ in bench.recorded(results, file.stem)}
        assert recorded >= set(question.quick) - set(question.limits), file

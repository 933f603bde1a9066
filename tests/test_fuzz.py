"""The attack of `fuzz/` in short, and texts of any kind where files are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trasluz.errors import UserError
from trasluz.tables import prepare, read_table
from trasluz.worksheets.answers import Answers

HERE = Path(__file__).parent
# Chosen so that each kind has its share of 2,000 cases and both parts take as long.
PARTS = {
    "files": ["models", "checkpoints", "settings", "sheets", "parquet"],
    "words": ["answers", "tables", "commands", "python"],
}


def attack(*words: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "fuzz", *words]
    return subprocess.run(
        asked, cwd=HERE, capture_output=True, text=True, timeout=290, env=dict(os.environ)
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_no_case_ends_in_a_traceback_or_touches_what_is_not_its_own(part):
    done = attack("--cases", "2000", "--only", *PARTS[part])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"of {2000} cases" in done.stdout


def test_the_attack_sees_what_it_looks_for():
    """A guard that hears nothing would find nothing."""
    done = attack("--prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["writing", "waiting", "memory", "process", "traceback"]


anywhere = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@anywhere
@given(
    content=st.binary(max_size=300)
    | st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace"))
)
def test_any_bytes_are_a_table_or_a_mistake_that_is_told(tmp_path, content):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    try:
        prepare(read_table(file), read_table(file).frame.columns[-1:])
    except UserError as error:
        assert error.mend


@anywhere
@given(content=st.text(max_size=200), ending=st.sampled_from([".md", ".json", ".csv", ".ipynb"]))
def test_any_text_is_answers_or_a_mistake_that_is_told(tmp_path, content, ending):
    file = tmp_path / f"a{ending}"
    file.write_bytes(content.encode("utf-8", "replace"))
    try:
        assert Answers.load(file).texts
    except UserError as error:
        assert error.mend

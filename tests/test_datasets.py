"""The tables that come along are what they are said to be."""

import pytest

from trasluz import datasets
from trasluz.errors import UserError
from trasluz.tables import prepare


@pytest.mark.parametrize("name", datasets.names())
def test_datasets_are_as_described(name):
    table, described = datasets.load(name), datasets.DATASETS[name]
    assert table.frame.shape == (described.rows, described.columns)
    assert table.targets == described.targets
    ready = prepare(table)
    assert ready.preparation.task == described.task
    assert not ready.notes or name == "digits"  # three pixels of the digits are never inked


def test_penguins_miss_values():
    frame = datasets.load("penguins").frame
    assert frame["sex"].null_count() == 11
    assert frame["bill_length_mm"].null_count() == 2
    assert frame["species"].value_counts().sort("species")["count"].to_list() == [152, 68, 124]


def test_a_file_stands_before_a_dataset_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "iris").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    assert datasets.find("iris").frame.shape == (1, 2)
    assert datasets.find("wine").frame.height == 178


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UserError, match="did you mean 'penguins'"):
        datasets.load("pinguins")
    with pytest.raises(UserError, match="neither a file nor a dataset; did you mean “penguins”"):
        datasets.find("pengins")
    with pytest.raises(UserError, match="no such file"):
        datasets.find("pengins.csv")

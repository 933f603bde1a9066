"""Reading tables: what is found out, and what is said when a file is not a table."""

import datetime
import gzip

import polars as pl
import pytest

from trasluz.errors import UserError
from trasluz.tables import read_table


@pytest.fixture
def written(tmp_path):
    """Write a file and give its path."""

    def write(content, name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(written, delimiter):
    rows = [["name", "size", "note"], ["Ana", "1", "a b"], ["Luis", "2", "c: d"]]
    frame = read_table(written("\n".join(delimiter.join(row) for row in rows))).frame
    assert frame.columns == ["name", "size", "note"]
    assert frame["size"].to_list() == [1, 2]


def test_delimiter_inside_quotes_does_not_count(written):
    frame = read_table(written('a;b\n"x, y, z";1\n"u, v, w";2\n')).frame
    assert frame.rows() == [("x, y, z", 1), ("u, v, w", 2)]


def test_delimiter_given_wins(written):
    frame = read_table(written("a|b,c\n1|2,5\n3|4,5\n"), delimiter="|").frame
    assert frame.columns == ["a", "b,c"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("año,niño\nEspaña,3\nCádiz,4\n", "utf-8"),
        ("año,niño\nEspaña,3\nCádiz,4\n", "utf-8-sig"),
        ("año,niño\nEspaña,3\nCádiz,4\n", "utf-16"),
        ("año,niño\nEspaña,3\nCádiz,4\n", "cp1252"),
        ("precio,país\n3€,Perú\n4€,Panamá\n", "cp1252"),
        ("город,население\nМосква,10\nКазань,1\n", "cp1251"),
        ("都市,人口\n東京,10\n大阪,3\n", "shift_jis"),
    ],
)
def test_encoding_is_found(written, text, encoding):
    table = read_table(written(text, encoding=encoding))
    assert list(table.frame.columns) == text.split("\n")[0].split(",")
    assert table.frame.row(0)[0] == text.split("\n")[1].split(",")[0]


def test_encoding_that_is_a_guess_is_said(written):
    notes = read_table(written("año,b\nEspaña,3\n", encoding="cp1252")).notes
    assert any("cp1252" in note for note in notes)
    assert not any("utf" in note for note in read_table(written("año,b\nEspaña,3\n")).notes)


def test_types_are_found(written):
    frame = read_table(
        written(
            "whole,real,truth,day,moment,word,nothing\n"
            "1,1.5,true,2024-01-31,2024-01-31 10:00:00,one,NA\n"
            " -2 ,1e3,FALSE,2024-02-29,2024-02-29 23:59:59,NA,\n"
            "NA,,,,,two,nan\n"
        )
    ).frame
    assert frame["whole"].to_list() == [1, -2, None]
    assert frame["real"].to_list() == [1.5, 1000.0, None]
    assert frame["truth"].to_list() == [True, False, None]
    assert frame["day"].to_list()[1] == datetime.datetime(2024, 2, 29)
    assert frame["moment"].to_list()[0] == datetime.datetime(2024, 1, 31, 10)
    assert frame["word"].to_list() == ["one", None, "two"]
    assert frame["nothing"].null_count() == 3


def test_decimal_commas_are_numbers_where_the_comma_is_not_the_delimiter(written):
    frame = read_table(written("a;b\n1,5;2\n-0,25;x\n")).frame
    assert frame["a"].to_list() == [1.5, -0.25]
    assert read_table(written('a,b\n"1,500",2\n"2,000",3\n')).frame["a"].dtype == pl.String


def test_blank_lines_and_line_ends_do_not_matter(written):
    frame = read_table(written("a,b\r\n\r\n1,2\r\n\r\n3,4\r\n\r\n")).frame
    assert frame.rows() == [(1, 2), (3, 4)]


def test_a_cell_may_hold_a_line_end(written):
    assert read_table(written('a,b\n"x\ny",2\nz,3\n')).frame.rows() == [("x\ny", 2), ("z", 3)]


def test_nameless_columns_are_called_by_their_place(written):
    assert read_table(written(",a\n0,5\n1,6\n")).frame.columns == ["column_1", "a"]


def test_many_rows_come_in_pieces(written):
    lines = "\n".join(f"{i},{i / 2}" for i in range(120_001))
    frame = read_table(written(f"a,b\n{lines}\n")).frame
    assert frame.height == 120_001
    assert frame.row(120_000) == (120_000, 60_000.0)


def test_parquet_whatever_its_name(tmp_path):
    path = tmp_path / "table.csv"
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    frame.write_parquet(path)
    assert read_table(path).frame.equals(frame)


PARQUET_CUT_SHORT = b"PAR1" + b"\x15\x04" * 40


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 cells where the first line has 2"),
        ("a,b\n1,2\n\n3\n4,5\n", "line 4 has 1 cell where the first line has 2"),
        ('a,b\n"x\ny",2\n1,2,3\n', "line 4 has 3 cells"),
        ('a,b\n1,"2\n3,4\n', "line 2 has quotes that do not match"),
        ("a,b,a\n1,2,3\n", "the columns 1 and 3 have the same name, “a”"),
        (b"a,b\n1,\x00\x01\x02\n", "binary"),
        (bytes(range(256)) * 4, "binary"),
        (b"PK\x03\x04rest of a workbook", "Excel"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        (PARQUET_CUT_SHORT, "Parquet file cannot be read"),
    ],
)
def test_what_is_not_a_table_is_refused(written, content, said):
    path = written(content)
    with pytest.raises(UserError, match=said) as caught:
        read_table(path)
    assert caught.value.where == str(path)
    assert caught.value.mend


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="folder"):
        read_table(tmp_path)


def test_wrong_encoding_says_the_line(written):
    path = written("a,b\nx,1\nCádiz,2\n", encoding="cp1252")
    with pytest.raises(UserError, match="line 3 is not text in the encoding utf-8"):
        read_table(path, encoding="utf-8")
    with pytest.raises(UserError, match="unknown encoding “utf-9”"):
        read_table(path, encoding="utf-9")


def test_wrong_delimiter_says_the_likely_one(written):
    with pytest.raises(UserError, match="single column; the table seems to use “;”"):
        read_table(written("a;b\n1;2\n"), delimiter=",")
    with pytest.raises(UserError, match="cannot be a delimiter"):
        read_table(written("a;b\n1;2\n"), delimiter="::")

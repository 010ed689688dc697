"""CSV in any shape in, cells that no spreadsheet runs out."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.csvio import COMMENT_NAMES, Form, encode, find_column, guard, read_comments, read_table, unguard
from data.errors import BadInput


def table_of(tmp_path: Path, body: bytes):
    path = tmp_path / "in.csv"
    path.write_bytes(body)
    return path, read_table(path)


def column_of(tmp_path: Path, body: bytes, wanted: str | None = None) -> str:
    path, table = table_of(tmp_path, body)
    return table.columns[find_column(path, table, COMMENT_NAMES, wanted, "--column")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", "'=", "''@"])
def test_dangerous_cell_is_written_as_text_and_read_back_as_it_was(start):
    cell = f"{start}cmd|' /C calc'!A0"
    assert guard(cell).startswith("'")
    assert unguard(guard(cell)) == cell


@given(st.text())
def test_guarding_any_cell_can_be_undone_exactly(cell):
    assert unguard(guard(cell)) == cell


@pytest.mark.parametrize("cell", ["-3", "+1.5", "1,234.5", "plain", "'quoted' word", "it's", ""])
def test_harmless_cell_is_left_as_it_is(cell):
    assert guard(cell) == cell


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=5))
def test_record_is_parsed_back_cell_for_cell(cells):
    (row,) = csv.reader(io.StringIO(encode(cells).decode(), newline=""))
    assert [unguard(cell) for cell in row] == cells


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "naïve — “good” 😀"), ("utf-8-sig", "naïve 😀"), ("utf-16", "naïve 😀"), ("utf-32", "naïve 😀"),
        ("cp1252", "Grüße aus Köln, das Brot ist schön geworden und schmeckt großartig"),
    ],
)  # fmt: skip
def test_every_encoding_is_read(tmp_path, encoding, text):
    _, table = table_of(tmp_path, f'Comment\n"{text}"\n'.encode(encoding))
    assert table.columns == ("Comment",)
    assert table.rows == [(text,)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_told_from_the_header(tmp_path, delimiter):
    assert (
        column_of(tmp_path, f"id{delimiter}Comment{delimiter}likes\n1{delimiter}Nice one{delimiter}2\n".encode())
        == "Comment"
    )


@pytest.mark.parametrize(
    "header",
    ["Comment", "comment_text", "COMMENT TEXT", "textDisplay", "snippet,Text", "author,body", "likes,Comments,date"],
)
def test_comment_column_is_found_by_its_usual_names(tmp_path, header):
    cells = ",".join("words" for _ in header.split(","))
    assert column_of(tmp_path, f"{header}\n{cells}\n".encode()).lower() not in ("snippet", "author", "likes", "date")


def test_comment_column_is_found_by_its_prose_where_no_name_tells(tmp_path):
    assert column_of(tmp_path, b"a,b\nx1,what a lovely loaf that is\nx2,how long does it rest for\n") == "b"


def test_column_that_cannot_be_told_is_an_error_that_names_those_there_are(tmp_path):
    with pytest.raises(BadInput, match=r"'a', 'b'; name one with --column"):
        column_of(tmp_path, b"a,b\n1,2\n")


def test_wanted_column_that_is_not_there_is_an_error_that_names_those_there_are(tmp_path):
    with pytest.raises(BadInput, match=r"no column 'x': it has 'a', 'Comment'"):
        column_of(tmp_path, b"a,Comment\n1,2\n", "x")


def test_missing_header_is_named(tmp_path):
    with pytest.raises(BadInput, match="no header"):
        column_of(tmp_path, b"This was such a good video, thank you so much!\nLoved it\n")


def test_quote_that_never_closes_is_named_with_its_line(tmp_path):
    with pytest.raises(BadInput, match="line 3 never closes"):
        table_of(tmp_path, b'Comment\nfine\n"not closed\nand more\n')


def test_quote_inside_a_cell_is_read_as_it_stands(tmp_path):
    _, table = table_of(tmp_path, b'n,Comment\n1,"a "real" treat"\n2,5" pan\n')
    assert [row[0] for row in table.rows] == ["1", "2"]
    assert "real" in table.rows[0][1]


def test_no_row_is_read_twice_where_a_stray_quote_follows_characters_that_end_lines_elsewhere(tmp_path):
    body = 'n,Comment\n1,a\u2028b\n2,c\x0bd\n3,"a "real" treat"\n4,e\x85f\n'.encode()
    _, table = table_of(tmp_path, body)
    assert [row[0] for row in table.rows] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("header", ['"likes; shares; saves",Comment', '"two\nlines",Comment', '"a,b,c";Comment'])
def test_delimiters_between_quotes_do_not_count(tmp_path, header):
    _, table = table_of(tmp_path, f"{header}\n".encode())
    assert table.columns[1] == "Comment"


@pytest.mark.parametrize("above", ["1,x", '1,"x\ny"', '1,"a "real" treat"', '\n\n1,"two\nlines"\n2,"a "real" one"'])
def test_more_cells_than_the_header_is_named_with_its_line(tmp_path, above):
    lines = above.count("\n") + 3
    with pytest.raises(BadInput, match=f"line {lines} has 3 cells, the header has 2"):
        table_of(tmp_path, f"a,Comment\n{above}\n2,yes, indeed\n".encode())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_named(tmp_path, encoding):
    with pytest.raises(BadInput, match="UTF-16 without the mark"):
        table_of(tmp_path, "id,Comment\n1,naïve 😀 loaf\n".encode(encoding))


def test_bars_between_cells_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"separated by \|: save it with commas"):
        table_of(tmp_path, b"id|Comment\n1|Nice, really\n")


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", False), ("utf-8-sig", True), ("utf-16", True), ("utf-32", True), ("cp1252", False)]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_form_that_a_spreadsheet_goes_by_is_kept_with_the_table(tmp_path, encoding, mark, delimiter):
    _, table = table_of(tmp_path, f"id{delimiter}Comment\n1{delimiter}Größe\n".encode(encoding))
    assert table.form == Form(delimiter, mark)


@pytest.mark.parametrize("body", [b"", b"\n \n", b"PK\x03\x04\xff\xfe\xfa", b"%PDF-1.7\xff\xfe\x80\x81"])
def test_file_that_is_no_csv_is_an_error(tmp_path, body):
    with pytest.raises(BadInput):
        table_of(tmp_path, body)


def test_columns_of_earlier_drafts_are_no_part_of_the_comments(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,reply,status,intent,flags,sources,responder,adapter,Comment\n7,r,s,i,f,o,p,a,Nice one\n")
    table, index = read_comments(path, None)
    assert table.columns == ("id", "Comment")
    assert table.rows == [("7", "Nice one")]
    assert index == 1

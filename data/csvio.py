"""Comments in and drafts out as CSV: any encoding and delimiter in, cells that no spreadsheet runs out."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.encoding import guess_encoding
from data.errors import BadInput

csv.field_size_limit(16 * 2**20)  # characters a cell

# Names that exports give the column with the comments, in the order of preference (lower case, letters only).
COMMENT_NAMES = (
    "comment", "comments", "commenttext", "commentbody", "textdisplay", "textoriginal", "text", "body", "message",
    "content", "commentcontent", "review", "feedback", "question",
)  # fmt: skip
# The columns of a draft: the last ones of every output.
ADDED = ("reply", "status", "intent", "flags", "sources", "responder", "adapter")
REPLY_NAMES = ("response", "responses", "reply", "replies", "replytext", "answer", "creatorreply")

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP ASVS 1.2.10), the full-width ones too.
# A leading apostrophe makes it text; one more goes before a cell that has some already, so that it can be undone.
FORMULA = re.compile(r"'*[=+\-@\t\r\n\0＝＋－＠]")
QUOTED = re.compile(r'"[^"]*"')
HEAD = 2**16  # characters in which the header ends
CSV = "a CSV file (of a sheet, export one)"
# UTF-32's before UTF-16's, which one of them begins with; then UTF-8's.
MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*\Z")  # -3 is a number, not a formula


@dataclass(frozen=True)
class Form:
    """What a program that reads a CSV file goes by: its delimiter, and whether a byte order mark begins it."""

    delimiter: str = ","
    mark: bool = False


@dataclass(frozen=True)
class Table:
    """A CSV file as read: every row has as many cells as the header."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    form: Form = Form()


def guard(cell: str) -> str:
    """`cell` such that a spreadsheet shows it and doesn't run it; undone by `unguard`."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.match(cell) else cell


def unguard(cell: str) -> str:
    """The text that `guard` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def encode(cells: Sequence[str], delimiter: str = ",") -> bytes:
    """One record of an output file, guarded, as UTF-8; it ends with CR LF as RFC 4180 has it."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerow([guard(cell) for cell in cells])
    return buffer.getvalue().encode("utf-8", "replace")


def encode_header(columns: Sequence[str], form: Form) -> bytes:
    """The beginning of an output file, as UTF-8."""
    return (codecs.BOM_UTF8 if form.mark else b"") + encode(columns, form.delimiter)


def read_table(path: Path) -> Table:
    """Read a CSV file with a header line.

    Raises BadInput, naming the line, where it is missing, empty, binary, or has a quote that never ends.
    """
    body = _read(path)
    text = _text(path, body, CSV)
    if not text.strip():
        raise BadInput(f"{path} is empty: it needs a header line, and a line for each row")
    form = Form(_delimiter(path, text), body.startswith(MARKS))
    records = list(_records(path, text, form.delimiter))
    columns, rows = tuple(records[0][1]), records[1:]
    width = len(columns)
    for line, row in rows:
        if len(row) > width and any(cell.strip() for cell in row[width:]):
            raise BadInput(
                f"{path}: line {line} has {len(row)} cells, the header has {width}: put cells that contain the "
                "delimiter between quotes"
            )
    return Table(columns, [tuple(unguard(c) for c in (*row, *[""] * width)[:width]) for _, row in rows], form)


def read_comments(path: Path, wanted: str | None, option: str = "--column") -> tuple[Table, int]:
    """The comments in `path`, and the index of the column that holds them (see `find_column`). Raises BadInput.

    An earlier output of ours is comments too: the columns of its drafts are left out, for they are made anew.
    """
    table = without_drafts(read_table(path))
    return table, find_column(path, table, COMMENT_NAMES, wanted, option)


def without_drafts(table: Table) -> Table:
    """`table`, of an earlier output of ours without the columns that were added."""
    if not set(ADDED) <= set(table.columns):
        return table
    drafts = {len(table.columns) - 1 - table.columns[::-1].index(name) for name in ADDED}  # the last of each name
    own = [i for i in range(len(table.columns)) if i not in drafts]
    rows = [tuple(row[i] for i in own) for row in table.rows]
    return Table(tuple(table.columns[i] for i in own), rows, table.form)


def find_column(path: Path, table: Table, names: Sequence[str], wanted: str | None, option: str) -> int:
    """The index of the column called `wanted`, or else of the one that is called like `names` or alone holds prose.

    Raises BadInput naming the columns there are, and `option` as the way to choose one.
    """
    there = ", ".join(repr(column) for column in table.columns)
    if wanted is not None:
        exact = [i for i, column in enumerate(table.columns) if column == wanted]
        close = [i for i, column in enumerate(table.columns) if _plain(column) == _plain(wanted)]
        if not exact and not close:
            raise BadInput(f"{path} has no column {wanted!r}: it has {there}")
        return (exact or close)[0]
    for name in names:
        for i, column in enumerate(table.columns):
            if _plain(column) == name:
                return i
    if looks_like_data(table.columns):
        raise BadInput(f"{path}: its first line is no header: add a line with the columns' names, such as 'Comment'")
    prose = [i for i in range(len(table.columns)) if _is_prose([row[i] for row in table.rows])]
    if len(prose) == 1 and len(names) and names[0] == COMMENT_NAMES[0]:
        return prose[0]
    raise BadInput(f"{path}: can't tell which column holds the {names[0]}: it has {there}; name one with {option}")


def decode(path: Path, wanted: str = CSV) -> str:
    """The file's text, whatever its encoding.

    Raises BadInput, asking for what is `wanted`, where it can't be read or isn't text.
    """
    return _text(path, _read(path), wanted)


def records_of(name: str, text: str) -> Iterator[list[str]]:
    """The records of a CSV text of any kind, cells as they stand; blank lines are empty records.

    Raises BadInput, with `name` and the line, for a quote that never closes.
    """
    delimiter = "|" if "|" in text[:HEAD] and not any(mark in text[:HEAD] for mark in ",;\t") else ""
    line = 0
    for began, record in _records(Path(name), text, delimiter or _delimiter(Path(name), text)):
        if began > line + 1:
            yield []
        line = began + sum(cell.count("\n") for cell in record)
        yield record


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error


def _text(path: Path, body: bytes, wanted: str) -> str:
    if body.startswith(MARKS[:2]):
        return body.decode("utf-32", "replace")
    if body.startswith(MARKS[2:4]):
        return body.decode("utf-16", "replace")
    if body.startswith((b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0")):
        raise BadInput(f"{path} is not text: give {wanted}")
    head = body[:HEAD]
    if max(head[::2].count(0), head[1::2].count(0)) > len(head) / 5 > min(head[::2].count(0), head[1::2].count(0)):
        raise BadInput(f"{path} is UTF-16 without the mark that says so: save it as UTF-8")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if b"\0" in body:
        raise BadInput(f"{path} is not text: give {wanted}")
    return body.decode(guess_encoding(body), "replace")


def _records(path: Path, text: str, dialect: str) -> Iterator[tuple[int, list[str]]]:
    """The records that hold something, each with the line where it begins, from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=dialect, strict=True)
    above = 0  # lines before the reader's first
    lenient = False
    while True:
        started = above + reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise BadInput(
                    f"{path}: the quote opened at line {started} never closes: add the closing quote"
                ) from error
            if lenient:
                raise BadInput(f"{path}, line {above + reader.line_num}: {error}") from error
            # A quote inside a cell that isn't doubled: common in hand-made files, and read as it stands.
            # Lines as the reader counts them: str.splitlines also ends one at U+2028 and the like.
            rest = "".join(io.StringIO(text, newline="").readlines()[started - 1 :])
            reader = csv.reader(io.StringIO(rest, newline=""), delimiter=dialect)
            above, lenient = started - 1, True
            continue
        if row:
            yield started, row


def _delimiter(path: Path, text: str) -> str:
    bare = QUOTED.sub("", text[:HEAD]) or text[:HEAD]  # what stands between quotes delimits nothing
    first = next((line for line in bare.splitlines() if line.strip()), "")
    counts = {delimiter: first.count(delimiter) for delimiter in ",;\t"}
    if "|" in first and not any(counts.values()):
        raise BadInput(f"{path}: its cells are separated by |: save it with commas, semicolons or tabs between them")
    return max(counts, key=lambda delimiter: counts[delimiter])


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())


def looks_like_data(columns: Sequence[str]) -> bool:
    """Whether these are no names of columns but a row: a file without a header."""
    return any(len(c) > 60 or len(c.split()) > 6 or c.rstrip().endswith((".", "!", "?")) for c in columns)


def _is_prose(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and sum(len(cell.split()) for cell in filled) / len(filled) >= 4

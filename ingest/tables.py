"""Tables of any length as lines such that each piece of one can be understood alone.

A chunk of a long table would lose its column names. So the lines come in pieces of about a chunk, each under the
table's name and its header line; of a wide table each piece has some of the columns, and the first one, which names the
row. What holds sentences (a list of questions and answers, say) is written as text.
"""

import re
from collections.abc import Generator, Iterator, Sequence

from ingest.blocks import Block

Row = Sequence[str]

_ROOM = 150  # tokens in a piece, as estimated, without the table's name: with it and a prefix it fits a chunk
_MOST_COLUMNS = 8  # in a line: no more are quoted
_TOKEN = re.compile(r"[^\W\d_]{1,5}|\d{1,2}|[^\w\s]")  # on the safe side
_FIGURE = re.compile(r"[^\w(]{0,3}\(?[$€£¥]?\s?[+-]?\d[\d.,:/ '’-]*\s?(?:%|[$€£¥]|[^\W\d_]{1,3})?\)?")
_YEAR = re.compile(r"(?:FY|Q[1-4])?\s?(?:19|20)\d\d(?:[/-]\d\d)?")
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_LONG = 80  # characters of a cell, on average, from which a column is prose
_WORDS = 4


def table_blocks(rows: Sequence[Row], name: str) -> Iterator[Block]:
    """The lines of a sheet called `name`. Blank rows part its tables; a table without a header has columns A, B, C …"""
    header: Row = ()
    run: list[list[str]] = []
    for row in [*rows, ()]:
        cells = [" ".join(cell.split()).replace("|", "/") for cell in row]
        if any(cells):
            run.append(cells)
        elif run:
            width = max(map(len, run))
            header = yield from _run([[*each, *[""] * (width - len(each))] for each in run], name, header)
            run = []


def _run(rows: list[list[str]], name: str, above: Row) -> Generator[Block, None, Row]:
    """One table; `above` is the header of the one before. Returns its header."""
    filled = [at for at in range(len(rows[0])) if any(row[at] for row in rows)]
    while len(filled) > 1 and len(rows) > 1 and sum(map(bool, rows[0])) == 1:  # a line over the table
        yield Block("".join(rows.pop(0)))
        filled = [at for at in filled if any(row[at] for row in rows)]
    if len(filled) == 1:
        yield from (Block(row[filled[0]], tight=nth > 0) for nth, row in enumerate(rows))
        return above
    if _is_header(rows[0]):
        header = rows.pop(0)
        if not rows:
            yield Block(" | ".join(cell for cell in header if cell))
            return header
    elif above and len(above) >= len(rows[0]):
        header = list(above[: len(rows[0])])
    else:
        header = [_letter(at) if at in filled else "" for at in range(len(rows[0]))]
    filled = [at for at in range(len(header)) if header[at] or any(row[at] for row in rows)]
    names = [header[at] or _letter(at) for at in filled]
    cells = [[row[at] for at in filled] for row in rows]
    if prose := [at for at in range(len(names)) if _is_prose([row[at] for row in cells])]:
        yield from _records(cells, names, prose)
    elif len(names) == 2 and not any(_FIGURE.fullmatch(row[1]) for row in cells):
        yield from _pairs(cells, names, name)
    else:
        for part in _parts(len(names)):
            yield from _lines([[row[at] for at in part] for row in cells], [names[at] for at in part], name)
    return header


def _lines(rows: Sequence[Row], names: Row, title: str) -> Iterator[Block]:
    """Rows as "a | b", in pieces under the table's name and the header."""
    header = " | ".join(names)
    room = 0
    for row in rows:
        if not any(row[1:]) and not row[0]:
            continue
        line = " | ".join(row).rstrip(" |")
        needed = _tokens(line)
        if needed > room:
            yield Block(title or "Table", 1)
            yield Block(header, tight=True)
            room = _ROOM - _tokens(header)
        yield Block(line, tight=True)
        room -= needed


def _pairs(rows: Sequence[Row], names: Row, title: str) -> Iterator[Block]:
    """A name and what is said of it, a line each: whether the first line is a header can't be told, nor matters."""
    if title:
        yield Block(title, 1)
    for nth, (first, second) in enumerate([names, *rows]):
        yield Block(f"- {first}: {second}" if first and second else f"- {first}{second}", tight=nth > 0)


def _records(rows: Sequence[Row], names: Row, prose: Sequence[int]) -> Iterator[Block]:
    """Each row as text: its short cells in one line, then what holds sentences."""
    asked = sum(row[prose[0]].endswith("?") for row in rows) * 2 > len(rows)
    for row in rows:
        short = [at for at in range(len(names)) if at not in prose and row[at]]
        told = row[short[0]] if len(short) == 1 else "; ".join(f"{names[at]}: {row[at]}" for at in short)
        if told:
            yield Block(told)
        tight = bool(told)
        for at in prose:
            if row[at]:
                yield Block(row[at] if asked or len(prose) == 1 else f"{names[at]}: {row[at]}", tight=tight)
                tight = True


def _parts(columns: int) -> Iterator[list[int]]:
    """The columns that stand in a line together."""
    if columns <= _MOST_COLUMNS:
        yield list(range(columns))
        return
    for start in range(1, columns, _MOST_COLUMNS - 1):
        yield [0, *range(start, min(columns, start + _MOST_COLUMNS - 1))]


def _is_header(row: Row) -> bool:
    """Whether these are names of columns: words, or years."""
    cells = [cell for cell in row if cell]
    return len(cells) > 1 and all(_YEAR.fullmatch(cell) or not _FIGURE.fullmatch(cell) for cell in cells)


def _is_prose(cells: Row) -> bool:
    filled = [cell for cell in cells if cell]
    if not filled:
        return False
    ended = sum(bool(_ENDED.search(cell)) and len(cell.split()) >= _WORDS for cell in filled)
    return sum(map(len, filled)) > _LONG * len(filled) or 2 * ended > len(filled)


def _tokens(line: str) -> int:
    return len(_TOKEN.findall(line))


def _letter(at: int) -> str:
    """What a spreadsheet calls a column: A … Z, AA …"""
    name = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        name = chr(65 + rest) + name
    return name

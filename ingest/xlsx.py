"""Excel workbooks: a sheet is a page, its rows lines. Values as they are shown, never formulas."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from data.errors import Rejected
from data.models import Document
from ingest.blocks import Block, assemble_pages
from ingest.quality import sanitise
from ingest.tables import table_blocks
from ingest.text import checked, read_bytes
from ingest.titles import clean_author, clean_title, day, stem_title
from ingest.zipped import open_archive

MOST_ROWS = 100_000  # of all sheets
_MOST_BYTES = 50_000_000
_MOST_UNPACKED = 500_000_000  # they are read as a stream
_MOST_CHARACTERS = 20_000_000
_CURRENCIES = "€$£¥"


def read_xlsx(source: str, content: Path | bytes) -> Document:
    """An XLSX file as a document. Raises Rejected for one that is too large, damaged, encrypted or a zip bomb."""
    import openpyxl

    data = read_bytes(content, _MOST_BYTES)
    open_archive(data, "XLSX", _MOST_UNPACKED)
    try:
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        properties = book.properties
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        names = [" ".join(sanitise(sheet.title).split()) for sheet in sheets]
        pages = _pages(sheets, names)
    except (Rejected, MemoryError):
        raise
    except Exception as error:  # openpyxl raises KeyError, ValueError and XML errors on damaged files
        raise Rejected(f"not a readable XLSX ({type(error).__name__})") from error
    text, headings, starts = assemble_pages(pages)
    title = clean_title(properties.title or "") or stem_title(source) or next(filter(None, map(clean_title, names)), "")
    author, written = clean_author(properties.creator or ""), day(properties.modified or properties.created)
    return checked(Document(source, "xlsx", text, title, author, written, starts, tuple(names), headings))


def _pages(sheets: list[Any], names: list[str]) -> list[list[Block]]:
    pages: list[list[Block]] = []
    rows = characters = 0
    for sheet, name in zip(sheets, names, strict=True):
        table: list[tuple[str, ...]] = []
        for cells in _rows(sheet):
            table.append(cells)
            rows += any(cells)
            characters += sum(map(len, cells))
            if rows > MOST_ROWS:
                raise Rejected(f"more than {MOST_ROWS:,} rows: save the part that matters in a file of its own")
            if characters > _MOST_CHARACTERS:
                raise Rejected(f"more than {_MOST_CHARACTERS // 1_000_000} million characters: split it")
        pages.append(list(table_blocks(table, clean_title(name))))
    return pages


def _rows(sheet: Any) -> Iterator[tuple[str, ...]]:
    """The cells of each row as text, without empty ones at its end; one empty row for any number of them."""
    sheet.reset_dimensions()  # what a sheet says of its size may be anything
    blank = False
    for row in sheet.iter_rows():
        cells = [_shown(cell.value, cell.number_format or "") if cell.value is not None else "" for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells or not blank:
            yield tuple(cells)
        blank = not cells


def _shown(value: object, form: str) -> str:
    """A cell's value about as its number format shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat() if isinstance(value, date) else value.isoformat("minutes")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, int | float):
        return _figure(value, form)
    text = sanitise(str(value)).strip()
    return "" if text.startswith("#") and text.rstrip("!?").isupper() and len(text) <= 14 else text  # "#REF!"


def _figure(value: float, form: str) -> str:
    if "%" in form:
        return f"{round(value * 100, 10):.10g}%"
    shown = f"{value:.12g}"
    currency = next((sign for sign in _CURRENCIES if sign in form), "")
    if not currency:
        return shown
    if ".00" in form or ",00" in form:
        shown = f"{value:.2f}"
    return f"{currency}{shown}" if form.index(currency) < form.find("0") else f"{shown} {currency}"

"""Word documents: headings by style, paragraphs, and tables as lines."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from data.errors import Rejected
from data.models import Document
from ingest.blocks import Block, assemble
from ingest.clean import is_clutter
from ingest.quality import sanitise
from ingest.text import checked, read_bytes
from ingest.titles import clean_author, clean_title, day, stem_title
from ingest.zipped import open_archive

_MOST_BYTES = 50_000_000


def read_docx(source: str, content: Path | bytes) -> Document:
    """A DOCX file as a document. Raises Rejected for a zip bomb, an encrypted or damaged file."""
    import docx

    data = read_bytes(content, _MOST_BYTES)
    open_archive(data, "DOCX")
    try:
        word = docx.Document(BytesIO(data))
        text, headings = assemble(_blocks(word))
        properties = word.core_properties
        title, author = properties.title or "", properties.author or ""
        written = properties.created or properties.modified
    except Exception as error:  # python-docx raises KeyError, ValueError and XML errors on damaged files
        raise Rejected(f"not a readable DOCX ({type(error).__name__})") from error
    shown = clean_title(title) or (headings[0].text if headings else "") or stem_title(source)
    return checked(Document(source, "docx", text, shown, clean_author(author), day(written), headings=headings))


def _blocks(word: Any) -> Iterator[Block]:
    """Paragraphs and table rows ("a | b") in their order."""
    from docx.table import Table

    for part in word.iter_inner_content():
        if isinstance(part, Table):
            for number, row in enumerate(part.rows):
                cells = (" ".join(sanitise(cell.text).split()) for cell in _once(row.cells))
                if line := " | ".join(cells).strip(" |"):
                    yield Block(line, tight=number > 0)
            continue
        style = (part.style.name or "") if part.style is not None else ""
        level = 1 if style == "Title" else 0
        if style.startswith("Heading ") and style[8:].isdigit():
            level = int(style[8:])
        for line in sanitise(part.text).split("\n"):
            if line.strip() and not is_clutter(line):
                yield Block(" ".join(line.split()), level, tight=style.startswith("List"))


def _once(cells: Any) -> list[Any]:
    """Cells without the repeats python-docx gives for merged ones."""
    kept: list[Any] = []
    for cell in cells:
        if not kept or cell._tc is not kept[-1]._tc:
            kept.append(cell)
    return kept

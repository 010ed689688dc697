"""CSV and TSV files as documents: any encoding and delimiter, rows as lines."""

from pathlib import Path, PurePosixPath

from data.csvio import ADDED, records_of
from data.errors import BadInput, Empty, Rejected
from data.models import Document
from ingest.blocks import assemble
from ingest.quality import sanitise
from ingest.tables import table_blocks
from ingest.text import checked, decode
from ingest.titles import stem_title
from ingest.xlsx import MOST_ROWS


def read_csv(source: str, content: Path | bytes, charset: str = "") -> Document:
    """A CSV file as a document. Raises Empty, or Rejected with the line where it is no CSV."""
    text = sanitise(decode(content, charset))
    if not text.strip():
        raise Empty("no text in it")
    name = PurePosixPath(source.replace("\\", "/")).name
    rows: list[list[str]] = []
    try:
        for row in records_of(name, text):
            rows.append(row)
            if len(rows) > MOST_ROWS:
                raise Rejected(f"more than {MOST_ROWS:,} rows: save the part that matters in a file of its own")
    except BadInput as error:
        raise Rejected(str(error)) from error
    if rows and set(ADDED) <= set(rows[0]):
        raise Rejected("drafts that `shawgpt reply` wrote, and no document: what they say is of your documents")
    title = stem_title(source)
    body, headings = assemble(table_blocks(rows, title))
    return checked(Document(source, "csv", body, title, headings=headings))

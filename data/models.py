"""The words of the project as types: document, chunk, passage."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from data.places import place

DocumentKind = Literal[
    "pdf", "scan", "html", "markdown", "text", "docx", "pptx", "xlsx", "csv", "epub", "subtitles", "image"
]
"""What a document is. A "scan" is a PDF of which pages were read by OCR; an "image" always is."""


@dataclass(frozen=True)
class Heading:
    """A heading at a character offset of its document's text."""

    offset: int  # characters from the start of Document.text
    level: int  # 1 is the highest
    text: str


@dataclass(frozen=True)
class Document:
    """One source, read and cleaned. Pages are joined in `text`; `page_starts` keeps where each began.

    A page is what the kind has: a slide, a sheet, a chapter of a book, a minute of a video.
    """

    source: str  # absolute path or URL: with the knowledge base, what identifies a document
    kind: DocumentKind
    text: str
    title: str = ""  # empty where the source names none worth showing
    author: str = ""
    date: str = ""  # ISO 8601 day, or empty
    page_starts: tuple[int, ...] = ()  # character offset of each page, page 1 first; empty where there are no pages
    # One a page, or none at all: printed page labels ("iv", "12") where they aren't 1, 2, 3 …; names of sheets and
    # chapters; of a scan or an image, "OCR" for each page that was read so.
    page_labels: tuple[str, ...] = ()
    headings: tuple[Heading, ...] = ()  # in order of offset
    unread: str = ""  # what of it couldn't be read, and why; empty where all was


@dataclass(frozen=True)
class Chunk:
    """A piece of a document that fits the embedding model's window."""

    text: str
    heading: str  # the path of headings above it, "Results > Speed", or empty
    page_start: int | None  # 1-based physical page, None where the document has no pages
    page_end: int | None  # inclusive
    tokens: int  # of `embedded_text`, special tokens included
    embedded_text: str  # what the embedding model and the full-text index see: the title and heading, then the text
    page_breaks: tuple[int, ...] = ()  # offsets in `text` where the pages after `page_start` begin


@dataclass(frozen=True)
class Passage:
    """A chunk found for a query."""

    rank: int  # 1-based
    score: float  # 0–1, comparable within one query
    source: str
    title: str
    page_start: int | None
    page_end: int | None
    heading: str
    chunk_id: str
    text: str
    pages: tuple[tuple[int, int], ...] = ()  # (offset in `text`, physical page) where each page begins, ascending
    kind: str = "pdf"  # of its document (DocumentKind): says what its pages are
    page_labels: tuple[str, ...] = ()  # its document's, from `page_start` to `page_end`; or none

    @property
    def place(self) -> str:
        """Where it stands, in words: "pp. 3–4", "slide 3"; empty where the document has no pages."""
        start = self.page_start
        return self.place_of([] if start is None else range(start, (self.page_end or start) + 1))

    def place_of(self, pages: Iterable[int]) -> str:
        """Where some of its `pages` are, in words."""
        return place(self.kind, pages, dict(enumerate(self.page_labels, self.page_start or 1)))

    def place_at(self, offset: int) -> str:
        """Where the character at `offset` of `text` stands, in words; empty where the document has no pages."""
        page = self.page_at(offset)
        return self.place_of([] if page is None else [page])

    def page_at(self, offset: int) -> int | None:
        """The physical page of the character at `offset` of `text`; None where the document has no pages."""
        place = bisect_right(self.pages, (offset, 10**9))
        return self.pages[place - 1][1] if place else self.page_start

    def as_json(self) -> dict[str, Any]:
        """The form that `search --json` prints."""
        fields = asdict(self) | {"place": self.place}
        return {name: value for name, value in fields.items() if name not in ("pages", "page_labels")}

"""The words of the project as types: document, chunk, passage."""

from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import Any, Literal

DocumentKind = Literal["pdf", "html", "markdown", "text", "docx"]


@dataclass(frozen=True)
class Heading:
    """A heading at a character offset of its document's text."""

    offset: int  # characters from the start of Document.text
    level: int  # 1 is the highest
    text: str


@dataclass(frozen=True)
class Document:
    """One source, read and cleaned. Pages are joined in `text`; `page_starts` keeps where each began."""

    source: str  # absolute path or URL: with the knowledge base, what identifies a document
    kind: DocumentKind
    text: str
    title: str = ""  # empty where the source names none worth showing
    author: str = ""
    date: str = ""  # ISO 8601 day, or empty
    page_starts: tuple[int, ...] = ()  # character offset of each page, page 1 first; empty where there are no pages
    page_labels: tuple[str, ...] = ()  # printed page labels ("iv", "12"), one a page, or empty where they are 1, 2, 3 …
    headings: tuple[Heading, ...] = ()  # in order of offset


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

    def page_at(self, offset: int) -> int | None:
        """The physical page of the character at `offset` of `text`; None where the document has no pages."""
        place = bisect_right(self.pages, (offset, 10**9))
        return self.pages[place - 1][1] if place else self.page_start

    def as_json(self) -> dict[str, Any]:
        """The form that `search --json` prints."""
        return {name: value for name, value in asdict(self).items() if name != "pages"}

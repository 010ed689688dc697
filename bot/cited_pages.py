"""The pages that answers cite, as pictures: what is to be marked on which page, and files of them."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BadInput, NotFound, Rejected
from data.models import Passage
from ingest.quote_places import Mark

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.drafts import Answer
    from ingest.page_picture import PagePicture

DRAWN = ("pdf", "scan")  # kinds of documents that are PDF files
AROUND = 150  # characters before and behind a quote that tell its place where a page says the same twice
_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST = 60  # characters of a document's name in a file's

Marks = dict[int, list[Mark]]  # physical page → what is marked on it


def can_be_drawn(passage: Passage) -> bool:
    """Whether the passage is of a PDF file, so that its pages can be shown."""
    return passage.page_start is not None and passage.kind in DRAWN and "://" not in passage.source


def marks_of(passage: Passage, quotes: Iterable[str] = ()) -> Marks:
    """What to mark of `passage` on which page: its `quotes`, else all of it. A quote over a page's end is in parts."""
    text = passage.text
    spans = [(start, start + len(quote)) for quote in quotes if quote and (start := text.find(quote)) >= 0]
    starts: dict[int, int] = {}  # page → offset
    for offset, page in passage.pages or ((0, passage.page_start or 1),):
        starts.setdefault(page, offset)
    edges = [*starts.items(), (0, len(text))]
    marks: Marks = {}
    for (page, begin), (_, end) in pairwise(edges):
        for start, stop in dict.fromkeys(spans or [(0, len(text))]):
            first, last = max(start, begin), min(stop, end)
            if text[first:last].strip():
                around = text[max(begin, first - AROUND) : first], text[last : min(end, last + AROUND)]
                marks.setdefault(page, []).append(Mark(text[first:last], *around))
    return marks


def picture(assistant: "Assistant", chunk: str, page: int, marks: Sequence[Mark] = ()) -> "PagePicture":
    """Page `page` of the PDF that a chunk of the record is of, with `marks` on it.

    Raises NotFound where the chunk isn't in the record (any more), BadInput where it is of no PDF file, Rejected where
    the page can't be drawn.
    """
    document = assistant.store.document_of(chunk)
    if document is None:
        raise NotFound("the document has been forgotten or has changed since: ask again")
    name = document.source.replace("\\", "/").rsplit("/", 1)[-1]
    if document.kind not in DRAWN:
        raise BadInput(f"{name} is no PDF: it has no pages to show")
    if "://" in document.source:
        raise BadInput(f"{name} was read from its address and isn't kept: open it there")
    try:
        return assistant.pictures.picture(Path(document.source), document.digest.partition(":")[0], page, marks)
    except Rejected as error:
        raise Rejected(f"{name} {error}") from error


def write_pages(assistant: "Assistant", answer: "Answer", folder: Path) -> tuple[list[Path], list[str]]:
    """Write each page of a PDF that `answer` cites into `folder` as a PNG file, with what is quoted marked.

    Returns the files, and what couldn't be drawn, a line each. Raises BadInput where the folder can't be written to.
    """
    written: list[Path] = []
    failed: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for (passage, page), marks in _cited(answer).items():
            try:
                drawn = picture(assistant, passage.chunk_id, page, marks)
            except (BadInput, NotFound, Rejected) as error:
                failed.append(f"page {page} not drawn: {error}")
                continue
            file = folder / f"{file_stem(passage.source)}-p{page}.png"
            file.write_bytes(drawn.png)
            written.append(file)
            if not all(drawn.found):
                failed.append(f"{file}: what is quoted was not found on the page, so it isn't marked")
    except OSError as error:
        raise BadInput(f"{folder} can't be written to ({error.strerror or error}): choose another folder") from error
    return written, failed


def file_stem(source: str) -> str:
    """A document's name for the beginning of a file's: letters, digits, . - and _ only."""
    stem = source.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return _UNSAFE.sub("-", stem).strip("-.")[:_LONGEST] or "document"


def _cited(answer: "Answer") -> dict[tuple[Passage, int], list[Mark]]:
    """The pages that `answer` quotes, each with all that is quoted from it."""
    quotes: dict[Passage, list[str]] = {}
    for sentence in answer.sentences:
        for support in sentence.support:
            same = [p for p in answer.passages if p.source == support.source and can_be_drawn(p)]
            passage = next((p for p in same if support.quote in p.text), None)
            if passage:
                quotes.setdefault(passage, []).append(support.quote)
    pages: dict[tuple[Passage, int], list[Mark]] = {}
    first: dict[tuple[str, int], Passage] = {}  # two passages of one page are one picture
    for passage, quoted in quotes.items():
        for page, marks in marks_of(passage, quoted).items():
            of = first.setdefault((passage.source, page), passage)
            pages.setdefault((of, page), []).extend(marks)
    return pages

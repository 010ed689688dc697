"""PDFs: text, outline, metadata and page labels by pypdfium2; pypdf where that fails or finds no text; then OCR.

Runs in a worker process only: both libraries can hang or crash on hostile files.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from data.errors import Empty, Rejected
from data.models import Document, Heading
from data.places import BY_OCR, listed
from ingest.clean import join_pages
from ingest.ocr import NeedsOcr, missing
from ingest.quality import garbage, sanitise
from ingest.titles import clean_author, clean_title, day, stem_title

T = TypeVar("T")

_MOST_HEADINGS = 5_000
_PICTURE = 0.1  # of a page's area: what its pictures must cover for it to be a scan, where it has no text …
_OUTLINES = 100  # … or how many shapes it must have: letters that were made into outlines
_STAMP = 24  # visible characters up to which text on a scan is a page number or the stamp of a library …
_WHOLE = 0.5  # … if pictures cover that much of it


@dataclass
class _Contents:
    """What a PDF library gave: raw page texts and what goes with them."""

    pages: list[str]
    title: str = ""
    author: str = ""
    date: str = ""
    labels: list[str] = field(default_factory=list)
    outline: list[tuple[int, str, int]] = field(default_factory=list)  # level from 1, title, page from 0
    scanned: list[int] = field(default_factory=list)  # pages from 0 without text and with something to see


def read_pdf(
    source: str,
    content: Path | bytes,
    password: str | None = None,
    first: str = "pdfium",
    read: Mapping[int, str] | None = None,
    failed: str = "",
) -> Document:
    """The document in a PDF file. Raises Empty where no reader finds text, Rejected where none can open it.

    `first` is the reader to begin with; "pypdf" skips pdfium (it crashed on this file before). Raises NeedsOcr where
    there are pages for it; called again, `read` is what it found, by page from 0, and `failed` what it couldn't read.
    """
    if read is not None:
        return _with_ocr(source, content, password, read, failed)
    contents = None
    failure: Rejected | None = None
    readers: list[Callable[[Path | bytes, str | None], _Contents]] = [_by_pypdf]
    if first == "pdfium":
        readers.insert(0, _by_pdfium)
    refused = ""
    scanned: list[int] = []
    for reader in readers:
        try:
            contents = reader(content, password)
        except Rejected as error:
            failure = failure or error
            if "password" in str(error):
                raise
            continue
        scanned = scanned or contents.scanned
        joined = join_pages(contents.pages)
        if joined.text.strip():
            if not (reason := garbage(joined.text)):
                if contents.scanned and not missing():
                    raise NeedsOcr(contents.scanned)
                unread = f"{_pages(contents.scanned)} scanned; {missing()}" if contents.scanned else ""
                return _document(source, contents, joined.text, joined.page_starts, unread)
            refused = refused or reason
    if refused:
        if first == "pdfium" and not missing() and contents is not None:
            raise NeedsOcr(range(len(contents.pages)), refused)
        raise Rejected(refused)
    if contents is None:
        raise failure or Rejected("not a PDF, or damaged beyond reading")
    if not contents.pages:
        raise Empty("no text: it has no pages")
    if scanned:
        if not missing():
            raise NeedsOcr(scanned)
        raise Empty(f"no text: scanned? {missing()}")
    raise Empty("no text: scanned?")


def _with_ocr(
    source: str, content: Path | bytes, password: str | None, read: Mapping[int, str], failed: str
) -> Document:
    """The document with what OCR `read` in the place of those pages."""
    contents = _by_pdfium(content, password)
    for number, text in read.items():
        if number < len(contents.pages) and (
            len(text) > len(contents.pages[number]) or garbage(contents.pages[number])
        ):
            contents.pages[number] = text
    joined = join_pages(contents.pages)
    if not joined.text.strip():
        raise Empty("no text that OCR can read" + (f"; {failed}" if failed else ""))
    if reason := garbage(joined.text):
        raise Rejected(reason)
    document = _document(source, contents, joined.text, joined.page_starts, failed)
    if not any(text.strip() for text in read.values()):  # pictures without a word on them
        return document
    labels = tuple(BY_OCR if read.get(page, "").strip() else "" for page in range(len(joined.page_starts)))
    return replace(document, kind="scan", page_labels=labels)


def _pages(numbers: list[int]) -> str:
    """ "pages 3–5 look"."""
    page, look = ("page", "looks") if len(numbers) == 1 else ("pages", "look")
    return f"{page} {listed(number + 1 for number in numbers)} {look}"


def _document(source: str, contents: _Contents, text: str, starts: tuple[int, ...], unread: str) -> Document:
    headings = _place(contents.outline, text, starts)
    # An outline's first entry is often "Contents" or "Mission": it names the document only where it spans all of it.
    top = [heading.text for heading in headings if heading.level == 1]
    sole = top[0] if len(top) == 1 else ""
    title = clean_title(contents.title) or sole or stem_title(source) or (headings[0].text if headings else "")
    plain = [str(number) for number in range(1, len(starts) + 1)]
    labels = tuple(sanitise(label) for label in contents.labels)
    return Document(
        source=source,
        kind="pdf",
        text=text,
        title=title,
        author=clean_author(contents.author),
        date=day(contents.date),
        page_starts=starts,
        page_labels=labels if len(labels) == len(starts) and list(labels) != plain and any(labels) else (),
        headings=tuple(headings),
        unread=unread,
    )


def _place(outline: list[tuple[int, str, int]], text: str, starts: tuple[int, ...]) -> list[Heading]:
    """Outline entries at the offset where their title stands on its page, else at the beginning of the page."""
    headings: list[Heading] = []
    last = 0
    for level, raw, page in outline[:_MOST_HEADINGS]:
        words = clean_title(raw).split()
        if not words or not 0 <= page < len(starts):
            continue
        end = starts[page + 1] if page + 1 < len(starts) else len(text)
        begin = max(last, starts[page])
        pattern = r"\s+".join(map(re.escape, words))
        found = re.compile(pattern, re.IGNORECASE).search(text, begin, max(begin, min(end + 200, len(text))))
        offset = found.start() if found else begin
        if offset >= len(text):
            continue
        headings.append(Heading(offset, level, " ".join(words)))
        last = max(last, found.end() if found else begin)
    return headings


def _by_pdfium(content: Path | bytes, password: str | None) -> _Contents:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(content, password=password)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Rejected(_password_needed(password)) from error
        raise Rejected("not a PDF, or damaged beyond reading") from error
    try:
        contents = _Contents([])
        for number in range(len(pdf)):
            text = _pdfium_page(pdf, number)
            contents.pages.append(text)
            if (few := sum(map(len, text.split()))) <= _STAMP and _is_scan(pdf, number, stamped=few > 0):
                contents.scanned.append(number)
            contents.labels.append(pdf.get_page_label(number))
        metadata = pdf.get_metadata_dict()
        contents.title, contents.author = metadata.get("Title", ""), metadata.get("Author", "")
        contents.date = metadata.get("CreationDate", "")
        for entry in pdf.get_toc():
            destination = entry.get_dest()
            index = destination.get_index() if destination else None
            contents.outline.append((entry.level + 1, entry.get_title(), -1 if index is None else index))
            if len(contents.outline) >= _MOST_HEADINGS:
                break
        return contents
    except (pypdfium2.PdfiumError, UnicodeError, ValueError) as error:
        raise Rejected("not a PDF, or damaged beyond reading") from error
    finally:
        pdf.close()


def _pdfium_page(pdf: "pypdfium2.PdfDocument", number: int) -> str:  # type: ignore[name-defined]  # noqa: F821
    """The text of one page; an empty string where only this page is broken."""
    import pypdfium2

    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return ""
    try:
        textpage = page.get_textpage()
        try:
            return str(textpage.get_text_range(errors="replace"))
        finally:
            textpage.close()
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


def _is_scan(pdf: "pypdfium2.PdfDocument", number: int, *, stamped: bool) -> bool:  # type: ignore[name-defined]  # noqa: F821
    """Whether a page without text, or with no more than a stamp, has pictures or many shapes: a blank one has not."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return False
    try:
        width, height = page.get_size()
        covered = shapes = 0.0
        for part in page.get_objects(max_depth=4):
            if part.type == raw.FPDF_PAGEOBJ_IMAGE:
                left, bottom, right, top = part.get_bounds()
                covered += max(0.0, right - left) * max(0.0, top - bottom)
            shapes += part.type in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING)
            if covered >= (_WHOLE if stamped else _PICTURE) * width * height or (shapes >= _OUTLINES and not stamped):
                return True
        return False
    except pypdfium2.PdfiumError:
        return False
    finally:
        page.close()


def _by_pypdf(content: Path | bytes, password: str | None) -> _Contents:
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    # pypdf raises errors of every kind on broken files (9 of 374 not its own types), recursion included.
    try:
        reader = pypdf.PdfReader(BytesIO(content) if isinstance(content, bytes) else content)
        if reader.is_encrypted and not reader.decrypt(password or ""):
            raise Rejected(_password_needed(password))
        contents = _Contents([_tolerant(page.extract_text, "") for page in reader.pages])
    except Rejected:
        raise
    except Exception as error:
        raise Rejected("not a PDF, or damaged beyond reading") from error
    contents.labels = _tolerant(lambda: list(reader.page_labels), [])
    nothing: dict[str, str] = {}
    metadata = _tolerant(lambda: {key: str(value) for key, value in (reader.metadata or {}).items()}, nothing)
    contents.title, contents.author = metadata.get("/Title", ""), metadata.get("/Author", "")
    contents.date = metadata.get("/CreationDate", "")
    contents.outline = _tolerant(lambda: _pypdf_outline(reader, reader.outline, 1), [])
    return contents


def _pypdf_outline(reader: "pypdf.PdfReader", entries: list, level: int) -> list[tuple[int, str, int]]:  # type: ignore  # noqa: F821
    found: list[tuple[int, str, int]] = []
    for entry in entries:
        if isinstance(entry, list):
            found += _pypdf_outline(reader, entry, level + 1)
        else:
            page = reader.get_destination_page_number(entry)
            found.append((level, str(entry.title), -1 if page is None else page))
    return found


def _tolerant(read: Callable[[], T], otherwise: T) -> T:
    """`read()`, or `otherwise` where this one part of a broken file can't be read."""
    try:
        return read()
    except Exception:  # pypdf raises nearly anything on a broken file; its text is worth having without this part
        return otherwise


def _password_needed(password: str | None) -> str:
    if password is None:
        return "encrypted: give --password"
    return "encrypted, and the password given doesn't open it: check --password"

"""E-books (EPUB): chapters in reading order, their titles as headings; nothing in the archive is unpacked to disk."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError

from data.errors import Rejected
from data.models import Document
from ingest.blocks import Block, assemble_pages
from ingest.html import page_blocks
from ingest.quality import sanitise
from ingest.text import checked, decode, read_bytes
from ingest.titles import clean_author, clean_title, day, stem_title
from ingest.zipped import open_archive, unpacked

_MOST_BYTES = 100_000_000  # pictures are most of it
_MOST_UNPACKED = 500_000_000
_MOST_CHAPTER = 10_000_000
_MOST_CHAPTERS = 5_000
_MOST_CHARACTERS = 20_000_000
_LOCKED = "protected against copying (DRM): it can only be read by the program it was bought for"
# Fonts alone are disguised by these; everything else that encryption.xml names is locked.
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(source: str, content: Path | bytes) -> Document:
    """An EPUB file as a document. Raises Rejected for DRM, a zip bomb, a damaged file."""
    with open_archive(read_bytes(content, _MOST_BYTES), "EPUB", _MOST_UNPACKED) as archive:
        _refuse_locked(archive)
        try:
            root = next(each for each in _xml(archive, "META-INF/container.xml").iter() if _tag(each) == "rootfile")
            package = unquote(root.get("full-path") or "")
            book = _xml(archive, package)
        except (KeyError, StopIteration) as error:
            raise Rejected("not a readable EPUB (it doesn't say where its text is)") from error
        folder = posixpath.dirname(package)
        files = {item.get("id"): item for item in book.iter() if _tag(item) == "item"}
        titles = _titles(archive, book, files.values(), folder)
        pages, labels = _chapters(archive, book, files, folder, titles)
    text, headings, starts = assemble_pages(pages)
    about = {name: _text(book, name) for name in ("title", "date")}
    authors = ", ".join(filter(None, ((each.text or "").strip() for each in book.iter() if _tag(each) == "creator")))
    title = clean_title(about["title"]) or (headings[0].text if headings else "") or stem_title(source)
    author, written = clean_author(authors), day(about["date"])
    return checked(Document(source, "epub", text, title, author, written, starts, tuple(labels), headings))


def _chapters(
    archive: zipfile.ZipFile, book: Element, files: dict[str | None, Element], folder: str, titles: dict[str, str]
) -> tuple[list[list[Block]], list[str]]:
    """The chapters that hold text, each with what it is called."""
    pages: list[list[Block]] = []
    labels: list[str] = []
    characters = 0
    for reference in [each for each in book.iter() if _tag(each) == "itemref"][:_MOST_CHAPTERS]:
        item = files.get(reference.get("idref"))
        if item is None or "nav" in (item.get("properties") or "").split():
            continue
        name = _resolved(folder, item.get("href") or "")
        try:
            page = decode(unpacked(archive, name, _MOST_CHAPTER, "EPUB"))
        except KeyError:  # the book lists a part that it lacks
            continue
        title = titles.get(name, "")
        blocks = list(_under(title, page_blocks(page)))
        if not blocks:
            continue
        characters += sum(len(block.text) for block in blocks)
        if characters > _MOST_CHARACTERS:
            raise Rejected(f"more than {_MOST_CHARACTERS // 1_000_000} million characters: not a book")
        pages.append(blocks)
        labels.append(title or next((block.text for block in blocks if block.level), ""))
    return pages, labels


def _under(title: str, blocks: list[Block]) -> Iterator[Block]:
    """A chapter's blocks, with its title in front where the text doesn't begin with a heading."""
    if title and blocks and not any(block.level for block in blocks[:3]):
        yield Block(title, 1)
        if blocks[0].text.casefold() == title.casefold():
            blocks = blocks[1:]
    yield from blocks


def _titles(archive: zipfile.ZipFile, book: Element, items: Any, folder: str) -> dict[str, str]:
    """What the table of contents calls each part: EPUB 3's page of links, else EPUB 2's NCX."""
    found: dict[str, str] = {}
    for item in items:
        is_nav = "nav" in (item.get("properties") or "").split()
        if not is_nav and item.get("media-type") != "application/x-dtbncx+xml":
            continue
        name = _resolved(folder, item.get("href") or "")
        try:
            contents = _xml(archive, name)
        except (KeyError, Rejected):  # the book can be read without
            continue
        for where, title in _links(contents) if is_nav else _points(contents):
            target = _resolved(posixpath.dirname(name), where)
            if line := " ".join(sanitise(title).split()):
                found.setdefault(target, line)
    return found


def _links(contents: Element) -> Iterator[tuple[str, str]]:
    for link in contents.iter():
        if _tag(link) == "a" and link.get("href"):
            yield link.get("href") or "", "".join(link.itertext())


def _points(contents: Element) -> Iterator[tuple[str, str]]:
    for point in contents.iter():
        if _tag(point) == "navPoint":
            parts = {_tag(child): child for child in point}
            if "content" in parts and "navLabel" in parts:
                yield parts["content"].get("src") or "", "".join(parts["navLabel"].itertext())


def _refuse_locked(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    if names & {"META-INF/rights.xml", "META-INF/license.lcpl", "META-INF/sinf.xml"}:
        raise Rejected(_LOCKED)
    if "META-INF/encryption.xml" in names:
        methods = [each for each in _xml(archive, "META-INF/encryption.xml").iter() if _tag(each) == "EncryptionMethod"]
        if any(each.get("Algorithm") not in _FONTS for each in methods):
            raise Rejected(_LOCKED)


def _xml(archive: zipfile.ZipFile, name: str) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        tree: Element = fromstring(unpacked(archive, name, _MOST_CHAPTER, "EPUB"))
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        if isinstance(error, KeyError):
            raise
        raise Rejected("not a readable EPUB (damaged)") from error
    return tree


def _text(book: Element, name: str) -> str:
    return next((each.text or "" for each in book.iter() if _tag(each) == name), "")


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _resolved(folder: str, reference: str) -> str:
    """The name of a part in the archive, by a reference from `folder`. It is looked up there and nowhere else."""
    return posixpath.normpath(posixpath.join(folder, unquote(urlsplit(reference).path)))

"""What kind of document some bytes are: by their first bytes, their name, or what a server calls them."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from data.errors import Rejected
from data.models import DocumentKind
from ingest.zipped import OLD_OFFICE, OLE

SUFFIXES: dict[str, DocumentKind] = {
    ".pdf": "pdf",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".epub": "epub",
    ".srt": "subtitles",
    ".vtt": "subtitles",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp"), "image"),
}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_TYPES: dict[str, DocumentKind] = {
    "application/pdf": "pdf",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.presentationml.presentation": "pptx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/epub+zip": "epub",
    "text/vtt": "subtitles",
    "text/srt": "subtitles",
    "application/x-subrip": "subtitles",
    **dict.fromkeys((f"image/{form}" for form in ("png", "jpeg", "tiff", "webp", "gif", "bmp")), "image"),
}
_ZIPPED: tuple[DocumentKind, ...] = ("docx", "pptx", "xlsx", "epub")
_PART = re.compile(rb"PK\x03\x04.{26}(word|ppt|xl)/", re.DOTALL)  # a part of an Office file, by its folder
_PARTS: dict[bytes, DocumentKind] = {b"word": "docx", b"ppt": "pptx", b"xl": "xlsx"}
_PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF....WEBP|BM.{4}\0{4}", re.DOTALL)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
READ = "PDF, HTML, Markdown, text, DOCX, PPTX, XLSX, CSV, EPUB, subtitles (SRT, VTT) and images"
_READ = f"{READ} are read"


def kind_of(name: str, head: bytes, content_type: str = "") -> DocumentKind:
    """The kind of a document from its name or URL, its first 4 kB, and the content type a server gave.

    Content wins where it is unmistakable (PDF, Office, EPUB), then the server's word, then the suffix, then a look
    at the bytes. Raises Rejected for what none of the readers takes.
    """
    if b"%PDF-" in head[:1024]:
        return "pdf"
    suffix = PurePosixPath(urlsplit(name).path if "://" in name else name).suffix.lower()
    served = _TYPES.get(content_type)
    by_suffix = SUFFIXES.get(suffix)
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head, by_suffix, served)
    if _PICTURE.match(head):
        return "image"
    if head.startswith(OLE):
        raise Rejected(OLD_OFFICE)
    if head.removeprefix(_BOMS[0]).startswith((b"WEBVTT\n", b"WEBVTT\r", b"WEBVTT ")):
        return "subtitles"
    if served and not (served == "text" and by_suffix):
        return served
    if by_suffix:
        return by_suffix
    if content_type and not content_type.startswith("text/") and content_type != "application/octet-stream":
        raise Rejected(f"is {content_type}, which can't be read ({_READ})")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in head):
        return "html"
    if start.startswith((b"<?xml", b"<rss", b"<feed", b"<urlset", b"<sitemapindex")):
        raise Rejected("an XML file; a blog's feed or sitemap is known by an address such as /feed or /sitemap.xml")
    if head.startswith(_BOMS) or b"\0" not in head:
        return "text"
    raise Rejected(f"of an unknown type ({_READ})")


def _zipped(head: bytes, by_suffix: DocumentKind | None, served: DocumentKind | None) -> DocumentKind:
    """The kind of a zip archive. An EPUB's first part says so; an Office file's first parts may be of any."""
    if b"mimetypeapplication/epub+zip" in head[:120]:
        return "epub"
    if part := _PART.search(head):
        return _PARTS[part[1]]
    for kind in (by_suffix, served):
        if kind in _ZIPPED:
            return kind
    if b"[Content_Types].xml" in head:
        return "docx"
    raise Rejected(f"a zip archive, not a document: unpack it first ({_READ})")

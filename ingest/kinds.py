"""What kind of document some bytes are: by their first bytes, their name, or what a server calls them."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from data.errors import Rejected
from data.models import DocumentKind

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
}
_TYPES: dict[str, DocumentKind] = {
    "application/pdf": "pdf",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_READ = "PDF, HTML, Markdown, text and DOCX are read"


def kind_of(name: str, head: bytes, content_type: str = "") -> DocumentKind:
    """The kind of a document from its name or URL, its first 4 kB, and the content type a server gave.

    Content wins where it is unmistakable (PDF, DOCX), then the server's word, then the suffix, then a look at the
    bytes. Raises Rejected for what none of the readers takes.
    """
    if b"%PDF-" in head[:1024]:
        return "pdf"
    suffix = PurePosixPath(urlsplit(name).path if "://" in name else name).suffix.lower()
    if head.startswith(b"PK\x03\x04"):
        if b"word/" in head or suffix == ".docx" or b"[Content_Types].xml" in head:
            return "docx"
        raise Rejected(f"a zip archive, not a document: unpack it first ({_READ})")
    served = _TYPES.get(content_type)
    by_suffix = SUFFIXES.get(suffix)
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

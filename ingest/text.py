"""Plain text, in whatever encoding it comes."""

import codecs
import re
from itertools import pairwise
from pathlib import Path

from data.encoding import guess_encoding
from data.errors import Empty, Rejected
from data.models import Document
from ingest.clean import join_pages
from ingest.quality import garbage, sanitise
from ingest.titles import stem_title

_MOST_BYTES = 20_000_000
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(source: str, content: Path | bytes, charset: str = "") -> Document:
    """A plain text file as a document. Raises Rejected for binary data, Empty where there is nothing in it."""
    text = decode(content, charset)
    joined = join_pages([text]).text if is_wrapped(text) else sanitise(text).strip()
    return checked(Document(source, "text", joined, title=stem_title(source)))


def checked(document: Document) -> Document:
    """`document`, if a person could read it. Raises Empty or Rejected."""
    if not document.text.strip():
        raise Empty("no text in it")
    if reason := garbage(document.text):
        raise Rejected(reason)
    return document


def read_bytes(content: Path | bytes, most: int) -> bytes:
    """The bytes of a source. Raises Rejected above `most` bytes."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            content = file.read(most + 1)
    if len(content) > most:
        raise Rejected(f"larger than {most // 1_000_000} MB: split it")
    return content


def decode(content: Path | bytes, charset: str = "") -> str:
    """Text from bytes: by byte order mark, as UTF-8, as the server said, else as its letters tell."""
    data = read_bytes(content, _MOST_BYTES)
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if b"\0" in data[:4096]:
        for name in ("utf-16-le", "utf-16-be"):
            half = data[:4096][1 if name.endswith("le") else 0 :: 2]
            if half and half.count(0) > 0.7 * len(half):
                return data.decode(name, "replace")
        if data[:4096].count(0) > 3:
            raise Rejected("binary data, not text")
    for name in filter(None, ("utf-8", charset)):
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    damaged = data.decode("utf-8", "replace")
    if damaged.count("\ufffd") < 0.2 * sum(map(len, _BEYOND_ASCII.findall(damaged))):
        return damaged  # UTF-8 with a few broken bytes
    return data.decode(guess_encoding(data), "replace")


def is_wrapped(text: str) -> bool:
    """Whether line ends lie inside sentences, as in mail or Gutenberg texts."""
    lines = [line.strip() for line in text[:50_000].split("\n")]
    pairs = [(one, two) for one, two in pairwise(lines) if one and two]
    inside = sum(len(one) > 40 and two[0].islower() and one[-1] not in ".!?:" for one, two in pairs)
    return len(pairs) >= 3 and inside > 0.3 * len(pairs)

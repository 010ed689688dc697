"""Titles and dates worth showing, out of metadata that often isn't."""

import re
from datetime import date
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ingest.quality import sanitise

_WORTHLESS = re.compile(
    r"(?:untitled.*|\(?(?:anonymous|unspecified|unknown|none|null|title)\)?|(?:document|slide|presentation|sheet|page|doc|file|scan|"
    r"new\ (?:microsoft|document).*|powerpoint\ presentation|pdf)\s*\d*|microsoft\ (?:word|powerpoint|excel)\s*-?.*|"
    r".*\.(?:docx?|pdf|pptx?|xlsx?|txt|html?|md|tex|dvi|indd|qxd|rtf|odt|pages|pmd|fm|ps|eps|tiff?|jpe?g|png)|"
    r"[a-z]:\\.*|(?:file|https?)://\S*|/\S+/\S*|[\d\W_]+|[0-9a-f-]{16,})",
    re.IGNORECASE | re.VERBOSE,
)
_NOBODY = re.compile(
    r"administrator|admin|user|owner|unknown|author|anonymous|python-docx|openpyxl|root|\w+\(0x\w+\)|\S+@\S+", re.I
)
_HEX = re.compile(r"(?=.*\d)[0-9a-f]{6,}", re.IGNORECASE)
_PDF_DATE = re.compile(r"D?:?\s*(\d{4})(\d{2})?(\d{2})?")
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?")


def clean_title(title: str) -> str:
    """`title` on one line, at most 200 characters; empty where it isn't worth showing (a file name, "untitled")."""
    title = " ".join(sanitise(title).split())
    if len(title) < 2 or _WORTHLESS.fullmatch(title) or "\ufffd" in title:
        return ""
    return title if len(title) <= 200 else title[:199].rsplit(" ", 1)[0] + "…"


def clean_author(author: str) -> str:
    """`author` on one line, at most 200 characters; empty where it is a program's or an account's default."""
    author = " ".join(sanitise(author).split())[:200]
    return "" if not any(c.isalpha() for c in author) or _NOBODY.fullmatch(author) else author


def stem_title(source: str) -> str:
    """A title from a file name of words ("2022_Q3_AAPL" is "2022 Q3 AAPL"); empty for ids that aren't words."""
    path = unquote(urlsplit(source).path) if "://" in source else source
    stem = PurePosixPath(path.replace("\\", "/")).stem
    words = " ".join(re.split(r"[\s_+]+|(?<=[^\W\d])-(?=[^\W\d])|--+", stem)).strip(" -.")
    letters = sum(c.isalpha() for c in words)
    wordy = any(len(re.sub(r"\W|\d", "", word)) >= 3 and not _HEX.fullmatch(word) for word in words.split())
    if not wordy or letters < 0.4 * len(words) or _HEX.fullmatch(words.replace("-", "").replace(" ", "")):
        return ""
    if " " not in words and any(c.isdigit() for c in words) and re.search(r"\d[a-z]+\d|[a-z]\d+[a-z]", words.lower()):
        return ""  # one run of letters and digits: an id
    return sanitise(words)[:200]


def day(value: object) -> str:
    """An ISO 8601 day from a date, an ISO date-time or a PDF date ("D:20231121…"); empty where there is none."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    text = str(value or "").strip()
    match = _ISO_DATE.match(text) or _PDF_DATE.match(text)
    if match is None:
        return ""
    year, month, of_month = (int(part) if part else 1 for part in match.groups())
    try:
        return date(year, month, of_month).isoformat() if 1900 <= year <= 2100 else ""
    except ValueError:
        return ""

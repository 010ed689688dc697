"""What of a passage can be quoted: its sentences, list items and table rows, and what each stands under."""

# ruff: noqa: E501 (patterns read better whole)

import re
from collections.abc import Iterator
from dataclasses import dataclass

from data.sentences import sentences

LONGEST = 80  # words that are still quoted
HEADING_WORDS, ROW_WORDS, RUN_IN_WORDS = 12, 24, 4
CAPTION_WORDS = 14
SHORT_ITEM = 40  # words of a list item that is quoted whole, its question and its answer together

_WORD = re.compile(r"\w+(?:[’'-]\w+)*")
_BULLET = re.compile(r"(?:[-–—•·▪◦‣*+→]|\(?\d{1,2}[.)]|\(?[a-h][.)])\s+")
_ENDED = re.compile(r"[.!…。！।]['\"”’»)\]]*$")
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|table|image|photo|picture|source|credit|listing|plot|chart|caption)\s*(?:\d|by\b|:|from\b|credit)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[{}]|^(?>.*?\w\()(?>.*\))\s*$|^\s*(?:import|from|def|class|return|print|pip|sudo|git|\$|>>>|#include)\b|\w=\S{1,80},\s{0,9}\w{1,60}=|\w[._]\w{1,60}\s{0,9}=|;\s*$|```|^\s*[$#>]\s"
)
# Speaks of another page or to another reader: true where it stands, not in a reply.
_SIGNPOST = re.compile(
    r"\b(?:(?:previous|next|last|first|future|upcoming|past|earlier|other|this) (?:\w+ )?(?:articles?|posts?|blogs?|videos?|series|section|chapter|page)\b|see (?:figure|table|section|page|below|above)|(?:shown|listed|given|see|described) (?:below|above)|image by author|table of contents|click here|sign up|subscribe|read more|follow me|\d+ min read|towardsdatascience|medium\.com)",
    re.IGNORECASE,
)
_FOOTER = re.compile(r"\s[·•|]\s|©|\ball rights reserved\b|\bpage \d+\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b\d{1,2}(?:st|nd|rd|th)? [A-Z][a-z]{2,8},? (?:19|20)\d\d\b|\b[A-Z][a-z]{2,8} \d{1,2},? (?:19|20)\d\d\b"
)
_MARK = re.compile(
    r"(?: ?\[\d{1,3}(?:, ?\d{1,3}){0,20}\]){1,20}(?=[\s.,;:)]|$)"
)  # the document's own "[8][19]" leads nowhere here
_GLUED = re.compile(r"(?<=\w)\*\*(?=\w)")  # emphasis whose space is inside it
_SPACED = re.compile(r" ([,.;:!?])(?=\s|$)")  # left by emphasis or by a tokenizer
# A caption or a title with a full stop: begins as one and has no verb that is seen.
_CAPTIONED = re.compile(
    r"(?:(?:An?|The|Some|My|Our) )?(?:(?:simple|basic|brief|high-level|quick|general|visual) )?"
    r"(?:(?:step|level|part|trick|tip|idea|problem|use case|chapter) \d+|comparison|overview|outline|example|illustration|definition|design|diagram|plot|chart|graph|picture|screenshot|image|summary|list|\w+ing)\b",
    re.IGNORECASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|be|been|am|has|have|had|do|does|did|can|could|will|would|shall|should|may|might|must|need|needs|let|lets|\w+n['’]t|\w+['’](?:s|re|ve|ll|d)|\w{3,}ed|"
    r"gives?|takes?|makes?|means?|shows?|uses?|works?|helps?|keeps?|gets?|puts?|comes?|goes|says?|tells?|allows?|requires?|depends?|costs?|becomes?|begins?|starts?|stops?|runs?|ends?|lies|lets|wants?|"
    r"brings?|leads?|turns?|holds?|stands?|sits?|beats?|cuts?|hits?|sets?|made|took|gave|got|went|came|said|told|found|kept|left|held|built|began|became|ran|won|lost|sold|cost|brought|thought|wrote)\b",
    re.IGNORECASE,
)
_ROW = re.compile(r"\s\|\s|\t")
# A cell that begins with a figure, and is no year: a row of such goes on with a table whose names stand elsewhere.
_DATUM = re.compile(r"(?:^|[|\t])[^\S\t]*[-+~(]?[$€£]?(?!(?:19|20)\d\d\s*(?:[|\t]|$))\d")
_FIGURE = re.compile(r"\d+(?:[.,:–-]\d+)*")
_SETTING = re.compile(
    r"[A-Za-z][\w.-]*(?: [\w.-]+){0,2}\s*[:=]\s*(['\"]?)[\w.,/$€£%+-]+(?: [\w.-]+)?\1"
)  # chunk_size = 256
_SECTION = re.compile(r"(?:[A-Z]|\d+(?:\.\d+)*)\.? [A-Z]")  # "E Questions: roasting" is a heading, and no setting


@dataclass(frozen=True)
class Unit:
    """A piece of a passage: `text[start:end]`."""

    start: int
    end: int
    place: int  # among its passage's units
    kind: str  # "sentence", "item", "row" or "heading"; a heading is never quoted
    heading: str  # the heading line it stands under in the passage, or empty
    header: str = ""  # of a row: its table's first line, empty where that stands in another passage
    quotable: bool = True


def units(text: str) -> list[Unit]:
    """The pieces of `text` in order."""
    found: list[Unit] = []
    heading = header = ""
    in_table = False
    lines = list(_lines(text))
    for nth, (begin, line) in enumerate(lines):
        bullet = _BULLET.match(line)
        if _ROW.search(line):
            row = usable_row(line)
            names = not in_table and not _DATUM.search(line)
            found.append(Unit(begin, begin + len(line), len(found), "row", heading, header, row and not names))
            header, in_table = (line if names else header), True
            continue
        header, in_table = "", False
        if bullet:
            start, body = begin + bullet.end(), line[bullet.end() :]
            if len(_WORD.findall(body)) <= SHORT_ITEM:
                found.append(Unit(start, start + len(body), len(found), "item", heading, "", usable_item(body)))
                continue
        elif not _ENDED.search(line) and line[-1] not in ":,;":
            words = len(_WORD.findall(line))
            beside = [lines[at][1] for at in (nth - 1, nth + 1) if 0 <= at < len(lines)]
            setting = _SETTING.fullmatch(line) and not _SECTION.match(line)
            dense = bool(setting) or (words <= ROW_WORDS and _table_line(line, beside))
            if dense or words <= HEADING_WORDS:
                heading = heading if dense else line.strip("*_# ")
                kind = "row" if dense else "heading"
                found.append(Unit(begin, begin + len(line), len(found), kind, heading, "", dense))
                continue
        offset = bullet.end() if bullet else 0
        under = heading
        for start, end in sentences(line[offset:]):
            start, end = begin + offset + start, begin + offset + end
            found.append(Unit(start, end, len(found), "sentence", under, "", usable(text[start:end])))
            if under == heading and len(_WORD.findall(text[start:end])) <= RUN_IN_WORDS:
                under = f"{heading}: {text[start:end]}"  # "Brazil natural. Charge at 190 °C …"
    return found


def rendered(text: str, unit: Unit) -> str:
    """The unit as it reads in an answer: word for word, without reference marks; a table row has its column names."""
    quote = _SPACED.sub(r"\1", _MARK.sub("", _GLUED.sub(" ", text[unit.start : unit.end]).replace("**", "")))
    if unit.kind == "row" and _ROW.search(quote):
        cells, names = _cells(quote), _cells(unit.header)
        if len(cells) == len(names):
            first = cells[0] if re.search("[A-Za-z]{2}", cells[0]) else f"{names[0]} {cells[0]}".strip()  # "Day 10"
            cells = [first, *(f"{name} {cell}".strip() for name, cell in zip(names[1:], cells[1:], strict=True))]
        quote = f"{cells[0]}: " + ", ".join(cell for cell in cells[1:] if cell)
    return quote if unit.kind == "sentence" or _ENDED.search(quote) or quote.endswith("?") else quote + "."


def usable(sentence: str) -> bool:
    """Whether it can stand in an answer: a whole sentence of prose, no question, caption, code or fragment."""
    words = _WORD.findall(sentence)
    if not 4 <= len(words) <= LONGEST or not _ENDED.search(sentence):
        return False
    if len(words) <= CAPTION_WORDS and _CAPTIONED.match(sentence) and not _FINITE.search(sentence):
        return False
    return _clean(sentence) and _prose(sentence) >= 0.6 and sentence.count("“") == sentence.count("”")


def usable_item(item: str) -> bool:
    """Whether a list item or a line of a table can: figures or a few words, no question and no code."""
    words = _WORD.findall(item)
    return (
        not _FOOTER.search(item)
        and 3 <= len(words) <= LONGEST
        and item[-1] not in "?:"
        and _clean(item)
        and _prose(item) >= 0.4
    )


def _table_line(line: str, beside: list[str]) -> bool:
    """Whether a line without a full stop may be the row of a table whose columns were lost: a name, then figures.

    `beside`: the lines before and after it. One figure is enough where one of them looks the same.
    """
    if not line[0].isalpha() or _DATE.search(line) or not usable_item(line):
        return False
    alike = any(_FIGURE.search(other) and not _ENDED.search(other) for other in beside)
    return len(_FIGURE.findall(line)) >= 2 - alike


def usable_row(row: str) -> bool:
    return 2 <= len(_cells(row)) <= 8 and len(row) <= 240 and bool(re.search(r"\w", row)) and not _CODE.search(row)


def _clean(text: str) -> bool:
    first = text.lstrip("*_\"'“‘«($€£~")[:1]
    if not (first.isupper() or first.isdigit() or not first.isascii()):
        return False
    return not (_CAPTION.match(text) or _CODE.search(text) or "http" in text or _SIGNPOST.search(text))


def _prose(text: str) -> float:
    return sum(c.isalpha() or c.isspace() for c in text) / max(1, len(text))


def _cells(row: str) -> list[str]:
    return [cell.strip(" *_") for cell in re.split(r"\||\t", row.strip().strip("|"))]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line without surrounding white space) of each line with text."""
    at = 0
    for line in text.split("\n"):
        if stripped := line.strip():
            yield at + line.index(stripped[0]), stripped
        at += len(line) + 1

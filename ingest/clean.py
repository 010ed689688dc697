"""From the lines of a page layout to running text: headers and footers go, broken words and sentences are joined."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.quality import sanitise

_EDGE = 3  # lines at the top and bottom of a page that can be a header or footer
_BULLET = re.compile(r"(?:[•●▪■◦‣∙·○➢✓–—*-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)])\s+\S")
_DIGIT = re.compile(r"\d")
_NUMBERS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"\W*(?:page|seite|p\.)?\s*(\d{1,5})\s*(?:(?:of|von|/)\s*\d{1,5})?\W*", re.IGNORECASE)
_ROW_END = re.compile(r"(?:\d\)?%?|\s[—–-])\s+(?:[$€£]\s*)?\(?(?:\d(?:[\d,.]*\d)?\)?%?|[—–-])$")
_SENTENCE_END = re.compile(r"[.!?:;。！？…][\"'”’)\]]*$")
_UNSPACED = re.compile("[\u2e80-\u312f\u31a0-\u9fff\uff00-\uff60]")  # Chinese and Japanese run on without spaces
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHEN = re.compile("(\\S*?)\u00ad(\\S*)")  # pdfium writes U+FFFE for a hyphen at a line end
_KEEPS_HYPHEN = re.compile(  # before a hyphen, a word of its own: "long-term", "self-service"
    "self|well|non|long|short|high|low|mid|multi|cross|ex|all|half|full|part|third|first|second|one|two|three|four|five|six|"
    "ten|real|time|up|co|pre|post|anti|semi|quasi|so|fine|large|small"
)
_CLUTTER = re.compile(
    r"""(?:open\ in\ app|sign\ (?:up|in)|log\ ?in|get\ (?:the\ app|started|unlimited\ access)|member[- ]only\ story|
    listen|share|share\ this(?:\ (?:post|article|story))?:?|share\ on\ \w+|
    (?:click\ to\ )?(?:tweet|pin\ it|e?mail|print)(?:\ this)?|
    save|follow(?:ing)?|subscribe|bookmark|copy\ link|write|clap|\d+\ claps?|\d+\ responses?|more\ from\ medium|
    recommended\ from\ medium|press\ enter\ or\ click\ to\ view\ image\ in\ full\ size|top\ highlight|
    (?:\d+\ min(?:ute)?s?\ read)|read\ more|leave\ a\ (?:comment|reply)|skip\ to\ (?:main\ )?content|advertisement|
    help\ ?status\ ?(?:about\ ?)?careers?.*|about\ help\ terms\ privacy|
    (?:facebook|twitter|linkedin|pinterest|reddit|whatsapp|telegram|e-?mail)(?:[\s|·,/]+(?:facebook|twitter|x|linkedin|
    pinterest|reddit|whatsapp|telegram|e-?mail|print|copy\ link))*)[.!]?""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Joined:
    """Pages as one text: a paragraph a line, and where each page begins in it."""

    text: str
    page_starts: tuple[int, ...]  # one a page, ascending; an empty page begins where the next one does


def is_clutter(line: str) -> bool:
    """Whether a line is a button or label of a blog's page ("Open in app", "Member-only story", a share bar)."""
    return len(line) < 80 and _CLUTTER.fullmatch(line.strip()) is not None


def join_pages(pages: Sequence[str]) -> Joined:
    """Clean the raw text of `pages` and join it, so that sentences run across pages.

    Lines of a paragraph are joined with spaces; list items, table rows and headings keep their line; a blank line
    separates paragraphs where the layout shows it.
    """
    raw = [_keep_hyphen_marks(page) for page in pages]
    lines = [[" ".join(line.split()) for line in page.split("\n")] for page in raw]
    lines = _without_running_heads(lines)
    clutter = {line for page in lines for line in page if is_clutter(line)}
    if len(clutter) < 3:  # no printed blog: "Share" or "Email" alone may well be a column of a table
        clutter = {line for line in clutter if " " in line}
    broken = any("\u00ad" in line or line.endswith("-") for page in lines for line in page)
    words = Counter(word.lower() for page in lines for line in page for word in _WORD.findall(line) if broken)
    pieces: list[str] = []
    length = 0
    starts: list[int] = []
    previous = ""
    blank = False
    for page in lines:
        width = _width(page)
        started = False
        for line in page:
            if not line or line in clutter:
                blank = blank or not line
                continue
            if "\u00ad" in line:
                line = _HYPHEN.sub(lambda match: _rejoin(match.group(1), match.group(2), words), line)
            glue = _glue(previous, line, width, blank) if pieces else ""
            if glue == "-":  # the last word goes on in this line
                head, tail = pieces[-1].rpartition(" ")[2], line.split(" ", 1)[0]
                if _rejoin(head[:-1], tail, words)[len(head) - 1] != "-":
                    pieces[-1] = pieces[-1][:-1]
                    length -= 1
                glue = ""
            pieces += [glue, line] if glue else [line]
            length += len(glue)
            if not started:
                starts.append(length)
                started = True
            length += len(line)
            previous, blank = line, False
        if not started:
            starts.append(-1)
    text = "".join(pieces)
    following = len(text)
    for index in range(len(starts) - 1, -1, -1):
        following = starts[index] = starts[index] if starts[index] >= 0 else following
    return Joined(text, tuple(starts))


def _keep_hyphen_marks(page: str) -> str:
    return sanitise(page.replace("\ufffe", "\u00ad").replace("\x02", "\u00ad"))


def _width(page: list[str]) -> int:
    """The length in characters of a full line on this page: the third longest, as a title or two may stick out."""
    lengths = sorted(map(len, page), reverse=True)
    return lengths[min(2, len(lengths) - 1)] if lengths else 0


def _glue(previous: str, line: str, width: int, blank: bool) -> str:
    """What to put between two lines: a space or nothing, a line end, a blank line, or "-" to mend a broken word."""
    first = line.split(" ", 1)[0]
    continues = line[0].islower()
    if previous[-1] == "-" and len(previous) > 1 and previous[-2].isalpha() and continues:
        return "-"
    if blank and not (continues and previous[-1] not in ".!?:"):
        return "\n\n"
    if _is_row(previous) or _is_row(line) or _BULLET.match(line):
        return "\n"
    full = len(previous) + 1 + len(first) >= 0.8 * width and width >= 30
    ended = _SENTENCE_END.search(previous) is not None
    if full or (continues and not ended):
        return "" if _UNSPACED.match(previous[-1]) and _UNSPACED.match(line) else " "
    return "\n\n" if ended and len(previous) > 40 else "\n"


def _is_row(line: str) -> bool:
    """Whether a line looks like a table row: numbers make up much of it, or two stand at its end."""
    if _DIGIT.search(line) is None:
        return False
    tokens = line.split(" ")
    numeric = sum(_DIGIT.search(token) is not None for token in tokens)
    if numeric == len(tokens) or (numeric >= 2 and numeric >= 0.4 * len(tokens)):
        return True
    return numeric >= 2 and _ROW_END.search(line) is not None


def _rejoin(left: str, right: str, words: Counter[str]) -> str:
    """`left` and `right`, the halves around a line-end hyphen, as the document writes that word elsewhere."""
    head, tail = _WORD.findall(left), _WORD.match(right)
    if not head or tail is None or not left[-1].isalpha() or not tail.group()[0].islower():
        return f"{left}-{right}"
    before, after = head[-1].lower(), tail.group().lower()
    if before.isupper() or "-" in before:
        return f"{left}-{right}"
    whole, compound = words[before + after], words[f"{before}-{after}"]
    if whole or compound:
        return left + right if whole >= compound else f"{left}-{right}"
    both_words = len(before) > 3 and len(after) > 3 and words[before] and words[after] > 1
    return f"{left}-{right}" if _KEEPS_HYPHEN.fullmatch(before) or both_words else left + right


def _without_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """`pages` without the lines that repeat at the top or bottom of pages, and without page numbers."""
    if len(pages) < 3:
        return pages
    edges = [_edge_lines(page) for page in pages]
    seen: Counter[tuple[int, str]] = Counter()
    numbers: Counter[tuple[int, int]] = Counter()
    for number, edge in enumerate(edges):
        seen.update({(side, _key(pages[number][at])) for side, at in edge})
        numbers.update(
            {(side, value - number) for side, at in edge if (value := _page_number(pages[number][at])) is not None}
        )
    needed = max(3, min(0.3 * len(pages), 12))
    counting = _counting_lines(pages)
    cleaned = []
    for number, (page, edge) in enumerate(zip(pages, edges, strict=True)):
        drop = set()
        for side, at in edge:
            value = _page_number(page[at])
            repeated = numbers[side, value - number] if value is not None else seen[side, _key(page[at])]
            if repeated >= needed:
                drop.add(at)
        cleaned.append([line for at, line in enumerate(page) if at not in drop and _key(line) not in counting])
    before, after = (sum(len(line) for page in side for line in page) for side in (pages, cleaned))
    return cleaned if after > 0.5 * before else pages  # more than heads and feet repeats: forms, slides, a log


def _counting_lines(pages: list[list[str]]) -> set[str]:
    """Keys of lines whose last number counts up through the document, about one a page, wherever they stand.

    A browser's print of a paged report has the report's own footers in mid-page ("Form 10-Q | 22").
    """
    last: dict[str, list[int]] = {}
    for page in pages:
        for line in page:
            if len(line) < 120 and line and line[-1].isdigit() and any(c.isalpha() for c in line):
                last.setdefault(_key(line), []).append(int(_NUMBERS.findall(line)[-1][:9]))
    return {
        key
        for key, values in last.items()
        if len(values) >= max(5, 0.5 * len(pages))
        and sum(b == a + 1 for a, b in pairwise(values)) >= 0.8 * (len(values) - 1)
    }


def _edge_lines(page: list[str]) -> list[tuple[int, int]]:
    """`(side, index)` of the first and last lines of a page: side 0 is the top, 1 the bottom."""
    filled = [at for at, line in enumerate(page) if line]
    below = min(_EDGE, len(filled) // 2)
    top = [(0, at) for at in filled[: min(_EDGE, len(filled) - below)]]
    return top + [(1, at) for at in filled[len(filled) - below :]]


def _key(line: str) -> str:
    """A line for comparison: digits don't count, unless digits are what it is made of (a table row)."""
    if _is_row(line):
        return line
    return _NUMBERS.sub("#", line).casefold()


def _page_number(line: str) -> int | None:
    match = _PAGE_NUMBER.fullmatch(line)
    return int(match.group(1)) if match else None

"""The text of a passage as HTML: quotes marked, pages named, rows of a table as a table. The text itself is data."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from bot.page.markup import text_html

_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"[\s|:+-]+")  # the line under a Markdown table's head
_BOLD = re.compile(r"(?<![\w*])\*\*(?=\S)[^\n*]+(?<=\S)\*\*(?![\w*])")  # as in Markdown
_AROUND = re.compile(r"\n+(?=<div class=\"sg-table\")|(?<=</table></div>)\n+")  # a table keeps its own distance

Span = tuple[int, int]  # from, to: characters of the passage


@dataclass(frozen=True)
class _Line:
    start: int
    end: int  # with its line end
    cells: tuple[Span, ...]  # none where it is no row of a table
    page: int  # where in the text its page begins


def passage_html(text: str, quotes: Sequence[str], pages: Sequence[tuple[int, str]] = ()) -> str:
    """`text` with the `quotes` in it marked, and its tables (lines of cells with | between them) drawn.

    `pages` are (offset, what the page is called), ascending; where there are several, each is named where it begins.
    """
    marked = _merged((start, start + len(quote)) for quote in quotes if quote and (start := text.find(quote)) >= 0)
    named = {offset: page for offset, page in pages if page} if len(pages) > 1 else {}
    breaks = sorted(named)
    parts: list[str] = []
    for (place, width), group in groupby(_lines(text, breaks), key=lambda line: (line.page, len(line.cells))):
        lines = list(group)
        if place in named:
            parts.append(f'<span class="sg-page">{text_html(named.pop(place))}</span>')
        if width < 2 or (len(lines) == 1 and not _is_framed(text, lines[0])):  # one bar in prose makes no table
            parts.append(_marked(text, (lines[0].start, lines[-1].end), marked))
        else:
            parts.append(_table(text, lines, marked))
    return _AROUND.sub("", "".join(parts))


def plain(line: str) -> str:
    """A line without Markdown's marks, to compare it with others."""
    return line.replace("**", "").strip("# \t").casefold()


def _lines(text: str, breaks: Sequence[int]) -> Iterator[_Line]:
    """The lines of `text`; one with a page's beginning in it (`breaks`) is two."""
    start, cuts = 0, {0, *breaks}
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        inner = [cut for cut in breaks if start < cut < end]
        for left, right in pairwise([start, *inner, end]):
            page = max(cut for cut in cuts if cut <= left)
            yield _Line(left, right, _cells(text, left, left + len(text[left:right].rstrip())), page)
        start = end


def _cells(text: str, start: int, end: int) -> tuple[Span, ...]:
    bars = [match.start() for match in _BAR.finditer(text, start, end)]
    if not bars:
        return ()
    edges = [start - 1, *bars, end]
    spans = [(left + 1, right) for left, right in pairwise(edges)]
    if not text[slice(*spans[0])].strip():  # a bar before the first cell, or behind the last
        spans = spans[1:]
    if len(spans) > 1 and not text[slice(*spans[-1])].strip():
        spans = spans[:-1]
    return tuple(spans)


def _is_framed(text: str, line: _Line) -> bool:
    said = text[line.start : line.end].strip()
    return said.startswith("|") and said.endswith("|")


def _table(text: str, lines: Sequence[_Line], marked: Sequence[Span]) -> str:
    rows = []
    for line in lines:
        if not _RULE.fullmatch(text[line.start : line.end]):
            cells = "".join(f"<td>{_marked(text, cell, marked).strip()}</td>" for cell in line.cells)
            rows.append(f"<tr>{cells}</tr>")
    return f'<div class="sg-table"><table><tbody>{"".join(rows)}</tbody></table></div>'


def _marked(text: str, span: Span, marked: Sequence[Span]) -> str:
    """The part `span` of `text`, with what is marked of it."""
    at, end = span
    parts = []
    for start, stop in marked:
        start, stop = max(start, at), min(stop, end)
        if start < stop:
            parts.append(_said(text, at, start))
            said = _said(text, start, stop)
            parts.append(f"<mark>{said}</mark>" if text[start:stop].strip() else said)
            at = stop
    return "".join([*parts, _said(text, at, end)])


def _said(text: str, start: int, end: int) -> str:
    """This part of `text`, without the asterisks around what is bold in Markdown."""
    stars = _stars(text)
    return text_html("".join(text[at] for at in range(start, end) if at not in stars))


@lru_cache(maxsize=4)
def _stars(text: str) -> frozenset[int]:
    edges = (at for match in _BOLD.finditer(text) for at in (match.start(), match.end() - 2))
    return frozenset(at + nth for at in edges for nth in (0, 1))


def _merged(spans: Iterator[Span]) -> list[Span]:
    """The spans in order, those that overlap as one."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged

"""Documents into chunks that fit the embedding model's window: by headings, paragraphs, sentences."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from data.models import Chunk, Document
from data.sentences import sentences
from ingest.prefixes import SPECIAL, Counter, Prefixes

_TARGET = 200  # tokens a chunk should have, prefix and special tokens included
_PREFIX = 32  # tokens of title and headings at most
# What it costs to end a chunk at a boundary, against ((tokens - target) / target)² for its size.
_SECTION, _PARAGRAPH, _LINE, _SENTENCE, _INSIDE = 0.0, 0.08, 0.14, 0.2, 0.6
_CROSSED = 0.25  # what it costs to hold a heading below the top in the middle of a chunk
_SMALL = 0.6  # extra cost of a chunk under 30 tokens
_STRETCH = 20_000  # characters whose sentences are found and counted at a time
_RUN = 2_000  # sentences that are packed at a time: some 200 chunks, more only in tables


@dataclass(frozen=True)
class _Atom:
    """What is never split further: a sentence, or a piece of one that is longer than a chunk may be."""

    start: int
    end: int
    tokens: int
    before: float  # cost of a chunk boundary in front of it
    section: int  # index into the headings, -1 before the first


def split(document: Document, count_tokens: Counter, max_tokens: int) -> list[Chunk]:
    """The chunks of `document`, all at once: see `cut`."""
    return list(cut(document, count_tokens, max_tokens))


def cut(document: Document, count_tokens: Counter, max_tokens: int) -> Iterator[Chunk]:
    """The chunks of `document` in order, as they are made; every non-space character lies in exactly one.

    `count_tokens` gives the embedding model's tokens of texts, its special tokens included. The `embedded_text` of
    every chunk has at most `max_tokens` of them. Chunks never cross headings of the document's top level.
    """
    prefixes = Prefixes(document, count_tokens, min(_PREFIX, max_tokens // 4))
    window = max_tokens - SPECIAL - prefixes.longest
    for group in _groups(_atoms(document, count_tokens, window), document):
        pieces = [  # start, end, heading path
            (group[first].start, group[last - 1].end, prefixes.path(group[first].section, group[last - 1].section))
            for first, last in _pack(group, window)
        ]
        yield from _finish(pieces, document, prefixes, count_tokens, max_tokens)


def _finish(
    pieces: list[tuple[int, int, str]], document: Document, prefixes: Prefixes, count_tokens: Counter, max_tokens: int
) -> list[Chunk]:
    """Chunks from pieces; any whose real count exceeds the window is halved until it fits."""
    text = document.text
    chunks: dict[int, Chunk] = {}
    while pieces:
        embedded = [prefixes.of(path) + text[start:end] for start, end, path in pieces]
        counts = count_tokens(embedded)
        again: list[tuple[int, int, str]] = []
        for (start, end, path), whole, tokens in zip(pieces, embedded, counts, strict=True):
            if tokens > max_tokens and end - start > 1:
                middle = _middle(text, start, end)
                again += [(a, b, path) for a, b in (_trim(text, start, middle), _trim(text, middle, end)) if a < b]
            else:
                starts = document.page_starts
                inner = starts[bisect_right(starts, start) : bisect_left(starts, end)]
                breaks = tuple(at - start for at in inner)
                chunks[start] = Chunk(text[start:end], path, *_pages(document, start, end), tokens, whole, breaks)
        pieces = again
    return [chunks[start] for start in sorted(chunks)]


def _pages(document: Document, start: int, end: int) -> tuple[int | None, int | None]:
    starts = document.page_starts
    if not starts:
        return None, None
    return max(1, bisect_right(starts, start)), max(1, bisect_right(starts, end - 1))


def _atoms(document: Document, count_tokens: Counter, window: int) -> Iterator[_Atom]:
    """The document as sentences with their token counts; those of a stretch are counted in one call."""
    text = document.text
    cuts = [heading.offset for heading in document.headings]
    previous = 0
    last_section: int | None = None
    for spans in _stretches(text):
        spans = _cut_at(spans, cuts, text)
        counts = [count - SPECIAL for count in count_tokens([text[start:end] for start, end in spans])]
        for (start, end), tokens in zip(spans, counts, strict=True):
            section = bisect_right(cuts, start) - 1
            gap = text[previous:start]
            if last_section is not None and section != last_section:
                before = _SECTION
            elif gap.count("\n") > 1:
                before = _PARAGRAPH
            else:
                before = _LINE if "\n" in gap else _SENTENCE
            previous, last_section = end, section
            if tokens <= window:
                yield _Atom(start, end, tokens, before, section)
                continue
            parts = _long(text, start, end, window)
            sizes = count_tokens([text[a:b] for a, b in parts])
            for (a, b), size in zip(parts, sizes, strict=True):
                yield _Atom(a, b, max(1, size - SPECIAL), before, section)
                before = _INSIDE


def _stretches(text: str) -> Iterator[list[tuple[int, int]]]:
    """The spans of the sentences of `text`, a stretch of whole lines at a time."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _STRETCH) + 1 or len(text)  # no sentence goes beyond a line's end
        yield [(start + a, start + b) for a, b in sentences(text[start:end])]
        start = end


def _cut_at(spans: list[tuple[int, int]], cuts: list[int], text: str) -> list[tuple[int, int]]:
    """`spans` with those that run over a heading's offset cut there."""
    result: list[tuple[int, int]] = []
    for start, end in spans:
        inner = cuts[bisect_right(cuts, start) : bisect_right(cuts, end - 1)]
        for a, b in zip([start, *inner], [*inner, end], strict=True):
            a, b = _trim(text, a, b)
            if a < b:
                result.append((a, b))
    return result


def _long(text: str, start: int, end: int, window: int) -> list[tuple[int, int]]:
    """Spans of a sentence longer than the window, cut at clauses, then words, then anywhere.

    A token covers a character or more, so a piece of `window / 2` characters fits for any language; packing joins
    small pieces again by their real counts.
    """
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=max(1, window // 2),
        chunk_overlap=0,
        separators=["; ", ", ", "、", "，", " ", ""],
        keep_separator="end",
        strip_whitespace=False,
    )
    spans = []
    at = start
    for piece in splitter.split_text(text[start:end]):
        at = text.index(piece, at, end)
        spans.append(_trim(text, at, at + len(piece)))
        at += len(piece)
    return [(a, b) for a, b in spans if a < b]


def _groups(atoms: Iterable[_Atom], document: Document) -> Iterator[list[_Atom]]:
    """Atoms by top-level section: the highest heading level of which there is more than one, or the highest.

    A section longer than `_RUN` atoms comes in several groups, so that no document is too long for the memory.
    """
    levels = [heading.level for heading in document.headings]
    repeated = [level for level in set(levels) if levels.count(level) > 1]
    top = min(repeated or levels, default=0)
    group: list[_Atom] = []
    section = -1
    for atom in atoms:
        opened = range(section + 1, atom.section + 1)
        if group and (len(group) >= _RUN or any(levels[index] <= top for index in opened)):
            yield group
            group = []
        group.append(atom)
        section = atom.section
    if group:
        yield group


def _pack(atoms: list[_Atom], window: int) -> list[tuple[int, int]]:
    """The cheapest way to cut a run of atoms into chunks of at most `window` tokens: spans of indices.

    Costs are the squared distance from the target size, plus what a boundary costs where the chunk ends: cutting
    between sentences is dearer than between paragraphs. Solved exactly, from left to right.
    """
    target = min(_TARGET - _PREFIX, window)
    best = [0.0] + [float("inf")] * len(atoms)
    origin = [0] * (len(atoms) + 1)
    for end in range(1, len(atoms) + 1):
        boundary = atoms[end].before if end < len(atoms) else _SECTION
        tokens = 0
        crossed = 0.0
        for start in range(end - 1, -1, -1):
            tokens += atoms[start].tokens
            if tokens > window and start < end - 1:
                break
            size = ((tokens - target) / target) ** 2 + (_SMALL if tokens < 30 else 0.0)
            cost = best[start] + size + boundary + crossed
            if cost < best[end]:
                best[end], origin[end] = cost, start
            if start and atoms[start].section != atoms[start - 1].section:
                crossed += _CROSSED
    spans: list[tuple[int, int]] = []
    end = len(atoms)
    while end:
        spans.append((origin[end], end))
        end = origin[end]
    return spans[::-1]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _middle(text: str, start: int, end: int) -> int:
    """Where to halve a span: at the white space nearest its middle, else in the middle."""
    half = (start + end) // 2
    space = text.rfind(" ", start + 1, half + 1)
    return space if space > start else max(start + 1, half)

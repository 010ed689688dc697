"""Blocks of a structured source (a heading, a paragraph, a list item, a table row), and their text in one piece."""

from collections.abc import Iterable
from dataclasses import dataclass

from data.models import Heading

_LONGEST_HEADING = 300  # characters


@dataclass(frozen=True)
class Block:
    """One line of a document's text."""

    text: str
    level: int = 0  # of a heading, 1 the highest; 0 for what isn't one
    tight: bool = False  # belongs right under the block before it: no blank line between them


def assemble(blocks: Iterable[Block]) -> tuple[str, tuple[Heading, ...]]:
    """The text of `blocks`, a blank line between those that aren't tight, and the headings at their offsets."""
    text, headings, _ = assemble_pages([blocks])
    return text, headings


def assemble_pages(pages: Iterable[Iterable[Block]]) -> tuple[str, tuple[Heading, ...], tuple[int, ...]]:
    """The same of several pages, with the offset where each begins; an empty one begins where the next one does."""
    pieces: list[str] = []
    headings: list[Heading] = []
    starts: list[int] = []
    empty = length = 0
    for blocks in pages:
        first = True
        for block in blocks:
            glue = "" if not pieces else "\n" if block.tight and not first else "\n\n"
            pieces += [glue, block.text]
            length += len(glue)
            if first:
                starts += [length] * (empty + 1)
                empty, first = 0, False
            if block.level:
                headings.append(Heading(length, block.level, block.text[:_LONGEST_HEADING]))
            length += len(block.text)
        empty += first
    return "".join(pieces), tuple(headings), (*starts, *[length] * empty)

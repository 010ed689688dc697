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
    pieces: list[str] = []
    headings: list[Heading] = []
    length = 0
    for block in blocks:
        glue = "" if not pieces else "\n" if block.tight else "\n\n"
        pieces += [glue, block.text]
        length += len(glue)
        if block.level:
            headings.append(Heading(length, block.level, block.text[:_LONGEST_HEADING]))
        length += len(block.text)
    return "".join(pieces), tuple(headings)

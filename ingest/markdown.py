"""Markdown: front matter, headings with levels, and marks reduced to the text they mark."""

import re
from html import unescape
from pathlib import Path
from typing import Any

from data.models import Document
from ingest.blocks import Block, assemble
from ingest.clean import is_clutter
from ingest.quality import sanitise
from ingest.text import checked, decode, is_wrapped
from ingest.titles import clean_author, clean_title, day, stem_title

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_QUOTE = re.compile(r"^(?: {0,3}> ?)+")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_BLOCK = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])\s+|\s{4,}\S|\s*\|")  # list items, code, table rows keep their line
_INDENTED = re.compile(r"(?:^(?: {4,}|\t)\S.*\n?){4,}", re.MULTILINE)
_RULE = re.compile(r"\s*(?:[-*_]\s*){3,}$|\s*\|?[\s:|-]*--[\s:|-]*$")
_TARGET = r"(?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\]]*\])"  # (url "title") or [reference]
_LINK = re.compile(rf"!?\[([^\[\]]*)\]{_TARGET}")
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:\s+\S+.*$")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^>\s]*)>")
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][a-zA-Z0-9-]*(?:\s[^<>]*)?/?>", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*_\\])(\*\*\*|___|\*\*|__|\*|_|~~)(?=\S)([^\n]{1,400}?)(?<=[^\s\\])\1(?![\w*_])")
_CODE_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])")


def read_markdown(source: str, content: Path | bytes, charset: str = "") -> Document:
    """A Markdown file as a document: front matter, headings with levels, marks reduced to the text they mark."""
    text = sanitise(decode(content, charset))
    meta: dict[str, Any] = {}
    if match := _FRONT_MATTER.match(text):
        meta = _front_matter(match.group(1))
        text = text[match.end() :]
    body, headings = assemble(_blocks(text))
    author = meta.get("author", meta.get("authors", ""))
    author = clean_author(", ".join(map(str, author)) if isinstance(author, list) else str(author or ""))
    title = clean_title(str(meta.get("title") or "")) or (headings[0].text if headings else "") or stem_title(source)
    document = Document(source, "markdown", body, title, author, day(meta.get("date")), headings=headings)
    return checked(document)


def _front_matter(block: str) -> dict[str, Any]:
    import yaml

    try:
        meta = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError):
        return {}
    return {str(key).lower(): value for key, value in meta.items()} if isinstance(meta, dict) else {}


def _blocks(text: str) -> list[Block]:
    """Markdown as plain blocks: paragraphs and headings on one line each, code and table rows line by line."""
    blocks: list[Block] = []
    paragraph: list[str] = []
    fence = ""
    blank = True

    def add(line: str, level: int = 0) -> None:
        nonlocal blank
        if line.strip():
            blocks.append(Block(line, level, tight=not (blank or level)))
            blank = level > 0

    def close() -> None:
        if paragraph:
            add(_inline(" ".join(paragraph)))
            paragraph.clear()

    for line in _INDENTED.sub(_unwrapped, _TAG.sub(_tag_text, text)).split("\n"):
        mark = _FENCE.match(line)
        if fence or mark:
            close()
            if mark and not fence:
                fence = mark.group(1)
            elif fence and line.strip() and not line.strip().strip(fence[0]) and len(line.strip()) >= len(fence):
                fence = ""
            else:
                add(line.rstrip())
            continue
        line = _QUOTE.sub("", line)
        if match := _HEADING.match(line):
            close()
            add(_inline(match.group(2)), len(match.group(1)))
        elif len(paragraph) == 1 and (under := _UNDERLINE.match(line)):
            add(_inline(paragraph.pop()), 1 if under.group(1)[0] == "=" else 2)
        elif not line.strip() or _RULE.match(line) or _DEFINITION.match(line):
            close()
            blank = blank or "|" not in line
        else:
            if _BLOCK.match(line) and not (paragraph and line.startswith("    ")):
                close()
            if not is_clutter(line):
                paragraph.append(line.strip() if paragraph else line.rstrip())
            if line.endswith(("  ", "\\")):
                close()
    close()
    return blocks


def _unwrapped(match: re.Match[str]) -> str:
    """An indented block as it is (code), or without its indent where it is wrapped prose (a quotation)."""
    block = match.group()
    return "\n".join(line.strip() for line in block.split("\n")) if is_wrapped(block) else block


def _inline(text: str) -> str:
    """One paragraph without its marks: links and images leave their text, code spans their code."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group(2).strip())
        return f"\x00{len(kept) - 1}\x00"

    text = _CODE_SPAN.sub(keep, text)
    for _ in range(2):  # a linked image is a link around another
        text = _LINK.sub(r"\1", text)
    text = _AUTOLINK.sub(r"\1", text)
    for _ in range(2):  # bold inside italics
        text = _EMPHASIS.sub(r"\2", text)
    text = _ESCAPE.sub(r"\1", text)
    text = re.sub(r"\x00(\d+)\x00", lambda match: kept[int(match.group(1))], text)
    return unescape(text).rstrip()


def _tag_text(match: re.Match[str]) -> str:
    """What an HTML tag leaves behind: a line end for a break or block, nothing for the rest."""
    name = match.group().lower().lstrip("</")
    return "\n" if name.startswith(("br", "p>", "p ", "div", "li", "/p", "tr", "h1", "h2", "h3")) else ""

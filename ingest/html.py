"""HTML pages: the main text by trafilatura, with headings, title, author and date."""

import re
from pathlib import Path
from typing import Any

from data.errors import Empty
from data.models import Document
from ingest.blocks import Block, assemble
from ingest.clean import is_clutter
from ingest.quality import sanitise
from ingest.text import checked, decode, read_bytes
from ingest.titles import clean_author, clean_title, day, stem_title

_MOST_BYTES = 10_000_000
_FEW = 100  # characters: less from trafilatura, and its other settings are tried
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_TIGHT = ("item", "row")
_BLOCKS = frozenset({"head", "p", "item", "row", "ab", "quote", "lb", "table", "list"})


def read_html(source: str, content: Path | bytes, charset: str = "") -> Document:
    """A web page as a document. Raises Empty where it has no text, Rejected where it is too large or garbage."""
    import trafilatura

    data = read_bytes(content, _MOST_BYTES)
    declared = _CHARSET.search(data[:4096])
    page = sanitise(decode(data, charset or (declared.group(1).decode() if declared else "")))
    page = page.replace("\u00ad", "")  # soft hyphens would cut words in two for a search
    if not page.strip():
        raise Empty("no text in it")
    found: Any = None
    blocks: list[Block] = []
    for recall in (False, True):
        found = trafilatura.bare_extraction(
            page,
            url=source if "://" in source else None,
            include_comments=False,
            with_metadata=True,
            favor_recall=recall,
        )
        blocks = _blocks(found.body) if found is not None and found.body is not None else []
        if sum(len(block.text) for block in blocks) >= _FEW:
            break
    text, headings = assemble(blocks or [Block(line) for line in _plain(page)])
    title = clean_title(getattr(found, "title", None) or "") or (headings[0].text if headings else stem_title(source))
    author = clean_author(getattr(found, "author", None) or "")
    return checked(Document(source, "html", text, title, author, day(getattr(found, "date", None)), headings=headings))


# A book's tags by the names of trafilatura's.
_NAMES = {
    "li": "item", "dd": "item", "tr": "row", "td": "cell", "th": "cell", "blockquote": "quote", "br": "lb",
    "ul": "list", "ol": "list", "dl": "list", "pre": "code", "caption": "p",
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "head"),
    **dict.fromkeys(("div", "section", "article", "aside", "figure", "figcaption", "dt", "hr"), "ab"),
    **dict.fromkeys(("header", "footer"), "ab"),
}  # fmt: skip


def page_blocks(page: str) -> list[Block]:
    """The blocks of all that a page of a book says: there is nothing around its text that had to be left out."""
    from lxml import etree, html

    try:
        tree = html.document_fromstring(page.encode(), parser=html.HTMLParser(encoding="utf-8", huge_tree=False))
    except (etree.LxmlError, ValueError):  # nothing in it
        return []
    for element in tree.xpath("//script|//style|//head|//svg|//comment()"):
        if element.getparent() is not None:
            element.drop_tree()
    for element in tree.xpath("//li//p|//td//p|//th//p|//dd//p"):
        element.tag = "span"
        element.tail = " " + (element.tail or "")
    for element in list(tree.iter(*_NAMES)):
        if element.tag[1:] in "123456":
            element.set("rend", element.tag)
        element.tag = _NAMES[element.tag]
    return _blocks(tree)


def _blocks(body: Any) -> list[Block]:
    """The blocks of trafilatura's tree: headings with their level, list items and rows without blank lines between."""
    blocks: list[Block] = []
    buffer: list[str] = []
    last = ""

    def flush(tag: str = "", level: int = 0) -> None:
        nonlocal last
        line = sanitise(" ".join("".join(buffer).split()))
        buffer.clear()
        if line and not is_clutter(line):
            mark = "- " if tag == "item" else ""  # so that it can be told from a heading, and is quoted whole
            blocks.append(Block(mark + line, level, tight=tag == last and tag in _TIGHT))
            last = tag

    # Iterative, as hostile pages nest tens of thousands deep. Stack entries: (element, entering).
    stack = [(body, True)]
    while stack:
        element, entering = stack.pop()
        tag = element.tag
        if not isinstance(tag, str):  # a comment
            continue
        if entering and tag == "code" and "\n" in (code := "".join(element.itertext())):
            flush()
            lines = [line.rstrip() for line in sanitise(code).split("\n") if line.strip()]
            blocks.extend(Block(line, tight=number > 0) for number, line in enumerate(lines))
            buffer.append(element.tail or "")
        elif entering:
            if tag in _BLOCKS:
                flush()
            buffer.append(element.text or "")
            stack.append((element, False))
            stack.extend((child, True) for child in reversed(element))
        else:
            if tag == "cell":
                buffer.append(" | " if element.getnext() is not None else "")
            elif tag in _BLOCKS:
                flush(tag, _level(element) if tag == "head" else 0)
            if element is not body:
                buffer.append(element.tail or "")
    flush()
    return blocks


def _level(element: Any) -> int:
    rend = element.get("rend") or ""
    return int(rend[1]) if re.fullmatch("h[1-6]", rend) else 2


def _plain(page: str) -> list[str]:
    """All visible text of a page, a block a line: for pages in which no main text was found."""
    from lxml import etree, html

    try:
        tree = html.document_fromstring(page.encode(), parser=html.HTMLParser(encoding="utf-8", huge_tree=False))
    except (etree.LxmlError, ValueError):
        return []
    hidden = "//script|//style|//noscript|//template|//head|//nav|//svg|//comment()"
    for element in tree.xpath(hidden):
        if element.getparent() is not None:
            element.drop_tree()
    for element in tree.iter("p", "div", "li", "br", "tr", "td", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "section"):
        element.tail = "\n" + (element.tail or "")
        element.text = "\n" + (element.text or "")
    lines = (" ".join(line.split()) for line in str(tree.text_content()).split("\n"))
    return [line for line in lines if line and not is_clutter(line)]

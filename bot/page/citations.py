"""The sources of an answer or a draft: marks in the text, and a panel for each that shows its passage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from urllib.parse import urlsplit

from bot.drafts import Sentence, Support
from bot.page.markup import text_html, valid
from bot.page.passage import passage_html, plain
from bot.page.pictures import page_button
from data.models import Passage

PANELS = (files("bot.page") / "panels.js").read_text(encoding="utf-8")  # the script of every part that has panels
NO_SOURCE = ' <span class="sg-no-source" title="No passage says this: check it before you rely on it">no source</span>'
GLUED = 24  # characters of a last word that is kept on one line with the marks that follow it


def file_name(source: str) -> str:
    """The last part of a path or URL, which is what a person knows it by."""
    return source.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or source


def short_path(source: str) -> str:
    """A file by its name and the folder it is in: where the server keeps them is nobody's business. A URL as it is."""
    return source if "://" in source else "/".join(source.replace("\\", "/").rsplit("/", 2)[-2:])


@dataclass
class _Cited:
    """A passage with what is quoted from it."""

    passage: Passage
    quotes: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)  # where the quotes stand

    @property
    def title(self) -> str:
        return self.passage.title or file_name(self.passage.source)

    @property
    def place(self) -> str:
        """The page of what is quoted, else the passage's pages; empty for a document without pages."""
        return self.passage.place_of(self.pages) if self.pages else self.passage.place

    @property
    def heading(self) -> str:
        """The headings above the passage, without one that the passage itself begins with, or that is the title."""
        *above, last = self.passage.heading.split(" > ")
        shown = {plain(self.title), plain(self.passage.text.lstrip().split("\n", 1)[0])}
        return " > ".join([*above, *([] if plain(last) in shown else [last])])


class Citations:
    """Numbered sources of one answer or draft: marks in the text, and a panel for each that a mark opens.

    The panels are HTML popovers: they need no script, open from the keyboard and close with Esc.
    """

    def __init__(self, prefix: str, passages: Sequence[Passage]) -> None:
        """`prefix` makes the ids of this answer's panels differ from every other's on the page."""
        self.prefix = prefix
        self.passages = passages
        self._cited: list[_Cited] = []  # in the order of first citation: the position is the number

    def sentence(self, sentence: Sentence) -> str:
        """A sentence followed by its marks."""
        numbers = dict.fromkeys(number for support in sentence.support if (number := self.cite(support)))
        start, space, last = sentence.text.rpartition(" ")
        marks = "".join(self._mark(number) for number in numbers) or NO_SOURCE
        if len(last) > GLUED:
            return f"<span>{text_html(sentence.text)}</span>{marks}"
        return f'<span>{text_html(start + space)}</span><span class="sg-glue">{text_html(last)}{marks}</span>'

    def cite(self, support: Support) -> int | None:
        """The number of the passage that `support` quotes; None where it isn't among the passages."""
        same = [p for p in self.passages if p.source == support.source]
        passage = next((p for p in same if support.quote in p.text), same[0] if same else None)
        if passage is None:
            return None
        number = self._number(passage)
        cited = self._cited[number - 1]
        cited.quotes.append(support.quote)
        if support.page is not None:
            cited.pages.append(support.page)
        return number

    def add(self, passages: Sequence[Passage]) -> None:
        """Take in passages that were found and are quoted nowhere."""
        for passage in passages:
            self._number(passage)

    def chips(self, label: str) -> str:
        """A labelled list of the sources, each a button that opens its panel."""
        if not self._cited:
            return ""
        items = "".join(
            f'<li><button type="button" class="sg-chip" popovertarget="{self._id(number)}">'
            f'<span class="sg-chip-number">{number}</span>'
            f'<span class="sg-chip-title">{text_html(cited.title)}</span>'
            f"{_where(cited)}</button></li>"
            for number, cited in enumerate(self._cited, 1)
        )
        return f'<div class="sg-sources"><span class="sg-label">{escape(label)}</span><ul>{items}</ul></div>'

    def panels(self) -> str:
        """The panels: title, page, heading and text of each source, with what was quoted marked."""
        return "".join(self._panel(number, cited) for number, cited in enumerate(self._cited, 1))

    def _number(self, passage: Passage) -> int:
        known = [cited.passage.chunk_id for cited in self._cited]
        if passage.chunk_id not in known:
            self._cited.append(_Cited(passage))
            return len(self._cited)
        return known.index(passage.chunk_id) + 1

    def _id(self, number: int) -> str:
        return f"{self.prefix}-{number}"

    def _mark(self, number: int) -> str:
        return (
            f'<button type="button" class="sg-mark" popovertarget="{self._id(number)}"'
            f' aria-label="Open source {number}">{number}</button>'
        )

    def _panel(self, number: int, cited: _Cited) -> str:
        name = f"{self._id(number)}-title"
        page = f'<span class="sg-panel-page">{text_html(cited.place)}</span>' if cited.place else ""
        title = f'<h3 dir="auto" id="{name}">{text_html(cited.title)}{page}</h3>'
        heading = f'<p class="sg-place">{text_html(cited.heading)}</p>' if cited.heading else ""
        passage = passage_html(cited.passage.text, cited.quotes, _pages(cited.passage))
        return (
            f'<div popover id="{self._id(number)}" class="sg-panel" role="dialog" aria-modal="true"'
            f' aria-labelledby="{name}">'
            f'<div class="sg-panel-head"><span class="sg-chip-number">{number}</span>{title}'
            f'<button type="button" class="sg-close" popovertarget="{self._id(number)}" popovertargetaction="hide"'
            f' aria-label="Close">✕</button></div>'
            f"{heading}{page_button(cited.passage, cited.title, cited.quotes)}"
            f'<div class="sg-passage" dir="auto">{passage}</div>'
            f'<p class="sg-path">{_address(cited)}</p></div>'
        )


def _pages(passage: Passage) -> list[tuple[int, str]]:
    """Where each page begins in the passage, and what it is called."""
    first = {page: offset for offset, page in reversed(passage.pages)}
    return sorted((offset, passage.place_of([page])) for page, offset in first.items())


def _address(cited: _Cited) -> str:
    """A web address as a link (nothing is fetched until it is clicked), a file by its name and folder.

    Of a PDF the link opens the page.
    """
    source = cited.passage.source
    if urlsplit(source).scheme in ("http", "https"):
        page = min(cited.pages, default=cited.passage.page_start) if cited.passage.kind == "pdf" else None
        href = escape(valid(source), quote=True) + (f"#page={page}" if page else "")
        return f'<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">{text_html(source)}</a>'
    return text_html(short_path(source))


def _where(cited: _Cited) -> str:
    """What tells passages of one document apart: the page, else the heading."""
    if cited.place:
        return f'<span class="sg-chip-page">{text_html(cited.place)}</span>'
    heading = cited.passage.heading.rsplit(" > ", 1)[-1]
    return f'<span class="sg-chip-heading">{text_html(heading)}</span>' if heading not in ("", cited.title) else ""

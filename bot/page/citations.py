"""Text as HTML. All of it (comments, documents, file names, what a model wrote) is data: escaped, never interpreted."""

import re
from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from bot.drafts import Sentence, Support
from data.hidden import show_hidden
from data.models import Passage

GLUED = 24  # characters of a last word that is kept on one line with the marks that follow it
_SPELT = re.compile(r"⟨U\+[0-9A-F]{4,6}⟩")


def text_html(text: str) -> str:
    """`text`, escaped, with its hidden characters spelt out and set off."""
    return _SPELT.sub(lambda match: f'<span class="sg-hidden" title="hidden character">{match[0]}</span>', _plain(text))


def attribute(text: str) -> str:
    """`text` for the inside of an HTML attribute in double quotes."""
    return escape(show_hidden(_valid(text)), quote=True)


def file_name(source: str) -> str:
    """The last part of a path or URL, which is what a person knows it by."""
    return source.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or source


def pages_text(start: int | None, end: int | None) -> str:
    """ "p. 3", "pp. 3–4", or nothing for a document without pages."""
    if start is None:
        return ""
    return f"p. {start}" if end in (None, start) else f"pp. {start}–{end}"


class Citations:
    """Numbered sources of one answer or draft: marks in the text, and a panel for each that a mark opens.

    The panels are HTML popovers: they need no script, open from the keyboard and close with Esc.
    """

    def __init__(self, prefix: str, passages: Sequence[Passage]) -> None:
        """`prefix` makes the ids of this answer's panels differ from every other's on the page."""
        self.prefix = prefix
        self.passages = passages
        self._quotes: dict[Passage, list[str]] = {}  # in the order of first citation: the position is the number

    def sentence(self, sentence: Sentence) -> str:
        """A sentence followed by its marks."""
        numbers = dict.fromkeys(number for support in sentence.support if (number := self.cite(support)))
        start, space, last = sentence.text.rpartition(" ")
        marks = "".join(self._mark(number) for number in numbers)
        if len(last) > GLUED:
            return f"<span>{text_html(sentence.text)}</span>{marks}"
        return f'<span>{text_html(start + space)}</span><span class="sg-glue">{text_html(last)}{marks}</span>'

    def cite(self, support: Support) -> int | None:
        """The number of the passage that `support` quotes; None where it isn't among the passages."""
        same = [p for p in self.passages if p.source == support.source]
        passage = next((p for p in same if support.quote in p.text), same[0] if same else None)
        if passage is None:
            return None
        self._quotes.setdefault(passage, []).append(support.quote)
        return list(self._quotes).index(passage) + 1

    def add(self, passages: Sequence[Passage]) -> None:
        """Take in passages that were found and are quoted nowhere."""
        for passage in passages:
            self._quotes.setdefault(passage, [])

    def chips(self, label: str) -> str:
        """A labelled list of the sources, each a button that opens its panel."""
        if not self._quotes:
            return ""
        items = "".join(
            f'<li><button type="button" class="sg-chip" popovertarget="{self._id(number)}">'
            f'<span class="sg-chip-number">{number}</span>'
            f'<span class="sg-chip-title">{text_html(_title(passage))}</span>'
            f"{_where(passage)}</button></li>"
            for number, passage in enumerate(self._quotes, 1)
        )
        return f'<div class="sg-sources"><span class="sg-label">{escape(label)}</span><ul>{items}</ul></div>'

    def panels(self) -> str:
        """The panels: title, page, heading and text of each source, with what was quoted marked."""
        return "".join(self._panel(n, passage, quotes) for n, (passage, quotes) in enumerate(self._quotes.items(), 1))

    def _id(self, number: int) -> str:
        return f"{self.prefix}-{number}"

    def _mark(self, number: int) -> str:
        return (
            f'<button type="button" class="sg-mark" popovertarget="{self._id(number)}"'
            f' aria-label="Open source {number}">{number}</button>'
        )

    def _panel(self, number: int, passage: Passage, quotes: Sequence[str]) -> str:
        title = f'<h3 dir="auto">{text_html(_title(passage))}</h3>'
        where = [pages_text(passage.page_start, passage.page_end), text_html(passage.heading)]
        place = "".join(f"<span>{part}</span>" for part in where if part)
        return (
            f'<div popover id="{self._id(number)}" class="sg-panel" role="dialog" aria-label="Source {number}">'
            f'<div class="sg-panel-head"><span class="sg-chip-number">{number}</span>{title}'
            f'<button type="button" class="sg-close" popovertarget="{self._id(number)}" popovertargetaction="hide"'
            f' aria-label="Close">✕</button></div>'
            f'<p class="sg-place">{place}</p>'
            f'<div class="sg-passage" dir="auto">{_quoted(passage.text, quotes)}</div>'
            f'<p class="sg-path">{_address(passage.source)}</p></div>'
        )


def _quoted(text: str, quotes: Sequence[str]) -> str:
    """A passage with the `quotes` in it marked."""
    spans = sorted({(start, start + len(q)) for q in quotes if q and (start := text.find(q)) >= 0})
    parts, end = [], 0
    for start, stop in spans:
        if start < end:
            continue
        parts += [text_html(text[end:start]), f"<mark>{text_html(text[start:stop])}</mark>"]
        end = stop
    return "".join([*parts, text_html(text[end:])])


def _address(source: str) -> str:
    """A web address as a link (nothing is fetched until it is clicked), anything else as text."""
    if urlsplit(source).scheme in ("http", "https"):
        href = escape(_valid(source), quote=True)
        return f'<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">{text_html(source)}</a>'
    return text_html(source)


def _title(passage: Passage) -> str:
    return passage.title or file_name(passage.source)


def _where(passage: Passage) -> str:
    """What tells passages of one document apart: the page, else the heading."""
    heading = passage.heading.rsplit(" > ", 1)[-1]
    where = pages_text(passage.page_start, passage.page_end) or ("" if heading == passage.title else heading)
    return f'<span class="sg-chip-page">{text_html(where)}</span>' if where else ""


def _plain(text: str) -> str:
    return escape(show_hidden(_valid(text)), quote=True)


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

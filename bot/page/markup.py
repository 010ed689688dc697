"""Text as HTML. All of it (comments, documents, file names, what a model wrote) is data: escaped, never interpreted."""

import re
from html import escape

from bot.drafts import NO_DOCUMENTS
from data.hidden import show_hidden

_SPELT = re.compile(r"⟨U\+[0-9A-F]{4,6}⟩")


def text_html(text: str) -> str:
    """`text`, escaped, with its hidden characters spelt out and set off."""
    return _SPELT.sub(
        lambda match: f'<span class="sg-hidden" title="hidden character">{match[0]}</span>', attribute(text)
    )


def reason_html(reason: str) -> str:
    """The reason of an abstention or a flag: it names no command, for on the page there is another way."""
    return text_html(reason.replace(NO_DOCUMENTS, "there are no documents yet: add some under Documents"))


def attribute(text: str) -> str:
    """`text` for the inside of an HTML attribute in double quotes."""
    return escape(show_hidden(valid(text)), quote=True)


def valid(text: str) -> str:
    """`text` with lone surrogates, which no page can be written with, as question marks."""
    return text.encode("utf-8", "replace").decode()

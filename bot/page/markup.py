"""Text as HTML. All of it (comments, documents, file names, what a model wrote) is data: escaped, never interpreted."""

import re
from html import escape

from bot.drafts import NO_DOCUMENTS
from data.hidden import show_hidden

_PERSONA = re.compile(r"--persona (\S+)")
_MODEL = re.compile(r" with --model\b(?: \([^)]*\))?")  # whoever started the server gives it, or the persona's file
_SPELT = re.compile(r"⟨U\+[0-9A-F]{4,6}⟩")


def text_html(text: str) -> str:
    """`text`, escaped, with its hidden characters spelt out and set off."""
    return _SPELT.sub(
        lambda match: f'<span class="sg-hidden" title="hidden character">{match[0]}</span>', attribute(text)
    )


def reason_html(reason: str) -> str:
    """A flag, an error, the reason of an abstention: it names no command or option, for the page has other ways."""
    said = reason.replace(NO_DOCUMENTS, "there are no documents yet: add some under Documents")
    return text_html(_MODEL.sub("", _PERSONA.sub(r"the persona \1", said)))


def trouble_html(told: str) -> str:
    """What went wrong, as a note; nothing where nothing did."""
    return f'<p class="sg-note sg-bad" role="alert">{reason_html(told)}</p>' if told else ""


def attribute(text: str) -> str:
    """`text` for the inside of an HTML attribute in double quotes."""
    return escape(show_hidden(valid(text)), quote=True)


def valid(text: str) -> str:
    """`text` with lone surrogates, which no page can be written with, as question marks."""
    return text.encode("utf-8", "replace").decode()

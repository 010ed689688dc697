"""The Quotes tab: an author or a subject, and cards that say of each quote whether it is real."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from bot.page.desk import Desk
from bot.page.markup import reason_html, text_html
from bot.quotes import LONGEST, Quote
from data.errors import ShawGPTError

PERSONA = "quotes"
COUNT = 3  # cards at a time
LISTED = 5000  # authors that are suggested
BADGES = {
    "stored": ("Stored quote", "good"),
    "generated": ("Generated", "warn"),
    "close": ("Generated, close to a real one", "bad"),
    "none": ("None", "quiet"),
}
EMPTY = (
    '<div class="sg-empty"><h2>Quotes</h2><p>Name an author, or what a quote is to be about. Each one says '
    "whether it is a stored quote or was generated.</p></div>"
)
NO_QUOTES = (
    '<div class="sg-empty"><h2>No quotes yet</h2><p>Stop the server; then <code>shawgpt import quotes FILE</code> '
    "reads some: CSV or JSON lines with quote and author.</p></div>"
)


def quotes_tab(desk: Desk, kb: gr.Dropdown, demo: gr.Blocks) -> None:
    """Build the tab; `kb` is the selector in the header."""
    with gr.Row(elem_id="quotes-ask"):
        who = gr.Dropdown(
            [], label="Author, or about what", allow_custom_value=True, value=None, elem_id="quotes-who", scale=5,
            min_width=220,
        )  # fmt: skip
        find = gr.Button("Find", variant="primary", scale=0, min_width=110, elem_id="quotes-find")
        more = gr.Button("More", scale=0, min_width=90, elem_id="quotes-more", visible=False)
    seen = gr.State(("", 0))  # what was asked, and how many of it are on the page
    cards = gr.HTML(EMPTY, elem_id="quotes", apply_default_css=False, padding=False)

    def first(asked: str | None, kb_name: str) -> Iterator[tuple[Any, ...]]:
        yield from asking(asked, kb_name, ("", 0))

    def asking(asked: str | None, kb_name: str, before: tuple[str, int]) -> Iterator[tuple[Any, ...]]:
        asked = (asked or "").strip()[: LONGEST + 1]
        skip = before[1] if asked == before[0] else 0
        if not asked:
            yield note("Name an author, or what it is to be about."), gr.update(visible=False), ("", 0)
            return
        try:
            view = desk.view(persona_of(desk), kb_name)
            doing = "Writing" if view.writing.model else "Looking for quotes"
            yield f'<p class="sg-dots" role="status">{doing}</p>', gr.skip(), gr.skip()
            found = view.quotes(asked, COUNT, skip)
        except ShawGPTError as error:
            yield note(str(error), "bad"), gr.update(visible=False), ("", 0)
            return
        except Exception as error:  # of a model or library: shown as what it is
            yield note(f"{type(error).__name__}: {error}", "bad"), gr.update(visible=False), ("", 0)
            return
        some = found[0].label != "none"
        yield cards_html(found), gr.update(visible=some), (asked, skip + len(found) if some else 0)

    def entered(kb_name: str, event: gr.KeyUpData) -> Iterator[tuple[Any, ...]]:
        if event.key == "Enter":
            yield from asking(event.input_value, kb_name, ("", 0))
        else:
            yield gr.skip(), gr.skip(), gr.skip()

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    outputs = [cards, more, seen]
    who.key_up(entered, [kb], outputs, trigger_mode="multiple", **quiet)
    find.click(first, [who, kb], outputs, **quiet)
    more.click(asking, [who, kb, seen], outputs, **quiet)
    demo.load(lambda: start(desk), None, [who, find, cards], **quiet)


def persona_of(desk: Desk) -> str:
    """The persona that the tab asks: the one the server was started with, where it is for quotes."""
    return desk.persona if desk.assistant.persona.task == "quotes" else PERSONA


def start(desk: Desk) -> tuple[Any, Any, str]:
    """The suggestions, the button's word and what stands below, as the page is opened."""
    try:
        view = desk.view(persona_of(desk), desk.assistant.kb)
        names = list(view.quoter.authors)[:LISTED]
    except ShawGPTError as error:
        return gr.skip(), gr.skip(), note(str(error), "bad")
    word = "Write" if view.writing.model else "Find"
    return gr.update(choices=names), gr.update(value=word), EMPTY if names or view.writing.model else NO_QUOTES


def cards_html(found: Sequence[Quote]) -> str:
    """Quotes as cards."""
    return f'<div class="sg-quotes" role="list">{"".join(map(_card, found))}</div>'


def note(text: str, kind: str = "warn") -> str:
    """A line that says what is wrong or missing."""
    return f'<p class="sg-note sg-{kind}" role="status">{reason_html(text)}</p>'


def _card(quote: Quote) -> str:
    if quote.label == "none":
        names = "".join(f"<li>{text_html(author)}</li>" for author in quote.authors)
        told = reason_html(quote.reason.partition("; the nearest stored: ")[0])
        also = f'<p class="sg-label">Nearest authors</p><ul class="sg-near">{names}</ul>' if names else ""
        return f'<div class="sg-quote" role="listitem"><p class="sg-quiet sg-note">{told}</p>{also}</div>'
    said, kind = BADGES[quote.label]
    real = ""
    if quote.nearest and quote.label != "stored":
        near = quote.nearest
        real = (
            f'<p class="sg-label">Nearest real quote, {near.overlap:.0%} of its words</p>'
            f'<blockquote class="sg-real" dir="auto">{text_html(near.quote)} — {text_html(near.author)}</blockquote>'
        )
    also = f'<p class="sg-meta">{reason_html(quote.reason)}</p>' if quote.reason else ""
    return (
        f'<div class="sg-quote" role="listitem"><span class="sg-badge sg-{kind}">{said}</span>'
        f'<blockquote dir="auto">{text_html(quote.quote)}</blockquote>'
        f'<p class="sg-told">{text_html(quote.told)}</p>{real}{also}'
        f'<p class="sg-meta"><span>Responder: {text_html(str(quote.written_by))}</span></p></div>'
    )

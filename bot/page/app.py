"""The page put together: header and tabs."""

from pathlib import Path

import gradio as gr

from bot.assistant import Assistant
from bot.page.ask import ask_tab
from bot.page.desk import Desk, a_choice
from bot.page.documents import document_list, documents_tab
from bot.page.markup import text_html, trouble_html
from bot.page.playground import playground_tab
from bot.page.quotes import quotes_tab
from bot.page.replies import NOTHING_OPENED, replies_tab
from bot.page.sql import sql_tab
from bot.page.talks import NO_TALKS

LONG = 34  # characters of a path in the header
A_DAY = 86_400  # seconds after which Gradio deletes its copies of uploads


def build(assistant: Assistant) -> tuple[gr.Blocks, Desk]:
    """The page for `assistant`, and what its tabs share."""
    desk = Desk(assistant, assistant.persona_slug)
    with gr.Blocks(
        title=f"{assistant.persona.name} · ShawGPT",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(A_DAY, A_DAY),
    ) as demo:
        with gr.Row(elem_id="header"):
            gr.HTML(_header(assistant), apply_default_css=False, padding=False, elem_id="about", scale=5)
            known = desk.knowledge_bases()
            kb = gr.Dropdown(
                known, value=assistant.kb, label="Knowledge base", elem_id="kb", scale=0, min_width=180,
                filterable=False, visible=a_choice(known),
            )  # fmt: skip
        trouble = gr.HTML(elem_id="trouble", apply_default_css=False, padding=False)
        # The browser remembers which batch it had open; what is in it lies in the database. Outside the tabs: Gradio
        # reads the browser's memory when it draws a component, and it draws a tab's when the tab is first shown.
        opened = gr.BrowserState(NOTHING_OPENED, storage_key="shawgpt-opened", secret="shawgpt")
        talks = gr.BrowserState(NO_TALKS, storage_key="shawgpt-talks", secret="shawgpt")
        with gr.Tabs(elem_id="tabs", selected=None if assistant.persona.task == "reply" else assistant.persona.task):
            with gr.Tab("Ask", id="ask"):
                follow = ask_tab(desk, kb, talks, demo)
            with gr.Tab("Replies", id="replies"):
                personas = replies_tab(desk, kb, opened, demo)
            with gr.Tab("Documents", id="documents"):
                listed, made = documents_tab(desk, kb)
            with gr.Tab("SQL", id="sql"):
                sql_tab(desk, demo)
            with gr.Tab("Quotes", id="quotes"):
                quotes_tab(desk, kb, demo)
            with gr.Tab("Playground", id="playground"):
                playground_tab(desk, kb, personas, demo)
        # The page is built when the server starts: what has come and gone since is put in when it is loaded.
        demo.load(
            lambda: _now(desk), None, [kb, listed, trouble], show_progress="hidden", api_visibility="private"
        )  # fmt: skip
        follow(listed, made)
    return demo, desk


def _now(desk: Desk) -> tuple[object, str, str]:
    """The knowledge bases, the documents and what the start ran into, as they are now."""
    known = desk.knowledge_bases()
    trouble = trouble_html(f"When the server started: {desk.trouble}" if desk.trouble else "")
    return gr.update(choices=known, visible=a_choice(known)), document_list(desk, desk.assistant.kb), trouble


def _header(assistant: Assistant) -> str:
    home = assistant.folder.path
    facts = "".join(
        f'<span class="sg-fact"><span class="sg-label">{label}</span> {text_html(value)}</span>'
        for label, value in (
            ("Persona", assistant.persona.name), ("Responder", str(assistant.writing.written_by)),
            ("Text goes to", assistant.writing.sent_to),
        )
        if value
    )  # fmt: skip
    folder = (
        '<span class="sg-fact sg-folder"><span class="sg-label">Work folder</span> '
        f"<span>{text_html(_short(home))}</span></span>"
    )
    name = '<h1><span class="sg-logo" aria-hidden="true">❝</span>ShawGPT</h1>'
    return f'<div class="sg-header">{name}<p>{facts}{folder}</p></div>'


def _short(path: Path) -> str:
    """A path as people know it; of a long one the end, which tells it from others."""
    try:
        shown = f"~/{path.relative_to(Path.home())}"
    except ValueError:
        shown = str(path)
    return shown if len(shown) <= LONG else f"…/{path.parent.name}/{path.name}"

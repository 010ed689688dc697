"""The Documents tab: upload files, add an address, see what became of each, list and forget."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from bot.page.citations import attribute, file_name, text_html
from bot.page.desk import Desk
from data.errors import BadInput, NotFound, ShawGPTError
from data.store import Source
from ingest.kinds import SUFFIXES
from ingest.pipeline import Entry, Progress

# "Forget" asks first, in place; only the second button sends anything.
SCRIPT = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (!button) return;
  const item = button.closest('.sg-document');
  item.classList.toggle('sg-confirming', button.dataset.do === 'ask');
  if (button.dataset.do === 'ask') item.querySelector('[data-do=keep]').focus();
  if (button.dataset.do === 'keep') item.querySelector('[data-do=ask]').focus();
  if (button.dataset.do === 'forget') trigger('delete', {source: item.dataset.source});
});
"""
OUTCOMES = {"added": "good", "updated": "good", "unchanged": "quiet", "empty": "warn", "rejected": "bad"}


def documents_tab(desk: Desk, kb: gr.Dropdown) -> gr.HTML:
    """Build the tab; `kb` is the selector in the header. Returns the list of documents."""
    with gr.Row(elem_id="documents"):
        with gr.Column(scale=2, min_width=300):
            files = gr.File(
                label="Files: PDF, HTML, Markdown, text, DOCX", file_count="multiple", type="filepath",
                file_types=sorted(SUFFIXES), height=170, elem_id="files",
            )  # fmt: skip
            url = gr.Textbox(label="Web address: a page, a feed or a sitemap", placeholder="https://…", elem_id="url")
            add = gr.Button("Add documents", variant="primary", elem_id="add")
            outcome = gr.HTML(elem_id="outcome", apply_default_css=False, padding=False)
        with gr.Column(scale=3, min_width=300):
            listed = gr.HTML(
                document_list(desk, desk.assistant.kb), elem_id="list", js_on_load=SCRIPT, apply_default_css=False,
                padding=False,
            )  # fmt: skip

    def adding(paths: list[str] | None, address: str, kb_name: str) -> Iterator[tuple[object, ...]]:
        for shown in ingest(desk, kb_name, [Path(path) for path in paths or []], address.strip()):
            yield shown, gr.skip(), gr.skip(), gr.skip(), gr.update(interactive=False)
        yield gr.skip(), document_list(desk, kb_name), None, "", gr.update(interactive=True)

    def forgetting(kb_name: str, event: gr.EventData) -> tuple[str, str]:
        source = str(event.source)
        try:
            with desk.writing:
                desk.view(desk.persona, kb_name).forget([source], kb_name)
                desk.uploads.forget(kb_name, source)
        except NotFound:
            return _note("warn", "That document was gone already."), document_list(desk, kb_name)
        except ShawGPTError as error:
            return _note("bad", str(error)), document_list(desk, kb_name)
        return _note("good", f"Forgot {file_name(source)}."), document_list(desk, kb_name)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on([add.click, url.submit], adding, [files, url, kb], [outcome, listed, files, url, add], **quiet)
    listed.delete(forgetting, [kb], [outcome, listed], **quiet)
    kb.change(lambda name: ("", document_list(desk, name)), [kb], [outcome, listed], **quiet)
    return listed


def ingest(desk: Desk, kb: str, files: Sequence[Path], url: str) -> Iterator[str]:
    """Add the files and the address; yields what to show while it goes on, and the table of outcomes last.

    The work is done in the background: it is finished also where the page is closed meanwhile.
    """
    if not files and not url:
        yield _note("warn", "Choose files or give a web address first.")
        return
    if url and "://" not in url:
        url = f"https://{url}"
    news = _News(desk.closing)
    desk.work(lambda: _work(desk, kb, files, [url] if url else [], news))
    yield _progress(0, None)
    while (trouble := news.wait()) is None:
        yield _progress(len(news.entries), news.total)
    yield (_note("bad", trouble) if trouble else "") + (_table(news.entries) if news.entries else "")


class _News(Progress):
    """An ingest's progress, handed from the thread that works to the one that shows it."""

    def __init__(self, closing: threading.Event) -> None:
        self.entries: list[Entry] = []
        self.total: int | None = None  # documents to look at, None until known
        self._closing = closing
        self._ticks: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def wait(self) -> str | None:
        """None when something has happened; at the end what went wrong, or ""."""
        return self._ticks.get()

    def found(self, documents: int) -> None:
        self.total = documents
        self._ticks.put(None)

    def finished(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._ticks.put(None)
        if self._closing.is_set():  # what has been named is in the record; the rest is for another day
            raise BadInput("the server was stopped")

    def end(self, trouble: str) -> None:
        self._ticks.put(trouble)


def _work(desk: Desk, kb: str, files: Sequence[Path], urls: list[str], news: _News) -> None:
    trouble = ""
    try:
        with desk.writing:
            kept = desk.uploads.keep(kb, files)
            try:
                desk.view(desk.persona, kb).ingest([*map(str, kept), *urls], kb, None, news)
            finally:
                # Cut short, an ingest may have taken documents it had no time to name: their copies stay.
                refused = {entry.source for entry in news.entries if entry.outcome in ("empty", "rejected")}
                for copy, earlier in kept.items():
                    desk.uploads.settle(copy, earlier, bool(news.entries) and str(copy) not in refused)
    except ShawGPTError as error:
        trouble = str(error)
    except Exception as error:  # shown on the page: the thread has nobody else to tell
        trouble = f"{type(error).__name__}: {error}"
    news.end(trouble)


def document_list(desk: Desk, kb: str) -> str:
    """The documents of `kb` as HTML, each with its figures and a way to forget it."""
    sources: list[Source] = []
    with suppress(NotFound):  # nothing has been ingested yet
        sources = desk.assistant.store.sources(kb)
    if not sources:
        return (
            '<div class="sg-empty"><h2>No documents yet</h2>'
            "<p>Choose files or give a web address, then press <b>Add documents</b>.</p></div>"
        )
    chunks = sum(source.chunks for source in sources)
    head = f'<p class="sg-count">{_many(len(sources), "document")}, {_many(chunks, "chunk")}</p>'
    return f'{head}<ul class="sg-documents">{"".join(_document(source) for source in sources)}</ul>'


def _document(source: Source) -> str:
    title = source.title or file_name(source.source)
    facts = [
        source.kind.upper() if source.kind in ("pdf", "html", "docx") else source.kind.capitalize(),
        _many(source.pages, "page") if source.pages else "",
        _many(source.chunks, "chunk"),
        f"added {source.ingested_at[:10]}",
        source.author,
        f"dated {source.date}" if source.date else "",
    ]
    told = "".join(f"<span>{text_html(fact)}</span>" for fact in facts if fact)
    return (
        f'<li class="sg-document" data-source="{_exact(source.source)}"><div class="sg-document-text">'
        f'<h3 dir="auto">{text_html(title)}</h3><p class="sg-place">{told}</p>'
        f'<p class="sg-path" title="{attribute(source.source)}">{text_html(source.source)}</p></div>'
        '<div class="sg-document-do">'
        f'<button type="button" class="sg-button" data-do="ask" aria-label="Forget {attribute(title)}">Forget</button>'
        '<span class="sg-confirm" role="group" aria-label="Forget this document?"><span>Forget it?</span>'
        '<button type="button" class="sg-button sg-danger" data-do="forget">Yes, forget</button>'
        '<button type="button" class="sg-button" data-do="keep">Keep</button></span></div></li>'
    )


def _table(entries: "Sequence[Entry]") -> str:
    rows = "".join(
        f'<li><span class="sg-badge sg-{OUTCOMES[entry.outcome]}">{entry.outcome}</span>'
        f'<span class="sg-outcome-name" dir="auto">{text_html(file_name(entry.source))}</span>'
        f'<span class="sg-outcome-why">{text_html(_told(entry))}</span></li>'
        for entry in entries
    )
    return f'<ul class="sg-outcomes" aria-label="What became of each document">{rows}</ul>'


def _told(entry: "Entry") -> str:
    if entry.reason:
        return entry.reason.replace("give --password", "stop the page and use `shawgpt ingest --password …`")
    pages = f"{_many(entry.pages, 'page')}, " if entry.pages else ""
    return f"{pages}{_many(entry.chunks, 'chunk')}" if entry.chunks else ""


def _progress(done: int, total: int | None) -> str:
    if total is None:
        return '<div class="sg-progress" role="status"><span>Reading…</span><progress></progress></div>'
    return (
        f'<div class="sg-progress" role="status"><span>{done} of {_many(total, "document")}</span>'
        f'<progress max="{max(total, 1)}" value="{done}"></progress></div>'
    )


def _note(kind: str, text: str) -> str:
    return f'<p class="sg-note sg-{kind}" role="status">{text_html(text)}</p>'


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _exact(source: str) -> str:
    """A source as attribute, character for character: it comes back to be looked up."""
    from html import escape

    return escape(source, quote=True)

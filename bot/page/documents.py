"""The Documents tab: upload files, add an address, see what became of each, list and forget."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gradio as gr
from gradio.events import Dependency

from bot.page.adding import Adding, ingest, many, note
from bot.page.citations import file_name, short_path
from bot.page.desk import Desk
from bot.page.markup import attribute, text_html
from data.errors import NotFound, ShawGPTError
from data.places import counted
from data.store import Source
from ingest.kinds import SUFFIXES

# 100 of any: UPLOAD_LIMIT
LIMITS = "PDF, PPTX, EPUB (100 MB), DOCX, XLSX, images (50), text, CSV, subtitles (20), HTML (10)"
KINDS = {kind: kind.upper() for kind in ("pdf", "html", "docx", "pptx", "xlsx", "csv", "epub")}
KINDS |= {"scan": "PDF, by OCR", "image": "Image, by OCR"}
# "Forget" asks first, in place; only the second button sends anything.
SCRIPT = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (!button) return;
  const item = button.closest('.sg-document');
  item.classList.toggle('sg-confirming', button.dataset.do === 'ask');
  if (button.dataset.do === 'ask') item.querySelector('[data-do=keep]').focus();
  if (button.dataset.do === 'keep') item.querySelector('[data-do=ask]').focus();
  if (button.dataset.do === 'forget') {
    forgotten = true;
    trigger('delete', {source: item.dataset.source});
  }
});
// The button that had the focus is gone with its document.
let forgotten = false;
watch('value', () => {
  if (forgotten) element.querySelector('.sg-count, .sg-empty')?.focus();
  forgotten = false;
});
"""


def documents_tab(desk: Desk, kb: gr.Dropdown) -> tuple[gr.HTML, Dependency]:
    """Build the tab; `kb` is the selector in the header.

    Returns the list of documents, and the event that makes a knowledge base.
    """
    with gr.Row(elem_id="documents"):
        with gr.Column(scale=2, min_width=300):
            files = gr.File(
                label=f"Files: {LIMITS}", file_count="multiple", type="filepath",
                file_types=sorted(SUFFIXES), height=200, elem_id="files",
            )  # fmt: skip
            url = gr.Textbox(label="Web address: a page, a feed or a sitemap", placeholder="https://…", elem_id="url")
            password = gr.Textbox(
                label="Password of the encrypted PDF", type="password", visible=False, elem_id="password",
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )  # fmt: skip
            add = gr.Button("Add documents", variant="primary", elem_id="add")
            locked = gr.State([])  # what of the form waits for its password
            outcome = gr.HTML(elem_id="outcome", apply_default_css=False, padding=False)
            with gr.Accordion("New knowledge base", open=False, elem_id="new-kb"):
                name = gr.Textbox(
                    label="Its name: letters, digits, - and _",
                    placeholder="contracts",
                    max_length=64,
                    elem_id="kb-name",
                )
                make = gr.Button("Make it", elem_id="make-kb")
        with gr.Column(scale=3, min_width=300):
            listed = gr.HTML(
                document_list(desk, desk.assistant.kb), elem_id="list", js_on_load=SCRIPT, apply_default_css=False,
                padding=False,
            )  # fmt: skip

    def adding(
        paths: list[str] | None, address: str, secret: str, waiting: list[str], kb_name: str
    ) -> Iterator[dict[Any, Any]]:
        adding = Adding.of_form(paths or [], address.strip(), secret, waiting)
        for shown in ingest(desk, kb_name, adding):
            yield {outcome: shown, add: gr.update(interactive=False)}
        paths = [str(path) for path in adding.locked]  # they wait in the form for their password
        waiting = [*paths, *([adding.locked_url] if adding.locked_url else [])]
        yield {
            listed: document_list(desk, kb_name), add: gr.update(interactive=True),
            files: paths or None, url: adding.locked_url, locked: waiting,
            password: gr.update(value="", visible=bool(waiting)),
        }  # fmt: skip

    def chosen(paths: list[str] | None, address: str, waiting: list[str]) -> tuple[str, Any]:
        """What was said of another choice would mislead beside this one."""
        return "", gr.update(visible=any(one in waiting for one in (*(paths or []), address.strip())))

    def forgetting(kb_name: str, event: gr.EventData) -> tuple[str, str]:
        source = str(event.source)
        try:
            with desk.writing:
                desk.view(desk.persona, kb_name).forget([source], kb_name)
                desk.uploads.forget(kb_name, source)
        except NotFound:
            return note("warn", "That document was gone already."), document_list(desk, kb_name)
        except ShawGPTError as error:
            return note("bad", str(error)), document_list(desk, kb_name)
        return note("good", f"Forgot {file_name(source)}."), document_list(desk, kb_name)

    def making(wanted: str) -> dict[Any, Any]:
        wanted = wanted.strip()
        try:
            desk.make_knowledge_base(wanted)
        except ShawGPTError as error:
            return {outcome: note("bad", str(error))}
        made = f"Made {wanted}. What you add now goes there; the choice at the top of the page goes back."
        chosen = gr.update(choices=desk.knowledge_bases(), value=wanted, visible=True)
        return {kb: chosen, name: "", listed: document_list(desk, wanted), outcome: note("good", made)}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    made = gr.on([make.click, name.submit], making, [name], [kb, name, listed, outcome], **quiet)
    given, changed = [files, url, password, locked, kb], [outcome, listed, files, url, password, locked, add]
    gr.on([add.click, url.submit, password.submit], adding, given, changed, **quiet)
    gr.on(
        [files.upload, files.clear, files.delete, url.input], chosen, [files, url, locked], [outcome, password], **quiet
    )
    listed.delete(forgetting, [kb], [outcome, listed], **quiet)
    kb.input(lambda name: ("", document_list(desk, name)), [kb], [outcome, listed], **quiet)
    kb.change(lambda name: document_list(desk, name), [kb], [listed], **quiet)
    return listed, made


def document_list(desk: Desk, kb: str) -> str:
    """The documents of `kb` as HTML, each with its figures and a way to forget it."""
    sources: list[Source] = []
    with suppress(NotFound):  # nothing has been ingested yet
        sources = desk.assistant.store.sources(kb)
    where = f" in {text_html(kb)}" if len(desk.knowledge_bases()) > 1 else ""
    if not sources:
        return (
            f'<div class="sg-empty" tabindex="-1"><h2>No documents yet{where}</h2>'
            "<p>Choose files or give a web address, then press <b>Add documents</b>.</p></div>"
        )
    chunks = sum(source.chunks for source in sources)
    counted = f"{many(len(sources), 'document')}, {many(chunks, 'chunk')}"
    head = f'<p class="sg-count" tabindex="-1">{counted}{where}</p>'
    return f'{head}<ul class="sg-documents">{"".join(_document(source) for source in sources)}</ul>'


def _document(source: Source) -> str:
    title = source.title or file_name(source.source)
    facts = [
        KINDS.get(source.kind) or source.kind.capitalize(),
        counted(source.kind, source.pages),
        many(source.chunks, "chunk"),
        f"added {source.ingested_at[:10]}",
        source.author,
        f"dated {source.date}" if source.date else "",
    ]
    told = "".join(f"<span>{text_html(fact)}</span>" for fact in facts if fact)
    return (
        f'<li class="sg-document" data-source="{_exact(source.source)}"><div class="sg-document-text">'
        f'<h3 dir="auto">{text_html(title)}</h3><p class="sg-place">{told}</p>'
        # From right to left, so that what is too long is cut at its beginning: the end tells it from others.
        f'<p class="sg-path" dir="rtl"><bdi dir="ltr">{text_html(short_path(source.source))}</bdi></p></div>'
        '<div class="sg-document-do">'
        f'<button type="button" class="sg-button" data-do="ask" aria-label="Forget {attribute(title)}">Forget</button>'
        '<span class="sg-confirm" role="group" aria-label="Forget this document?"><span>Forget it?</span>'
        '<button type="button" class="sg-button sg-danger" data-do="forget">Yes, forget</button>'
        '<button type="button" class="sg-button" data-do="keep">Keep</button></span></div></li>'
    )


def _exact(source: str) -> str:
    """A source as attribute, character for character: it comes back to be looked up."""
    from html import escape

    return escape(source, quote=True)

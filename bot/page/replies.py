"""The Replies tab: comments in, drafts as they are made, edits kept at once, a CSV out."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import gradio as gr

from bot.drafts_log import MOST, BatchInfo, DraftLog
from bot.page.cards import TEMPLATE, card
from bot.page.citations import PANELS, file_name
from bot.page.comments import COLUMN, columns_of, comments_from
from bot.page.desk import Desk
from bot.page.drafting import Drafting
from bot.page.markup import text_html, trouble_html
from bot.page.pictures import page_pictures
from data.errors import NotFound, ShawGPTError
from data.hidden import show_hidden

LONGEST = 20_000  # characters of an edited reply
EVERY = 0.5  # seconds between two updates of the page while drafting
CARDS = 100  # handed to the page at a time
DETECT = "Detect"
SCRIPT = (files("bot.page") / "replies.js").read_text(encoding="utf-8")

Shown = dict[Any, Any]  # component → its new value, as Gradio takes it
Opened = dict[str, str]  # "batch": the one that is open; "from_a_file": the newest of `shawgpt reply` that was opened
NOTHING_OPENED: Opened = {"batch": "", "from_a_file": ""}


@dataclass(frozen=True)
class _Form:
    """Where comments come in."""

    pasted: gr.Textbox
    upload: gr.File
    column: gr.Dropdown
    refused: gr.HTML  # why what is given can't be drafted
    persona: gr.Dropdown
    writer: gr.HTML  # what that persona writes with
    start: gr.Button


@dataclass(frozen=True)
class _Batch:
    """The batch that is open: what came of it, and what can be done with it."""

    progress: gr.HTML
    stop: gr.Button
    resume: gr.Button
    earlier: gr.Dropdown
    cards: gr.HTML
    ticks: gr.Timer  # runs while the batch is drafted


def replies_tab(desk: Desk, kb: gr.Dropdown, opened: gr.BrowserState, demo: gr.Blocks) -> gr.Dropdown:
    """Build the tab; `kb` is the selector in the header, `opened` what this browser has open (see `_to_open`).

    Returns the choice of personas.
    """
    form, shown, drafting = _form(desk), _batch(desk), Drafting(desk)

    def show(batch: str, seen: Opened) -> Shown:
        info = desk.log.info(batch) if batch else None
        running, stopping = drafting.running(batch), drafting.stopping(batch)
        stopped = info is not None and info.waiting > 0 and not running
        trouble = trouble_html(drafting.trouble(batch))
        if info and stopped:  # where it can't go on either, that is said beside Continue
            trouble = trouble or _writer(desk, info.persona)[1]
        return {
            shown.cards: {"batch": batch, "done": info.rows - info.waiting if info else 0},
            shown.progress: _progress(info, running, stopping, drafting.at_work(batch)) + trouble,
            shown.stop: gr.update(visible=running, interactive=not stopping),
            shown.resume: gr.update(visible=stopped),
            form.start: gr.update(interactive=not running),
            shown.ticks: gr.update(active=running),
            opened: {**seen, "batch": batch},
        }

    def begin(file: str | None, text: str, who: str, name: str, kb_name: str, seen: Opened) -> Shown:
        try:
            desk.writer(who)
            title, table, index = comments_from(file, text, None if name == DETECT else name)
            batch = desk.log.begin(title, who, kb_name, table.columns, table.rows, index)
        except ShawGPTError as error:
            return {form.refused: trouble_html(str(error))}
        drafting.start(batch)
        empty = {form.pasted: "", form.upload: None, form.refused: ""}
        return {**show(batch, seen), **empty, shown.earlier: _earlier(desk.log, batch)}

    def resume(seen: Opened) -> Shown:
        drafting.start(seen["batch"])
        return show(seen["batch"], seen)

    def stop(seen: Opened) -> Shown:
        drafting.stop(seen["batch"])
        return show(seen["batch"], seen)

    def restore(seen: Opened) -> Shown:
        now = _to_open(desk.log, seen)
        return {**show(now["batch"], now), shown.earlier: _earlier(desk.log, now["batch"])}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    outputs = [
        shown.cards, shown.progress, shown.stop, shown.resume, form.start, shown.ticks, opened, shown.earlier,
    ]  # fmt: skip
    given = [form.upload, form.pasted, form.persona, form.column, kb, opened]
    form.start.click(begin, given, [*outputs, form.pasted, form.upload, form.refused], **quiet)
    form.upload.change(_columns, [form.upload], [form.column], **quiet)
    # What was said of another choice would mislead beside this one.
    gr.on([form.upload.change, form.pasted.change, form.column.input], lambda: "", None, [form.refused], **quiet)
    chosen = [form.persona.change, demo.load]
    gr.on(chosen, lambda who: _writer(desk, who), [form.persona], [form.writer, form.refused], **quiet)
    shown.resume.click(resume, [opened], outputs, **quiet)
    shown.stop.click(stop, [opened], outputs, queue=False, **quiet)
    now = [shown.earlier, opened]
    tick = shown.ticks.tick(show, now, outputs, **quiet)
    # A tick that is on its way would bring the other batch back: what was chosen is shown again behind it.
    shown.earlier.input(show, now, outputs, cancels=[tick], **quiet).then(show, now, outputs, **quiet)
    demo.load(restore, [opened], outputs, **quiet)
    demo.load(lambda: gr.update(choices=desk.personas("reply")), None, [form.persona], **quiet)
    return form.persona


def _form(desk: Desk) -> _Form:
    with gr.Row(elem_id="comments-in"):
        with gr.Column(scale=3, min_width=280):
            pasted = gr.Textbox(
                label="Paste comments: one a line, or with blank lines between them", lines=6, max_lines=12,
                placeholder="Great video, thank you!\nHow long does it have to rest?", elem_id="pasted",
            )  # fmt: skip
        with gr.Column(scale=2, min_width=280):
            upload = gr.File(
                label="Or upload a CSV", file_types=[".csv", ".tsv", ".txt"], height=152, elem_id="comments"
            )
            column = gr.Dropdown([DETECT], value=DETECT, label=COLUMN, visible=False, elem_id="column")
        with gr.Column(scale=1, min_width=200):
            persona = gr.Dropdown(
                desk.personas("reply"), value=desk.replier, label="Persona", elem_id="persona", filterable=False
            )
            writer = gr.HTML(elem_id="writer", apply_default_css=False, padding=False)
            start = gr.Button("Draft replies", variant="primary", elem_id="draft")
    refused = gr.HTML(elem_id="refused", apply_default_css=False, padding=False)
    return _Form(pasted, upload, column, refused, persona, writer, start)


def _batch(desk: Desk) -> _Batch:
    with gr.Row(elem_id="batch-row"):
        progress = gr.HTML(elem_id="progress", apply_default_css=False, padding=False)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop", scale=0, min_width=110)
        resume = gr.Button("Continue", visible=False, elem_id="resume", scale=0, min_width=110)
        earlier = gr.Dropdown(
            [], value=None, label="Earlier drafts", elem_id="earlier", filterable=False, scale=0, min_width=360
        )
    cards = gr.HTML(
        None, html_template=TEMPLATE, js_on_load=PANELS + SCRIPT, apply_default_css=False, padding=False,
        elem_id="cards", server_functions=[*_server_functions(desk.log), page_pictures(desk)],
    )  # fmt: skip
    return _Batch(progress, stop, resume, earlier, cards, gr.Timer(EVERY, active=False))


def _to_open(log: DraftLog, seen: Opened) -> Opened:
    """The batch that this browser had open, else the newest; one that `shawgpt reply` has drafted since, once."""
    known = log.info(seen["batch"]) is not None
    batch = seen["batch"] if known else next((info.id for info in log.latest(1)), "")
    of_a_file = log.from_a_file()
    if of_a_file is None or of_a_file.id <= seen["from_a_file"]:
        return {**seen, "batch": batch}
    return {"batch": of_a_file.id if known else batch, "from_a_file": of_a_file.id}


def _writer(desk: Desk, persona: str) -> tuple[str, str]:
    """What `persona` writes with, and why it can't, if so."""
    try:
        return f'<p class="sg-label">Writes with: {text_html(str(desk.writer(persona)))}</p>', ""
    except ShawGPTError as error:
        return "", trouble_html(str(error))


def _columns(file: str | None) -> dict[str, Any]:
    try:
        names = list(columns_of(file)) if file else []
    except ShawGPTError:  # said when drafting is asked for
        names = []
    return gr.update(choices=[DETECT, *names], value=DETECT, visible=bool(names))


def _server_functions(log: DraftLog) -> tuple[Any, ...]:
    """What the script in the page calls. Each is refused without the batch's id, which can't be guessed."""

    def cards(data: dict[str, Any]) -> dict[str, Any]:
        """Some of the drafted rows from `data["first"]` on as cards, without those in `data["beyond"]`."""
        beyond = {int(row) for row in data["beyond"]}
        rows = log.rows(str(data["batch"]), int(data["first"]), CARDS + len(beyond), drafted=True)
        return {"cards": [card(row) for row in rows if row.row not in beyond][:CARDS]}

    def save(data: dict[str, Any]) -> dict[str, Any]:
        try:
            log.edit(str(data["batch"]), int(data["row"]), str(data["text"])[:LONGEST])
        except ShawGPTError as error:
            return {"error": str(error)}
        return {"saved": True}

    def download(data: dict[str, Any]) -> dict[str, str]:
        try:
            return {"csv": log.as_csv(str(data["batch"]))}
        except NotFound as error:
            return {"error": str(error)}

    return cards, save, download


def _progress(info: BatchInfo | None, running: bool, stopping: bool, at_work: int) -> str:
    if info is None:
        return ""
    done = info.rows - info.waiting
    said = f"{done} of {info.rows} done"
    if running:
        if stopping:
            said += ", stopping with the next reply that is finished…"
        elif at_work > 1:
            said += f", {at_work} being written"
        elif not at_work:
            said += ", getting ready…"
        bar = f'<progress max="{info.rows}" value="{done}"></progress>'
        return f'<div class="sg-progress" role="status"><span>{said}</span>{bar}</div>'
    stopped = "; stopped, the rest waits" if info.waiting else ""
    if info.output and info.rows == MOST:
        stopped += f"; {text_html(file_name(info.output))} has every row"
    name = f'<b dir="auto">{text_html(info.name)}</b>'
    return f'<div class="sg-progress" role="status"><span>{name} {said}{stopped}</span></div>'


def _earlier(log: DraftLog, batch: str) -> Any:
    choices = [(f"{b.begun:%Y-%m-%d %H:%M}  {show_hidden(b.name)} ({b.rows})", b.id) for b in log.latest()]
    return gr.update(choices=choices, value=batch or None, visible=bool(choices))

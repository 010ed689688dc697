"""The Replies tab: comments in, drafts as they are made, edits kept at once, a CSV out."""

import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from bot.csvio import COMMENT_NAMES, Table, find_column, read_table
from bot.drafts import Draft
from bot.drafts_log import BatchInfo, DraftLog
from bot.page.cards import TEMPLATE, card
from bot.page.citations import file_name, text_html
from bot.page.desk import Desk
from bot.reply import RECENT
from data.errors import BadInput, NotFound, ShawGPTError
from data.hidden import show_hidden

MOST = 2000  # comments in one batch on the page; `shawgpt reply` takes any number
LONGEST = 20_000  # characters of an edited reply
EVERY = 0.4  # seconds between two updates of the page while drafting
PASTED = "Pasted comments"
DETECT = "Detect"

Shown = dict[Any, Any]  # component → its new value, as Gradio takes it


def replies_tab(desk: Desk, kb: gr.Dropdown, open_batch: gr.BrowserState, demo: gr.Blocks) -> None:
    """Build the tab; `kb` is the selector in the header, `open_batch` the id of the batch this browser has open."""
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
            column = gr.Dropdown(
                [DETECT], value=DETECT, label="Column with the comments", visible=False, elem_id="column"
            )
        with gr.Column(scale=1, min_width=200):
            persona = gr.Dropdown(
                desk.personas(), value=desk.persona, label="Persona", elem_id="persona", filterable=False
            )
            start = gr.Button("Draft replies", variant="primary", elem_id="draft")
    with gr.Row(elem_id="batch-row"):
        progress = gr.HTML(elem_id="progress", apply_default_css=False, padding=False)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop", scale=0, min_width=110)
        resume = gr.Button("Continue", visible=False, elem_id="resume", scale=0, min_width=110)
        earlier = gr.Dropdown(
            [], value=None, label="Earlier drafts", elem_id="earlier", filterable=False, scale=0, min_width=360
        )
    cards = gr.HTML(
        None, html_template=TEMPLATE, js_on_load=(files("bot.page") / "replies.js").read_text(encoding="utf-8"),
        apply_default_css=False, padding=False, elem_id="cards", server_functions=[*_server_functions(desk.log)],
    )  # fmt: skip

    def shown(batch: str, running: bool, note: str = "") -> Shown:
        info = desk.log.info(batch)
        return {
            cards: cards_value(desk.log, batch),
            progress: note or _progress(info, running),
            stop: gr.update(visible=running),
            resume: gr.update(visible=not running and info is not None and info.waiting > 0),
            start: gr.update(interactive=not running),
            open_batch: batch,
        }

    def run(batch: str) -> Iterator[Shown]:
        desk.stopping.discard(batch)
        last = time.monotonic()
        note = ""
        yield shown(batch, running=True)
        try:
            for _ in draft_waiting(desk, batch):
                if time.monotonic() - last > EVERY:
                    yield {cards: cards_value(desk.log, batch), progress: _progress(desk.log.info(batch), True)}
                    last = time.monotonic()
        except ShawGPTError as error:  # a full disk, say: what was drafted before is kept, and the rest can go on
            note = _trouble(error)
        yield shown(batch, running=False, note=note)

    def begin(file: str | None, text: str, who: str, name: str, kb_name: str, before: str) -> Iterator[Shown]:
        try:
            title, table, index = comments_from(file, text, None if name == DETECT else name)
            batch = desk.log.begin(title, who, kb_name, table.columns, table.rows, index)
        except ShawGPTError as error:
            yield {progress: _trouble(error)}
            return
        yield {pasted: "", upload: None, earlier: _earlier(desk.log, batch)}
        yield from run(batch)

    def restore(batch: str) -> Shown:
        known = batch if batch and desk.log.info(batch) else ""
        return {**shown(known, running=False), earlier: _earlier(desk.log, known)}

    def columns(file: str | None) -> dict[str, Any]:
        try:
            names = list(read_table(Path(file)).columns) if file else []
        except ShawGPTError:  # said when drafting is asked for
            names = []
        return gr.update(choices=[DETECT, *names], value=DETECT, visible=bool(names))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    outputs = [cards, progress, stop, resume, start, open_batch, earlier]
    start.click(begin, [upload, pasted, persona, column, kb, open_batch], [*outputs, pasted, upload], **quiet)
    resume.click(run, [open_batch], outputs, **quiet)
    stop.click(lambda batch: desk.stopping.add(batch), [open_batch], None, queue=False, **quiet)
    earlier.input(restore, [earlier], outputs, **quiet)
    upload.change(columns, [upload], [column], **quiet)
    demo.load(restore, [open_batch], outputs, **quiet)


def comments_from(file: str | None, text: str, column: str | None) -> tuple[str, Table, int]:
    """The batch's name, its table, and the index of the comment column. Raises BadInput."""
    if file:
        path = Path(file)
        try:
            table = read_table(path)
            index = find_column(path, table, COMMENT_NAMES, column, "“Column with the comments”")
        except BadInput as error:  # the user knows the file by its name, not by where the server has put it
            raise BadInput(str(error).replace(str(path), path.name)) from error
        title = file_name(path.name)
    else:
        comments = split_comments(text)
        title, table, index = PASTED, Table(("comment",), [(comment,) for comment in comments]), 0
    if not table.rows:
        raise BadInput("there are no comments yet: paste some, or choose a CSV file")
    if len(table.rows) > MOST:
        raise BadInput(f"{len(table.rows):,} comments are too many for the page (up to {MOST:,}): use `shawgpt reply`")
    return title, table, index


def split_comments(text: str) -> list[str]:
    """Pasted text as comments: parted by blank lines where there are any, else one a line."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if all(lines):
        return [line.strip() for line in lines]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def draft_waiting(desk: Desk, batch: str) -> Iterator[Draft]:
    """Draft what waits in `batch`, row by row, each saved before the next, until it is done or stopped."""
    info = desk.log.info(batch)
    if info is None:
        return
    rows = desk.log.rows(batch)
    recent = [row.reply for row in rows if row.draft]
    for row in rows:
        if row.draft:
            continue
        if batch in desk.stopping:
            return
        try:
            view = desk.view(info.persona, info.kb)
            draft = view.draft(row.comment, tuple(reply for reply in recent[-RECENT:] if reply))
            responder = view.responder.name
        except Exception as error:  # one comment's trouble is its row's, named there, and not the batch's
            draft = Draft("", "failed", "", (f"failed: {type(error).__name__}: {error}",))
            responder = ""
        desk.log.save(batch, row.row, draft, responder)
        recent.append(draft.reply)
        yield draft


def cards_value(log: DraftLog, batch: str) -> dict[str, Any]:
    """What the page's script shows: the batch, and a card for each row that is drafted."""
    rows = log.rows(batch) if batch else []
    return {"batch": batch, "total": len(rows), "cards": [card(row) for row in rows if row.draft]}


def _server_functions(log: DraftLog) -> tuple[Any, ...]:
    """What the script in the page calls. Each is refused without the batch's id, which can't be guessed."""

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

    return save, download


def _trouble(error: ShawGPTError) -> str:
    return f'<p class="sg-note sg-bad" role="alert">{text_html(str(error))}</p>'


def _progress(info: BatchInfo | None, running: bool) -> str:
    if info is None:
        return ""
    done = info.rows - info.waiting
    said = f"{done} of {info.rows} done"
    if running:
        bar = f'<progress max="{info.rows}" value="{done}"></progress>'
        return f'<div class="sg-progress" role="status"><span>{said}</span>{bar}</div>'
    stopped = "; stopped, the rest waits" if info.waiting else ""
    name = f'<b dir="auto">{text_html(info.name)}</b>'
    return f'<div class="sg-progress" role="status"><span>{name} {said}{stopped}</span></div>'


def _earlier(log: DraftLog, batch: str) -> Any:
    choices = [(f"{b.begun:%Y-%m-%d %H:%M}  {show_hidden(b.name)} ({b.rows})", b.id) for b in log.latest()]
    return gr.update(choices=choices, value=batch or None, visible=bool(choices))

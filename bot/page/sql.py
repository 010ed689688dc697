"""The SQL tab: a pasted schema or an opened SQLite file, a question, the query to look at and edit, its table."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from bot.page.citations import file_name
from bot.page.desk import Desk
from bot.page.markup import text_html
from bot.sql.ask import Answer, Tables, answer, open_tables, run
from bot.sql.reader import Cell, Reader, Result
from bot.sql.safe import LONGEST, QueryFailed, check
from bot.sql.schema import MOST, Schema, from_script
from bot.sql.write import ChatWriter, RuleWriter, fault
from data.errors import BadInput, ShawGPTError

SIZE = 50 << 20  # bytes of a database that is opened here
QUESTION = 2000  # characters
PERSONA = "sql"
TABLES = 40  # that are listed
EMPTY = (
    '<div class="sg-empty"><h2>No tables yet</h2><p>Paste CREATE TABLE statements, or open a SQLite file: it is only '
    "read, and deleted when you leave.</p></div>"
)


@dataclass(frozen=True)
class Opened:
    """The file of a session: a copy, which no other session has."""

    path: str
    name: str  # as the person knows it


class Databases:
    """The files that are open, one a session, in a folder of this run."""

    def __init__(self) -> None:
        self._open: dict[str, Opened] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, upload: Path) -> Opened:
        """Take `upload` away into a folder of its own, in the place of what the session had open. Raises BadInput."""
        self.forget(session)
        if not _is_upload(upload) or not upload.is_file():
            raise BadInput("the file is gone: open it again")
        if upload.stat().st_size > SIZE:
            raise BadInput(f"the file is too large: {SIZE >> 20} MB are the most; use `shawgpt ask --database`")
        made = Opened(str(Path(tempfile.mkdtemp(dir=_uploads())) / "open.sqlite"), file_name(upload.name))
        shutil.move(upload, made.path)
        with self._lock:
            self._open[session] = made
        return made

    def of(self, session: str) -> Opened | None:
        """What the session has open."""
        with self._lock:
            return self._open.get(session)

    def forget(self, session: str) -> None:
        """Delete what the session has open."""
        with self._lock:
            gone = self._open.pop(session, None)
        if gone is not None:
            shutil.rmtree(Path(gone.path).parent, ignore_errors=True)


def sql_tab(desk: Desk, demo: gr.Blocks) -> None:
    """Build the tab."""
    databases = Databases()
    with gr.Row(elem_id="sql"):
        with gr.Column(scale=2, min_width=300):
            file = gr.File(
                label=f"SQLite file (up to {SIZE >> 20} MB)", type="filepath",
                file_types=[".sqlite", ".sqlite3", ".db", ".db3"], height=150, elem_id="sql-file",
            )  # fmt: skip
            schema = gr.Textbox(
                label="Or the schema: CREATE TABLE statements", lines=6, max_lines=14, max_length=MOST,
                placeholder="CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, town TEXT);",
                elem_id="sql-schema",
            )  # fmt: skip
            listed = gr.HTML(EMPTY, elem_id="sql-tables", apply_default_css=False, padding=False)
            close = gr.Button("Close the file", size="sm", visible=False, elem_id="sql-close")
        with gr.Column(scale=3, min_width=300):
            question = gr.Textbox(
                label="Question", placeholder="How many customers are from Leeds?", lines=1, max_lines=4,
                max_length=QUESTION, elem_id="sql-question",
            )  # fmt: skip
            write = gr.Button("Write the query", variant="primary", elem_id="sql-write")
            query = gr.Textbox(
                label="Query: look it over, change it if you like", lines=3, max_lines=12, max_length=LONGEST,
                elem_id="sql-query",
            )  # fmt: skip
            again = gr.Button("Run the query", elem_id="sql-run")
            shown = gr.HTML(elem_id="sql-result", apply_default_css=False, padding=False)

    def opening(path: str | None, request: gr.Request) -> dict[Any, Any]:
        """The uploaded file, taken or refused; the one before it is deleted."""
        if not path:
            return {shown: gr.skip()}
        try:
            made = databases.keep(_session(request), Path(path))
        except ShawGPTError as error:
            return {file: None, listed: EMPTY, close: gr.update(visible=False), shown: _note("bad", str(error))}
        try:
            tables = _tables_html(_tables(made, "").schema, made.name)
        except ShawGPTError as error:
            databases.forget(_session(request))
            told = _note("bad", _told(error, made))
            return {file: None, listed: EMPTY, close: gr.update(visible=False), shown: told}
        return {file: None, listed: tables, close: gr.update(visible=True), shown: ""}

    def closing(text: str, request: gr.Request) -> tuple[str, Any, str]:
        databases.forget(_session(request))
        return _pasted_html(text), gr.update(visible=False), ""

    def pasted(text: str, request: gr.Request) -> str | Any:
        """The tables of a pasted schema, where no file is open."""
        return gr.skip() if databases.of(_session(request)) else _pasted_html(text)

    def asking(asked: str, text: str, request: gr.Request) -> Iterator[tuple[Any, str]]:
        """The query for a question, put into its box and run."""
        now = databases.of(_session(request))
        if not asked.strip():
            yield gr.skip(), _note("warn", "Type a question first.")
            return
        yield gr.skip(), '<p class="sg-dots" role="status">Writing the query</p>'
        try:
            given = ask(desk, asked.strip()[:QUESTION], now, text)
        except ShawGPTError as error:
            yield gr.skip(), _note("bad", _told(error, now))
            return
        except Exception as error:  # of a model or library: shown as what it is
            yield gr.skip(), _note("bad", f"{type(error).__name__}: {error}")
            return
        yield given.sql, answer_html(given)

    def running(sql: str, text: str, request: gr.Request) -> str:
        """What the query in the box gives."""
        now = databases.of(_session(request))
        try:
            return answer_html(run_query(sql, now, text))
        except ShawGPTError as error:
            return _note("bad", _told(error, now))

    def leaving(request: gr.Request) -> None:
        databases.forget(_session(request))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    file.upload(opening, [file], [file, listed, close, shown], **quiet)
    close.click(closing, [schema], [listed, close, shown], **quiet)
    schema.change(pasted, [schema], [listed], **quiet)
    gr.on([question.submit, write.click], asking, [question, schema], [query, shown], **quiet)
    again.click(running, [query, schema], [shown], **quiet)
    demo.unload(leaving)


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def ask(desk: Desk, question: str, opened: Opened | None, schema: str) -> Answer:
    """The query for `question`, and its table where a file is open. Raises ShawGPTError."""
    persona = desk.persona if desk.assistant.persona.task == "sql" else PERSONA
    written_by = desk.writer(persona)
    with Reader() as reader:  # one of its own: what one person's query takes, no other waits for
        tables = _tables(opened, schema, reader)
        if written_by.responder == "extractive":
            return answer(question, tables, RuleWriter(), str(written_by), reader)
        chat = desk.view(persona, desk.assistant.kb).chat
        return answer(question, tables, ChatWriter(chat.model, chat.fits), str(written_by), reader)


def run_query(sql: str, opened: Opened | None, schema: str) -> Answer:
    """What `sql` gives, with the same checks whoever wrote it. Raises ShawGPTError."""
    with Reader() as reader:
        tables = _tables(opened, schema, reader)
        if tables.database is not None:
            return run(Answer("", sql, "answered"), tables, reader)
        try:
            check(sql)
        except QueryFailed as error:
            return Answer("", sql, "failed", str(error))
        wrong = fault(sql, tables.schema)
        return Answer("", sql, "failed" if wrong else "answered", wrong)


def _tables(opened: Opened | None, schema: str, reader: Reader | None = None) -> Tables:
    if opened is None:
        if not schema.strip():
            raise BadInput("there are no tables yet: paste a schema, or open a SQLite file")
        return Tables(from_script(schema))
    path = Path(opened.path)
    if not path.is_file():
        raise BadInput("the file is gone: open it again")
    if reader is not None:
        return open_tables(reader, path, None)
    with Reader() as own:
        return open_tables(own, path, None)


def _uploads() -> Path:
    return Path(os.environ["GRADIO_TEMP_DIR"]).resolve()


def _is_upload(path: Path) -> bool:
    """Whether `path` lies where uploads of this run do: no other file is taken."""
    return path.resolve().is_relative_to(_uploads())


def _told(error: ShawGPTError, opened: Opened | None) -> str:
    """An error as a person can read it: the file by the name they know."""
    return str(error).replace(Path(opened.path).name, opened.name) if opened else str(error)


def answer_html(given: Answer) -> str:
    """What came of a question or a query: a note where there is no table, the table, who wrote it."""
    if given.status == "abstained":
        shown = _note("warn", f"No query: {given.reason}. You can write one yourself.")
    elif given.status == "failed":
        shown = _note("bad", f"It can't be run: {given.reason}")
    elif given.result is None:
        shown = _note("good", "The query fits the schema. Open a SQLite file to run it.")
    else:
        shown = _result_html(given.result)
    by = f'<p class="sg-meta">Responder: {text_html(given.responder)}</p>' if given.responder else ""
    return shown + by


def _result_html(result: Result) -> str:
    rows = len(result.rows)
    count = f"{rows:,} row{'' if rows == 1 else 's'}"
    more = f"The first {count}: there are more" if result.truncated else count
    head = "".join(f'<th scope="col" dir="auto">{text_html(name)}</th>' for name in result.columns)
    body = "".join(f"<tr>{''.join(_cell_html(cell) for cell in row)}</tr>" for row in result.rows)
    return (
        f'<p class="sg-count" role="status">{more}</p><div class="sg-table sg-rows" tabindex="0" role="region" '
        f'aria-label="Result"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell_html(cell: Cell) -> str:
    if cell is None:
        return '<td class="sg-null">NULL</td>'
    return f'<td dir="auto">{text_html(str(cell))}</td>'


def _tables_html(schema: Schema, name: str) -> str:
    shown = "".join(
        f"<li><b>{text_html(table.name)}</b> <span>{text_html(', '.join(c.name for c in table.columns[:60]))}</span>"
        for table in schema.tables[:TABLES]
    )
    more = f"<li>and {len(schema.tables) - TABLES} more</li>" if len(schema.tables) > TABLES else ""
    count = f"{len(schema.tables)} table{'' if len(schema.tables) == 1 else 's'}"
    of = f" in {text_html(name)}" if name else ""
    return f'<p class="sg-count">{count}{of}</p><ul class="sg-schema">{shown}{more}</ul>'


def _pasted_html(text: str) -> str:
    try:
        return _tables_html(from_script(text), "") if text.strip() else EMPTY
    except BadInput as error:
        return _note("bad", str(error))


def _note(kind: str, text: str) -> str:
    return f'<p class="sg-note sg-{kind}" role="status">{text_html(text)}</p>'

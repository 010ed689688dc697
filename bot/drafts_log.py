"""Drafts in the database, for the page: batches of comments, their drafts, the creator's edits. A kill loses none."""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bot.drafts import Draft, WrittenBy
from data.csvio import ADDED, encode
from data.database import Database
from data.errors import BadInput, NotFound, WorkFolderError

MOST = 2000  # rows of one batch that the page shows; a file of any length is drafted
_DRAFT = TypeAdapter(Draft)


@dataclass(frozen=True)
class BatchInfo:
    """What one upload, paste or run of `shawgpt reply` became."""

    id: str  # when it was begun (UTC) and a part that can't be guessed; who may use the page may open it by its name
    name: str  # the file's name, or "Pasted comments"
    persona: str
    kb: str
    rows: int
    waiting: int  # rows not drafted yet
    output: str = ""  # the file that `shawgpt reply` writes; empty for a batch of the page

    @property
    def begun(self) -> datetime:
        """When, in the server's time zone."""
        return datetime.strptime(self.id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).astimezone()


@dataclass(frozen=True)
class LoggedDraft:
    """A comment of a batch with what became of it."""

    row: int  # from 0, in the order of the input
    comment: str
    cells: tuple[tuple[str, str], ...]  # the input's columns and this row's cells
    draft: Draft | None  # None until it is drafted
    written_by: WrittenBy
    edited: str | None  # the creator's own text, None until edited

    @property
    def reply(self) -> str:
        """What will go out: the creator's text, else the draft's."""
        if self.edited is not None:
            return self.edited
        return self.draft.reply if self.draft else ""


class DraftLog:
    """The batches of a work folder."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def begin(
        self, name: str, persona: str, kb: str, columns: Sequence[str], rows: Sequence[Sequence[str]], comment: int,
        output: str = "", batch: str | None = None,
    ) -> str:  # fmt: skip
        """Record the comments (cell `comment` of each row) before the first is drafted; returns the batch's id.

        Where it is a `batch` that was begun before, only the rows that it lacks are added.
        """
        batch = batch or f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(8)}"
        about = {"name": name, "persona": persona, "kb": kb, "output": output, "responder": "", "draft": None}
        values = [
            (batch, number, _clean(row[comment]), _json(about | {"cells": list(zip(columns, row, strict=True))}))
            for number, row in enumerate(rows)
        ]
        with self.database.write() as db:
            db.executemany("INSERT OR IGNORE INTO drafts (batch, row, comment, draft) VALUES (?, ?, ?, ?)", values)
        return batch

    def save(self, batch: str, row: int, draft: Draft, written_by: WrittenBy) -> None:
        """Keep the draft of a row that waits for one; a draft that is there already stays."""
        with self.database.write() as db:
            db.execute(
                "UPDATE drafts SET draft = json_set(draft, '$.draft', json(?), '$.responder', ?, '$.adapter', ?)"
                " WHERE batch = ? AND row = ? AND json_extract(draft, '$.draft') IS NULL",
                (_json(asdict(draft)), written_by.responder, written_by.adapter, batch, row),
            )

    def edit(self, batch: str, row: int, text: str) -> None:
        """Keep the creator's text for a row. Raises NotFound for a row that doesn't exist."""
        with self.database.write() as db:
            done = db.execute(
                "UPDATE drafts SET edited = ?, edited_at = ? WHERE batch = ? AND row = ?",
                (_clean(text), datetime.now(UTC).isoformat("T", "seconds"), batch, row),
            )
            if not done.rowcount:
                raise NotFound("these drafts are no longer in the work folder")

    def rows(self, batch: str, first: int = 0, limit: int = -1, drafted: bool = False) -> list[LoggedDraft]:
        """The rows of `batch` in order, from `first` on, at most `limit`; none for an unknown one.

        `drafted`: only those that are.
        """
        such = " AND json_extract(draft, '$.draft') IS NOT NULL" if drafted else ""
        asked = f"SELECT * FROM drafts WHERE batch = ? AND row >= ?{such} ORDER BY row LIMIT ?"
        return [_logged(row) for row in self.database.read(asked, batch, first, limit)]

    def info(self, batch: str) -> BatchInfo | None:
        """What `batch` is, None for an unknown one."""
        return next(self._infos("WHERE batch = ?", batch), None)

    def latest(self, limit: int = 50) -> list[BatchInfo]:
        """The newest batches, newest first."""
        return list(self._infos("", limit=limit))

    def of_output(self, output: str) -> BatchInfo | None:
        """The newest batch that `shawgpt reply` wrote to the file `output`."""
        return self._newest("json_extract(draft, '$.output') = ?", output)

    def from_a_file(self) -> BatchInfo | None:
        """The newest batch of `shawgpt reply`."""
        return self._newest("json_extract(draft, '$.output') != ''")

    def as_csv(self, batch: str) -> str:
        """The input's columns and the added ones, with the edited replies, guarded against spreadsheets."""
        rows = self.rows(batch)
        if not rows:
            raise NotFound("these drafts are no longer in the work folder")
        lines = [encode([*(column for column, _ in rows[0].cells), *ADDED])]
        for row in rows:
            draft = row.draft or Draft("", "needs_you", "", ("not drafted yet",))
            lines.append(encode([*(cell for _, cell in row.cells), row.reply, *draft_cells(draft, row.written_by)[1:]]))
        return b"".join(lines).decode()

    def _newest(self, such: str, *values: object) -> BatchInfo | None:
        first = f"SELECT max(batch) FROM drafts WHERE row = 0 AND {such}"  # a batch's rows are alike in what is asked
        return next(self._infos(f"WHERE batch = ({first})", *values), None)

    def _infos(self, where: str, *values: object, limit: int = 1) -> Iterator[BatchInfo]:
        rows = self.database.read(
            "SELECT batch, json_extract(draft, '$.name') AS name, json_extract(draft, '$.persona') AS persona,"
            " json_extract(draft, '$.kb') AS kb, json_extract(draft, '$.output') AS output, count(*) AS rows,"
            " sum(json_extract(draft, '$.draft') IS NULL) AS waiting"
            f" FROM drafts {where} GROUP BY batch ORDER BY batch DESC LIMIT ?",
            *values,
            limit,
        )
        for row in rows:
            told = (row["batch"], row["name"], row["persona"], row["kb"], row["rows"], row["waiting"])
            yield BatchInfo(*told, row["output"] or "")


class OutputRecord:
    """What the page shows of one output file of `shawgpt reply`, and in which manner that file was begun.

    The file is what counts: where the work folder can't be written, drafting goes on, and `trouble` says so.
    """

    def __init__(self, log: DraftLog, persona: str, kb: str) -> None:
        self.log, self.persona, self.kb = log, persona, kb
        self.trouble = ""
        self._batch = ""

    def begin(
        self, comments: Path, output: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], comment: int,
        done: Sequence[tuple[Draft, WrittenBy]],
    ) -> None:  # fmt: skip
        """Take in the comments, of which the first are `done`: each with its draft, as in the file, and what wrote it.

        Raises BadInput where these were done with another persona or knowledge base.
        """
        rows, known = rows[:MOST], self.log.of_output(str(output.resolve())) if done else None
        if known and not self._same_comments(known.id, rows, comment):
            known = None  # of another file, which had this name
        if known and (known.persona, known.kb) != (self.persona, self.kb):
            begun = f"--persona {known.persona}" + (f" --kb {known.kb}" if known.kb != self.kb else "")
            raise other_manner(output, begun)
        with self._or_trouble(), self.log.database.write():
            self._batch = self.log.begin(
                comments.name, self.persona, self.kb, columns, rows, comment, str(output.resolve()),
                known.id if known else None,
            )  # fmt: skip
            for row, (draft, written_by) in enumerate(done[:MOST]):
                self.log.save(self._batch, row, draft, written_by)

    def save(self, row: int, draft: Draft, written_by: WrittenBy) -> None:
        """Keep the draft of `row`, for the page."""
        if row < MOST and not self.trouble:
            with self._or_trouble():
                self.log.save(self._batch, row, draft, written_by)

    def _same_comments(self, batch: str, rows: Sequence[Sequence[str]], comment: int) -> bool:
        pairs = zip(self.log.rows(batch), rows, strict=False)
        return all(logged.comment == _clean(row[comment]) for logged, row in pairs)

    @contextmanager
    def _or_trouble(self) -> Iterator[None]:
        try:
            yield
        except WorkFolderError as error:
            self.trouble = str(error)


def other_manner(output: Path, begun: str) -> BadInput:
    """That `output` holds drafts of another manner, which one file doesn't mix."""
    return BadInput(f"{output} was begun with {begun}: go on with that, give -o another file, or --overwrite it")


def draft_cells(draft: Draft, written_by: WrittenBy) -> list[str]:
    """A draft as the cells of the added columns."""
    sources = "; ".join(dict.fromkeys(str(source) for source in draft.sources))
    by = (written_by.responder, written_by.adapter)
    return [draft.reply, draft.status, draft.intent, "; ".join(draft.flags), sources, *by]


def _logged(row: sqlite3.Row) -> LoggedDraft:
    about: dict[str, Any] = json.loads(row["draft"])
    cells = tuple((column, cell) for column, cell in about["cells"])
    draft = _DRAFT.validate_python(about["draft"]) if about["draft"] else None
    written_by = WrittenBy(about["responder"], about.get("adapter", ""))
    return LoggedDraft(row["row"], row["comment"], cells, draft, written_by, row["edited"])


def _json(value: Any) -> str:
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    """Lone surrogates, which a browser may send and SQLite refuses, become question marks."""
    return text.encode("utf-8", "replace").decode()

"""The page's drafts in the database: batches of comments, their drafts, and the creator's edits. A kill loses none."""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from bot.csvio import encode
from bot.drafts import Draft
from bot.reply import ADDED
from data.database import Database
from data.errors import NotFound

_DRAFT = TypeAdapter(Draft)


@dataclass(frozen=True)
class BatchInfo:
    """What one upload or paste became."""

    id: str  # when it was begun (UTC) and a part that can't be guessed: knowing it is what lets a session read it
    name: str  # the file's name, or "Pasted comments"
    persona: str
    kb: str
    rows: int
    waiting: int  # rows not drafted yet

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
    responder: str
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
        self, name: str, persona: str, kb: str, columns: Sequence[str], rows: Sequence[Sequence[str]], comment: int
    ) -> str:
        """Record the comments (cell `comment` of each row) before the first is drafted; returns the batch's id."""
        batch = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(8)}"
        about = {"name": name, "persona": persona, "kb": kb, "responder": "", "draft": None}
        values = [
            (batch, number, _clean(row[comment]), _json(about | {"cells": list(zip(columns, row, strict=True))}))
            for number, row in enumerate(rows)
        ]
        with self.database.write() as db:
            db.executemany("INSERT INTO drafts (batch, row, comment, draft) VALUES (?, ?, ?, ?)", values)
        return batch

    def save(self, batch: str, row: int, draft: Draft, responder: str) -> None:
        """Keep the draft of a row that waits for one; a draft that is there already stays."""
        with self.database.write() as db:
            db.execute(
                "UPDATE drafts SET draft = json_set(draft, '$.draft', json(?), '$.responder', ?)"
                " WHERE batch = ? AND row = ? AND json_extract(draft, '$.draft') IS NULL",
                (_json(asdict(draft)), responder, batch, row),
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

    def rows(self, batch: str) -> list[LoggedDraft]:
        """Every row of `batch` in order; none for an unknown one."""
        found = self.database.read("SELECT * FROM drafts WHERE batch = ? ORDER BY row", batch)
        return [_logged(row) for row in found]

    def info(self, batch: str) -> BatchInfo | None:
        """What `batch` is, None for an unknown one."""
        return next(self._infos("WHERE batch = ?", batch), None)

    def latest(self, limit: int = 50) -> list[BatchInfo]:
        """The newest batches, newest first."""
        return list(self._infos("", limit=limit))

    def as_csv(self, batch: str) -> str:
        """The input's columns and the added ones, with the edited replies, guarded against spreadsheets."""
        rows = self.rows(batch)
        if not rows:
            raise NotFound("these drafts are no longer in the work folder")
        lines = [encode([*(column for column, _ in rows[0].cells), *ADDED])]
        for row in rows:
            draft = row.draft or Draft("", "needs_you", "", ("not drafted yet",))
            sources = "; ".join(dict.fromkeys(str(source) for source in draft.sources))
            added = (row.reply, draft.status, draft.intent, "; ".join(draft.flags), sources, row.responder, "")
            lines.append(encode([*(cell for _, cell in row.cells), *added]))
        return b"".join(lines).decode()

    def _infos(self, where: str, *values: object, limit: int = 1) -> Iterator[BatchInfo]:
        rows = self.database.read(
            "SELECT batch, json_extract(draft, '$.name') AS name, json_extract(draft, '$.persona') AS persona,"
            " json_extract(draft, '$.kb') AS kb, count(*) AS rows,"
            " sum(json_extract(draft, '$.draft') IS NULL) AS waiting"
            f" FROM drafts {where} GROUP BY batch ORDER BY batch DESC LIMIT ?",
            *values,
            limit,
        )
        for row in rows:
            yield BatchInfo(row["batch"], row["name"], row["persona"], row["kb"], row["rows"], row["waiting"])


def _logged(row: sqlite3.Row) -> LoggedDraft:
    about: dict[str, Any] = json.loads(row["draft"])
    cells = tuple((column, cell) for column, cell in about["cells"])
    draft = _DRAFT.validate_python(about["draft"]) if about["draft"] else None
    return LoggedDraft(row["row"], row["comment"], cells, draft, about["responder"], row["edited"])


def _json(value: Any) -> str:
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    """Lone surrogates, which a browser may send and SQLite refuses, become question marks."""
    return text.encode("utf-8", "replace").decode()

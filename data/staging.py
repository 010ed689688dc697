"""Documents on their way into the record: out of sight until their last chunk is there, however long they are."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from data.database import Database, explained
from data.models import Chunk, Document

# A temporary table: SQLite keeps it in a file of its own, which no reader sees, which locks nothing and which is gone
# when the process ends, however it ends. So memory holds a slice of a document at a time, never all of it.
_STAGED = """
CREATE TEMP TABLE IF NOT EXISTS staged (
    document INTEGER NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, heading TEXT NOT NULL,
    page_start INTEGER, page_end INTEGER, page_breaks TEXT NOT NULL, tokens INTEGER NOT NULL,
    embedded_text TEXT NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (document, position), UNIQUE (document, id)
)
"""
_FIELDS = "position, id, text, heading, page_start, page_end, page_breaks, tokens, embedded_text, vector"


@dataclass(frozen=True)
class StagedChunk:
    """A chunk with its vector, ready for the record."""

    document: int  # the caller's number for its document
    position: int  # within its document, from 0
    id: str
    chunk: Chunk
    vector: bytes  # float32, little-endian, unit norm


class Staging:
    """Chunks that wait for the rest of their document. One a thread at a time: it begins by emptying the table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with explained(database.path):
            database.connection.execute(_STAGED)
        self.clear()

    def add(self, chunks: Sequence[StagedChunk]) -> None:
        """Put chunks aside. Raises WorkFolderError where the disk is full."""
        rows = [
            (
                each.document, each.position, each.id, each.chunk.text, each.chunk.heading, each.chunk.page_start,
                each.chunk.page_end, json.dumps(each.chunk.page_breaks), each.chunk.tokens, each.chunk.embedded_text,
                each.vector,
            )
            for each in chunks
        ]  # fmt: skip
        with explained(self._database.path):
            self._database.connection.executemany(f"INSERT INTO staged VALUES ({', '.join('?' * 11)})", rows)

    def replace(
        self, db: sqlite3.Connection, kb: int, number: int, document: Document, digest: str
    ) -> tuple[list[str], list[str]]:
        """In the transaction of `db`, put document `number` in the place of the version that is there, if one is.

        Returns the ids of the chunks that came and of those that went, for the index.
        """
        old = db.execute("SELECT id FROM documents WHERE kb = ? AND source = ?", (kb, document.source)).fetchone()
        key = old["id"] if old else None
        came = _ids(db, "SELECT id FROM staged WHERE document = ? AND id NOT IN (SELECT id FROM chunks)"
                        " ORDER BY position", number)  # fmt: skip
        went = _ids(db, "SELECT id FROM chunks WHERE document = ? AND id NOT IN"
                        " (SELECT id FROM staged WHERE document = ?)", key, number)  # fmt: skip
        delete_document(db, kb, key)
        cursor = db.execute(
            "INSERT INTO documents (kb, source, digest, kind, title, author, date, pages, page_labels, ingested_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                kb, document.source, digest, document.kind, document.title, document.author, document.date,
                len(document.page_starts), json.dumps(document.page_labels),
                datetime.now(UTC).isoformat("T", "seconds"),
            ),
        )  # fmt: skip
        db.execute(
            f"INSERT INTO chunks (document, {_FIELDS}) SELECT ?, {_FIELDS} FROM staged WHERE document = ?"
            " ORDER BY position",
            (cursor.lastrowid, number),
        )
        db.execute(
            f"INSERT INTO {fts(kb)} (rowid, embedded_text) SELECT key, embedded_text FROM chunks WHERE document = ?",
            (cursor.lastrowid,),
        )
        return came, went

    def clear(self) -> None:
        """Drop what waits."""
        with explained(self._database.path):
            self._database.connection.execute("DELETE FROM staged")


def delete_document(db: sqlite3.Connection, kb: int, key: int | None) -> None:
    """In the transaction of `db`, remove document `key` of knowledge base `kb`, if there is one."""
    # An external-content FTS table must be told the old text to take it out.
    db.execute(
        f"INSERT INTO {fts(kb)} ({fts(kb)}, rowid, embedded_text)"
        " SELECT 'delete', key, embedded_text FROM chunks WHERE document = ?",
        (key,),
    )
    db.execute("DELETE FROM documents WHERE id = ?", (key,))
    db.execute("UPDATE knowledge_bases SET revision = revision + 1 WHERE id = ?", (kb,))


def fts(kb: int) -> str:
    """The full-text table of a knowledge base: each has its own, so that BM25's statistics are its documents' own."""
    return f"fts_{kb}"


def _ids(db: sqlite3.Connection, sql: str, *values: object) -> list[str]:
    return [row["id"] for row in db.execute(sql, values)]

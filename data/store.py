"""The record: documents, chunks with their vectors, and the full-text index, in SQLite."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from data.database import Database
from data.errors import BadInput, NotFound
from data.models import Chunk, Document

Vectors = NDArray[np.float32]

DEFAULT_KB = "default"
MAX_VARIABLES = 900  # SQLite's oldest limit of bound variables in a statement is 999


@dataclass(frozen=True)
class Source:
    """A document of a knowledge base, as `shawgpt sources` lists it."""

    source: str
    title: str
    author: str
    date: str
    kind: str
    pages: int
    chunks: int
    ingested_at: str
    digest: str


@dataclass(frozen=True)
class StoredChunk:
    """A chunk with what is needed to show and cite it."""

    id: str
    source: str
    title: str
    position: int  # within its document, from 0
    text: str
    heading: str
    page_start: int | None
    page_end: int | None
    page_labels: tuple[str, ...]
    embedded_text: str
    page_breaks: tuple[int, ...]


class Store:
    """Knowledge bases and their contents. A chunk exists when its document's transaction has been committed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- knowledge bases

    def knowledge_bases(self) -> list[str]:
        """The names of all knowledge bases, sorted."""
        return [row["name"] for row in self._all("SELECT name FROM knowledge_bases ORDER BY name")]

    def open_kb(self, name: str, embedder: str) -> None:
        """Create `name`, or check that it was made with the same embedder.

        Raises BadInput for a name that isn't letters, digits, '-' and '_', or a different embedder.
        """
        if not name or len(name) > 64 or not all(c.isalnum() or c in "-_" for c in name):
            raise BadInput(f"knowledge base {name!r}: use letters, digits, '-' and '_' (64 at most)")
        row = self._one("SELECT embedder FROM knowledge_bases WHERE name = ?", name)
        if row is None:
            with self.database.write() as db:
                db.execute("INSERT INTO knowledge_bases (name, embedder, revision) VALUES (?, ?, 0)", (name, embedder))
                db.execute(
                    f"CREATE VIRTUAL TABLE {self._fts(name)} USING fts5(embedded_text, content='chunks', "
                    "content_rowid='key', tokenize='porter unicode61 remove_diacritics 2')"
                )
        elif row["embedder"] != embedder:
            raise BadInput(
                f"knowledge base {name!r} was embedded with {row['embedder']}, not {embedder}: "
                "run `shawgpt doctor --reembed` to embed it again, or ingest --into another name"
            )

    def check_kb(self, name: str, embedder: str) -> None:
        """Raise NotFound for an unknown knowledge base, BadInput for one made with another embedder."""
        self._kb(name)
        self.open_kb(name, embedder)

    def kb_id(self, name: str) -> int:
        """A number that is this knowledge base's for good. Raises NotFound."""
        return self._kb(name)

    def revision(self, kb: str) -> int:
        """A number that grows with every change of `kb`."""
        row = self._one("SELECT revision FROM knowledge_bases WHERE name = ?", kb)
        return int(row["revision"]) if row else 0

    def replace_vectors(self, kb: str, embedder: str, vectors: dict[str, Vectors]) -> None:
        """Set every chunk's vector of `kb` at once, with the name of the embedder that made them."""
        with self.database.write() as db:
            db.executemany("UPDATE chunks SET vector = ? WHERE id = ?", [(_blob(v), i) for i, v in vectors.items()])
            db.execute(
                "UPDATE knowledge_bases SET embedder = ?, revision = revision + 1 WHERE name = ?", (embedder, kb)
            )

    # -- documents

    def digest(self, kb: str, source: str) -> str | None:
        """The digest with which `source` was last ingested, None if it wasn't."""
        row = self._one(
            "SELECT digest FROM documents JOIN knowledge_bases k ON k.id = kb WHERE k.name = ? AND source = ?",
            kb,
            source,
        )
        return row["digest"] if row else None

    def absent(self, ids: Iterable[str]) -> set[str]:
        """Those of the chunk `ids` that the record doesn't have."""
        wanted = list(ids)
        found = {row["id"] for row in self._in("SELECT id FROM chunks WHERE id IN ({})", wanted)}
        return set(wanted) - found

    def put_document(
        self, kb: str, document: Document, digest: str, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
    ) -> tuple[list[str], list[str]]:
        """Add `document`, or replace the version that is there, in one transaction.

        `vectors` holds the vector of each chunk that `absent` named; the others keep theirs.
        Returns the ids of the chunks that came and of those that went, for the index.
        """
        ids = chunk_ids(kb, document.source, chunks)
        with self.database.write() as db:
            kb_key = self._kb(kb)
            old = self._chunk_rows(db, kb_key, document.source)
            kept = {row["id"]: row["vector"] for row in old}
            self._delete_document(db, kb, kb_key, document.source, old)
            cursor = db.execute(
                "INSERT INTO documents (kb, source, digest, kind, title, author, date, pages, page_labels, ingested_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    kb_key, document.source, digest, document.kind, document.title, document.author, document.date,
                    len(document.page_starts), json.dumps(document.page_labels),
                    datetime.now(UTC).isoformat("T", "seconds"),
                ),
            )  # fmt: skip
            for position, (chunk_id, chunk) in enumerate(zip(ids, chunks, strict=True)):
                blob = _blob(vectors[chunk_id]) if chunk_id in vectors else kept[chunk_id]
                row = db.execute(
                    "INSERT INTO chunks (id, document, position, text, heading, page_start, page_end, page_breaks,"
                    " tokens, embedded_text, vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        chunk_id, cursor.lastrowid, position, chunk.text, chunk.heading, chunk.page_start,
                        chunk.page_end, json.dumps(chunk.page_breaks), chunk.tokens, chunk.embedded_text, blob,
                    ),
                )  # fmt: skip
                db.execute(
                    f"INSERT INTO {self._fts(kb)} (rowid, embedded_text) VALUES (?, ?)",
                    (row.lastrowid, chunk.embedded_text),
                )
        new = set(ids)
        return [i for i in ids if i not in kept], [i for i in kept if i not in new]

    def forget(self, kb: str, source: str) -> list[str]:
        """Remove `source` with everything made from it; returns the ids of its chunks. Raises NotFound."""
        with self.database.write() as db:
            kb_key = self._kb(kb)
            if self.digest(kb, source) is None:
                raise NotFound(f"{source} is not in knowledge base {kb!r}: `shawgpt sources` lists what is")
            old = self._chunk_rows(db, kb_key, source)
            self._delete_document(db, kb, kb_key, source, old)
        return [row["id"] for row in old]

    def sources(self, kb: str) -> list[Source]:
        """The documents of `kb`, by source. Raises NotFound for an unknown knowledge base."""
        rows = self._all(
            "SELECT d.*, count(c.key) AS chunks FROM documents d LEFT JOIN chunks c ON c.document = d.id"
            " WHERE d.kb = ? GROUP BY d.id ORDER BY d.source",
            self._kb(kb),
        )
        names = ("source", "title", "author", "date", "kind", "pages", "chunks", "ingested_at", "digest")
        return [Source(**{name: row[name] for name in names}) for row in rows]

    # -- chunks

    def count(self, kb: str) -> int:
        """How many chunks `kb` has."""
        row = self._one(
            "SELECT count(*) AS n FROM chunks c JOIN documents d ON d.id = c.document WHERE d.kb = ?", self._kb(kb)
        )
        return int(row["n"]) if row else 0

    def chunks(self, ids: Sequence[str]) -> dict[str, StoredChunk]:
        """The chunks with these `ids`; an id that is gone is left out."""
        rows = self._in(
            "SELECT c.*, d.source, d.title, d.page_labels FROM chunks c JOIN documents d ON d.id = c.document"
            " WHERE c.id IN ({})",
            ids,
        )
        return {row["id"]: _stored(row) for row in rows}

    def document_chunks(self, kb: str, source: str) -> list[StoredChunk]:
        """All chunks of one document, in order."""
        rows = self._all(
            "SELECT c.*, d.source, d.title, d.page_labels FROM chunks c JOIN documents d ON d.id = c.document"
            " WHERE d.kb = ? AND d.source = ? ORDER BY c.position",
            self._kb(kb),
            source,
        )
        return [_stored(row) for row in rows]

    def ids(self, kb: str) -> list[str]:
        """The ids of all chunks of `kb`, in the order of `vectors`."""
        rows = self._all(
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document WHERE d.kb = ? ORDER BY c.key",
            self._kb(kb),
        )
        return [row["id"] for row in rows]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of `ids`, in that order: (n, dimension) float32, unit norm. Raises KeyError for an unknown id."""
        found = {row["id"]: row["vector"] for row in self._in("SELECT id, vector FROM chunks WHERE id IN ({})", ids)}
        return _array([found[i] for i in ids])

    def cosines(self, ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        """The cosine of each chunk with `vector` (unit norm), by id; an id that is gone is left out."""
        rows = self._in("SELECT id, vector FROM chunks WHERE id IN ({})", ids)
        scores = (_array([row["vector"] for row in rows]) @ vector).tolist() if rows else []
        return dict(zip((row["id"] for row in rows), scores, strict=True))

    def all_vectors(self, kb: str) -> tuple[list[str], Vectors]:
        """The ids of all chunks of `kb` with their vectors, as of one moment."""
        rows = self._all(
            "SELECT c.id, c.vector FROM chunks c JOIN documents d ON d.id = c.document WHERE d.kb = ? ORDER BY c.key",
            self._kb(kb),
        )
        return [row["id"] for row in rows], _array([row["vector"] for row in rows])

    def fts_search(self, kb: str, match: str, k: int) -> list[tuple[str, float]]:
        """The `k` best chunks for an FTS5 expression, as (chunk id, BM25 ≥ 0, higher is better)."""
        fts = self._fts(kb)
        rows = self._all(
            "SELECT c.id, -f.rank AS score FROM"
            f" (SELECT rowid, rank FROM {fts} WHERE {fts} MATCH ? ORDER BY rank LIMIT ?) f"
            " JOIN chunks c ON c.key = f.rowid ORDER BY f.rank, c.id",
            match,
            k,
        )
        return [(row["id"], row["score"]) for row in rows]

    def fts_count(self, kb: str, match: str) -> int:
        """How many chunks an FTS5 expression matches."""
        fts = self._fts(kb)
        row = self._one(f"SELECT count(*) AS n FROM {fts} WHERE {fts} MATCH ?", match)
        return int(row["n"]) if row else 0

    # -- inner

    def _kb(self, name: str) -> int:
        row = self._one("SELECT id FROM knowledge_bases WHERE name = ?", name)
        if row is None:
            known = ", ".join(self.knowledge_bases()) or "none yet: `shawgpt ingest` makes one"
            raise NotFound(f"no knowledge base {name!r} (known: {known})")
        return int(row["id"])

    def _fts(self, kb: str) -> str:
        # A full-text table for each knowledge base: BM25's statistics are then those of its own documents.
        return f"fts_{self._kb(kb)}"

    def _chunk_rows(self, db: sqlite3.Connection, kb_key: int, source: str) -> list[sqlite3.Row]:
        return db.execute(
            "SELECT c.key, c.id, c.embedded_text, c.vector FROM chunks c JOIN documents d ON d.id = c.document"
            " WHERE d.kb = ? AND d.source = ?",
            (kb_key, source),
        ).fetchall()

    def _delete_document(
        self, db: sqlite3.Connection, kb: str, kb_key: int, source: str, rows: Iterable[sqlite3.Row]
    ) -> None:
        fts = self._fts(kb)
        for row in rows:  # an external-content FTS table must be told the old text to take it out
            db.execute(
                f"INSERT INTO {fts} ({fts}, rowid, embedded_text) VALUES ('delete', ?, ?)",
                (row["key"], row["embedded_text"]),
            )
        db.execute("DELETE FROM documents WHERE kb = ? AND source = ?", (kb_key, source))
        db.execute("UPDATE knowledge_bases SET revision = revision + 1 WHERE id = ?", (kb_key,))

    def _all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.database.read(sql, *values)

    def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        return next(iter(self._all(sql, *values)), None)

    def _in(self, sql: str, values: Sequence[str]) -> list[sqlite3.Row]:
        rows: list[sqlite3.Row] = []
        for start in range(0, len(values), MAX_VARIABLES):
            part = values[start : start + MAX_VARIABLES]
            rows += self._all(sql.format(",".join("?" * len(part))), *part)
        return rows


def chunk_ids(kb: str, source: str, chunks: Sequence[Chunk]) -> list[str]:
    """An id for each chunk, from its knowledge base, source and content alone; repeated content is numbered."""
    seen: dict[str, int] = {}
    ids = []
    for chunk in chunks:
        nth = seen[chunk.embedded_text] = seen.get(chunk.embedded_text, 0) + 1
        # The page is left out: a page put in at the front moves every later chunk, and changes no vector.
        parts = (kb, source, chunk.embedded_text, str(nth))
        ids.append(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32])
    return ids


def _blob(vector: Vectors) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def _array(blobs: Sequence[bytes]) -> Vectors:
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), -1)


def _stored(row: sqlite3.Row) -> StoredChunk:
    names = ("id", "source", "title", "position", "text", "heading", "page_start", "page_end", "embedded_text")
    return StoredChunk(
        **{name: row[name] for name in names},
        page_labels=tuple(json.loads(row["page_labels"])),
        page_breaks=tuple(json.loads(row["page_breaks"])),
    )

"""The record: documents, chunks with their vectors, and the full-text index, in SQLite."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.database import Database
from data.errors import BadInput, NotFound
from data.models import Chunk, Document
from data.staging import StagedChunk, Staging, delete_document, fts

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
    kind: str  # of its document


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
            db.executemany(
                "UPDATE chunks SET vector = ? WHERE id = ?", [(vector_bytes(v), i) for i, v in vectors.items()]
            )
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

    def size(self, kb: str, source: str) -> tuple[int, int]:
        """How many chunks and pages `source` has; none where it isn't in `kb`."""
        row = self._one(
            "SELECT d.pages, (SELECT count(*) FROM chunks WHERE document = d.id) AS chunks"
            " FROM documents d JOIN knowledge_bases k ON k.id = d.kb WHERE k.name = ? AND source = ?",
            kb,
            source,
        )
        return (row["chunks"], row["pages"]) if row else (0, 0)

    def known_vectors(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The vectors of those of the chunk `ids` that the record has, as it keeps them (float32, little-endian)."""
        return {row["id"]: row["vector"] for row in self._in("SELECT id, vector FROM chunks WHERE id IN ({})", ids)}

    def put_document(
        self, kb: str, document: Document, digest: str, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
    ) -> tuple[list[str], list[str]]:
        """Add `document`, or replace the version that is there, in one transaction.

        `vectors` holds the vector of each chunk by id; a chunk that the record has may be left out and keeps its own.
        Returns the ids of the chunks that came and of those that went, for the index.
        """
        known = self.known_vectors([i for i in chunk_ids(kb, document.source, chunks) if i not in vectors])
        staging = Staging(self.database)
        staging.add([
            StagedChunk(0, position, i, chunk, vector_bytes(vectors[i]) if i in vectors else known[i])
            for position, (i, chunk) in enumerate(identified(kb, document.source, chunks))
        ])  # fmt: skip
        ((came, went),) = self.put_staged(kb, staging, [(document, digest)])
        return came, went

    def put_staged(
        self, kb: str, staging: Staging, documents: Sequence[tuple[Document, str]]
    ) -> list[tuple[list[str], list[str]]]:
        """Add or replace `documents` (each with its digest) in one transaction, with the chunks staged by their number.

        Returns for each the ids of the chunks that came and of those that went, for the index.
        """
        with self.database.write() as db:
            key = self._kb(kb)
            changes = [staging.replace(db, key, number, *document) for number, document in enumerate(documents)]
        staging.clear()
        return changes

    def forget(self, kb: str, source: str) -> list[str]:
        """Remove `source` with everything made from it; returns the ids of its chunks. Raises NotFound."""
        with self.database.write() as db:
            kb_key = self._kb(kb)
            document = self._one("SELECT id FROM documents WHERE kb = ? AND source = ?", kb_key, source)
            if document is None:
                raise NotFound(f"{source} is not in knowledge base {kb!r}: `shawgpt sources` lists what is")
            ids = [row["id"] for row in self._all("SELECT id FROM chunks WHERE document = ?", document["id"])]
            delete_document(db, kb_key, document["id"])
        return ids

    def sources(self, kb: str) -> list[Source]:
        """The documents of `kb`, by source. Raises NotFound for an unknown knowledge base."""
        rows = self._all(
            "SELECT d.*, count(c.key) AS chunks FROM documents d LEFT JOIN chunks c ON c.document = d.id"
            " WHERE d.kb = ? GROUP BY d.id ORDER BY d.source",
            self._kb(kb),
        )
        return [_source(row) for row in rows]

    def document_of(self, chunk: str) -> Source | None:
        """The document that the chunk with this id is of; None where there is no such chunk (any more)."""
        row = self._one(
            "SELECT d.*, (SELECT count(*) FROM chunks WHERE document = d.id) AS chunks"
            " FROM documents d JOIN chunks c ON c.document = d.id WHERE c.id = ?",
            chunk,
        )
        return _source(row) if row else None

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
            "SELECT c.*, d.source, d.title, d.kind, d.page_labels FROM chunks c JOIN documents d ON d.id = c.document"
            " WHERE c.id IN ({})",
            ids,
        )
        return {row["id"]: _stored(row) for row in rows}

    def document_chunks(self, kb: str, source: str) -> list[StoredChunk]:
        """All chunks of one document, in order."""
        rows = self._all(
            "SELECT c.*, d.source, d.title, d.kind, d.page_labels FROM chunks c JOIN documents d ON d.id = c.document"
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
        return fts(self._kb(kb))

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


def identified(kb: str, source: str, chunks: Iterable[Chunk]) -> Iterator[tuple[str, Chunk]]:
    """Each chunk after its id, from its knowledge base, source and content alone; repeated content is numbered."""
    seen: dict[bytes, int] = {}  # by hash: the texts themselves would be the whole document
    for chunk in chunks:
        content = hashlib.sha256(chunk.embedded_text.encode("utf-8", "surrogatepass")).digest()
        nth = seen[content] = seen.get(content, 0) + 1
        # The page is left out: a page put in at the front moves every later chunk, and changes no vector.
        parts = (kb, source, chunk.embedded_text, str(nth))
        yield hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32], chunk


def chunk_ids(kb: str, source: str, chunks: Iterable[Chunk]) -> list[str]:
    """The ids of the chunks of a document."""
    return [i for i, _ in identified(kb, source, chunks)]


def vector_bytes(vector: Vectors) -> bytes:
    """A vector as the record keeps it."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def _array(blobs: Sequence[bytes]) -> Vectors:
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), -1)


def _source(row: sqlite3.Row) -> Source:
    names = ("source", "title", "author", "date", "kind", "pages", "chunks", "ingested_at", "digest")
    return Source(**{name: row[name] for name in names})


def _stored(row: sqlite3.Row) -> StoredChunk:
    names = ("id", "source", "title", "position", "text", "heading", "page_start", "page_end", "embedded_text", "kind")
    return StoredChunk(
        **{name: row[name] for name in names},
        page_labels=tuple(json.loads(row["page_labels"])),
        page_breaks=tuple(json.loads(row["page_breaks"])),
    )

"""Ingest: read what has changed, cut it into chunks, embed the new ones, and commit document by document."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from data.errors import Empty, Rejected
from data.index import Index
from data.models import Chunk, Document
from data.store import Store, Vectors, chunk_ids
from ingest.chunking import split
from ingest.discover import Found, Item
from ingest.reading import Raw, Reader, load

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

READING = "1"  # part of every digest: raise it when reading or chunking changes, and documents are read anew
FLUSH = 128  # chunks embedded in one call: enough to keep every core busy, little enough to bound memory

Outcome = Literal["added", "updated", "unchanged", "empty", "rejected"]


class Embedder(Protocol):
    """The part of data.embedding.Embedder that ingest needs."""

    @property
    def max_tokens(self) -> int: ...
    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...
    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors: ...


@dataclass(frozen=True)
class Entry:
    """What became of one document."""

    source: str
    outcome: Outcome
    chunks: int = 0
    embedded: int = 0  # those of its chunks that were new
    pages: int = 0
    reason: str = ""  # for "empty" and "rejected"


@dataclass
class Report:
    """What became of all of them, in the order they were done."""

    kb: str
    entries: list[Entry] = field(default_factory=list)
    skipped: int = 0  # files in folders that are hidden or of no readable kind

    def count(self, *outcomes: Outcome) -> int:
        """How many documents ended in one of `outcomes`."""
        return sum(entry.outcome in outcomes for entry in self.entries)

    def as_json(self) -> dict[str, Any]:
        """The form that `shawgpt ingest --json` prints."""
        kinds: tuple[Outcome, ...] = ("added", "updated", "unchanged", "empty", "rejected")
        counts = {kind: self.count(kind) for kind in kinds} | {"skipped": self.skipped}
        return {"kb": self.kb, "counts": counts, "documents": [asdict(entry) for entry in self.entries]}


class Progress:
    """Follows an ingest; override what you want to hear of."""

    def found(self, documents: int) -> None:
        """So many documents will be looked at."""

    def embedding(self, done: int, chunks: int) -> None:
        """Of the `chunks` new ones of the present batch, `done` have their vectors."""

    def finished(self, entry: Entry) -> None:
        """One document is done: what `entry` says is in the record."""


def ingest(
    store: Store,
    index: Index,
    embedder: Embedder,
    found: Found,
    kb: str,
    password: str | None = None,
    fetcher: "Fetcher | None" = None,
    progress: Progress | None = None,
) -> Report:
    """Bring knowledge base `kb` (opened with `Store.open_kb`) up to date with the documents `found`.

    A document that can't be read, or has no text, leaves its earlier version as it was. Interrupted at any point, what
    the report (and `progress`) has named is in the record; the rest is taken up by running it again.
    """
    report = Report(kb, skipped=found.skipped)
    progress = progress or Progress()
    progress.found(len(found.items))

    def done(entry: Entry) -> None:
        report.entries.append(entry)
        progress.finished(entry)

    batch = _Batch(store, index, embedder, kb, done, progress.embedding)
    with Reader(password) as reader:
        for raw, outcome in reader.read(_changed(store, found.items, kb, fetcher, done)):
            if isinstance(outcome, Rejected):
                done(_refused(store, kb, raw.source, outcome))
                continue
            chunks = split(outcome, embedder.count_tokens, embedder.max_tokens)
            if not chunks:
                done(_refused(store, kb, raw.source, Empty("no text")))
                continue
            batch.add(outcome, _digest(raw), chunks)
        batch.flush()
    return report


class _Batch:
    """Documents that wait for their chunks to be embedded together."""

    def __init__(
        self,
        store: Store,
        index: Index,
        embedder: Embedder,
        kb: str,
        done: Callable[[Entry], None],
        embedding: Callable[[int, int], None],
    ) -> None:
        self.store, self.index, self.embedder, self.kb = store, index, embedder, kb
        self.done, self.embedding = done, embedding
        self._documents: list[tuple[Document, str, list[Chunk], list[str]]] = []
        self._new: dict[str, str] = {}  # chunk id → text to embed

    def add(self, document: Document, digest: str, chunks: list[Chunk]) -> None:
        ids = chunk_ids(self.kb, document.source, chunks)
        absent = self.store.absent(ids)
        self._new |= {i: chunk.embedded_text for i, chunk in zip(ids, chunks, strict=True) if i in absent}
        self._documents.append((document, digest, chunks, ids))
        if max(len(self._new), len(self._documents)) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        if not self._documents:
            return
        texts = list(self._new.values())
        made = self.embedder.encode(texts, lambda done: self.embedding(done, len(texts)))
        vectors = dict(zip(self._new, made, strict=True))
        entries, added, removed = [], [], []
        with self.store.database.write():  # one commit for the batch: on small files the disk would set the pace
            for document, digest, chunks, ids in self._documents:
                outcome: Outcome = "updated" if self.store.digest(self.kb, document.source) else "added"
                came, went = self.store.put_document(self.kb, document, digest, chunks, vectors)
                added += came
                removed += went
                pages = len(document.page_starts)
                new = sum(i in vectors for i in ids)
                entries.append(Entry(document.source, outcome, len(chunks), new, pages))
        self.index.update(self.kb, added, removed)
        self._documents.clear()
        self._new.clear()
        for entry in entries:
            self.done(entry)


def _changed(
    store: Store, items: Iterable[Item], kb: str, fetcher: "Fetcher | None", done: Callable[[Entry], None]
) -> Iterator[Raw]:
    for item in items:
        try:
            raw = load(item, fetcher)
        except Rejected as error:
            done(_refused(store, kb, item.source, error))
            continue
        if store.digest(kb, raw.source) == _digest(raw):
            done(Entry(raw.source, "unchanged"))
        else:
            yield raw


def _digest(raw: Raw) -> str:
    return f"{raw.digest}:{READING}"


def _refused(store: Store, kb: str, source: str, error: Rejected) -> Entry:
    kept = "; the version ingested before is kept" if store.digest(kb, source) else ""
    return Entry(source, "empty" if isinstance(error, Empty) else "rejected", reason=f"{error}{kept}")

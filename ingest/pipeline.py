"""Ingest: read what has changed, cut it into chunks, embed the new ones, and commit document by document."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from data.errors import Empty, Rejected
from data.index import Index
from data.models import Chunk, Document
from data.staging import StagedChunk, Staging
from data.store import Store, Vectors, identified, vector_bytes
from ingest.chunking import cut
from ingest.discover import Found, Item
from ingest.ocr import missing
from ingest.reading import Raw, Reader, load

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

READING = "3"  # part of every digest: raise it when reading or chunking changes, and documents are read anew
_NO_OCR = ":no-ocr"  # ends the digest of a document with pages that only OCR could have read
LONG = 100_000  # characters of a document before which those that wait are committed
FLUSH = 128  # chunks embedded in one call, and documents or chunks in a commit: keeps cores busy, bounds memory

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
    reason: str = ""  # for "empty" and "rejected"; else what of it couldn't be read, where something couldn't
    kind: str = ""  # of "added" and "updated": what its pages are


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

    def scanning(self, source: str, done: int, pages: int) -> None:
        """Of a scan's `pages`, OCR has read so many. Called from other threads."""

    def embedding(self, source: str, share: float) -> None:
        """Of a long document, this share (0–1) has its vectors."""

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

    batch = _Batch(store, index, embedder, kb, done, progress)
    with Reader(password, scanning=progress.scanning) as reader:
        for raw, outcome in reader.read(_changed(store, found.items, kb, fetcher, done)):
            if isinstance(outcome, Rejected):
                done(_refused(store, kb, raw.source, outcome))
                continue
            chunks = cut(outcome, embedder.count_tokens, embedder.max_tokens)
            if not batch.add(outcome, _digest_of(raw, outcome), chunks):
                done(_refused(store, kb, raw.source, Empty("no text")))
        batch.flush()
    return report


@dataclass
class _Pending:
    """A document whose chunks are being staged."""

    document: Document
    digest: str
    chunks: int = 0
    embedded: int = 0


class _Batch:
    """Documents that wait to be committed together: small ones are many, a long one is alone.

    Chunks are embedded and put aside (`Staging`) in slices, so memory doesn't grow with a document's length; the record
    sees a document when the last of its chunks has its vector.
    """

    def __init__(
        self,
        store: Store,
        index: Index,
        embedder: Embedder,
        kb: str,
        done: Callable[[Entry], None],
        progress: Progress,
    ) -> None:
        self._store, self._index, self._embedder, self._kb = store, index, embedder, kb
        self._done, self._progress = done, progress
        self._staging = Staging(store.database)
        self._documents: list[_Pending] = []
        self._waiting: list[tuple[_Pending, StagedChunk]] = []  # chunks still without a vector, of one slice

    def add(self, document: Document, digest: str, chunks: Iterable[Chunk]) -> bool:
        """Take a document in; False where it has no chunks."""
        if len(document.text) >= LONG:  # it takes its time: what is whole doesn't wait for it
            self.flush()
        pending, number = _Pending(document, digest), len(self._documents)
        read = 0  # characters
        for chunk_id, chunk in identified(self._kb, document.source, chunks):
            self._waiting.append((pending, StagedChunk(number, pending.chunks, chunk_id, chunk, b"")))
            pending.chunks += 1
            read += len(chunk.text)
            if len(self._waiting) >= FLUSH:
                self._embed()
                self._progress.embedding(document.source, read / len(document.text))
        if not pending.chunks:
            return False
        self._documents.append(pending)
        if max(len(self._documents), sum(each.chunks for each in self._documents)) >= FLUSH:
            self.flush()
        return True

    def flush(self) -> None:
        """Commit what waits: one commit for the batch, since on small files the disk would set the pace."""
        if not self._documents:
            return
        self._embed()
        documents = [(each.document, each.digest) for each in self._documents]
        known = [self._store.digest(self._kb, document.source) is not None for document, _ in documents]
        changes = self._store.put_staged(self._kb, self._staging, documents)
        added, removed = ([i for change in changes for i in change[side]] for side in (0, 1))
        self._index.update(self._kb, added, removed)
        done, self._documents = self._documents, []
        for each, was_known in zip(done, known, strict=True):
            document = each.document
            outcome: Outcome = "updated" if was_known else "added"
            counts = (each.chunks, each.embedded, len(document.page_starts))
            self._done(Entry(document.source, outcome, *counts, document.unread, document.kind))

    def _embed(self) -> None:
        vectors = self._store.known_vectors([staged.id for _, staged in self._waiting])
        new = [(pending, staged) for pending, staged in self._waiting if staged.id not in vectors]
        # Where nothing is new the model isn't even loaded.
        made = self._embedder.encode([staged.chunk.embedded_text for _, staged in new]) if new else ()
        for (pending, staged), vector in zip(new, made, strict=True):
            vectors[staged.id] = vector_bytes(vector)
            pending.embedded += 1
        self._staging.add([replace(staged, vector=vectors[staged.id]) for _, staged in self._waiting])
        self._waiting.clear()


def _changed(
    store: Store, items: Iterable[Item], kb: str, fetcher: "Fetcher | None", done: Callable[[Entry], None]
) -> Iterator[Raw]:
    for item in items:
        try:
            raw = load(item, fetcher)
        except Rejected as error:
            done(_refused(store, kb, item.source, error))
            continue
        if store.digest(kb, raw.source) in (_digest(raw), *([_digest(raw) + _NO_OCR] if missing() else [])):
            chunks, pages = store.size(kb, raw.source)
            done(Entry(raw.source, "unchanged", chunks, pages=pages))
        else:
            yield raw


def _digest(raw: Raw) -> str:
    return f"{raw.digest}:{READING}"


def _digest_of(raw: Raw, document: Document) -> str:
    """Pages left for want of OCR are read when it is there."""
    return _digest(raw) + (_NO_OCR if document.unread and missing() else "")


def _refused(store: Store, kb: str, source: str, error: Rejected) -> Entry:
    kept = "; the version ingested before is kept" if store.digest(kb, source) else ""
    return Entry(source, "empty" if isinstance(error, Empty) else "rejected", reason=f"{error}{kept}")

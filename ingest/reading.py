"""From items to documents: raw bytes and their digest first, then parsing in worker processes, in order."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING

from data.errors import Empty, Rejected
from data.models import Document, DocumentKind
from ingest.discover import Item
from ingest.kinds import kind_of
from ingest.pool import Worker

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

_AHEAD = 2  # documents a worker may be ahead of the caller: bounds memory, keeps workers busy


@dataclass(frozen=True)
class Raw:
    """A source before parsing. Its digest says whether it changed, without reading it as a document."""

    source: str  # absolute path or URL
    digest: str  # SHA-256 of the raw bytes, hexadecimal
    kind: DocumentKind
    path: Path | None = None  # where the bytes lie; None for what came from a URL
    body: bytes = b""  # what came from a URL
    charset: str = ""  # as its server named it


def load(item: Item, fetcher: "Fetcher | None" = None) -> Raw:
    """The bytes' digest and kind of one item; fetches a URL. Raises Rejected with the reason it can't be taken."""
    if item.refused:
        raise Rejected(item.refused)
    if item.path is None:
        from ingest.fetch import Fetcher

        got = (fetcher or Fetcher()).fetch(item.source)
        kind = kind_of(got.url, got.body[:4096], got.content_type)
        return Raw(item.source, hashlib.sha256(got.body).hexdigest(), kind, None, got.body, got.charset)
    try:
        with item.path.open("rb") as file:
            if not (head := file.read(4096)):
                raise Empty("an empty file")
            kind = kind_of(item.path.name, head)
            file.seek(0)
            return Raw(item.source, hashlib.file_digest(file, "sha256").hexdigest(), kind, item.path)
    except OSError as error:
        raise Rejected(f"can't be opened: {error.strerror or error}") from error


class Reader:
    """Parses raw sources in `workers` processes, each document within 30 s (OCR aside) and 1 GiB. To be closed."""

    def __init__(
        self, password: str | None = None, workers: int = 2, scanning: Callable[[str, int, int], None] | None = None
    ) -> None:
        """`scanning` is told, from other threads, of a source: how many pages OCR has read, and of how many."""
        self._password = password
        self._scanning = scanning
        self._workers = [Worker() for _ in range(workers)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, "reader")

    def read(self, raws: Iterable[Raw]) -> Iterator[tuple[Raw, Document | Rejected]]:
        """Each of `raws` with its document, or with why it can't be taken; in order, as soon as it is ready.

        `raws` is drawn on lazily, a few items ahead of what has been taken from here.
        """
        waiting: deque[tuple[Raw, Future[Document | Rejected]]] = deque()
        for raw in raws:
            waiting.append((raw, self._threads.submit(self._parse, raw)))
            while waiting and (len(waiting) > _AHEAD * len(self._workers) or waiting[0][1].done()):
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()

    def close(self) -> None:
        """End the worker processes, in the middle of a document if need be."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _parse(self, raw: Raw) -> Document | Rejected:
        request = {
            "source": raw.source,
            "kind": raw.kind,
            "path": str(raw.path) if raw.path else "",
            "password": self._password,
            "charset": raw.charset,
        }
        told = self._scanning
        worker = self._idle.get()
        try:
            return worker.parse(
                request, raw.body, scanning=None if told is None else lambda done, pages: told(raw.source, done, pages)
            )
        finally:
            self._idle.put(worker)


def read_all(
    items: Sequence[Item], password: str | None = None, workers: int = 2, fetcher: "Fetcher | None" = None
) -> Iterator[tuple[Item, Document | Rejected]]:
    """Load and read `items`: each with its document or the reason it can't be taken, in order."""
    failed: dict[int, Rejected] = {}
    loaded: deque[int] = deque()

    def raws() -> Iterator[Raw]:
        for number, item in enumerate(items):
            try:
                raw = load(item, fetcher)
            except Rejected as error:
                failed[number] = error
                continue
            loaded.append(number)
            yield raw

    following = 0
    with Reader(password, workers) as reader:
        for _, outcome in reader.read(raws()):
            number = loaded.popleft()
            for earlier in range(following, number):
                yield items[earlier], failed.pop(earlier)
            yield items[number], outcome
            following = number + 1
    for earlier in range(following, len(items)):
        yield items[earlier], failed.pop(earlier)

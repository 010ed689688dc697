"""The vector index: a Chroma collection a knowledge base, kept equal to the record, rebuilt from it when in doubt."""

import errno
import random
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import ShawGPTError, WorkFolderError
from data.store import Store, Vectors

# Chroma's defaults (16, 100, 100) lose neighbours as a collection grows, most where chunks are much alike:
# benchmarks/results/search.md has the agreement with exact search at these and others.
HNSW = {"space": "cosine", "max_neighbors": 64, "ef_construction": 800, "ef_search": 2000}
BATCH = 500  # chunks a call: Chroma takes some 14 kB of memory a chunk for the time of it
NEARLY_FULL = 32 * 2**20  # bytes free: Chroma preallocates its files, and fails before nothing is left
SAMPLE = 32  # chunks whose own vector must find them at every start


class Index:
    """Approximate nearest neighbours over a knowledge base's vectors.

    Chroma embedded is not safe for two processes, nor sure to survive a kill while it writes. So a process that doesn't
    hold the work folder's lock (`writable=False`) searches the record's vectors exactly instead, and a mark on disk
    (`unclean`) lies there while Chroma is opened or written: a start that finds it builds the index again. So does one
    that finds other files than the last run left (its `seal`), as Chroma's native code can crash on bytes that it did
    not write. Where that can't be done (a full disk), questions are answered from the record's vectors too, and changes
    raise an error.
    """

    def __init__(self, store: Store, folder: Path, writable: bool) -> None:
        """`folder` is Chroma's own. With `writable` it is compared with the record, and repaired, on first use."""
        self.store = store
        self.folder = folder
        self.writable = writable
        self._mark = folder.with_name(folder.name + ".unclean")
        self._seal = folder.with_name(folder.name + ".seal")
        self._client: Any = None
        self._collections: dict[str, Any] = {}
        self._opening = threading.RLock()  # the page asks from several threads
        self._checked: set[str] = set()
        self._failed = False  # Chroma could not be written: it isn't asked until it has been built again
        self._exact: dict[str, tuple[int, list[str], Vectors]] = {}  # revision, ids, vectors
        self.repairs: list[str] = []  # what had to be mended, for `doctor`

    def query(self, kb: str, vector: Vectors, k: int) -> list[tuple[str, float]]:
        """The `k` chunks nearest to `vector` (unit norm), as (chunk id, cosine −1–1), nearest first."""
        if not self.writable or self._failed:
            return self._query_exactly(kb, vector, k)
        count = self.store.count(kb)
        if count == 0:
            return []
        try:
            collection = self._collection(kb)
            with self._explained():
                found = collection.query(query_embeddings=[vector], n_results=min(k, count), include=["distances"])
        except WorkFolderError:
            return self._query_exactly(kb, vector, k)
        return [(i, 1.0 - d) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)]

    def update(self, kb: str, added: Sequence[str], removed: Sequence[str]) -> None:
        """Follow a change of the record: `added` and `removed` are chunk ids that `Store` has already committed.

        Raises WorkFolderError where the index can't be written; the next start, or the next change, builds it again.
        """
        if kb not in self._checked:
            self.check(kb)  # compares with the record, which has the change already
            return
        collection = self._get_collection(kb)
        with self._explained(), self._marked():
            for start in range(0, len(removed), BATCH):
                collection.delete(ids=list(removed[start : start + BATCH]))
            self._add(collection, added)

    def check(self, kb: str) -> None:
        """Compare with the record by id, look a sample up by its own vector, and repair what differs."""
        self._checked.discard(kb)
        self._collection(kb)

    def rebuild(self) -> dict[str, int]:
        """Make the whole index again from the record's vectors; returns the chunks of each knowledge base.

        Raises WorkFolderError where it can't be written.
        """
        with self._explained(), self._marked():
            self._close()
            self._forget_failed_client()
            self._seal.unlink(missing_ok=True)
            if self.folder.is_dir():
                shutil.rmtree(self.folder)
            else:
                self.folder.unlink(missing_ok=True)
            self._checked.clear()
            for kb in self.store.knowledge_bases():
                self._add(self._get_collection(kb), self.store.ids(kb))
                self._checked.add(kb)
        self._failed = False
        return {kb: self.store.count(kb) for kb in self.store.knowledge_bases()}

    def close(self) -> None:
        """Let go of Chroma's files, and note how they are left."""
        opened = self._client is not None
        self._close()
        if opened and not self._failed and not self._mark.exists():
            with suppress(OSError):  # without the note the next start trusts the files, as after a kill
                self._seal.write_text(self._files())

    # -- inner

    def _collection(self, kb: str) -> Any:
        with self._opening:
            return self._checked_collection(kb)

    def _checked_collection(self, kb: str) -> Any:
        if not self._checked:
            with self._explained():
                problem = self._distrusted()
            if problem:
                self.repairs.append(f"{problem}: built again from the record")
                self.rebuild()
        if kb in self._checked:
            return self._get_collection(kb)
        with self._explained(), self._marked():
            problem = self._compare(kb)
        if problem:
            self.repairs.append(f"{problem}: built again from the record")
            self.rebuild()
        self._checked.add(kb)
        return self._get_collection(kb)

    def _distrusted(self) -> str:
        """Why Chroma must not be opened on the files that are there; empty where it may be."""
        if self._mark.exists():
            return "the last run ended while it wrote the vector index"
        with suppress(FileNotFoundError):
            if self._seal.read_text() != self._files():
                return "the vector index was changed from outside, or copied"
        return ""

    def _files(self) -> str:
        """Chroma's files with their sizes and times: other bytes have another time, and a hash would read them all."""
        stats = [(path, path.stat()) for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return "".join(f"{path.relative_to(self.folder)}\t{is_.st_size}\t{is_.st_mtime_ns}\n" for path, is_ in stats)

    def _compare(self, kb: str) -> str:
        """Bring the collection in step with the record; returns what is wrong where only a rebuild helps."""
        try:
            collection = self._get_collection(kb)
            if any(collection.configuration_json["hnsw"].get(setting) != value for setting, value in HNSW.items()):
                return "the vector index was made with other settings"
            recorded = self.store.ids(kb)
            indexed = set(collection.get(include=[])["ids"])
            missing = [i for i in recorded if i not in indexed]
            extra = list(indexed.difference(recorded))
            for start in range(0, len(extra), BATCH):
                collection.delete(ids=extra[start : start + BATCH])
            self._add(collection, missing)
            if missing or extra:
                self.repairs.append(
                    f"knowledge base {kb!r}: {len(missing)} chunks added to the index, {len(extra)} removed"
                )
            sample = random.Random(0).sample(recorded, min(SAMPLE, len(recorded)))
            if sample:
                found = collection.query(
                    query_embeddings=self.store.vectors(sample), n_results=1, include=["distances"]
                )
                # Equal vectors are equally near, so it is the distance that tells, not the id.
                lost = sum(not d or d[0] > 1e-3 for d in found["distances"])
                if lost:
                    return f"{lost} of {len(sample)} chunks of {kb!r} were not found by their own vector"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # Chroma's Rust core panics with a BaseException of its own on a damaged file
            return f"the vector index can't be read ({type(error).__name__})"
        return ""

    def _add(self, collection: Any, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), BATCH):
            part = list(ids[start : start + BATCH])
            # Not upsert: on an id that is there it updates the graph, 30 ms a vector, where add passes it over.
            collection.add(ids=part, embeddings=self.store.vectors(part))

    def _get_collection(self, kb: str) -> Any:
        if self._client is None:
            import chromadb
            from chromadb.config import Settings

            self._seal.unlink(missing_ok=True)  # from here on they change
            self._client = chromadb.PersistentClient(str(self.folder), Settings(anonymized_telemetry=False))
        if kb not in self._collections:
            # The vectors are already made, so no embedding function: Chroma's own would try to download one.
            # Named by number: Chroma takes neither "küche" nor "notes-" for a name.
            self._collections[kb] = self._client.get_or_create_collection(
                f"kb-{self.store.kb_id(kb)}", configuration={"hnsw": HNSW}, embedding_function=None
            )
        return self._collections[kb]

    def _query_exactly(self, kb: str, vector: Vectors, k: int) -> list[tuple[str, float]]:
        revision = self.store.revision(kb)
        if kb not in self._exact or self._exact[kb][0] != revision:
            self._exact[kb] = (revision, *self.store.all_vectors(kb))
        _, ids, vectors = self._exact[kb]
        if not ids:
            return []
        scores = vectors @ vector
        best = np.argsort(-scores, kind="stable")[:k]
        return [(ids[i], float(scores[i])) for i in best]

    def _close(self) -> None:
        self._collections.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _forget_failed_client(self) -> None:
        # Chroma remembers one system a path, also one that failed to open, and would hand that out for the new folder.
        from chromadb.api.shared_system_client import SharedSystemClient

        SharedSystemClient.clear_system_cache()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what Chroma and the disk raise into one line that says what to do, and have the index built again."""
        try:
            yield
        except BaseException as error:  # Chroma's Rust core panics with a BaseException of its own
            self._failed = True
            self._checked.clear()
            if isinstance(error, (ShawGPTError, KeyboardInterrupt, SystemExit, GeneratorExit)):
                raise
            with suppress(OSError):
                self._mark.touch()
            raise WorkFolderError(f"{self.folder}: {_advice(error, self.folder)}") from error

    def _marked(self) -> "_Mark":
        return _Mark(self._mark)


class _Mark:
    """A file that exists while a block runs, and stays where the process dies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # an error inside leaves the mark: what Chroma did before it is unknown
            self.path.unlink(missing_ok=True)


def _advice(error: BaseException, folder: Path) -> str:
    # Chroma says "Failed to apply logs to the hnsw segment writer" where the disk is full, so the disk itself is asked.
    text = " ".join(str(error).split())
    full = "full" in text or "No space" in text or getattr(error, "errno", None) == errno.ENOSPC
    if full or shutil.disk_usage(folder.parent).free < NEARLY_FULL:
        return f"the disk is full: free some space and run the command again; what was saved before is intact ({text})"
    if isinstance(error, PermissionError) or "readonly" in text or "ermission denied" in text:
        return f"it can't be written: check the folder's permissions ({text})"
    return f"the index can't be written: `shawgpt doctor --rebuild` makes it again ({type(error).__name__}: {text})"

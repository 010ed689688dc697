"""The vector index against exact search over 20,000 real chunks.

    python -m benchmarks.search FOLDER... --data FOLDER [--cache FOLDER] [--out benchmarks/results/search.md]

The chunks are those of all files below the folders and of the paragraphs of the sets in `--data`, read and cut as
`shawgpt ingest` does, in smaller pieces where they are too few; the queries are the sets' questions.
How long a search takes is measured by benchmarks/latency.py.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.retrieval import Cached, Vectors
from benchmarks.retrieval_sets import load
from data.database import Database
from data.embedding import load_embedder
from data.index import HNSW, Index
from data.models import Chunk, Document
from data.store import Store, chunk_ids
from ingest.chunking import split
from ingest.discover import discover
from ingest.reading import read_all

CHUNKS = 20_000
WINDOWS = (256, 160, 110, 80, 60)  # tokens of the longest chunk; the first is the project's own


def cut(documents: Sequence[Document], embedder: Cached) -> tuple[int, list[tuple[Document, list[Chunk]]]]:
    """CHUNKS distinct chunks by document, cut with the widest window that gives so many, or all that the last gives."""
    found: list[tuple[Document, list[Chunk]]] = []
    for window in WINDOWS:
        seen: set[str] = set()
        found = []
        for document in documents:
            new = {c.embedded_text: c for c in split(document, embedder.count_tokens, window)}
            chunks = [chunk for text, chunk in new.items() if text not in seen][: CHUNKS - len(seen)]
            seen |= {chunk.embedded_text for chunk in chunks}
            found.append((document, chunks))
        if len(seen) == CHUNKS:
            break
    return window, [(document, chunks) for document, chunks in found if chunks]


def fill(home: Path, embedder: Cached, documents: Sequence[tuple[Document, list[Chunk]]]) -> tuple[Store, Index]:
    """A work folder with knowledge base "bench", put together as ingest does."""
    store = Store(Database(home / "shawgpt.sqlite3"))
    store.open_kb("bench", embedder.name)
    vectors = iter(embedder.encode([chunk.embedded_text for _, chunks in documents for chunk in chunks]))
    with store.database.write():
        for document, chunks in documents:
            ids = chunk_ids("bench", document.source, chunks)
            store.put_document("bench", document, "", chunks, {i: next(vectors) for i in ids})
    index = Index(store, home / "chroma", writable=True)
    index.check("bench")
    return store, index


def agreement(store: Store, index: Index, queries: Vectors, k: int) -> float:
    """The share of the index's top k that are as near as exact search's k-th."""
    exact = queries @ store.vectors(store.ids("bench")).T
    kth = np.sort(exact, axis=1)[:, -k]
    found = [[cosine for _, cosine in index.query("bench", query, k)] for query in queries]
    return float(np.mean(np.array(found) >= kth[:, None] - 1e-5))


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="files, or folders with files to cut")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--cache", type=Path, help="keep vectors here between runs")
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="date of the report")
    given = parser.parse_args()

    embedder = Cached(load_embedder(), given.cache)
    sets = load(given.data)
    read = [document for _, document in read_all(discover(given.folders).items) if not isinstance(document, Exception)]
    read += [document for of in sets if of.units == "documents" for document in of.documents]
    asked = [question.text for of in sets for question in of.questions] + [q for of in sets for q in of.unanswerable]
    window, documents = cut(read, embedder)
    total = sum(len(chunks) for _, chunks in documents)
    lines = [
        "# The vector index against exact search",
        "",
        f"{given.date} · {platform.machine()}, {os.cpu_count()} cores · embedder {embedder.name} · HNSW {HNSW}",
        "",
        f"{total:,} distinct chunks of at most {window} tokens, of {len(documents)} documents (PDF, HTML, Markdown, "
        f"Wikipedia paragraphs); {len(asked):,} real questions.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        store, index = fill(Path(folder), embedder, documents)
        embedder.save()
        queries = embedder.encode(asked)
        for k in (10, 100):
            lines.append(f"- of the top {k}, {agreement(store, index, queries, k):.5f} agree with exact search")
    report = "\n".join(lines) + "\n"
    print(report)
    if given.out:
        given.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

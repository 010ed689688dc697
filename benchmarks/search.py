"""The vector index against exact search over 20,000 real pieces of text, and how long a search takes at 10,000 chunks.

    python -m benchmarks.search --data FOLDER [--cache FOLDER] [--out benchmarks/results/search.md]

The public sets have about 2,000 chunks, so the pieces are their sentences, then pairs of neighbouring ones. For
the times the sets' own chunks are repeated under other names, with their vectors jittered, until there are 10,000.
"""

import argparse
import os
import platform
import random
import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.retrieval import Cached, Vectors, build
from benchmarks.retrieval_sets import load
from data.database import Database
from data.embedding import load_embedder
from data.index import HNSW, Index
from data.models import Chunk, Document
from data.sentences import sentences
from data.store import Store, StoredChunk, chunk_ids
from rag.retriever import Retriever

PIECES = 20_000
CHUNKS = 10_000
SHORTEST = 30  # characters: below that it is a page number or a cell of a table


def pieces(texts: list[str]) -> list[str]:
    """PIECES distinct sentences, then pairs of neighbouring ones, of `texts`."""
    found: dict[str, None] = {}
    spans = [sentences(text) for text in texts]
    for size in count(1):
        for text, cut in zip(texts, spans, strict=True):
            for first, last in zip(cut, cut[size - 1 :], strict=False):
                piece = text[first[0] : last[1]]
                if len(piece) >= SHORTEST:
                    found.setdefault(" ".join(piece.split()))
        if len(found) >= PIECES:
            return list(found)[:PIECES]
    raise AssertionError


def fill(home: Path, name: str, documents: list[tuple[str, list[str], Vectors]]) -> tuple[Store, Index]:
    """A work folder with knowledge base "bench": for each document its source, chunk texts and vectors."""
    home.mkdir()
    store = Store(Database(home / "shawgpt.sqlite3"))
    store.open_kb("bench", name)
    with store.database.write():
        for source, texts, vectors in documents:
            chunks = [Chunk(text, "", None, None, 200, text) for text in texts]
            ids = chunk_ids("bench", source, chunks)
            store.put_document("bench", Document(source, "text", ""), "", chunks, dict(zip(ids, vectors, strict=True)))
    index = Index(store, home / "chroma", writable=True)
    index.check("bench")
    return store, index


def agreement(store: Store, index: Index, queries: Vectors, k: int) -> float:
    """The share of the index's top k that are as near as exact search's k-th."""
    exact = queries @ store.vectors(store.ids("bench")).T
    kth = np.sort(exact, axis=1)[:, -k]
    found = [[cosine for _, cosine in index.query("bench", query, k)] for query in queries]
    return float(np.mean(np.array(found) >= kth[:, None] - 1e-5))


def repeated(chunks: list[StoredChunk], vectors: Vectors) -> list[tuple[str, list[str], Vectors]]:
    """CHUNKS chunks: the given ones, and copies with a word and some noise added."""
    rng = np.random.default_rng(0)
    documents = []
    for copy in range(-(-CHUNKS // len(chunks))):
        size = min(len(chunks), CHUNKS - copy * len(chunks))
        near = vectors[:size] + rng.normal(0, 0.02, (size, vectors.shape[1])) * bool(copy)
        near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
        documents.append((f"copy {copy}", [f"{chunk.embedded_text} {copy}" for chunk in chunks[:size]], near))
    return documents


def main() -> None:
    """Measure both and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--cache", type=Path, help="keep vectors here between runs")
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="date of the report")
    given = parser.parse_args()

    embedder = Cached(load_embedder(), given.cache)
    sets = load(given.data)
    asked = [question.text for of in sets for question in of.questions] + [q for of in sets for q in of.unanswerable]
    lines = [
        f"{given.date} · {platform.machine()}, {os.cpu_count()} cores · embedder {embedder.name} · HNSW {HNSW}",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        texts = pieces([document.text for of in sets for document in of.documents])
        store, index = fill(home / "pieces", embedder.name, [("pieces", texts, embedder.encode(texts))])
        queries = embedder.encode(asked)
        for k in (10, 100):
            share = agreement(store, index, queries, k)
            lines.append(
                f"- top {k} of {len(texts):,} pieces, {len(asked)} real questions: {share:.5f} agree with exact search"
            )
        built = [build(of, embedder, home / of.name) for of in sets]
        embedder.save()
        chunks = [chunk for one in built for chunk in one.chunks]
        vectors = embedder.encode([chunk.embedded_text for chunk in chunks])
        store, index = fill(home / "many", embedder.name, repeated(chunks, vectors))
        retriever = Retriever(store, index, load_embedder(), "bench")
        random.Random(0).shuffle(asked)
        times = []
        for question in asked[:520]:
            start = time.perf_counter()
            retriever.search(question)
            times.append((time.perf_counter() - start) * 1000)
        p50, p95 = np.percentile(times[20:], [50, 95])
        lines.append(
            f"- a search at {store.count('bench'):,} chunks, embedding included: p50 {p50:.1f} ms, p95 {p95:.1f} ms"
        )
    report = "\n".join(lines) + "\n"
    print(report)
    if given.out:
        given.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

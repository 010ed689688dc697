"""How well search ranks, on public sets, against the LangChain tutorial, BM25, rank fusion, LlamaIndex and txtai.

    python -m benchmarks.retrieval --data FOLDER [--cache FOLDER] [--out benchmarks/results/retrieval.md]

FOLDER holds squad_xquad_en, clapnq, chunking_eval and sec10q, any of them. The project goes its real way: documents are
chunked, embedded and put into a work folder of their own, and `Retriever.search` is asked. Nothing is random. The two
rivals are the extra `bench`; where one is missing it says so and the rest runs.
"""

import argparse
import hashlib
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")

import numpy as np
from numpy.typing import NDArray

import rag.fusion
import rag.lexical
import rag.passages
import rag.retriever
from benchmarks import retrieval_rivals as rivals
from benchmarks.retrieval_sets import Hit, RetrievalSet, load, metrics
from data.database import Database
from data.embedding import Embedder, load_embedder
from data.index import Index
from data.models import Document
from data.store import Store, StoredChunk, chunk_ids
from ingest.chunking import split
from rag.lexical import match_any, terms
from rag.retriever import Retriever

Vectors = NDArray[np.float32]
SETTINGS = (
    (rag.fusion, "LEXICAL_WEIGHT", (0.0, 0.4, 0.5, 0.7, 0.8)),
    (rag.lexical, "WINDOW", (15, 40)),
    (rag.lexical, "NEXT", (1, 4)),
    (rag.retriever, "CANDIDATES", (100, 200)),
    (rag.passages, "MAX_MERGED", (1, 2)),
    (rag.passages, "SAME", (0.9, 2.0)),  # 2: nothing is dropped
)
COLUMNS = ("recall@1", "recall@5", "recall@10", "nDCG@10", "page hit@10", "file hit@4")


class Cached:
    """An embedder that keeps its vectors in a file, so that a second run takes seconds."""

    def __init__(self, embedder: Embedder, folder: Path | None) -> None:
        self.inner = embedder
        self.name = embedder.name
        self.max_tokens = embedder.max_tokens
        self.count_tokens = embedder.count_tokens
        self.file = folder / f"{hashlib.sha1(self.name.encode()).hexdigest()[:12]}.npz" if folder else None
        self.known: dict[str, Vectors] = {}
        if self.file and self.file.exists():
            with np.load(self.file) as saved:
                self.known = dict(zip(saved["keys"].tolist(), saved["vectors"], strict=True))

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors:
        """As Embedder.encode."""
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.known}
        if new:
            self.known |= dict(zip(new, self.inner.encode(list(new.values())), strict=True))
        return np.array([self.known[key] for key in keys], dtype=np.float32)

    def save(self) -> None:
        """Write what is known to the file."""
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self.file, keys=np.array(list(self.known)), vectors=np.array(list(self.known.values())))


@dataclass(frozen=True)
class Built:
    """A set in a work folder, as the project made it."""

    retriever: Retriever
    chunks: list[StoredChunk]  # in the order of the record


def build(of: RetrievalSet, embedder: Cached, home: Path) -> Built:
    """Ingest a set into knowledge base "bench" of a new work folder `home`."""
    home.mkdir(parents=True)
    store = Store(Database(home / "shawgpt.sqlite3"))
    index = Index(store, home / "chroma", writable=True)
    store.open_kb("bench", embedder.name)
    if of.pdfs:
        from ingest.discover import discover
        from ingest.pipeline import ingest

        ingest(store, index, embedder, discover([str(path) for path in of.pdfs]), "bench")
    else:
        pieces = [(document, split(document, embedder.count_tokens, embedder.max_tokens)) for document in of.documents]
        vectors = iter(embedder.encode([chunk.embedded_text for _, chunks in pieces for chunk in chunks]))
        with store.database.write():
            for document, chunks in pieces:
                ids = chunk_ids("bench", document.source, chunks)
                store.put_document("bench", document, "", chunks, {i: next(vectors) for i in ids})
        index.check("bench")
    ids = store.ids("bench")
    found = store.chunks(ids)
    return Built(Retriever(store, index, embedder, "bench"), [found[i] for i in ids])


def tutorial_chunks(documents: Iterable[Document]) -> list[Hit]:
    """The LangChain tutorial's: RecursiveCharacterTextSplitter(1000, 200), on each page of a PDF by itself."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    return [
        Hit(document.source, piece, page, page)
        for document in documents
        for page, text in enumerate(document.text.split("\f"), 1)
        for piece in splitter.split_text(text)
    ]


def run(of: RetrievalSet, ours: Cached, home: Path) -> dict[str, dict[str, float] | str]:
    """Every system's figures on one set, or why it has none."""
    built = build(of, ours, home)
    asked = [question.text for question in of.questions]
    queries = ours.encode(asked)
    rows: dict[str, dict[str, float] | str] = {}

    simple = tutorial_chunks(of.documents)
    rank = rivals.dense(ours.encode([hit.text for hit in simple]))
    rows["tutorial (dense, 1000/200 characters)"] = metrics(
        of, [[simple[i] for i in rank(q, v)] for q, v in zip(asked, queries, strict=True)]
    )

    texts = [chunk.embedded_text for chunk in built.chunks]
    hits = [Hit(chunk.source, chunk.text, chunk.page_start, chunk.page_end) for chunk in built.chunks]
    vectors = ours.encode(texts)
    number = {chunk.id: i for i, chunk in enumerate(built.chunks)}

    def bm25(question: str, k: int) -> list[int]:
        found = built.retriever.store.fts_search("bench", match_any(list(terms(question).values())), k)
        return [number[i] for i, _ in found]

    systems: dict[str, Callable[[], rivals.Rank]] = {
        "dense, our chunks, fp32": lambda: rivals.dense(vectors),
        "BM25 (FTS5, stemmed), our chunks": lambda: lambda question, vector: bm25(question, rivals.K),
        "rank fusion (k = 60), our chunks": lambda: rivals.rank_fusion(vectors, bm25),
        "LlamaIndex relative_score, top 10 of each": lambda: rivals.llama_index(texts, vectors, rivals.K),
        "LlamaIndex relative_score, top 100 of each": lambda: rivals.llama_index(texts, vectors, rivals.FUSED),
        "txtai hybrid": lambda: rivals.txtai(texts, vectors),
    }
    for name, make in systems.items():
        try:
            rank = make()
        except ImportError as error:
            rows[name] = f"not installed ({error.name}): pip install 'shawgpt[bench]'"
            continue
        rows[name] = metrics(of, [[hits[i] for i in rank(q, v)] for q, v in zip(asked, queries, strict=True)])

    rows["shawgpt"] = metrics(of, search(built.retriever, of))
    return rows


def sensitivity(sets: Sequence[RetrievalSet], embedder: Cached, home: Path) -> str:
    """nDCG@10 of every set as one setting is moved, the others left as they are."""
    built = [build(of, embedder, home / f"sensitivity-{of.name}") for of in sets]
    lines = [f"| setting | {' | '.join(of.name for of in sets)} |", "|---" * (len(sets) + 1) + "|"]

    def measure(setting: str) -> None:
        figures = [metrics(of, search(one.retriever, of))["nDCG@10"] for of, one in zip(sets, built, strict=True)]
        lines.append(f"| {setting} | {' | '.join(f'{figure:.4f}' for figure in figures)} |")
        print(lines[-1], flush=True)

    used = ", ".join(f"{name} {getattr(module, name)}" for module, name, _ in SETTINGS)
    measure(f"as used: {used}")
    for module, name, values in SETTINGS:
        kept = getattr(module, name)
        for value in values:
            setattr(module, name, value)
            measure(f"{name} {value}")
        setattr(module, name, kept)
    return "\n".join(["### Sensitivity: nDCG@10", "", *lines])


def search(retriever: Retriever, of: RetrievalSet) -> list[list[Hit]]:
    """What the project finds for each question."""
    results = [retriever.search(question.text, 10).passages for question in of.questions]
    return [[Hit(p.source, p.text, p.page_start, p.page_end) for p in found] for found in results]


def table(of: RetrievalSet, rows: dict[str, dict[str, float] | str], chunks: str) -> str:
    """A Markdown table of one set."""
    columns = [c for c in COLUMNS if any(c in row for row in rows.values() if isinstance(row, dict))]
    lines = [f"### {of.name}: {chunks}, {len(of.questions)} questions (gold: {of.units})", ""]
    lines += [f"| system | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{row[c]:.4f}" for c in columns] if isinstance(row, dict) else [row] + [""] * (len(columns) - 1)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run every set that lies in the data folder and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--cache", type=Path, help="keep vectors here between runs")
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="date of the report")
    parser.add_argument("--sensitivity", action="store_true", help="also move each setting of the ranking")
    given = parser.parse_args()

    ours = Cached(load_embedder(), given.cache)
    sections = []
    sets = load(given.data)
    with tempfile.TemporaryDirectory() as home:
        for of in sets:
            rows = run(of, ours, Path(home) / of.name)
            sections.append(table(of, rows, f"{len(of.documents)} documents"))
            print(sections[-1], flush=True)
            ours.save()
        if given.sensitivity:
            sections.append(sensitivity(sets, ours, Path(home)))
    if given.out:
        given.out.write_text(report(given.date, sections), encoding="utf-8")


def report(date: str, sections: Sequence[str]) -> str:
    """The results file: machine, versions, tables. What was tried besides is in docs/retrieval.md."""
    names = ("chromadb", "onnxruntime", "torch", "sentence-transformers", "llama-index-core", "txtai", "bm25s")
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    head = f"{date} · {platform.machine()}, {os.cpu_count()} cores · Python {platform.python_version()} · " + ", ".join(
        versions
    )
    return "\n\n".join(["# Retrieval", head, *sections]) + "\n"


if __name__ == "__main__":
    main()

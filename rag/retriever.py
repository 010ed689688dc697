"""From a question to passages: two searches, fused, near-duplicates dropped, neighbours merged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.index import Index
from data.models import Passage
from data.store import Store, StoredChunk
from rag.confidence import confidence
from rag.fusion import fuse
from rag.lexical import coverage, match_any, terms
from rag.passages import passages

CANDIDATES = 50  # of each search; 100 and 200 change no figure (benchmarks/results/retrieval.md)


class Encoder(Protocol):
    """The part of an embedder that search needs."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32, unit norm."""
        ...


class Reranker(Protocol):
    """Scores chunks against a query anew, e.g. rag.rerank.CrossEncoderReranker."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score 0–1 a text."""
        ...


@dataclass(frozen=True)
class SearchResult:
    """What a knowledge base has on a query."""

    query: str
    passages: tuple[Passage, ...]  # best first
    confidence: float  # 0–1: how likely it is that these passages answer the query


class Retriever:
    """Searches one knowledge base."""

    def __init__(
        self, store: Store, index: Index, embedder: Encoder, kb: str, reranker: Reranker | None = None
    ) -> None:
        self.store = store
        self.index = index
        self.embedder = embedder
        self.kb = kb
        self.reranker = reranker

    def search(self, query: str, k: int = 5) -> SearchResult:
        """The `k` best passages for `query`, which may be any string. Raises NotFound for an unknown knowledge base."""
        query = query.encode("utf-8", "ignore").decode()  # a lone surrogate would make tokenizer and database raise
        total = self.store.count(self.kb)
        if not query.strip() or not total or k < 1:
            return SearchResult(query, (), 0.0)
        found = terms(query)
        cosines, chunks = self._candidates(query, list(found.values()))
        weights = self._weights(found, total)
        coverages = {i: coverage(weights, chunk.embedded_text) for i, chunk in chunks.items()}
        ranked = [(chunks[i], score) for i, score in fuse({i: cosines[i] for i in chunks}, coverages)]
        if not ranked:
            return SearchResult(query, (), 0.0)
        sure = confidence(ranked[0][1])  # before any reranker, whose scores have a scale of their own
        if self.reranker:
            scores = self.reranker.scores(query, [chunk.embedded_text for chunk, _ in ranked])
            ranked = sorted(((c, s) for (c, _), s in zip(ranked, scores, strict=True)), key=lambda item: -item[1])
        return SearchResult(query, passages(ranked, k), sure)

    def _candidates(self, query: str, words: list[str]) -> tuple[dict[str, float], dict[str, StoredChunk]]:
        """What either search found: the cosine of each chunk with the query, and the chunks, by id."""
        vector = self.embedder.encode([query])[0]
        cosines = dict(self.index.query(self.kb, vector, CANDIDATES))
        matches = self.store.fts_search(self.kb, match_any(words), CANDIDATES) if words else []
        chunks = self.store.chunks(list(dict.fromkeys([*cosines, *(i for i, _ in matches)])))
        cosines |= self.store.cosines([i for i in chunks if i not in cosines], vector)
        # What another process has forgotten between two of these calls is left out.
        return cosines, {i: chunk for i, chunk in chunks.items() if i in cosines}

    def _weights(self, found: dict[str, str], total: int) -> dict[str, float]:
        """Inverse document frequency of each stem, as in BM25 (Robertson & Zaragoza 2009, with Lucene's 1 +)."""
        counts = {stem: self.store.fts_count(self.kb, match_any([word])) for stem, word in found.items()}
        return {stem: math.log(1 + (total - count + 0.5) / (count + 0.5)) for stem, count in counts.items()}

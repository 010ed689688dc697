"""The other ways to rank, over the same chunks with the same fp32 vectors: a ranking is a list of chunk numbers."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rank = Callable[[str, Vectors], list[int]]  # question and its vector → the best chunks' numbers, best first
K = 10
FUSED = 100  # candidates of each search, where a rival lets one choose


def dense(vectors: Vectors) -> Rank:
    """Exact cosine: what the tutorial's similarity search gives."""
    return lambda question, vector: np.argsort(-(vectors @ vector), kind="stable")[:K].tolist()


def rank_fusion(vectors: Vectors, bm25: Callable[[str, int], list[int]]) -> Rank:
    """Reciprocal rank fusion of dense and BM25 with k = 60 (Cormack et al. 2009)."""

    def rank(question: str, vector: Vectors) -> list[int]:
        scores: dict[int, float] = {}
        for order in (np.argsort(-(vectors @ vector), kind="stable")[:FUSED].tolist(), bm25(question, FUSED)):
            for at, chunk in enumerate(order, 1):
                scores[chunk] = scores.get(chunk, 0.0) + 1 / (60 + at)
        return sorted(scores, key=lambda chunk: -scores[chunk])[:K]

    return rank


def llama_index(texts: Sequence[str], vectors: Vectors, candidates: int) -> Rank:
    """LlamaIndex's QueryFusionRetriever, relative_score, of its vector retriever and its stemmed BM25."""
    import Stemmer
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.retrievers.bm25 import BM25Retriever

    asked: dict[str, list[float]] = {}

    class Given(BaseEmbedding):
        """Vectors that were made before."""

        def _get_query_embedding(self, query: str) -> list[float]:
            return asked[query]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return asked[query]

        def _get_text_embedding(self, text: str) -> list[float]:
            raise AssertionError("every chunk comes with its vector")

    # LlamaIndex fuses by a hash of the text: equal chunks would have their scores added, so each gets its number.
    nodes = [
        TextNode(id_=str(i), text=text, metadata={"n": i}, excluded_embed_metadata_keys=["n"], embedding=v.tolist())
        for i, (text, v) in enumerate(zip(texts, vectors, strict=True))
    ]
    for node in nodes:
        node.excluded_llm_metadata_keys = ["n"]
    index = VectorStoreIndex(nodes, embed_model=Given())
    fused = QueryFusionRetriever(
        [
            index.as_retriever(similarity_top_k=candidates),
            BM25Retriever.from_defaults(
                nodes=nodes,
                similarity_top_k=min(candidates, len(nodes)),
                stemmer=Stemmer.Stemmer("english"),
                language="en",
            ),
        ],
        mode="relative_score",
        similarity_top_k=K,
        num_queries=1,
        use_async=False,
        llm=MockLLM(),
    )

    def rank(question: str, vector: Vectors) -> list[int]:
        asked[question] = vector.tolist()
        return [int(found.node.metadata["n"]) for found in fused.retrieve(question)]

    return rank


def txtai(texts: Sequence[str], vectors: Vectors) -> Rank:
    """txtai's hybrid index at its defaults: BM25 normalised, equal weights."""
    from txtai import Embeddings

    asked: dict[str, Vectors] = dict(zip(texts, vectors, strict=True))
    embeddings = Embeddings(
        {"method": "external", "transform": lambda given: np.array([asked[t] for t in given]), "hybrid": True}
    )
    embeddings.index([(i, text, None) for i, text in enumerate(texts)])

    def rank(question: str, vector: Vectors) -> list[int]:
        asked[question] = vector
        return [int(chunk) for chunk, _ in embeddings.search(question, K)]

    return rank

"""LangChain's view of search, for anyone's chain. Apart, so that search itself needs none of it."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from data.embedding import Embedder
from rag.retriever import Retriever

Embeddings.register(Embedder)  # type: ignore[type-abstract]  # it has their methods


class KnowledgeBaseRetriever(BaseRetriever):
    """`invoke(query)` gives the `k` best passages as Documents, best first."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    k: int = 5

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(
                id=passage.chunk_id,
                page_content=passage.text,
                metadata={
                    "source": passage.source,
                    "title": passage.title,
                    "page_start": passage.page_start,
                    "page_end": passage.page_end,
                    "place": passage.place,
                    "heading": passage.heading,
                    "chunk_id": passage.chunk_id,
                    "score": passage.score,
                },
            )
            for passage in self.retriever.search(query, self.k).passages
        ]

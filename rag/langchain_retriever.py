"""The knowledge base as a LangChain retriever, for anyone's chain. Apart, so that search itself needs no LangChain."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.retriever import Retriever


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
                    "heading": passage.heading,
                    "chunk_id": passage.chunk_id,
                    "score": passage.score,
                },
            )
            for passage in self.retriever.search(query, self.k).passages
        ]

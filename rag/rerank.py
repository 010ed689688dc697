"""A cross-encoder that reads query and passage together: slower and, for many collections, better ranks."""

from collections.abc import Sequence
from typing import Any

from data.errors import BadInput


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder, by name or folder, loaded on first use."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._encoder: Any = None

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance 0–1 of each text. Raises BadInput where the model can't be loaded."""
        if self._encoder is None:
            self._encoder = _load(self.model)
        from torch.nn import Sigmoid

        pairs = [(query, text) for text in texts]
        found = self._encoder.predict(pairs, activation_fn=Sigmoid(), show_progress_bar=False)
        return [float(score) for score in found]


def _load(model: str) -> Any:
    try:
        from sentence_transformers import CrossEncoder

        return CrossEncoder(model, max_length=512, trust_remote_code=False)
    except (ImportError, OSError, ValueError) as error:
        raise BadInput(
            f"reranker {model!r} can't be loaded: give the folder of a sentence-transformers CrossEncoder, or the name "
            "of one that is downloaded already; leave the setting empty to search without one"
        ) from error

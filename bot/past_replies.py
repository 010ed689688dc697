"""The creator's past replies, and which of them a language model is shown as examples."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from data.style_memory import PastReply

if TYPE_CHECKING:
    import numpy as np

    from rag.retriever import Encoder

EXAMPLES = 4  # past replies in a prompt, where no adapter has learned from them
REMEMBERED = 500  # past replies that these are chosen from, the latest


class PastReplies(Sequence[PastReply]):
    """All of them, oldest first. The vectors of their comments are made when they are first asked for, and kept."""

    def __init__(self, past: Sequence[PastReply], embedder: "Encoder") -> None:
        self._past, self._embedder = tuple(past), embedder

    @overload
    def __getitem__(self, at: int) -> PastReply: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PastReply]: ...
    def __getitem__(self, at: int | slice) -> PastReply | Sequence[PastReply]:
        return self._past[at]

    def __len__(self) -> int:
        return len(self._past)

    def examples(self, comment: str) -> list[tuple[str, str]]:
        """(comment, reply) of the `EXAMPLES` past replies to the comments most like this one, the nearest last."""
        latest = self._past[-REMEMBERED:]
        if not latest:
            return []
        cosines = (self._vectors @ self._embedder.encode([comment])[0]).tolist()
        nearest = sorted(range(len(latest)), key=lambda i: cosines[i])[-EXAMPLES:]
        return [(latest[i].comment, latest[i].reply) for i in nearest]

    @cached_property
    def _vectors(self) -> "np.ndarray":
        return self._embedder.encode([pair.comment for pair in self._past[-REMEMBERED:]])

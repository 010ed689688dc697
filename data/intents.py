"""The shipped example comments, by which a comment's intent is told, and their vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FOLDER = files("data")


class Embeds(Protocol):
    """The part of an Embedder that is used here."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32, unit norm."""
        ...


@cache
def shipped_examples() -> dict[str, tuple[str, ...]]:
    """The comments of data/intents.txt by intent, in the file's order."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in (_FOLDER / "intents.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            label = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(label, []).append(line)
    return {label: tuple(comments) for label, comments in found.items()}


def example_vectors(embedder: Embeds, texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, dimension) float32: the vectors of `texts`; those of shipped examples are read rather than made.

    Making them takes seconds, so data/intents.npz holds them for the default model. Where that file isn't of this model
    and these examples, all are made.
    """
    import numpy as np

    known = dict(zip(shipped_texts(), load_shipped_vectors(embedder.name), strict=False))
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    if missing:
        known.update(zip(missing, embedder.encode(missing), strict=True))
    return np.array([known[text] for text in texts], dtype=np.float32)


def shipped_texts() -> list[str]:
    """All shipped examples in the file's order."""
    return [comment for comments in shipped_examples().values() for comment in comments]


def digest(model: str) -> str:
    """What the file of vectors is of: this model and these examples."""
    return hashlib.sha256("\n".join([model, *shipped_texts()]).encode()).hexdigest()


@cache
def load_shipped_vectors(model: str) -> NDArray[np.float32]:
    """(n, dimension) float32: the stored vectors of `shipped_texts()`; (0, 0) where they are of something else."""
    import numpy as np

    path = _FOLDER / "intents.npz"
    if not path.is_file():
        return np.empty((0, 0), np.float32)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        if str(stored["digest"]) != digest(model):
            return np.empty((0, 0), np.float32)
        vectors: NDArray[np.float32] = stored["vectors"].astype(np.float32)
    return vectors

"""How likely it is that a knowledge base answers a question."""

import math
from collections.abc import Mapping, Sequence

from data.store import StoredChunk

ABSTAIN_BELOW = 0.5  # provisional


def confidence(
    ranked: Sequence[tuple[StoredChunk, float]], cosines: Mapping[str, float], coverages: Mapping[str, float]
) -> float:
    """A probability 0–1 that the best of `ranked` chunks answer the query."""
    best = ranked[0][0].id
    return 1 / (1 + math.exp(-(-5.0 + 7.0 * cosines[best] + 4.0 * coverages[best])))

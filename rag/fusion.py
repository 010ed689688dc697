"""Dense and lexical scores, added. Both are bounded as they are, so neither is rescaled by what else was found."""

from collections.abc import Mapping

# Of full coverage, against a cosine of 1. Chosen on every other question of four public sets and confirmed on the rest
# (docs/retrieval.md).
LEXICAL_WEIGHT = 0.6


def fuse(cosines: Mapping[str, float], coverages: Mapping[str, float]) -> list[tuple[str, float]]:
    """Rank chunks by cosine + LEXICAL_WEIGHT · coverage, scaled to 0–1.

    Args:
        cosines: chunk id → cosine of chunk and query. Every candidate has its real one, whichever search found it:
            a stand-in of 0 would push it below everything.
        coverages: chunk id → share 0–1 of the query's terms that the chunk holds (`rag.lexical.coverage`).

    Returns (chunk id, score 0–1), best first; ties in order of id, so that a query always gives the same ranks.
    """
    scores = {
        chunk: (max(cosine, 0.0) + LEXICAL_WEIGHT * coverages[chunk]) / (1 + LEXICAL_WEIGHT)
        for chunk, cosine in cosines.items()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))

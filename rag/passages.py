"""From ranked chunks to what is shown: nothing said twice, and neighbours as one passage."""

from collections.abc import Sequence

from data.models import Passage
from data.store import StoredChunk
from rag.lexical import words

MAX_MERGED = 3  # chunks in a passage: more would bury the sentence that was found
NEAR = 0.7  # of a passage's score: what a neighbour must have to be joined rather than shown on its own
SHINGLE = 2  # words
SAME = 0.95  # Jaccard similarity of shingles from which two chunks say the same: in 150 words, two may differ


def passages(ranked: Sequence[tuple[StoredChunk, float]], k: int) -> tuple[Passage, ...]:
    """The first `k` passages of `ranked` chunks (best first, with scores 0–1).

    A chunk that repeats a better one, title and heading included, is dropped, whichever document it is in. A chunk next
    to a better one of its document is joined to it, if it is about as good: the passage has the better one's rank,
    score and chunk id, the text of both in the document's order, and the pages of both.
    """
    groups: list[list[tuple[StoredChunk, float]]] = []  # the best chunk first
    seen: list[frozenset[str]] = []
    for chunk, score in ranked:
        shingles = _shingles(chunk.embedded_text)  # with title and heading: each quarter's report may say the same
        if any(_same(shingles, other) for other in seen):
            continue
        group = next((g for g in groups if _joins(g, chunk, score)), None)
        if group is None and len(groups) == k:
            break
        seen.append(shingles)
        if group is None:
            groups.append([(chunk, score)])
        else:
            group.append((chunk, score))
    return tuple(_passage(rank, group) for rank, group in enumerate(groups, 1))


def _joins(group: Sequence[tuple[StoredChunk, float]], chunk: StoredChunk, score: float) -> bool:
    best, best_score = group[0]
    positions = [member.position for member, _ in group]
    return (
        chunk.source == best.source
        and chunk.position in (min(positions) - 1, max(positions) + 1)
        and len(group) < MAX_MERGED
        and score >= NEAR * best_score
    )


def _passage(rank: int, group: Sequence[tuple[StoredChunk, float]]) -> Passage:
    best, score = group[0]
    chunks = sorted((chunk for chunk, _ in group), key=lambda chunk: chunk.position)
    pages: list[tuple[int, int]] = []
    at = 0  # of the chunk in the passage's text
    for chunk in chunks:
        if chunk.page_start is not None:
            starts = (0, *chunk.page_breaks)
            pages += [(at + offset, chunk.page_start + nth) for nth, offset in enumerate(starts)]
        at += len(chunk.text) + 1
    return Passage(
        rank=rank,
        score=round(score, 4),
        source=best.source,
        title=best.title,
        page_start=chunks[0].page_start,
        page_end=chunks[-1].page_end,
        heading=best.heading,
        chunk_id=best.id,
        text="\n".join(chunk.text for chunk in chunks),
        pages=tuple(pages),
        kind=best.kind,
        page_labels=best.page_labels[(chunks[0].page_start or 1) - 1 : chunks[-1].page_end],
    )


def _shingles(text: str) -> frozenset[str]:
    found = words(text)
    return frozenset(" ".join(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1)))


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= SAME * len(one | other)

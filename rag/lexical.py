"""Words: a full-text expression that can't fail or be steered, and how much of them a text covers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import Any

MAX_TERMS = 32  # a question has about ten; a page pasted as a query would make FTS5 score every chunk for hundreds
WINDOW = 25  # words: about one sentence
NEXT = 2  # words: how near neighbours of the question stand in a text that means the same, "capital of France"

# Words that say nothing of the topic. Without them full-text search is faster and ranks better:
# nDCG@10 +0.004 to +0.012.
_STOP = """
a about an and are as at be been being but by can could did do does for from had has have how i if in into is it its
may me might my no not of on or our shall should so such than that the their them then there these they this those to
us was we were what when where which who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_STOP.split())

# What FTS5's unicode61 tokenizer takes for a word: letters and digits. Everything else separates.
_WORD = re.compile(r"[^\W_]+")
_ACCENT = re.compile("[\u0300-\u036f]+")


def terms(query: str) -> dict[str, str]:
    """The distinct terms of `query` in order, at most MAX_TERMS: stem → the word as it was typed, in lower case.

    Stop words are left out unless there is nothing else. Empty where `query` has no letter or digit.
    """
    typed = words(query)
    kept = [word for word in typed if word not in STOP_WORDS] or typed
    found: dict[str, str] = {}
    for word in kept:
        found.setdefault(_stem(word), word)
        if len(found) == MAX_TERMS:
            break
    return found


def match_any(typed: Sequence[str]) -> str:
    """The FTS5 expression for "any of these words". Each is quoted, so that none is read as an operator."""
    return " OR ".join(f'"{word}"' for word in typed)


def coverage(weights: Mapping[str, float], text: str) -> float:
    """How much of a query's weight `text` holds, 0–1: the mean of what it holds anywhere, within WINDOW words, and as
    neighbours.

    `weights` gives each stem its inverse document frequency, in the order of the query. How often a term occurs doesn't
    count: in chunks of 200 tokens BM25's term frequency and length only added noise. Words that stand together do.
    """
    total = sum(weights.values())
    if not total:
        return 0.0
    hits = [(at, stem) for at, word in enumerate(words(text)) if (stem := _stem(word)) in weights]
    anywhere = sum(weights[stem] for stem in {stem for _, stem in hits}) / total
    neighbours = _neighbours(weights, hits) if len(weights) > 1 else anywhere
    return (anywhere + _best_window(weights, hits) / total + neighbours) / 3


def _neighbours(weights: Mapping[str, float], hits: Sequence[tuple[int, str]]) -> float:
    """The share 0–1, by weight, of the query's pairs of successive stems that stand within NEXT words, in any order."""
    near = {
        frozenset((stem, other))
        for nth, (at, stem) in enumerate(hits)
        for then, other in hits[nth + 1 : nth + 1 + NEXT]
        if then - at <= NEXT
    }
    pairs = {frozenset(pair): sum(weights[stem] for stem in pair) for pair in pairwise(weights)}
    return sum(weight for pair, weight in pairs.items() if pair in near) / sum(pairs.values())


def _best_window(weights: Mapping[str, float], hits: Sequence[tuple[int, str]]) -> float:
    """The greatest weight of distinct stems within WINDOW consecutive words."""
    best = weight = 0.0
    inside: dict[str, int] = {}
    first = 0
    for at, stem in hits:
        inside[stem] = inside.get(stem, 0) + 1
        if inside[stem] == 1:
            weight += weights[stem]
        while hits[first][0] <= at - WINDOW:
            gone = hits[first][1]
            inside[gone] -= 1
            if not inside[gone]:
                weight -= weights[gone]
            first += 1
        best = max(best, weight)
    return best


def words(text: str) -> list[str]:
    """The words of `text`, in order, lower case and without accents, as the full-text index takes them."""
    text = text.lower()
    if not text.isascii():  # as the full-text index does: "Zürich" is found by "zurich"
        text = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
    return _WORD.findall(text)


_STEMMING = Lock()  # the stemmer keeps the word that it is at, whoever asks


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    with _STEMMING:
        stem: str = _stemmer().stemWord(word)
    return stem


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("porter")  # the full-text index's algorithm

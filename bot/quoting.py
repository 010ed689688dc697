"""The sentences of passages that answer a question best, word for word."""

# ruff: noqa: E501 (patterns read better whole)

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.models import Passage
from data.sentences import sentences
from rag.lexical import terms

CANDIDATES = 40  # sentences that are embedded for one question, in one call
LONGEST = 60  # words of a sentence that is still quoted
WINDOW = 3  # sentences of an answer at most
# Weights of a sentence's score: the cosine to the question, the share of its terms it has (by how telling they are), the
# kind of answer it holds (a year for "when"), its passage's score. Chosen on half of the questions of
# benchmarks/answers.py.
COSINE, COVERAGE, KIND, PASSAGE = 1.0, 0.5, 0.15, 0.8
LEANING = 0.8  # taken off where a sentence leans on one that can't be quoted
NEAR_BEST = 0.75  # of the best score: what a further sentence must reach
REDUNDANT = 0.92  # cosine of two sentences above which the second says nothing new

_WORD = re.compile(r"\w+(?:[’'-]\w+)*")
_BULLET = re.compile(r"(?:[-–—•·▪◦‣*+→]|\(?\d{1,2}[.)]|\(?[a-h][.)])\s+")
_ENDED = re.compile(r"[.!…。！।]['\"”’»)\]]*$")
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|table|image|photo|picture|source|credit|listing|plot|chart|caption)\s*(?:\d|by\b|:|from\b|credit)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[{}]|\w+\(.*\)\s*$|^\s*(?:import|from|def|class|return|print|pip|sudo|git|\$|>>>|#include)\b|\w=\S+,\s*\w+=|;\s*$|```|^\s*[$#>]\s"
)
_LEANS = re.compile(
    r"(?:(?:however|therefore|thus|hence|moreover|furthermore|additionally|also|instead|otherwise|then|still|yet|but|and|or|so|"
    r"nevertheless|nonetheless|similarly|likewise|consequently|meanwhile|conversely|in contrast|on the other hand|in addition|"
    r"as a result|for this reason|for example|for instance|that is|in other words|finally|second|third|secondly|thirdly|afterwards?)\b|"
    r"(?:it|its|he|she|they|them|their|his|her|this|that|these|those|such|both|neither|either|one|another|others|the (?:former|latter|same|other|first|second))\b)",
    re.IGNORECASE,
)
_NUMBER = r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|twice|once|none|several|couple)\b"
_KINDS = [
    (re.compile(question, re.IGNORECASE), re.compile(answer))
    for question, answer in (
        (r"\b(?:when|what (?:year|date|day|month|time|century|decade)|which (?:year|century|decade))\b", r"\b(?:1\d{3}|20\d{2})\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b|\b\d{1,2}(?:st|nd|rd|th)\b|(?i:century|\b(?:before|after|during|until|since) the\b)"),
        (r"\bhow (?:many|much|long|far|often|old|tall|big|fast|large|high|deep|wide|hot)\b|\bwhat (?:percent\w*|number|amount|share|proportion|size|temperature|age|price|cost)\b", rf"(?i:{_NUMBER})"),
        (r"\bwh(?:o|om|ose)\b|\bwhat (?:person|company|team|actor|singer|author|player)\b", r"(?<=[a-z,;] )[A-Z][a-z]+|^[A-Z][a-z]+ [A-Z][a-z]+"),
        (r"\bwhere\b|\b(?:what|which) (?:city|country|state|place|town|region|river|street)\b", r"\b(?:in|at|on|near|from|to|of|into|through|across) (?:the )?[A-Z]"),
        (r"\bwhy\b|\bwhat (?:caused|causes|reason)\b|\bhow come\b", r"(?i:\b(?:because|due to|since|so that|in order to|reason|caused?|therefore|to (?:avoid|prevent|make|keep|ensure|allow))\b)"),
        (r"\bhow (?:do|does|did|can|could|should|to|would|is|are)\b", r"(?i:\b(?:by|using|use|with|first|then|through|via|step|simply|need to|should|must)\b)"),
        (r"\b(?:what (?:is|are|does)|what['’]s|define|meaning of|difference between)\b", r"(?i:\b(?:is|are|means|refers to|called|known as|defined as|consists?)\b)"),
    )
]  # fmt: skip


class Embeds(Protocol):
    """The part of an Embedder that is used here."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32, unit norm."""
        ...


@dataclass(frozen=True)
class Quote:
    """A sentence of a passage: `passage.text[start:end]`."""

    passage: Passage
    start: int
    end: int
    place: int  # of the sentence among its passage's
    score: float  # about 0–2, comparable within one question
    cosine: float  # to the question
    coverage: float  # 0–1, of the question's terms, by how telling they are

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


def best_quotes(question: str, passages: Sequence[Passage], embedder: Embeds, most: int = WINDOW) -> list[Quote]:
    """Up to `most` sentences that answer `question`, in an order that reads as an answer; empty where none is usable.

    The passage of the best sentence comes first; within a passage the sentences keep their order. A sentence that
    leans on the one before it ("However, it …") brings that one along.
    """
    candidates = _candidates(passages)
    if not candidates:
        return []
    scored, vectors = _scored(question, candidates, embedder)
    chosen = _choose(scored, vectors, most)
    passages_in_order = list(dict.fromkeys(quote.passage for quote in chosen))
    return sorted(chosen, key=lambda quote: (passages_in_order.index(quote.passage), quote.start))


def _candidates(passages: Sequence[Passage]) -> list[Quote]:
    """The usable sentences of the passages, best passage first, CANDIDATES at most."""
    found: list[Quote] = []
    seen: set[str] = set()
    for passage in passages:
        for place, (start, end) in enumerate(sentences(passage.text)):
            text = passage.text[start:end]
            if bullet := _BULLET.match(text):
                start, text = start + bullet.end(), text[bullet.end() :]
            if text not in seen and usable(text):
                seen.add(text)
                found.append(Quote(passage, start, end, place, 0.0, 0.0, 0.0))
    return found[:CANDIDATES]


def usable(sentence: str) -> bool:
    """Whether it can stand in an answer: a whole sentence of prose, no heading, question, caption, code or fragment."""
    words = _WORD.findall(sentence)
    if not 5 <= len(words) <= LONGEST or not _ENDED.search(sentence):
        return False
    if not (sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in "\"'“‘«($€£" or not sentence[0].isascii()):
        return False
    if _CAPTION.match(sentence) or _CODE.search(sentence) or "http" in sentence:
        return False
    return sum(c.isalpha() or c.isspace() for c in sentence) >= 0.75 * len(sentence)


def _scored(question: str, candidates: list[Quote], embedder: Embeds) -> tuple[list[Quote], NDArray[np.float32]]:
    """The candidates with their scores, best first, and their vectors in that order."""
    vectors = embedder.encode([question, *(quote.text for quote in candidates)])
    cosines = vectors[1:] @ vectors[0]
    stems = [set(terms(quote.text)) for quote in candidates]
    spread = Counter(stem for found in stems for stem in found)
    weights = {stem: math.log(1 + len(candidates) / (1 + spread[stem])) for stem in terms(question)}
    total = sum(weights.values()) or 1.0
    kinds = [answer for asked, answer in _KINDS if asked.search(question)]
    places = {(quote.passage.chunk_id, quote.place) for quote in candidates}
    scored = []
    for quote, cosine, found in zip(candidates, cosines.tolist(), stems, strict=True):
        coverage = sum(weight for stem, weight in weights.items() if stem in found) / total
        kind = bool(kinds) and all(answer.search(quote.text) for answer in kinds)
        score = COSINE * cosine + COVERAGE * coverage + KIND * kind + PASSAGE * quote.passage.score
        score -= LEANING * (bool(_LEANS.match(quote.text)) and (quote.passage.chunk_id, quote.place - 1) not in places)
        scored.append(replace(quote, score=score, cosine=cosine, coverage=coverage))
    order = sorted(range(len(scored)), key=lambda i: -scored[i].score)
    return [scored[i] for i in order], vectors[1:][order]


def _choose(scored: list[Quote], vectors: NDArray[np.float32], most: int) -> list[Quote]:
    """The best sentences that say different things, best first, each with the one it leans on where there is room."""
    before = {(quote.passage.chunk_id, quote.place): quote for quote in scored}
    chosen: list[Quote] = []
    taken: list[int] = []
    for i, quote in enumerate(scored):
        if len(chosen) >= most or quote.score < NEAR_BEST * scored[0].score:
            break
        if quote in chosen or (taken and float((vectors[taken] @ vectors[i]).max()) > REDUNDANT):
            continue
        needed = [quote]
        if _LEANS.match(quote.text):
            previous = before.get((quote.passage.chunk_id, quote.place - 1))
            if previous is not None and previous not in chosen:
                if _LEANS.match(previous.text):
                    continue  # and that one on another: too much to bring along
                needed.append(previous)
            elif previous is None and quote.place > 0 and chosen:
                continue  # it leans on something that can't be quoted
        if len(chosen) + len(needed) > most:
            continue
        chosen += needed
        taken.append(i)
    return chosen

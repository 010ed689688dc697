"""The pieces of passages that answer a question best, word for word."""

# ruff: noqa: E501 (patterns read better whole)

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.answer_kinds import EMPTY, HOW_MUCH, KINDS, WHETHER, contradicts, holds, stems_of
from bot.units import Unit, rendered, units
from data.models import Passage
from rag.retriever import Encoder

SEARCHED = 4  # passages, the best
EMBEDDED = 24  # of their pieces, in one call: those with the most of the question's words
WINDOW = 3  # pieces of an answer at most
# Weights of a piece's score: the cosine to the question, by itself and with its neighbours (NEIGHBOUR each); the share
# of the question's terms it has (by how telling they are), by itself and with its heading, title and predecessor; its
# passage's score. With those of bot/answer_kinds.py, rounded from a listwise softmax regression on five sets of
# questions, where they are flat: half or twice of any moves the best piece by a hundredth (benchmarks/README.md).
COSINE, SMOOTHED, COVERAGE, IN_CONTEXT, PASSAGE = 2.0, 3.0, 3.2, 3.5, 6.0
NAMED = 1.0  # to a row by the share of its name that the question has: "Cold brew" of "Cold brew 80 g, 16 hours"
TERMS = 5  # the most telling ones that coverage is a share of: who tells a story first asks no less
NEIGHBOUR = 0.5
ASKED = 4.0  # times the cosine of the question asked to one in the document, above SAME_QUESTION: its answer follows it
SAME_QUESTION = 0.6
SAME_DECISION, DECIDED = 0.5, 7.0  # the same where one asks whether, and the document says yes or no; what that adds
LEANING = 1.5  # taken off where a sentence leans on one that can't be quoted
ANNOUNCING = 2.0  # where it only announces an answer: "There were three common ways." repeats the question best of all
CONTRADICTING = 2.0  # where it is of another version or year
MARGIN = 2.2  # below the best score: what a further piece may lack; most answers are one or two sentences
REDUNDANT = 0.92  # cosine of two pieces above which the second says nothing new

_LEANS = re.compile(
    r"(?:(?:however|therefore|thus|hence|moreover|furthermore|additionally|also|instead|otherwise|then|still|yet|but|and|or|so|"
    r"nevertheless|nonetheless|similarly|likewise|consequently|meanwhile|conversely|in contrast|on the other hand|in addition|"
    r"as a result|for this reason|for example|for instance|that is|in other words|finally|second|third|secondly|thirdly|afterwards?)\b|"
    r"(?:it|its|he|she|they|them|their|his|her|this|that|these|those|such|both|neither|either|one|another|others|the (?:former|latter|same|other|first|second))\b|"
    r"(?:while|although|though|since|because of|with|for|by|in|from|after|as|if|when|to do|like|despite) (?:this|that|these|those|it|they|them|such)\b)",
    re.IGNORECASE,
)
_DECIDES = re.compile(r"(?:yes|no|sure|absolutely|never|not really|it depends)\b", re.IGNORECASE)
_LISTS = re.compile(r":\s*\w|,.*\b(?:and|or)\b")  # it says at once what it announces
_ANNOUNCES = re.compile(
    r":$|\b(?:the following|as follows|(?:here|there) (?:are|were|is|was) (?:the |my |our |some |several |many |a (?:few|couple)|(?:two|three|four|five|six|seven|\d+))"
    r"(?!\w* (?:percent|%|people|users?|degrees|grams?))|in this (?:article|post|section|video)|(?:i|we)['’ ]?(?:ll| will) (?:discuss|describe|explain|cover|walk|show|share|briefly)|let['’]s (?:look|see|dive|discuss|explore))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quote:
    """A piece of a passage, scored against a question."""

    passage: Passage
    unit: Unit
    score: float  # comparable within one question
    cosine: float  # to the question: its own, or that of the document's own question that it answers
    coverage: float  # 0–1, of the question's terms, by how telling they are: in it, and with what it stands under
    announces: bool = False  # only that an answer follows

    @property
    def quote(self) -> str:
        """The exact substring of the passage."""
        return self.passage.text[self.unit.start : self.unit.end]

    @property
    def text(self) -> str:
        """The quote as it reads in an answer."""
        return rendered(self.passage.text, self.unit)


@dataclass
class _Piece:
    """A unit on its way to a Quote."""

    passage: Passage
    unit: Unit
    text: str
    stems: frozenset[str]
    around: frozenset[str]  # stems of its heading, its title and its predecessor too
    before: "_Piece | None"  # its predecessor in the passage


def best_quotes(question: str, passages: Sequence[Passage], embedder: Encoder, most: int = WINDOW) -> list[Quote]:
    """Up to `most` pieces that answer `question`, in an order that reads as an answer; empty where none is usable.

    The best piece comes first; pieces that follow each other in a passage stay together and in order. A sentence that
    leans on the one before it ("However, it …") brings that one along.
    """
    pieces = [piece for passage in passages[:SEARCHED] for piece in _pieces(passage)]
    if not any(piece.unit.quotable for piece in pieces):
        return []
    scored, vectors = _scored(question, pieces, embedder)
    if not scored:
        return []
    runs: list[list[Quote]] = []
    for quote in sorted(_choose(scored, vectors, most), key=lambda quote: (quote.passage.rank, quote.unit.place)):
        last = runs[-1][-1] if runs else None
        if last and last.passage == quote.passage and last.unit.place + 1 == quote.unit.place:
            runs[-1].append(quote)
        else:
            runs.append([quote])
    runs.sort(key=lambda run: -max(quote.score for quote in run))
    return [quote for run in runs for quote in run]


def _pieces(passage: Passage) -> list[_Piece]:
    found: list[_Piece] = []
    above = stems_of(passage.title) | stems_of(passage.heading)
    for unit in units(passage.text):
        text = rendered(passage.text, unit)
        if unit.kind in ("item", "row"):  # says little by itself
            text = f"{unit.heading}: {text}" if unit.heading else text
        before = found[-1] if found else None
        stems = stems_of(text)
        around = stems | above | stems_of(unit.heading) | (before.stems if before else frozenset())
        found.append(_Piece(passage, unit, text, stems, around, before))
    return found


def _scored(question: str, pieces: list[_Piece], embedder: Encoder) -> tuple[list[Quote], NDArray[np.float32]]:
    """The quotable pieces with their scores, best first, and their vectors in that order."""
    spread = Counter(stem for piece in pieces for stem in piece.stems)
    telling = stems_of(question) - EMPTY or stems_of(question)
    weights = {stem: math.log(1 + len(pieces) / (1 + spread[stem])) for stem in telling}
    total = sum(sorted(weights.values())[-TERMS:]) or 1.0
    kinds = [kind for kind in KINDS if kind.asked.search(question)]

    def announcing(piece: _Piece) -> bool:
        return HOW_MUCH not in kinds and _announces(piece.text)  # "There were three common ways" answers how many

    def share(stems: frozenset[str]) -> float:
        return min(1.0, sum(weight for stem, weight in weights.items() if stem in stems) / total)

    wordy = []  # what can be told without embedding
    for piece in pieces:
        score = COVERAGE * share(piece.stems) + IN_CONTEXT * share(piece.around) + PASSAGE * piece.passage.score
        score += sum(kind.weight for kind in kinds if holds(kind, question, piece.text))
        score += NAMED * _named(piece, weights)
        leans = _LEANS.match(piece.text) and not (piece.before and piece.before.unit.quotable)
        score -= LEANING * bool(leans) + ANNOUNCING * announcing(piece)
        wordy.append(score - CONTRADICTING * contradicts(question, piece.text))
    kept = sorted({
        *sorted(range(len(pieces)), key=lambda i: -wordy[i])[:EMBEDDED],
        *(at for i, piece in enumerate(pieces) if piece.text.endswith("?") for at in (i, i + 1) if at < len(pieces)),
    })  # fmt: skip
    vectors = embedder.encode([question, *(pieces[i].text for i in kept)])
    asked, vectors = vectors[0], vectors[1:]
    smoothed = _smoothed([(pieces[i].passage.rank, pieces[i].unit.place) for i in kept], vectors)
    cosines, near = (vectors @ asked).tolist(), (smoothed @ asked).tolist()
    of = {id(pieces[i]): cosines[at] for at, i in enumerate(kept)}
    found = []
    for at, i in enumerate(kept):
        piece = pieces[i]
        if not piece.unit.quotable or piece.stems <= stems_of(piece.passage.title):  # a title answers nothing
            continue
        before = piece.before if piece.before and piece.before.text.endswith("?") else None
        same = of.get(id(before), 0.0)  # the document may ask the very question
        decided = _DECIDES.match(piece.text) and WHETHER.asked.match(question)
        least = SAME_DECISION if decided else SAME_QUESTION
        score = wordy[i] + COSINE * cosines[at] + SMOOTHED * near[at] + ASKED * max(0.0, same - least)
        score += DECIDED * bool(decided and same > least)
        coverage = (share(piece.stems) + share(piece.around)) / 2
        cosine = max(cosines[at], same if same > least else 0.0)
        found.append((at, Quote(piece.passage, piece.unit, score, cosine, coverage, announcing(piece))))
    found.sort(key=lambda item: -item[1].score)
    return [quote for _, quote in found], vectors[[at for at, _ in found]]


def _announces(text: str) -> bool:
    return bool(_ANNOUNCES.search(text)) and not _LISTS.search(text)


def _named(piece: _Piece, asked: Collection[str]) -> float:
    """The share 0–1 of a row's name that is `asked` for."""
    if piece.unit.kind != "row":
        return 0.0
    name = stems_of(re.split(r"[:=|\d–]", piece.passage.text[piece.unit.start : piece.unit.end])[0])
    return sum(stem in asked for stem in name) / len(name) if name else 0.0


def _smoothed(places: Sequence[tuple[int, int]], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each vector with a share of its neighbours': a sentence is about what those around it are about."""
    row = {place: at for at, place in enumerate(places)}
    mixed = vectors.copy()
    for (rank, place), at in row.items():
        for neighbour in (place - 1, place + 1):
            if (rank, neighbour) in row:
                mixed[at] += NEIGHBOUR * vectors[row[rank, neighbour]]
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return mixed


def _choose(scored: list[Quote], vectors: NDArray[np.float32], most: int) -> list[Quote]:
    """The best pieces that say different things, best first, each with what it leans on or announces where there is room."""
    at = {(quote.passage.rank, quote.unit.place): quote for quote in scored}
    chosen: list[Quote] = []
    taken: list[int] = []
    for i, quote in enumerate(scored):
        if len(chosen) >= most or (chosen and quote.score < chosen[0].score - MARGIN):
            break
        said = {other.text for other in chosen}
        if quote.text in said or (taken and float((vectors[taken] @ vectors[i]).max()) > REDUNDANT):
            continue
        needed = [quote]
        if quote.unit.kind == "sentence" and _LEANS.match(quote.text):
            previous = at.get((quote.passage.rank, quote.unit.place - 1))
            if previous is not None and previous not in chosen:
                needed.append(previous)
            elif previous is None and chosen and quote.unit.place > 0:
                continue  # it leans on something that can't be quoted
        if quote.announces:
            following = [at.get((quote.passage.rank, quote.unit.place + n)) for n in (1, 2)]
            needed = [quote, *(each for each in following if each is not None and each not in chosen)]
            needed = needed[: most - len(chosen)]
            if len(needed) == 1:
                continue  # what it announces can't be quoted
        if len(chosen) + len(needed) <= most:
            chosen += needed
            taken.append(i)
    return chosen or scored[:1]

"""Whether a quote that a model wrote is new, or one of those that there are: word for word, nearly, or in part.

Words are compared without case, punctuation and the shapes of apostrophes. Two measures, of a text and one quote:

- overlap: 2·C / (m + n), with m and n words and C the longest sequence that both have in the same order, gaps allowed
  (Bergroth et al. 2000 survey how it is found). 1 says the same, 0 shares no word.
- run: the longest stretch of words that stands in both without a gap.

`finetune.novelty.judge` says what follows; how the limits were found stands in docs/quotes.md.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.reply_measures import Words, runs, words

Verdict = Literal["new", "close", "copy"]

COPY = 0.85  # overlap from which a text says what a quote says
CLOSE = 0.6  # and from which it leans on one
WHOLE = 5  # words: a text of so many that stands whole in a quote, or has a whole quote of so many in it, is a copy
RUN = 6  # words in a row, that make up HALF of the text, lean on a quote too
HALF = 0.5
CANDIDATES = 24  # quotes that share the rarest pairs of words with a text, and are compared with it in full
LONGEST = 300  # words of a text that are compared


@dataclass(frozen=True)
class Real:
    """A quote that there is."""

    quote: str
    author: str
    source: str  # where it stands: the name of a file, or "training set"


@dataclass(frozen=True)
class Likeness:
    """How like a text and the quote most like it are."""

    real: Real
    overlap: float  # 0–1
    run: int  # words
    verdict: Verdict


class Known:
    """The quotes that there are, to look up what a text has from them."""

    def __init__(self, quotes: Sequence[Real]) -> None:
        self._quotes: list[Real] = []
        self._words: list[Words] = []
        self._pairs: dict[Words, list[int]] = defaultdict(list)
        self._same: dict[Words, list[int]] = defaultdict(list)
        seen: set[tuple[Words, str]] = set()
        for each in quotes:
            said = words(each.quote)[:LONGEST]
            key = (said, name_key(each.author))
            if not said or key in seen:
                continue
            seen.add(key)
            number = len(self._quotes)
            self._quotes.append(each)
            self._words.append(said)
            self._same[said].append(number)
            for pair in set(runs(said, 2)):
                self._pairs[pair].append(number)

    @property
    def authors(self) -> set[str]:
        """Their names, by `name_key`."""
        return {name_key(each.author) for each in self._quotes}

    def __len__(self) -> int:
        return len(self._quotes)

    def most_like(self, text: str, author: str = "", but: Real | None = None) -> Likeness | None:
        """The quote most like `text`; None where none shares a pair of words with it.

        Of quotes as like, one by `author` is preferred. `but`: one that isn't looked at, to compare quotes with others.
        """
        said, by = words(text)[:LONGEST], name_key(author)
        left_out = {number for number, real in enumerate(self._quotes) if real is but} if but else set()
        found = [self._likeness(said, number) for number in self._candidates(said) if number not in left_out]
        order: dict[Verdict, int] = {"copy": 2, "close": 1, "new": 0}
        return max(
            found,
            key=lambda one: (order[one.verdict], one.overlap, name_key(one.real.author) == by),
            default=None,
        )

    def _candidates(self, said: Words) -> list[int]:
        weights: dict[int, float] = defaultdict(float, dict.fromkeys(self._same.get(said, ()), math.inf))
        for pair in set(runs(said, 2)):
            holding = self._pairs.get(pair, ())
            for number in holding:
                weights[number] += 1 / len(holding)
        return sorted(weights, key=lambda number: -weights[number])[:CANDIDATES]

    def _likeness(self, said: Words, number: int) -> Likeness:
        real = self._words[number]
        common, run = _common(said, real)
        overlap = 2 * common / (len(said) + len(real))
        return Likeness(self._quotes[number], overlap, run, judge(len(said), len(real), overlap, run))


def judge(said: int, real: int, overlap: float, run: int) -> Verdict:
    """What a text of `said` words is beside a quote of `real` words, by their overlap and longest run."""
    if overlap >= COPY or (run >= WHOLE and run in (said, real)):
        return "copy"
    if overlap >= CLOSE or (run >= RUN and run >= HALF * said):
        return "close"
    return "new"


def name_key(author: str) -> str:
    """A name as names are compared: without case, accents and punctuation; "Camus, Albert" is Albert Camus."""
    import unicodedata

    last, comma, first = author.partition(",")
    if comma and first.strip() and "," not in first:
        author = f"{first} {last}"
    plain = "".join(c for c in unicodedata.normalize("NFKD", author.casefold()) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split())


def _common(a: Words, b: Words) -> tuple[int, int]:
    """(words of the longest common sequence with gaps, of the longest without): two tables, a row at a time."""
    sequence, stretch = [0] * (len(b) + 1), [0] * (len(b) + 1)
    longest = 0
    for word in a:
        corner, before = 0, 0  # of the row above
        for at, other in enumerate(b, 1):
            above, behind = sequence[at], stretch[at]
            if word == other:
                sequence[at], stretch[at] = corner + 1, before + 1
                longest = max(longest, stretch[at])
            else:
                sequence[at], stretch[at] = max(above, sequence[at - 1]), 0
            corner, before = above, behind
    return sequence[-1], longest

"""Who replies better: the measures of each contestant's replies to the same comments, side by side, with intervals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from finetune.intervals import FEWEST, Figure, Values, difference, figure, jackknifed, means
from finetune.reply_measures import Words, distinct, runs

BASE, ADAPTER, STYLE, CREATOR = "base", "adapter", "style", "creator"
NAMES = {BASE: "base", ADAPTER: "adapter", STYLE: "style memory", CREATOR: "creator"}


@dataclass(frozen=True)
class Scored:
    """One reply to one comment, measured. None for what does not apply to who wrote it."""

    said: Words  # the body's
    repeats: bool  # a training reply says the very same
    longest: float  # share 0–1 of the words that stand in a row in one training reply
    leaks: bool  # a run of eight words or more from one or two training replies
    signed: bool | None = None  # once, and last
    stops: bool | None = None  # by itself, right behind the signature
    ran_on: bool | None = None  # into max_tokens
    length: float | None = None  # logarithm of words by the creator's
    distance: float | None = None  # 1 - cosine of the embedding with that of the creator's reply
    loss: float | None = None  # nats, of all tokens of the creator's reply under this model
    tokens: int = 0  # of the creator's reply, its end token included


Rows = Sequence[Scored]


@dataclass(frozen=True)
class Measure:
    """What is compared."""

    name: str
    title: str
    better: Literal["lower", "higher", ""]  # empty where neither is
    values: Callable[[Rows], Values]
    exp: bool = False
    share: bool = False  # of replies, 0–1


@dataclass(frozen=True)
class Compared:
    """A measure of every contestant, and how far the adapter is from the others over the pairs both replied to."""

    measure: Measure
    figures: Mapping[str, Figure | None]  # by contestant; None where it doesn't apply
    differences: Mapping[str, Figure | None]  # the adapter's minus that of BASE, of STYLE

    def side(self, other: str) -> Literal["better", "worse", "unclear", "different", ""]:
        """How the adapter compares with `other`; empty where the measure applies to one of them only."""
        found = self.differences[other]
        if found is None:
            return ""
        if not found.clear:
            return "unclear"
        if not self.measure.better:
            return "different"
        return "better" if (found.value < 0) == (self.measure.better == "lower") else "worse"

    def as_json(self) -> dict[str, Any]:
        """The form that is written to eval.json and the card."""

        def shown(found: Figure | None) -> dict[str, Any] | None:
            return asdict(found) if found else None

        return {
            "measure": self.measure.name,
            "title": self.measure.title,
            "better": self.measure.better,
            "figures": {name: shown(found) for name, found in self.figures.items()},
            "differences": {
                f"{ADAPTER}-{name}": found and {**asdict(found), "clear": found.clear}
                for name, found in self.differences.items()
            },
        }


def compare(rows: Mapping[str, Sequence[Scored | None]]) -> tuple[Compared, ...]:
    """Every measure of `rows`: by contestant, one entry a pair, None where it left the comment to the creator."""
    return tuple(_compare(measure, rows) for measure in (*MEASURES, GIVEN))


def verdict(compared: Sequence[Compared]) -> str:
    """In plain words, where the adapter is better than the base and than style memory, and where worse."""
    if max((found.pairs for each in compared for found in each.figures.values() if found), default=0) < FEWEST:
        return f"Too few pairs to say who is better: {FEWEST} are the fewest."
    return f"The adapter is {_sides(compared, BASE)}; than style memory {_sides(compared, STYLE)}."


def _sides(compared: Sequence[Compared], other: str) -> str:
    by_side: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
    for each in compared:
        if each.measure.better and (side := each.side(other)):
            by_side[side].append(each.measure.title)
    listed = {side: ", ".join(titles) or "nothing" for side, titles in by_side.items()}
    than = f" than the {NAMES[other]}" if other == BASE else ""
    unclear = f", no clear difference in {listed['unclear']}" if by_side["unclear"] else ""
    return f"better{than} in {listed['better']}, worse in {listed['worse']}{unclear}"


def _compare(measure: Measure, rows: Mapping[str, Sequence[Scored | None]]) -> Compared:
    def values(of: Sequence[Scored | None]) -> Values:
        if measure is GIVEN:  # of all pairs, and the creator has replied to all
            return means([float(row is not None) for row in of] if of is not rows[CREATOR] else [])
        return measure.values([row for row in of if row is not None])

    def between(other: str) -> Figure | None:
        both = list(zip(rows[ADAPTER], rows[other], strict=True))
        if measure is not GIVEN:
            both = [pair for pair in both if None not in pair]
        ours, theirs = values([pair[0] for pair in both]), values([pair[1] for pair in both])
        if len(ours) != len(theirs):
            return None
        return difference(ours, theirs, measure.exp, measure.share)

    return Compared(
        measure,
        {name: figure(values(of), measure.exp, measure.share) for name, of in rows.items()},
        {name: between(name) for name in (BASE, STYLE)},
    )


def _mean(what: Callable[[Scored], float | None]) -> Callable[[Rows], Values]:
    return lambda rows: means([float(value) for row in rows if (value := what(row)) is not None])


def _per_token(rows: Rows) -> Values:
    return np.array([[row.loss, row.tokens] for row in rows if row.loss is not None], dtype=np.float64).reshape(-1, 2)


def _distinct(items: Callable[[Scored], Sequence[Words]]) -> Callable[[Rows], Values]:
    """Values for distinct-n. Drawing a reply twice would count as a repeat, so each is left out in turn instead."""

    def values(rows: Rows) -> Values:
        whole, without = distinct([items(row) for row in rows])
        if math.isnan(whole):
            return means([])
        return jackknifed(whole, [whole if math.isnan(left) else left for left in without])

    return values


MEASURES = (
    Measure("perplexity", "perplexity", "lower", _per_token, exp=True),
    Measure("signature", "signature", "higher", _mean(lambda row: row.signed), share=True),
    Measure("stops", "stopping", "higher", _mean(lambda row: row.stops), share=True),
    Measure("ran_on", "running on", "lower", _mean(lambda row: row.ran_on), share=True),
    Measure("length", "length ratio", "", _mean(lambda row: row.length), exp=True),
    Measure(
        "length_error",
        "length error",
        "lower",
        _mean(lambda row: None if row.length is None else abs(row.length)),
    ),
    Measure("distance", "distance", "lower", _mean(lambda row: row.distance)),
    Measure("distinct_1", "distinct words", "", _distinct(lambda row: runs(row.said, 1))),
    Measure("distinct_2", "distinct pairs", "", _distinct(lambda row: runs(row.said, 2))),
    Measure("different", "distinct replies", "higher", _distinct(lambda row: [row.said]), share=True),
    Measure("repeats", "repeats", "", _mean(lambda row: row.repeats), share=True),
    Measure("longest", "longest run", "", _mean(lambda row: row.longest)),
    Measure("leaks", "copies by heart", "lower", _mean(lambda row: row.leaks), share=True),
)
GIVEN = Measure("given", "replied to", "", lambda rows: means([1.0] * len(rows)), share=True)

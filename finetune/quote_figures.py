"""What is measured of quotes that a model wrote, with 95 % intervals: new or copied, whose, whether they end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finetune.intervals import Figure, Values, figure, jackknifed, means
from finetune.reply_measures import Words, distinct, runs


@dataclass(frozen=True)
class Scored:
    """One quote that a model wrote."""

    said: Words
    label: str  # as bot.quotes has it: generated, close, stored, none
    exact: bool  # of a copy: the very words of a real quote
    misattributed: bool  # a copy of another's quote
    novelty: float  # 0–1
    ended: bool  # by the end token


@dataclass(frozen=True)
class Measured:
    """A figure of a side, None where there is nothing to measure."""

    name: str
    title: str
    share: bool
    figure: Figure | None

    def as_json(self) -> dict[str, Any]:
        """What eval.json holds."""
        return {"name": self.name, "title": self.title, **(asdict(self.figure) if self.figure else {"value": None})}


def measure(quotes: Sequence[Scored], losses: Sequence[tuple[float, int]] = ()) -> list[Measured]:
    """The figures of some quotes. `losses`: of real quotes, the nats of all tokens, and how many these are."""

    def share(name: str, title: str, of: list[bool]) -> Measured:
        return Measured(name, title, True, figure(means([float(each) for each in of]), share=True))

    copies = [each.label == "stored" for each in quotes]
    return [
        share("new", "new", [each.label == "generated" for each in quotes]),
        share("close", "close to a real one", [each.label == "close" for each in quotes]),
        share("copies", "copies", copies),
        share("exact", "  word for word", [each.label == "stored" and each.exact for each in quotes]),
        share("near", "  nearly, or in part", [each.label == "stored" and not each.exact for each in quotes]),
        share("misattributed", "  of another's quote", [each.misattributed for each in quotes]),
        share("empty", "empty", [each.label == "none" for each in quotes]),
        share("ends", "ends by itself", [each.ended for each in quotes]),
        Measured("novelty", "novelty", False, figure(means([each.novelty for each in quotes]))),
        Measured("words", "words", False, figure(means([float(len(each.said)) for each in quotes]))),
        Measured("distinct_1", "distinct words", False, figure(_distinct(quotes, 1))),
        Measured("distinct_2", "distinct pairs", False, figure(_distinct(quotes, 2))),
        Measured("perplexity", "perplexity of real ones", False, figure(_per_token(losses), exp=True)),
    ]


def _distinct(quotes: Sequence[Scored], length: int) -> Values:
    """Values for distinct-n, each quote left out in turn: drawing one twice would count as a repeat."""
    whole, without = distinct([runs(each.said, length) for each in quotes])
    if whole != whole:  # NaN: no items
        return means([])
    return jackknifed(whole, [whole if left != left else left for left in without])


def _per_token(losses: Sequence[tuple[float, int]]) -> Values:
    import numpy as np

    return np.asarray(losses, dtype=np.float64).reshape(-1, 2)

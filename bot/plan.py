"""A plan without a model: the part of the documents that fits what was told best, quoted whole."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.drafts import NO_ANSWER, NO_DOCUMENTS, Answer, Sentence, Support
from bot.extractive import SUBJECT_FROM
from bot.plan_day import of_days
from bot.units import rendered, units

if TYPE_CHECKING:
    from data.models import Passage
    from rag.retriever import SearchResult

MOST = 10  # pieces that are quoted of the best passage: a week has seven days
A_LIST = 3  # items that make a list
BESIDE = 3  # others of its document


def plan_from(query: str, found: "SearchResult", values: Sequence[str]) -> Answer:
    """The list of the best document for `query`, piece by piece, and what that document says of `values` ("12 weeks").

    An abstention where there is none.
    """
    if not found.passages:
        return Answer(query, "abstained", reason=NO_DOCUMENTS)
    if found.confidence < SUBJECT_FROM:
        return Answer(query, "abstained", passages=found.passages, reason=NO_ANSWER)
    of_one = [passage for passage in found.passages if passage.source == found.passages[0].source]
    best = max(of_one, key=lambda passage: (_items(passage), -passage.rank))
    pieces = [unit for unit in units(best.text) if unit.quotable]
    if _items(best) >= A_LIST:  # what stands around it introduces it, or is another section
        pieces = [unit for unit in pieces if unit.kind == "item"]
    pieces = pieces[:MOST]
    sentences = [
        Sentence(
            rendered(best.text, unit),
            (Support(best.source, best.page_at(unit.start), best.text[unit.start : unit.end]),),
        )
        for unit in pieces
    ]
    numbers = [value for value in values if any(character.isdigit() for character in value)]
    said = {sentence.text for sentence in sentences}
    for passage in of_one:
        for unit in units(passage.text):
            text = rendered(passage.text, unit)
            told = any(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) for value in numbers)
            if told and unit.quotable and text not in said and len(said) < MOST + BESIDE:
                said.add(text)
                support = Support(passage.source, passage.page_at(unit.start), passage.text[unit.start : unit.end])
                sentences.append(Sentence(text, (support,)))
    return Answer(query, "answered", tuple(sentences), found.passages, likelihood=found.confidence)


def days_from(query: str, found: "SearchResult", days: Sequence[str]) -> Answer:
    """Some days of the plan that is made from `found`; an abstention where it has none of them."""
    plan = plan_from(query, found, ())
    picked = of_days(plan.sentences, days)
    if plan.status != "answered" or not picked:
        return Answer(query, "abstained", passages=found.passages, reason=plan.reason or NO_ANSWER)
    return replace(plan, sentences=picked)


def _items(passage: "Passage") -> int:
    """How many items of a list stand in it: days, weeks, steps."""
    return sum(unit.kind == "item" for unit in units(passage.text))

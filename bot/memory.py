"""What was said before in a conversation: taken from the record, and bounded in tokens."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from bot.drafts import Answer, Kind
from data.conversations import Exchange
from data.errors import WorkFolderError

TURN = 8  # tokens that a turn takes besides its text: the marks around it
FOR_QUESTIONS = 0.25  # of the tokens, for the questions of older turns
ASKED_BEFORE = "Asked earlier: "


@dataclass(frozen=True)
class Said:
    """An earlier exchange."""

    question: str
    answer: str  # its text
    query: str = ""  # the question as it was understood alone; empty where it is the question
    kind: Kind | None = None  # None where nobody kept it
    told: tuple[tuple[str, str], ...] = ()  # what the user told with it of what the persona needs
    subject: str = ""  # the heading of what the answer stands on, of a plan the title

    @property
    def alone(self) -> str:
        """The question as it is understood alone."""
        return self.query or self.question

    @property
    def leant_on(self) -> str:
        """What a follow-up leans on: the question, after a plan the title of what it was taken from."""
        return self.subject if self.kind == "plan" and self.subject else self.alone


@dataclass(frozen=True)
class Recalled:
    """What of a conversation is remembered word for word, and what is left of the rest."""

    turns: tuple[Said, ...] = ()  # the newest, whole, oldest first
    summary: str = ""  # of the older ones: what was asked, without the answers; empty where there are none
    dropped: int = 0  # of the oldest, that not even the summary has


def recall(said: Sequence[Said], tokens: int, count: Callable[[str], int]) -> Recalled:
    """The newest exchanges that fit `tokens`, whole; of the older ones the questions, newest first, while they fit.

    `count` says how many tokens a text has. Where not all fit whole, a part of the tokens is kept for the questions.
    What the user told of the persona's needs is remembered apart, always.
    """
    turns, rest = _whole(said, tokens, count)
    if rest:
        turns, rest = _whole(said, int(tokens * (1 - FOR_QUESTIONS)), count)
    left = tokens - sum(_cost(each, count) for each in turns) - count(ASKED_BEFORE) - 2 * TURN
    asked: list[str] = []
    while rest and (cost := count(f"{rest[-1].alone} / ")) <= left:
        left -= cost
        asked.insert(0, rest.pop().alone)
    return Recalled(tuple(turns), ASKED_BEFORE + " / ".join(asked) if asked else "", len(rest))


def _whole(said: Sequence[Said], tokens: int, count: Callable[[str], int]) -> tuple[list[Said], list[Said]]:
    """The newest exchanges that fit `tokens`, and those before them."""
    rest = list(said)
    turns: list[Said] = []
    while rest and (cost := _cost(rest[-1], count)) <= tokens:
        tokens -= cost
        turns.insert(0, rest.pop())
    return turns, rest


def said_in(exchanges: Sequence[Exchange]) -> list[Said]:
    """The exchanges of a session as they are remembered. Raises WorkFolderError for an answer that can't be read."""
    return [as_said(answer_of(exchange)) for exchange in exchanges]


def as_said(answer: Answer) -> Said:
    """An answer, as it is remembered."""
    stands_on = next((support for sentence in answer.sentences for support in sentence.support), None)
    passage = next((p for p in answer.passages if stands_on and stands_on.quote in p.text), None)
    subject = ""
    if passage:
        heading = "" if answer.kind == "plan" else passage.heading.rsplit(" > ", 1)[-1]
        subject = heading or passage.title
    return Said(answer.question, answer.text or answer.reason, answer.query, answer.kind, answer.told, subject)


def answer_json(answer: Answer) -> str:
    """An answer as the record keeps it."""
    text = json.dumps(asdict(answer), ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # a question may hold a lone surrogate


def answer_of(exchange: Exchange) -> Answer:
    """The answer of a kept exchange, with its place. Raises WorkFolderError where it can't be read."""
    from pydantic import ValidationError

    try:
        answer: Answer = _adapter().validate_json(exchange.answer)
    except ValidationError as error:
        raise WorkFolderError(
            f"answer {exchange.position + 1} of session {exchange.session} can't be read: forget the session with "
            f"`shawgpt sessions forget {exchange.session}`"
        ) from error
    return replace(answer, position=exchange.position)


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)


def _cost(said: Said, count: Callable[[str], int]) -> int:
    return count(said.alone) + count(said.answer) + 2 * TURN

"""What is asked of a responder, and what it hands back: drafts with the sources they stand on and their flags.

The flags are few. Each is one line for the person who reviews the draft; a `needs_you` draft has at least one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bot.intent import Intent
from bot.usage import Usage
from data.hidden import find_hidden, show_hidden
from data.models import Passage

if TYPE_CHECKING:
    from rag.retriever import SearchResult

Status = Literal["drafted", "needs_you", "failed"]
# What an answer is: from the documents; the plan that was asked for; asks for what a plan needs; turns down what is out
# of scope; a greeting or thanks returned; what was told is noted; of the personas for these, a quote or a query.
Kind = Literal["answer", "plan", "asks", "declined", "small talk", "noted", "quote", "query"]

# Intents that are never answered for the creator, with the reason shown.
YOURS = {
    "criticism": "criticism: yours to answer",
    "business": "business: yours to answer",
    "personal": "personal: yours to answer",
    "spam": "spam: nothing to answer",
    "other_language": "other language: yours to answer",
    "injection": "injection: gives orders to the assistant",
    "unclear": "unclear: nothing to go by",
}
NO_ANSWER = "no answer found in the documents"
OUT_OF_SCOPE = "out of scope"  # of the persona: it was neither looked up nor put to a model
NO_DOCUMENTS = "there are no documents yet: add some with `shawgpt ingest`, or on the page under Documents"
NO_REPLY_FITS = "no past reply fits"
MADE_UP = "most of what the model wrote stands nowhere in the documents"
NOTHING_WRITTEN = "the model wrote nothing"
TOO_LONG = "too long for the model: yours to answer"
CUT = "cut off at the longest that a reply may be"  # the reply is tentative
UNSURE = "unsure what this comment wants"  # the reply is tentative
MAY_NOT_ANSWER = "the documents may not answer this"  # the reply is tentative
NOT_FOUND = "not in the documents: "  # followed by a sentence of the reply, which is tentative
HIDDEN = "hidden characters: "  # followed by the comment with each of them spelt out

HELPFUL = 3  # passages shown to the creator with a comment that is left to them
SHOWN_WITH = frozenset(["criticism", "question", "suggestion", "remark"])  # intents that passages may help to answer


@dataclass(frozen=True)
class Source:
    """A document a draft stands on, or one that may help the creator to answer."""

    source: str  # absolute path or URL
    title: str
    page: int | None  # 1-based physical page
    place: str = ""  # the same in words ("p. 3", "slide 3"); empty where the document has no pages

    def __str__(self) -> str:
        name = self.title or self.source.rstrip("/").rsplit("/", 1)[-1]
        place = self.place or (f"p. {self.page}" if self.page else "")  # a draft kept by an older version has no words
        return f"{name}, {place}" if place else name


@dataclass(frozen=True)
class Support:
    """Where a sentence comes from, word for word."""

    source: str
    page: int | None
    quote: str  # an exact substring of the passage
    place: str = ""  # the page in words ("p. 3", "slide 3"); empty where the document has no pages


@dataclass(frozen=True)
class Sentence:
    """A sentence of an answer and what supports it."""

    text: str
    support: tuple[Support, ...]


@dataclass(frozen=True)
class Draft:
    """A reply for a person to approve, edit or write."""

    reply: str  # may be empty where status is "needs_you" or "failed"
    status: Status
    intent: str
    flags: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    sentences: tuple[Sentence, ...] = ()  # the quoted ones, in the order of the reply
    passages: tuple[Passage, ...] = ()  # what was found: for the reviewer, also where the reply doesn't use it


@dataclass(frozen=True)
class WrittenBy:
    """What wrote a draft or an answer."""

    responder: str
    adapter: str = ""  # its name; empty for none

    def __str__(self) -> str:
        return f"{self.responder} ({self.adapter})" if self.adapter else self.responder


@dataclass(frozen=True)
class Answer:
    """An answer in sentences from the documents, or the reason why there is none."""

    question: str
    status: Literal["answered", "abstained", "failed"]
    sentences: tuple[Sentence, ...] = ()
    passages: tuple[Passage, ...] = ()
    reason: str = ""  # why there is none; of an answer, what to know about it: that it was cut off
    written_by: WrittenBy = WrittenBy("extractive")
    likelihood: float = 0.0  # 0–1, that it answers
    lacking: int = 0  # names, versions, dates and figures of the question that stand in none of the quoted passages
    query: str = ""  # the question as it is understood alone, where it is a follow-up; empty where it is the question
    kind: Kind = "answer"
    said: str = ""  # what the persona says of itself, before any sentences: it states nothing about the subject
    told: tuple[tuple[str, str], ...] = ()  # what the user told of the persona's needs with this question: name, value
    position: int | None = None  # of the exchange in its session, once it is kept in one
    usage: Usage | None = None  # what a language model read and wrote for it; None where none was asked

    @property
    def text(self) -> str:
        """What is said, and the sentences, joined."""
        return " ".join(part for part in (self.said, *(sentence.text for sentence in self.sentences)) if part)

    def as_json(self) -> dict[str, Any]:
        """What `ask --json` prints."""
        return {
            "question": self.question,
            "answer": self.text,
            "status": self.status,
            "sentences": [asdict(sentence) for sentence in self.sentences],
            "passages": [passage.as_json() for passage in self.passages],
            "responder": str(self.written_by),
            "reason": self.reason,
            "usage": self.usage.as_json() if self.usage else None,
        }

    def in_conversation(self) -> dict[str, Any]:
        """What `chat --json` prints: as `ask --json`, with how the question was understood and what came of it."""
        return {**self.as_json(), "query": self.query or self.question, "kind": self.kind, "told": dict(self.told)}


@dataclass(frozen=True)
class Request:
    """A comment to answer, with what is known about it."""

    comment: str
    intent: Intent
    found: tuple[SearchResult, ...] = ()  # one for each way to read its question; none where the intent needs none
    recent: tuple[str, ...] = ()  # the latest drafts, oldest first, so that replies vary


class Responder(Protocol):
    """What writes drafts.

    `stream` yields pieces of the reply as they are made, then the finished Draft, once, last; the draft's reply is what
    counts (a model's may have been signed, or cut, since). `drafts` takes several requests at once and yields (index,
    Draft) as they are done, in any order; `together` says how many it is best given. It may raise where one of them
    can't be written.
    """

    @property
    def written_by(self) -> WrittenBy: ...

    @property
    def together(self) -> int: ...

    def stream(self, request: Request) -> Iterator[str | Draft]: ...

    def drafts(self, requests: Sequence[Request]) -> Iterator[tuple[int, Draft]]: ...


def left(request: Request, reason: str = "", passages: Sequence[Passage] = ()) -> Draft:
    """A draft that is the creator's to write: why (by its intent, where no `reason` is given), and what may help."""
    intent = request.intent
    if not reason:
        reason = f"{YOURS[intent.label]} ({intent.reason})" if intent.label == "injection" else YOURS[intent.label]
        passages = request.found[0].passages if request.found and intent.label in SHOWN_WITH else ()
    helpful = tuple(passages[:HELPFUL])
    sources = tuple(dict.fromkeys(Source(p.source, p.title, p.page_start, p.place_at(0)) for p in helpful))
    return Draft("", "needs_you", intent.label, (reason, *flags_of(request.comment)), sources, passages=helpful)


def flags_of(comment: str) -> tuple[str, ...]:
    """What the reviewer is told of the comment itself: its hidden characters."""
    if not find_hidden(comment):
        return ()
    shown = show_hidden(comment)
    return (HIDDEN + (shown if len(shown) <= 300 else shown[:299] + "…"),)


def sources_of(sentences: Sequence[Sentence], passages: Sequence[Passage]) -> tuple[Source, ...]:
    """The documents that support `sentences`, each page once, in order."""
    titles = {passage.source: passage.title for passage in passages}
    supports = [support for sentence in sentences for support in sentence.support]
    return tuple(dict.fromkeys(Source(s.source, titles.get(s.source, ""), s.page, s.place) for s in supports))

"""What is asked of a responder, and what it hands back: drafts with the sources they stand on and their flags.

The flags are few. Each is one line for the person who reviews the draft; a `needs_you` draft has at least one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from bot.intent import Intent
from data.models import Passage

if TYPE_CHECKING:
    from rag.retriever import SearchResult

Status = Literal["drafted", "needs_you", "failed"]

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
NO_DOCUMENTS = "there are no documents yet: add some with `shawgpt ingest`, or on the page under Documents"
NO_REPLY_FITS = "no past reply fits"
UNSURE = "unsure what this comment wants"  # the reply is tentative
MAY_NOT_ANSWER = "the documents may not answer this"  # the reply is tentative
HIDDEN = "hidden characters: "  # followed by the comment with each of them spelt out


@dataclass(frozen=True)
class Source:
    """A document a draft stands on, or one that may help the creator to answer."""

    source: str  # absolute path or URL
    title: str
    page: int | None  # 1-based physical page

    def __str__(self) -> str:
        name = self.title or self.source.rstrip("/").rsplit("/", 1)[-1]
        return f"{name}, p. {self.page}" if self.page else name


@dataclass(frozen=True)
class Support:
    """Where a sentence comes from, word for word."""

    source: str
    page: int | None
    quote: str  # an exact substring of the passage


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
class Request:
    """A comment to answer, with what is known about it."""

    comment: str
    intent: Intent
    found: tuple[SearchResult, ...] = ()  # one for each way to read its question; none where the intent needs none
    recent: tuple[str, ...] = ()  # the latest drafts, oldest first, so that replies vary


class Responder(Protocol):
    """What writes drafts. `stream` yields pieces of the reply as they are made, then the finished Draft, once, last.

    Where the draft's reply is not empty, the pieces joined are that reply.
    """

    @property
    def name(self) -> str: ...

    def stream(self, request: Request) -> Iterator[str | Draft]: ...

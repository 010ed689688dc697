"""All that programs can ask of the bot: who there is, answers, drafts, searches. Each within the server's limits."""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages.ai import UsageMetadata
from prometheus_client import Counter

from bot.assistant import Assistant
from bot.drafts import Answer, Draft, WrittenBy
from bot.memory import Said
from bot.page.desk import Desk
from bot.quotes import Quote
from bot.responders import Writing
from bot.service.metrics import Metrics
from bot.service.other_tasks import next_quote, of_quote, query
from bot.service.refusal import Refusal, internal
from bot.service.slots import Slots
from data.errors import BadInput, NotFound, ShawGPTError, WorkFolderError
from data.persona import TASKS, Persona, list_personas
from data.sampling import Sampling
from rag.retriever import SearchResult

T = TypeVar("T")

LONGEST = 2000  # characters of a question or query
LONGEST_COMMENT = 10_000
MOST_PASSAGES = 50


@dataclass(frozen=True)
class Answered:
    """An answer, with what it took."""

    answer: Answer
    tokens: tuple[int, int] | None  # that a language model read and wrote, by its own count; None where none says
    quote: Quote | None = None  # what a persona for quotes has


class Answering:
    """The bot behind chat completions and MCP tools. It is used from one event loop; the work is done in threads.

    Its methods raise Refusal, whatever goes wrong.
    """

    def __init__(self, desk: Desk, metrics: Metrics) -> None:
        self.desk, self.metrics = desk, metrics
        self.slots = Slots(desk.work)
        self._known: dict[str, Persona] = {}  # those whose file has been read

    async def personas(self) -> dict[str, Persona]:
        """Those that can answer, by slug; the server's own first."""
        return await asyncio.to_thread(self._usable)

    async def answer(
        self,
        question: str,
        persona: str = "",
        kb: str = "",
        earlier: Sequence[Said] = (),
        sampling: Mapping[str, Any] | None = None,
        tables: str = "",
    ) -> Answered:
        """An answer as `persona` (else the server's), from `kb` (else the persona's), after what was said `earlier`.

        `sampling` changes how a language model chooses its words (the fields of data.sampling.Sampling), and has no
        meaning where none writes. `tables` are the CREATE TABLE statements that a persona for tables answers about.
        """
        _check(question, LONGEST, "question")
        usage: Mapping[str, UsageMetadata] = {}
        quote: Quote | None = None

        def pieces() -> Generator[str | Answer]:
            nonlocal usage, quote
            view = self._view(persona, kb)
            if sampling and view.writing.model:
                view = view.trying(view.persona, replace(view.writing, sampling=_changed(view.writing, sampling)))
            with get_usage_metadata_callback() as heard:
                if view.persona.task == "quotes":
                    quote = next_quote(view, question, earlier)
                    yield of_quote(question, quote)
                elif view.persona.task == "sql":
                    yield query(view, question, tables)
                else:
                    yield from view.follow(question, earlier)
            usage = heard.usage_metadata

        given = await self._counted(self.metrics.answers, persona, pieces)
        assert isinstance(given, Answer)
        if given.status == "failed":
            raise Refusal(500, given.reason or "the answer failed", "failed")
        read, written = (sum(each[kind] for each in usage.values()) for kind in ("input_tokens", "output_tokens"))
        return Answered(given, (read, written) if usage else None, quote)

    async def draft(self, comment: str, persona: str = "") -> tuple[Draft, WrittenBy]:
        """A draft for `comment`, which is kept nowhere, and what wrote it."""
        _check(comment, LONGEST_COMMENT, "comment")
        by: list[WrittenBy] = []

        def pieces() -> Generator[str | Draft]:
            view = self._view(persona, "")
            if (task := view.persona.task) != "reply":
                told = f"{view.persona_slug} is a persona for {TASKS[task]}, and drafts no replies"
                raise Refusal(400, told, "unsupported_value", "model")
            by.append(view.writing.written_by)
            yield from view.stream(comment)

        given = await self._counted(self.metrics.drafts, persona, pieces)
        assert isinstance(given, Draft)
        return given, by[0]

    async def search(self, query: str, k: int, kb: str = "") -> SearchResult:
        """The `k` best passages for `query`."""
        _check(query, LONGEST, "query")

        def pieces() -> Generator[SearchResult]:
            yield self._view("", kb).search(query, k)

        found = await self._last(pieces)
        self.metrics.searches.inc()
        return found

    def _usable(self) -> dict[str, Persona]:
        found = {}
        for slug, persona in list_personas(self.desk.assistant.folder.path).items():
            if not isinstance(persona, Persona):
                continue
            try:
                self.desk.writer(slug)
            except ShawGPTError:
                continue  # the page says why, and `shawgpt persona list`
            found[slug] = persona
        self._known |= found
        return dict(sorted(found.items(), key=lambda item: (item[0] != self.desk.persona, item[0])))

    def _view(self, slug: str, kb: str) -> Assistant:
        """The assistant to ask; models are loaded when it is. It reads files.

        Raises NotFound, naming what there is, and Refusal for a persona that there isn't.
        """
        slug = slug or self.desk.persona
        persona = self._persona(slug)
        own = self.desk.assistant.kb if slug == self.desk.persona else persona.knowledge_base
        if kb and kb != own and kb not in (known := self.desk.assistant.store.knowledge_bases()):
            raise NotFound(f"no knowledge base {kb[:80]!r}; there are: {', '.join(known)}")
        return self.desk.view(slug, kb or own)

    def _persona(self, slug: str) -> Persona:
        if slug not in self._known:
            there = list_personas(self.desk.assistant.folder.path)
            found = there.get(slug)
            if not isinstance(found, Persona):
                known = [name for name, each in there.items() if isinstance(each, Persona)]
                raise Refusal(
                    404, f"no persona {slug[:80]!r}; there are: {', '.join(known)}", "model_not_found", "model"
                )
            self._known[slug] = found
        return self._known[slug]

    async def _counted(self, counter: Counter, slug: str, pieces: Callable[[], Generator[T]]) -> T:
        status = "failed"
        try:
            given = await self._last(pieces)
            status = getattr(given, "status", status)
            return given
        finally:
            slug = slug or self.desk.persona
            counter.labels(slug if slug in self._known else "", status).inc()  # what a caller makes up is no label

    async def _last(self, pieces: Callable[[], Generator[T]]) -> T:
        try:
            return await self.slots.last(pieces)
        except Refusal:
            raise
        except ShawGPTError as error:
            raise Refusal(_status(error), str(error), "failed") from error
        except Exception as error:
            raise internal(error) from error


def _changed(writing: Writing, changes: Mapping[str, Any]) -> Sampling:
    stop = (*writing.sampling.stop, *changes.get("stop", ()))
    return Sampling(**{**writing.sampling.model_dump(), **changes, "stop": stop[:8]})


def _status(error: ShawGPTError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, WorkFolderError):
        return 503
    return 400 if isinstance(error, BadInput) else 500


def _check(text: str, longest: int, what: str) -> None:
    if not text.strip():
        raise Refusal(400, f"the {what} is empty")
    if len(text) > longest:
        raise Refusal(400, f"the {what} has {len(text):,} characters: {longest:,} at most", "too_long")

"""The one place where the parts are put together. Command line, batch and page all use an Assistant."""

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from bot.responders import AS_THE_PERSONA_HAS_IT, Asked, persona_of, settle
from data.conversations import Conversations
from data.database import Database
from data.errors import BadInput, NotFound, WorkFolderError
from data.index import Index
from data.store import DEFAULT_KB, Source, Store
from data.style_memory import StyleMemory
from data.workfolder import WorkFolder

if TYPE_CHECKING:
    from bot.conversation import Conversation, Understood
    from bot.drafts import Answer, Draft, Request, Responder
    from bot.intent import IntentClassifier
    from bot.local_model import LocalModel
    from bot.memory import Said
    from bot.past_replies import PastReplies
    from bot.quote_files import Imported
    from bot.quotes import Quote, Quoter
    from bot.responders import Chat, Writing
    from bot.usage import Usage
    from data.embedding import Embedder
    from data.persona import Persona, Task
    from ingest.pictures import Pictures
    from ingest.pipeline import Progress, Report
    from rag.retriever import Retriever, SearchResult

PASSAGES = 6  # that a draft or an answer may draw on
FOR_A_PLAN = 15  # of which those of one document are taken


class Assistant:
    """A work folder in use, with a persona and a responder. Models are loaded when first needed."""

    def __init__(self, home: Path, command: str, writing: bool = False, shared: bool = False) -> None:
        """Open the work folder `home`; `command` is what other processes are told has it in use.

        `writing` takes the writer's lock, and raises WorkFolderError where another process has it. A reader takes the
        lock where it is free, and searches without the vector index where it isn't; a `shared` reader, which may run
        for long and records drafts, leaves it to others. Other readers make no work folder, and need not be able to
        write to it.
        """
        self.folder = WorkFolder(home, writing=writing or shared)
        if writing:
            self.folder.lock(command)
        elif self.folder.writable and not shared:
            self.folder.try_lock(command)
        try:
            self.database = Database(self.folder.database, read_only=not self.folder.writable)
        except BaseException:
            self.folder.unlock()
            raise
        self.store = Store(self.database)
        self.index = Index(self.store, self.folder.index, writable=self.folder.writing)
        self.style = StyleMemory(self.database)
        self.conversations = Conversations(self.database)
        self._retrievers: dict[str, Retriever] = {}
        self._models: dict[str, LocalModel] = {}  # by name; shared by all views
        self._loading = Lock()  # shared by all views too
        self.asked = AS_THE_PERSONA_HAS_IT
        self.persona_slug = "shawgpt"
        self.kb = DEFAULT_KB

    def __enter__(self) -> "Assistant":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the work folder."""
        if "pictures" in self.__dict__:
            self.pictures.close()
        self.index.close()
        self.database.close()
        self.folder.unlock()

    def use(
        self,
        persona: str | None = None,
        asked: Asked = AS_THE_PERSONA_HAS_IT,
        kb: str | None = None,
        task: "Task | None" = None,
    ) -> None:
        """Choose who replies (else whom the adapter was trained for, else the shipped persona), what writes, and from
        which knowledge base (else the persona's).

        Raises NotFound, listing the known, for what doesn't exist, BadInput for a persona of another `task` where one
        is given, and what `bot.responders.settle` raises.
        """
        from data.persona import SHIPPED, TASKS, load_persona, slug

        home = self.folder.path
        name = persona or (persona_of(asked.adapter, home) if asked.adapter else None) or SHIPPED
        chosen = load_persona(name, home)
        if task not in (None, chosen.task):
            raise BadInput(
                f"the persona {name} is for {TASKS[chosen.task]}: use it with `shawgpt ask --persona {slug(name)}`"
            )
        self.writing = settle(asked, chosen, home)
        self.asked = asked
        self.persona = chosen
        self.persona_slug = slug(name)  # its file name, which selects it
        self.kb = kb or chosen.knowledge_base
        for part in ("past", "intents", "responder", "chat", "conversation", "_quoter"):
            self.__dict__.pop(part, None)
        self._retrievers.clear()

    def view(self, persona: str, asked: Asked = AS_THE_PERSONA_HAS_IT, kb: str | None = None) -> "Assistant":
        """Another assistant on the same work folder, models and index, with a persona and knowledge base of its own.

        It needs no closing. Raises what `use` raises.
        """
        _ = self.embedder, self.pictures  # made once, and shared
        other = copy.copy(self)
        other._retrievers = {}
        other.use(persona, asked, kb)
        return other

    def trying(self, persona: "Persona", writing: "Writing") -> "Assistant":
        """This assistant, replying as `persona` by `writing`, which nothing is checked of; for the playground.

        Its intents and knowledge base are this one's still. Raises what loading the embedding model does.
        """
        _ = self.intents, self.past  # made once, and shared
        other = copy.copy(self)
        other.persona, other.writing = persona, writing
        for part in ("responder", "chat", "_quoter"):
            other.__dict__.pop(part, None)
        return other

    # -- documents

    def ingest(
        self, what: Sequence[str], kb: str, password: str | None = None, progress: "Progress | None" = None
    ) -> "Report":
        """Bring knowledge base `kb` up to date with files, folders, globs and URLs. Raises BadInput."""
        from ingest.discover import discover
        from ingest.pipeline import ingest

        found = discover(what)
        self.store.open_kb(kb, self.embedder.name)
        return ingest(self.store, self.index, self.embedder, found, kb, password, progress=progress)

    def sources(self, kb: str | None = None) -> list[Source]:
        """The documents of a knowledge base; none where nothing has been ingested yet. Raises NotFound."""
        name = kb or self.kb
        if kb is None and name not in self.store.knowledge_bases():
            return []
        return self.store.sources(name)

    def forget(self, wanted: Sequence[str], kb: str | None = None) -> dict[str, int]:
        """Remove documents, given as `sources` lists them or as paths; returns the chunks of each.

        Raises NotFound, and removes none, where one of them is unknown.
        """
        from ingest.discover import source_of

        name = kb or self.kb
        known = {source.source for source in self.store.sources(name)}
        chosen = []
        for source in wanted:
            path = source_of(Path(source).expanduser().resolve())
            match = next((candidate for candidate in (source, path) if candidate in known), None)
            if match is None:
                raise NotFound(
                    f"{source} is not in knowledge base {name!r}: `shawgpt sources --kb {name}` lists what is"
                )
            chosen.append(match)
        removed = {source: self.store.forget(name, source) for source in dict.fromkeys(chosen)}
        # What the record has no more is found no more: an index that can't be written now is mended at the next start.
        with suppress(WorkFolderError):
            self.index.update(name, [], [i for ids in removed.values() for i in ids])
        return {source: len(ids) for source, ids in removed.items()}

    # -- questions and comments

    def search(self, query: str, k: int = 5, kb: str | None = None) -> "SearchResult":
        """The `k` best passages for `query`. Raises NotFound for an unknown knowledge base."""
        return self._retriever(kb or self.kb).search(query, k)

    def answer(self, question: str) -> "Answer":
        """An answer with the source of each sentence, or an abstention with its reason."""
        return [piece for piece in self.stream_answer(question) if not isinstance(piece, str)][-1]

    def stream_answer(self, question: str) -> "Iterator[str | Answer]":
        """What a model writes, in pieces and unchecked, where one does; then the Answer, once, last."""
        return self.follow(question)

    def follow(self, question: str, earlier: "Sequence[Said]" = (), seed: str = "") -> "Iterator[str | Answer]":
        """As `stream_answer`, within a conversation: `question` is understood with what was said `earlier`.

        The conversation is the caller's to keep: `earlier` is `bot.memory.Said` of each exchange, oldest first, and a
        question and the text of its answer are enough. `seed` makes two conversations differ where the persona has
        several ways to say a thing.
        """
        understood = self.conversation.understand(question, earlier, seed)
        if understood.reply:
            yield understood.finished(replace(understood.reply, written_by=self.writing.written_by))
            return
        for piece in self._stream(understood, earlier):
            yield piece if isinstance(piece, str) else understood.finished(piece)

    def converse(self, session: str, question: str) -> "Iterator[str | Answer]":
        """As `follow`, within a kept session: what was said is read from it, and the exchange is added to it.

        Raises NotFound for an unknown session, and WorkFolderError where it can't be kept.
        """
        from bot.memory import answer_json, said_in

        self.conversations.session(session)
        for piece in self.follow(question, said_in(self.conversations.exchanges(session)), session):
            if not isinstance(piece, str):
                query = piece.query or piece.question
                position = self.conversations.add(session, piece.question, query, answer_json(piece))
                piece = replace(piece, position=position)
            yield piece

    def _stream(self, understood: "Understood", earlier: "Sequence[Said]") -> "Iterator[str | Answer]":
        """The answer to what was understood. A model is shown what was said `earlier`."""
        from bot.chat_responder import ChatResponder
        from bot.conversation import as_turns
        from bot.extractive import answer_question
        from bot.plan import days_from, plan_from

        planned = understood.kind == "plan" or understood.days
        found = self.found(understood.plan or understood.query, FOR_A_PLAN if planned else PASSAGES)
        if self.writing.model and isinstance(self.responder, ChatResponder):
            shown = as_turns(self.conversation.remembered(earlier, self._count)) if earlier else []
            yield from self.responder.answer(understood.for_a_model, found, shown)
        elif understood.kind == "plan":
            yield plan_from(understood.query, found, [value for _, value in understood.searched])
        elif understood.days:
            yield days_from(understood.query, found, understood.days)
        else:  # by itself: drafting needs more, and a second to load
            yield answer_question(understood.query, found, self.embedder)

    def draft(self, comment: str, recent: tuple[str, ...] = ()) -> "Draft":
        """A draft for one comment; `recent` are the latest replies, oldest first, so that they vary."""
        return [piece for piece in self.stream(comment, recent) if not isinstance(piece, str)][-1]

    def stream(self, comment: str, recent: tuple[str, ...] = ()) -> "Iterator[str | Draft]":
        """The draft in pieces as it is written, then the whole Draft, once, last."""
        return self.responder.stream(self.request(comment, recent))

    def drafts(self, comments: Sequence[str], recent: tuple[str, ...] = ()) -> "Iterator[tuple[int, Draft]]":
        """Drafts for several comments, as (index, draft) when they are done, in any order."""
        return self.responder.drafts([self.request(comment, recent) for comment in comments])

    def import_replies(
        self, path: Path, comment_column: str | None = None, reply_column: str | None = None
    ) -> tuple[int, int, int]:
        """Read past replies into style memory; returns how many are new, how many there are, the rows passed over."""
        from bot.pairs import read_pairs

        pairs, skipped = read_pairs(path, comment_column, reply_column)
        new = self.style.add(pairs)
        for part in ("past", "responder"):
            self.__dict__.pop(part, None)
        return new, len(self.style.all()), skipped

    def quotes(self, asked: str, count: int = 1, skip: int = 0) -> "list[Quote]":
        """Quotes by an author or about something, each with what it is: see bot.quotes.Quoter.ask."""
        return self.quoter.ask(asked, count, skip)

    def import_quotes(
        self, path: Path, progress: "Callable[[str, int, int], None]", forget: bool = False
    ) -> "Imported":
        """Read quotes into the collection, or take those of a file out of it. Raises BadInput."""
        from bot.quote_files import import_quotes
        from data.quotes import Quotes

        return import_quotes(Quotes(self.database), path, self.embedder, progress, forget)

    # -- parts, made when first used

    @property
    def quoter(self) -> "Quoter":
        """What finds and writes quotes, made again when the collection has changed."""
        from bot.quotes import Quoter
        from data.quotes import Quotes

        made: Quoter | None = self.__dict__.get("_quoter")
        if made is None or not made.is_current:
            made = Quoter(Quotes(self.database), self.writing, lambda: self.chat, lambda: self.embedder)
            self.__dict__["_quoter"] = made
        return made

    @cached_property
    def persona(self) -> "Persona":
        """Who replies: the shipped one, until `use` chooses another."""
        from data.persona import load_persona

        return load_persona("shawgpt", self.folder.path)

    @cached_property
    def writing(self) -> "Writing":
        """What writes, as the persona has it until `use` says otherwise."""
        return settle(self.asked, self.persona, self.folder.path)

    @cached_property
    def embedder(self) -> "Embedder":
        """The embedding model."""
        from data.embedding import load_embedder

        return load_embedder()

    @cached_property
    def pictures(self) -> "Pictures":
        """What draws the pages of PDFs."""
        from ingest.pictures import Pictures

        return Pictures()

    @cached_property
    def intents(self) -> "IntentClassifier":
        """What tells a question from a thank-you."""
        from bot.intent import IntentClassifier

        return IntentClassifier(self.embedder, self.persona.examples)

    @cached_property
    def past(self) -> "PastReplies":
        """The past replies."""
        from bot.past_replies import PastReplies

        return PastReplies(self.style.all(), self.embedder)

    @cached_property
    def conversation(self) -> "Conversation":
        """What understands the questions of a conversation."""
        from bot.conversation import Conversation

        return Conversation(self.persona, self.embedder)

    @cached_property
    def responder(self) -> "Responder":
        """What writes the drafts; a language model is loaded now."""
        from bot.responders import make_responder

        return make_responder(self.writing, self.persona, self.past, self.embedder, self.intents, lambda: self.chat)

    @property
    def usage(self) -> "Usage | None":
        """What the language model has read and written for this assistant; None where none was asked."""
        used = self.chat.spent.total if "chat" in self.__dict__ else None
        return used if used and used.input_tokens else None

    @cached_property
    def chat(self) -> "Chat":
        """The language model that writes, loaded now. Raises BadInput where the responder has none."""
        from bot.responders import make_chat

        if not self.writing.model:
            raise BadInput(f"the responder {self.writing.written_by} has no language model: name one with --responder")
        with self._loading:  # of several threads that ask at once, one loads the model
            return make_chat(self.writing, self._models)

    def _count(self, text: str) -> int:
        """The tokens of `text`: the local model's own, else Mistral-7B-Instruct's."""
        from finetune.tokens import v1_tokens

        tokens = self.chat.local.tokens if self.writing.model and self.chat.local else v1_tokens()
        return len(tokens.encode(text))

    def request(self, comment: str, recent: tuple[str, ...] = ()) -> "Request":
        """`comment` with what it wants and what was found about it."""
        from bot.drafts import SHOWN_WITH, Request
        from bot.extractive import questions_of

        intent = self.intents.classify(comment)
        asked = questions_of(comment) if intent.label in SHOWN_WITH else ()
        return Request(comment, intent, tuple(self.found(question) for question in asked), recent)

    def _retriever(self, kb: str) -> "Retriever":
        from rag.rerank import CrossEncoderReranker
        from rag.retriever import Retriever

        if kb not in self._retrievers:
            self.store.check_kb(kb, self.embedder.name)
            name = os.environ.get("SHAWGPT_RERANKER")
            reranker = CrossEncoderReranker(name) if name else None
            self._retrievers[kb] = Retriever(self.store, self.index, self.embedder, kb, reranker)
        return self._retrievers[kb]

    def found(self, text: str, k: int = PASSAGES) -> "SearchResult":
        """The `k` best passages about `text`; nothing where there is no knowledge base yet."""
        from rag.retriever import SearchResult

        # Before the first ingest there is nothing to search, and that is no error: thanks can be answered all the same.
        if self.kb == self.persona.knowledge_base and self.kb not in self.store.knowledge_bases():
            return SearchResult(text, (), 0.0)
        return self._retriever(self.kb).search(text, k)

"""The responder with a language model: any LangChain chat model behind the one prompt renderer.

What it writes is checked before anybody sees it: signed once, compared with the passages sentence by sentence, and left
tentative where it claims what stands nowhere. Comments that are the creator's to answer are never shown to it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.chat_prompt import ChatPrompt, Fits, useful
from bot.drafts import (
    CUT,
    MADE_UP,
    NO_ANSWER,
    NO_DOCUMENTS,
    NOT_FOUND,
    NOTHING_WRITTEN,
    TOO_LONG,
    UNSURE,
    YOURS,
    Answer,
    Draft,
    Request,
    Sentence,
    WrittenBy,
    flags_of,
    left,
    sources_of,
)
from bot.extractive import SUBJECT_FROM, UNSURE_BELOW
from bot.grounding import Grounded, ground
from bot.past_replies import PastReplies
from bot.usage import NO_PRICES, Meter, Usage, usage_of
from data.errors import ProviderFailed
from data.hidden import strip_hidden
from data.persona import without_signature
from finetune.prompt import Message

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from data.calls import Calls
    from data.persona import Persona
    from data.style_memory import PastReply
    from rag.retriever import Encoder, SearchResult

MOST_NAMED = 5  # sentences without a source that are told one by one
LONGEST_NAMED = 300  # characters of such a sentence
_THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)  # as some servers leave them in


class ChatResponder:
    """Drafts replies and answers with a chat model. It implements bot.drafts.Responder."""

    def __init__(
        self,
        persona: Persona,
        past: Sequence[PastReply],
        chat: BaseChatModel,
        embedder: Encoder,
        written_by: WrittenBy,
        together: int = 1,
        fits: Fits = lambda turns: True,
        calls: Calls = NO_PRICES,
        spent: Meter | None = None,
    ) -> None:
        """`past` replies are shown as examples where `written_by` has no adapter, which has learned from them.

        `together`: how many prompts `chat` is best given at once. `fits`: whether it can read a conversation
        and answer. `calls`: what its tokens cost. `spent` counts them.
        """
        self.persona, self.chat, self.embedder = persona, chat, embedder
        self.written_by, self.together = written_by, together
        self._calls, self._spent = calls, spent or Meter()
        if not isinstance(past, PastReplies):
            past = PastReplies(past, embedder)
        self.prompt = ChatPrompt(persona, None if written_by.adapter else past, fits)

    def stream(self, request: Request) -> Iterator[str | Draft]:
        """The reply as the model writes it, then the Draft."""
        if request.intent.label in YOURS:
            yield left(request)
            return
        turns = self.prompt.of_comment(request)
        if not turns:
            yield left(request, TOO_LONG)
            return
        said, cut, _ = yield from self.write(turns)
        yield self.draft_of(request, said, cut)

    def drafts(self, requests: Sequence[Request]) -> Iterator[tuple[int, Draft]]:
        """The drafts as they are done; those that the model isn't asked for come first.

        A comment whose own request fails is a failed draft; the others go on. Raises ProviderRefused where each would.
        """
        prompts: dict[int, list[BaseMessage]] = {}
        for number, request in enumerate(requests):
            if request.intent.label in YOURS:
                yield number, left(request)
            elif turns := self.prompt.of_comment(request):
                prompts[number] = _as_langchain(turns)
            else:
                yield number, left(request, TOO_LONG)
        asked = list(prompts)
        for at, message in self.chat.batch_as_completed(list(prompts.values()), return_exceptions=True):
            if isinstance(message, ProviderFailed):
                yield asked[at], Draft("", "failed", requests[asked[at]].intent.label, (f"failed: {message}",))
            elif isinstance(message, Exception):
                raise message
            else:
                self._count(message)
                yield asked[at], self.draft_of(requests[asked[at]], str(message.text), _is_cut(message))

    def answer(
        self, question: str, found: SearchResult, earlier: Sequence[tuple[str, str]] = ()
    ) -> Iterator[str | Answer]:
        """The answer as the model writes it, then the Answer: each sentence with what supports it.

        `earlier` are the questions and answers before it in a conversation, oldest first; where not all of them fit,
        the oldest are left out.
        It is an abstention where few of the sentences have any support, or where the documents lack the subject: then
        the model isn't asked.
        """
        if not found.passages:
            yield Answer(question, "abstained", reason=NO_DOCUMENTS, written_by=self.written_by)
            return
        if found.confidence < SUBJECT_FROM:  # the model would answer from nowhere
            yield Answer(question, "abstained", (), found.passages, NO_ANSWER, self.written_by)
            return
        turns = self.prompt.of_question(question, found.passages, earlier)
        if not turns:
            yield Answer(question, "abstained", (), found.passages, TOO_LONG, self.written_by)
            return
        try:
            said, cut, used = yield from self.write(turns)
        except ProviderFailed as error:
            yield Answer(question, "failed", (), found.passages, str(error), self.written_by)
            return
        counted = used if used != Usage() else None  # not every server counts what it streams
        yield replace(self.answer_of(question, found, said, cut), usage=counted)

    def write(
        self, turns: Sequence[Message], watching: Sequence[BaseCallbackHandler] = ()
    ) -> Generator[str, None, tuple[str, bool, Usage]]:
        """What the model writes, in pieces; returns all of it, whether it was cut, and what it used.

        `watching` hear each token.
        """
        said, cut, used = "", False, Usage()
        for piece in self.chat.stream(_as_langchain(turns), {"callbacks": [*watching]}):
            said += str(piece.text)
            cut = cut or _is_cut(piece)
            used += self._count(piece)
            if piece.text:
                yield str(piece.text)
        return said, cut, used

    def _count(self, message: BaseMessage) -> Usage:
        used = usage_of(getattr(message, "usage_metadata", None), self._calls)
        self._spent.add(used)
        return used

    def answer_of(self, question: str, found: SearchResult, said: str, cut: bool) -> Answer:
        """What the model wrote, as an answer: compared with the passages, and an abstention where it made most up."""
        grounded = ground(body(said, self.persona.signature), found.passages, question, self.embedder)
        founded, unfounded = grounded.founded, len(grounded.unfounded)
        if not founded or founded < unfounded:
            return Answer(question, "abstained", (), found.passages, MADE_UP, self.written_by)
        likely, reason = founded / (founded + unfounded), CUT if cut else ""
        return Answer(question, "answered", grounded.sentences, found.passages, reason, self.written_by, likely)

    def draft_of(self, request: Request, said: str, cut: bool) -> Draft:
        """What the model wrote, as a draft: signed once, with what is to be told about it."""
        intent, text = request.intent, body(said, self.persona.signature)
        passages = request.found[0].passages if request.found else ()
        if not text:
            return left(request, NOTHING_WRITTEN, passages)
        grounded = ground(text, useful(request), request.comment, self.embedder)
        doubts = [NOT_FOUND + _short(sentence) for sentence in grounded.unfounded[:MOST_NAMED]]
        if (more := len(grounded.unfounded) - MOST_NAMED) > 0:
            doubts.append(f"{NOT_FOUND}{more} more of its sentences")
        doubts += [CUT] if cut else []
        doubts += [UNSURE] if intent.score < UNSURE_BELOW else []
        return Draft(
            f"{text} {self.persona.signature}".rstrip(),
            "needs_you" if doubts else "drafted",
            intent.label,
            (*doubts, *flags_of(request.comment)),
            sources_of(grounded.sentences, passages),
            _quoted(grounded),
            passages,
        )


def _quoted(grounded: Grounded) -> tuple[Sentence, ...]:
    return tuple(sentence for sentence in grounded.sentences if sentence.support)


def body(said: str, signature: str) -> str:
    """What a model wrote, without hidden characters and signature, and without what it thought first."""
    return without_signature(_THOUGHTS.sub("", strip_hidden(said)).strip(), signature).strip()


def _short(sentence: str) -> str:
    text = " ".join(sentence.split())
    return text if len(text) <= LONGEST_NAMED else f"{text[: LONGEST_NAMED - 1]}…"


def _is_cut(message: BaseMessage) -> bool:
    return message.response_metadata.get("finish_reason") == "length"


def _as_langchain(turns: Sequence[Message]) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [kinds[turn["role"]](turn["content"]) for turn in turns]

"""One try of the playground: the prompt as the model reads it, what it writes, what Ask or Replies would make of it.

The conversation is the one that the same persona's ChatResponder gives its model, by the same ChatPrompt.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.chat_prompt import ChatPrompt, Fits, useful
from bot.chat_responder import ChatResponder, body
from bot.drafts import NO_ANSWER, NO_DOCUMENTS, TOO_LONG, YOURS, Answer, Draft, Request, Sentence, left
from bot.extractive import SUBJECT_FROM, answer_question
from bot.grounding import ground
from bot.prompt_tokens import PromptTokens, unloaded
from bot.watch import Watch
from data.models import Passage
from finetune.prompt import Message
from rag.retriever import SearchResult

if TYPE_CHECKING:
    from bot.assistant import Assistant

READS_NONE = "the responder extractive has no language model and reads no prompt"
_STAND_IN = "mistralai/Mistral-7B-Instruct-v0.2"  # whose tokenizer is always here


@dataclass(frozen=True)
class Prompt:
    """What a model reads: a conversation, and its tokens."""

    turns: tuple[Message, ...] = ()
    why: str = ""  # why there is none
    ids: tuple[int, ...] = ()
    reads: PromptTokens | None = None  # the tokenizer that the ids are of
    exact: bool = True  # whether it is the model's own
    passages: tuple[Passage, ...] = ()  # that were found

    def pieces(self, start: int, end: int) -> list[tuple[int, str, bool]]:
        """(id, the token as a reader sees it, whether it is a special one) of the tokens from `start` to `end`."""
        if self.reads is None:
            return []
        tokens = self.reads.tokens
        shown = [(id, tokens.piece(id)) for id in self.ids[start:end]]
        return [(id, piece, bool(piece.strip("▁ ")) and not tokens.decode([id])) for id, piece in shown]


@dataclass(frozen=True)
class Result:
    """What was written, and what Ask or Replies would make of it."""

    said: str
    sentences: tuple[Sentence, ...] = ()  # of `said`, each with its support
    unfounded: tuple[str, ...] = ()  # those that claim what stands nowhere
    verdict: Draft | Answer | None = None  # None where there is nothing to compare with
    passages: tuple[Passage, ...] = ()
    watch: Watch | None = None  # of a language model
    cost: str = ""  # of a provider's, where its prices are known


class Trial:
    """A comment or a question, with what is known about it, and who is to answer it."""

    def __init__(self, assistant: "Assistant", text: str, question: bool, knowledge: bool) -> None:
        """`knowledge`: whether the documents are searched. Raises ShawGPTError."""
        self.assistant, self.text, self.knowledge = assistant, text, knowledge
        self.request: Request | None = None  # of a comment
        self.found = SearchResult(text, (), 0.0)  # for a question
        self.aside: Answer | None = None  # what Ask says without looking anything up: that it is out of scope, say
        if question:
            self.aside = assistant.conversation.understand(text, ()).reply
            self.found = assistant.found(text) if knowledge else self.found
        else:
            made = assistant.request(text)
            self.request = made if knowledge else Request(text, made.intent)

    def prompt(self, reads: PromptTokens | None = None, fits: Fits | None = None) -> Prompt:
        """What the model reads, by `reads` and what `fits`; else by the files of the model, which isn't loaded."""
        writing = self.assistant.writing
        if not writing.model:
            return Prompt(why=READS_NONE, passages=self._passages)
        if fits is None:
            if writing.written_by.responder == "local":
                reads = unloaded(writing.model, writing.revision)
            fits = _fits(reads, writing.sampling.max_tokens)
        past = None if writing.written_by.adapter else self.assistant.past
        turns, why = self._turns(ChatPrompt(self.assistant.persona, past, fits))
        if not turns:
            return Prompt(why=why, passages=self._passages)
        tokens = reads or unloaded(_STAND_IN)
        ids = tuple(tokens.ids(turns)) if tokens else ()
        return Prompt(tuple(turns), "", ids, tokens, reads is not None, self._passages)

    def run(self) -> Generator[Prompt | str | Result, None, None]:
        """The prompt, again where loading the model tells it better; the pieces as they are written; the Result."""
        prompt = self.prompt()
        yield prompt
        if not self.assistant.writing.model:
            yield self._extractive()
            return
        if prompt.turns:
            chat = self.assistant.chat
            loaded = self.prompt(chat.local.reads if chat.local else None, chat.fits)
            if (loaded.turns, loaded.ids, loaded.exact) != (prompt.turns, prompt.ids, prompt.exact):
                prompt = loaded
                yield prompt
        if not prompt.turns:
            yield Result("", verdict=self._left(prompt.why), passages=prompt.passages)
            return
        responder, watch = self.assistant.responder, Watch()
        assert isinstance(responder, ChatResponder)
        said, cut, used = yield from responder.write(prompt.turns, [watch])
        yield replace(self._checked(responder, said, cut, watch), cost=str(used) if used.cost is not None else "")

    def _turns(self, made: ChatPrompt) -> tuple[list[Message], str]:
        """The conversation, or why the model isn't asked."""
        if self.request is not None:
            if why := YOURS.get(self.request.intent.label):
                return [], why
            return made.of_comment(self.request), TOO_LONG
        if self.knowledge and not self.found.passages:
            return [], NO_DOCUMENTS
        if self.knowledge and self.found.confidence < SUBJECT_FROM:
            return [], NO_ANSWER
        return made.of_question(self.text, self.found.passages), TOO_LONG

    @property
    def _passages(self) -> tuple[Passage, ...]:
        if self.request is None:
            return self.found.passages
        return self.request.found[0].passages if self.request.found else ()

    def _extractive(self) -> Result:
        verdict: Draft | Answer
        if self.request is None:
            given = answer_question(self.text, self.found, self.assistant.embedder)
            return Result(given.text, given.sentences, (), self.aside or given, self._passages)
        verdict = _last(self.assistant.responder.stream(self.request))
        return Result(verdict.reply, (), (), verdict, self._passages)

    def _left(self, why: str) -> Draft | Answer:
        if self.request is None:
            return Answer(self.text, "abstained", (), self._passages, why, self.assistant.writing.written_by)
        return left(self.request, "" if self.request.intent.label in YOURS else why)

    def _checked(self, responder: ChatResponder, said: str, cut: bool, watch: Watch) -> Result:
        text = body(said, responder.persona.signature)
        if not self.knowledge:
            return Result(text, watch=watch)
        against = self.found.passages if self.request is None else useful(self.request)
        grounded = ground(text, against, self.text, responder.embedder)
        verdict: Draft | Answer
        if self.request is None:
            verdict = self.aside or responder.answer_of(self.text, self.found, said, cut)
        else:
            verdict = responder.draft_of(self.request, said, cut)
        return Result(text, grounded.sentences, grounded.unfounded, verdict, self._passages, watch)


def _fits(reads: PromptTokens | None, most: int) -> Fits:
    if reads is None:
        return lambda turns: True
    return lambda turns: reads.fits(turns, most)


def _last(pieces: Iterator[str | Draft]) -> Draft:
    return [piece for piece in pieces if not isinstance(piece, str)][-1]

"""The responder without a model: thanks from style memory, answers word for word from the documents, the rest left.

Nothing in a comment can steer it: it writes only sentences that the creator or the documents wrote already.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bot.answer_kinds import contradicts, missing, specifics, stems_of
from bot.drafts import (
    MAY_NOT_ANSWER,
    NO_ANSWER,
    NO_DOCUMENTS,
    NO_REPLY_FITS,
    UNSURE,
    YOURS,
    Answer,
    Draft,
    Request,
    Sentence,
    Status,
    Support,
    WrittenBy,
    flags_of,
    left,
    sources_of,
)
from bot.intent import IntentClassifier
from bot.quoting import Quote, best_quotes
from bot.style import Style
from bot.surface import asks, cues, plain, sentence_texts
from data.persona import Persona
from data.style_memory import PastReply

if TYPE_CHECKING:
    from rag.retriever import Encoder, SearchResult

# How likely it is that the quotes answer: logistic in the log-odds of the search's confidence, the best cosine and the
# best coverage in context. Fitted on seven sets of questions, a third of which have no answer (benchmarks/README.md);
# whether a figure stands there where one is asked for told nothing more. The floor and the cut-offs are chosen by hand.
ODDS, COSINE, COVERAGE, INTERCEPT = 0.14, 5.8, 3.8, -5.3
LACKING = 0.6  # less, for each name, version, date or figure of the question that the quoted passages lack
SUBJECT_FROM = 0.12  # confidence below which the documents don't have the subject, whatever a sentence resembles
ANSWER_FROM = 0.35  # of that likelihood
TENTATIVE_FROM = 0.2  # of it, in a draft, which the creator reads before anybody else
LIKELY = 0.5  # below it the answer in a draft is tentative: what goes out under a name must be surer
UNSURE_BELOW = 0.2  # intent score: a friendly reply stays tentative where another intent is about as likely
ALONE = 0.1  # by which an answer to the asking sentences alone must be likelier: what the viewer tells is no noise
TELLING = 3  # words but stop words that a question must have to be searched for alone


def answer_question(question: str, found: SearchResult, embedder: Encoder, least: float = ANSWER_FROM) -> Answer:
    """The best sentences of `found` in answer to `question`, each with its source; or an abstention.

    `least` is the likelihood 0–1 from which it answers.
    """
    if not found.passages:
        return Answer(question, "abstained", reason=NO_DOCUMENTS)
    quotes = best_quotes(question, found.passages, embedder)
    lacking = _lacking(question, quotes)
    likely = likelihood(found.confidence, quotes, lacking) if quotes else 0.0
    if likely < least or found.confidence < SUBJECT_FROM:
        return Answer(question, "abstained", passages=found.passages, reason=NO_ANSWER, likelihood=likely)
    sentences = tuple(_sentence(quote) for quote in quotes)
    return Answer(question, "answered", sentences, found.passages, likelihood=likely, lacking=lacking)


def likelihood(confidence: float, quotes: Sequence[Quote], lacking: int) -> float:
    """The probability 0–1 that `quotes` answer, from passages of this `confidence` that lack that much of it."""
    odds = math.log(max(confidence, 1e-6) / max(1 - confidence, 1e-6))
    cosine, coverage = max(q.cosine for q in quotes), max(q.coverage for q in quotes)
    score = ODDS * odds + COSINE * cosine + COVERAGE * coverage + INTERCEPT - LACKING * lacking
    return 1 / (1 + math.exp(-score))


def _lacking(question: str, quotes: Sequence[Quote]) -> int:
    if quotes and all(contradicts(question, quote.text) for quote in quotes):
        return max(1, len(specifics(question)))
    return missing(question, " ".join(f"{q.passage.title} {q.passage.heading} {q.passage.text}" for q in quotes))


class ExtractiveResponder:
    """Drafts replies from style memory and the documents. It implements bot.drafts.Responder."""

    written_by = WrittenBy("extractive")
    together = 1

    def __init__(
        self, persona: Persona, past: Sequence[PastReply], embedder: Encoder, classifier: IntentClassifier
    ) -> None:
        self.persona = persona
        self.embedder = embedder
        self.style = Style(past, classifier, persona.replies, persona.signature)

    def stream(self, request: Request) -> Iterator[str | Draft]:
        """The reply in pieces, then the Draft."""
        draft = self.draft(request)
        yield from re.findall(r"\S+\s*", draft.reply)
        yield draft

    def drafts(self, requests: Sequence[Request]) -> Iterator[tuple[int, Draft]]:
        """The drafts, one after the other."""
        for number, request in enumerate(requests):
            yield number, self.draft(request)

    def draft(self, request: Request) -> Draft:
        """The draft at once."""
        intent = request.intent
        if intent.label in YOURS:
            return left(request)
        if intent.label == "question":
            return self._answer(request)
        reply = self.style.choose(intent.label, request.comment, request.recent)
        if not reply:
            return left(request, f"{intent.label}: {NO_REPLY_FITS}")
        if intent.score < UNSURE_BELOW:
            return Draft(self._signed(reply), "needs_you", intent.label, (UNSURE, *flags_of(request.comment)))
        return Draft(self._signed(reply), "drafted", intent.label, flags_of(request.comment))

    def _answer(self, request: Request) -> Draft:
        answers = [answer_question(found.query, found, self.embedder, TENTATIVE_FROM) for found in request.found]
        if not answers:
            return left(request, f"question: {NO_ANSWER}")
        best = max(answers, key=lambda answer: answer.likelihood)
        answer = best if best.likelihood > answers[0].likelihood + ALONE else answers[0]
        if answer.status != "answered" or (answer.lacking and answer.likelihood < ANSWER_FROM):
            return left(request, f"question: {answer.reason or NO_ANSWER}", answer.passages)
        opening = self.style.choose("question", request.comment, request.recent)
        reply = self._signed(" ".join(part for part in (opening, answer.text) if part))
        sources = sources_of(answer.sentences, answer.passages)
        likely = answer.likelihood >= LIKELY and not answer.lacking
        flags = (*(() if likely else (MAY_NOT_ANSWER,)), *flags_of(request.comment))
        status: Status = "drafted" if likely else "needs_you"
        return Draft(reply, status, "question", flags, sources, answer.sentences, answer.passages)

    def _signed(self, reply: str) -> str:
        signature = self.persona.signature
        return f"{reply} {signature}" if signature else reply


def questions_of(comment: str) -> tuple[str, ...]:
    """What of a comment to search with, the best reading first.

    That is its sentences but those that only greet, thank or praise, for what the viewer tells matters: "I have decaf.
    When do I stop?" asks about decaf. Where they tell a long story, what asks is searched for alone too.
    """
    texts = sentence_texts(plain(comment))
    asking = [text for text in texts if asks(text)]
    if not asking:
        return (plain(comment),)
    whole = " ".join(text for text in texts if asks(text) or "thanks" not in cues(text))
    alone = " ".join(asking)
    return (whole,) if alone == whole or len(stems_of(alone)) < TELLING else (whole, alone)


def _sentence(quote: Quote) -> Sentence:
    passage, at = quote.passage, quote.unit.start
    return Sentence(quote.text, (Support(passage.source, passage.page_at(at), quote.quote, passage.place_at(at)),))

"""OpenAI's chat protocol: personas as models, answers from the documents as chat completions.

An answer's sentences are compared with the documents before any of them is sent, streaming or not: what a model has
written and nobody has compared never leaves.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bot.drafts import CUT, Answer, Sentence
from bot.service.answering import Answered, Answering
from bot.service.cited import Cited, as_dict, cited, nearest
from bot.service.protocol import Asked, read_request
from bot.service.refusal import Refusal, json_response, to_json
from data.persona import Persona

T = TypeVar("T")

PING = 3.0  # seconds of silence after which a stream says that it lives


class Chat:
    """The endpoints below /v1."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._since = int(time.time())  # when the personas began to be served here

    async def models(self, request: Request) -> Response:
        """GET /v1/models"""
        found = await self._answering.personas()
        return json_response({"object": "list", "data": [self._model(*each) for each in found.items()]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/SLUG"""
        slug = request.path_params["slug"]
        found = await self._answering.personas()
        if slug not in found:
            raise Refusal(404, f"no model {slug[:80]!r}; there are: {', '.join(found)}", "model_not_found", "model")
        return json_response(self._model(slug, found[slug]))

    async def completions(self, request: Request) -> Response:
        """POST /v1/chat/completions"""
        asked = read_request(await request.body())
        frame = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": asked.persona}
        if not asked.stream:
            given = await while_there(request, self._answer(asked))
            return json_response(await self._whole(asked, given, frame))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(self._stream(asked, frame), 200, headers, "text/event-stream")

    def _model(self, slug: str, persona: Persona) -> dict[str, Any]:
        own = {"name": persona.name, "scope": persona.scope}
        return {"id": slug, "object": "model", "created": self._since, "owned_by": "shawgpt", **own}

    async def _whole(self, asked: Asked, given: Answered, frame: dict[str, Any]) -> dict[str, Any]:
        said, usage = await asyncio.to_thread(self._said, asked, given)
        answer = given.answer
        message = {"role": "assistant", "content": said.text, "refusal": None, **_sources(said)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said, answer)}
        return {**frame, "object": "chat.completion", "choices": [choice], "usage": usage, "shawgpt": _about(given)}

    async def _answer(self, asked: Asked) -> Answered:
        return await self._answering.answer(
            asked.question, asked.persona, "", asked.earlier, asked.sampling, asked.system
        )

    async def _stream(self, asked: Asked, frame: dict[str, Any]) -> AsyncIterator[bytes]:
        """The events: who speaks, each sentence, its sources with the end, what it took, [DONE]."""
        frame = {**frame, "object": "chat.completion.chunk"}
        if asked.include_usage:
            frame["usage"] = None

        def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _event({**frame, "choices": [choice], **more})

        yield chunk({"role": "assistant", "content": ""})
        making = asyncio.ensure_future(self._answer(asked))
        try:
            while not making.done():
                await asyncio.wait({making}, timeout=PING)
                if not making.done():
                    yield b": comparing with the documents\n\n"
            given = making.result()
            said, usage = await asyncio.to_thread(self._said, asked, given)
        except Refusal as refusal:  # the status has gone out: the client raises what is in the event
            yield _event(refusal.body)
            return
        finally:
            making.cancel()  # the caller went away
        for piece in said.pieces:
            yield chunk({"content": piece})
        yield chunk(_sources(said), _finish(said, given.answer), shawgpt=_about(given))
        if asked.include_usage:
            yield _event({**frame, "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def _said(self, asked: Asked, given: Answered) -> tuple[Cited, dict[str, int]]:
        """The text with its sources, and the tokens: by a language model's own count, else by the embedding model's."""
        embedder = self._answering.desk.assistant.embedder

        def tokens(texts: Sequence[str]) -> list[int]:
            around, *counts = embedder.count_tokens(["", *texts])
            return [count - around for count in counts]

        said = cited(given.answer, *_within(asked, given.answer, tokens))
        prompt, completion = given.tokens or tokens([asked.read, said.text])
        self._answering.metrics.tokens.labels("prompt").inc(prompt)
        self._answering.metrics.tokens.labels("completion").inc(completion)
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return said, usage


async def while_there(request: Request, answer: Awaitable[T]) -> T:
    """The answer, given up where the caller goes away. Raises Refusal."""
    making = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({making, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            raise Refusal(499, "the caller went away")
        return making.result()
    finally:
        for task in (making, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, Refusal):
                await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _within(asked: Asked, answer: Answer, tokens: Callable[[Sequence[str]], list[int]]) -> tuple[list[Sentence], bool]:
    """The sentences up to a stop string and within the tokens asked for, at least one; and whether some are left out.

    A sentence is never cut for its length: it is quoted word for word.
    """
    kept: list[Sentence] = []
    room = asked.most_tokens
    for sentence, count in zip(answer.sentences, tokens([each.text for each in answer.sentences]), strict=True):
        if room is not None:
            room -= count
            if room < 0 and kept:
                return kept, True
        found = [at for stop in asked.stop if (at := sentence.text.find(stop)) >= 0]
        if found:
            before = sentence.text[: min(found)].rstrip()
            return [*kept, replace(sentence, text=before)] if before else kept, False
        kept.append(sentence)
    return kept, False


def _finish(said: Cited, answer: Answer) -> str:
    return "length" if said.cut or (answer.status == "answered" and answer.reason == CUT) else "stop"


def _sources(said: Cited) -> dict[str, Any]:
    citations = said.citations
    return {
        "annotations": [each.annotation() for each in citations],
        "citations": [as_dict(each) for each in citations],
    }


def _about(given: Answered) -> dict[str, Any]:
    """What ShawGPT says of an answer beyond OpenAI's fields."""
    answer = given.answer
    about: dict[str, Any] = {"status": answer.status, "reason": answer.reason, "responder": str(answer.written_by)}
    about |= {"kind": answer.kind, "query": answer.query or answer.question}
    if answer.status == "answered":
        about["likelihood"] = round(answer.likelihood, 3)
    else:
        about["nearest"] = nearest(answer)
    if given.quote:
        about["quote"] = given.quote.as_json()
    return about


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"

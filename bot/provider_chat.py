"""A provider's model as a LangChain chat model: the same tries, time-outs and limits whichever package speaks to it."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar, cast

import httpx
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict, Field, PrivateAttr
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

from bot.provider_http import NoReply, Wire, for_httpx2
from bot.providers import KINDS, Provider, check_provider, check_sampling, left_out
from data.errors import ProviderFailed, ProviderRefused
from data.sampling import Sampling

PATIENCE = 120.0  # seconds that a server may ask us to wait before the next try
LONGEST_WAIT = 30.0  # seconds between two tries where the server doesn't say
IN_A_ROW = 20  # requests without a reply after which no more are made
NO_KEY = "none"  # what LangChain's packages get for one

T = TypeVar("T")


class ProviderChat(BaseChatModel):
    """Replies by a provider's model.

    A request that may succeed later (429, 5xx, a broken connection; one that took too long once more) is made again
    after a while that doubles, or that the server names. Raises ProviderFailed where there is no reply for one request,
    ProviderRefused where there would be none for any. Once a stream has begun it isn't begun again: what was cut off
    raises. A reply's response_metadata["finish_reason"] is "length" where it was cut, else "stop".
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    provider: Provider
    inner: BaseChatModel = Field(exclude=True, repr=False)
    wire: Wire = Field(exclude=True, repr=False)
    _in_a_row: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=Lock)

    @property
    def _llm_type(self) -> str:
        return "shawgpt-provider"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"provider": self.provider.kind, "model": self.provider.model, "address": self.provider.address}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        def ask() -> AIMessage:
            said = self.inner.invoke(messages, stop=stop)
            return AIMessage(
                content=str(said.text),
                usage_metadata=said.usage_metadata,
                response_metadata={"finish_reason": _finish(said) or "stop"},
            )

        return ChatResult(generations=[ChatGeneration(message=self._tried(ask))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        def begin() -> tuple[list[AIMessageChunk], Any]:
            """The pieces up to the first that says something, and the rest."""
            pieces, seen = self.inner.stream(messages, stop=stop), []
            for piece in pieces:
                seen.append(piece)
                if piece.text or _finish(piece):
                    return seen, pieces
            raise NoReply(f"{self.provider.address} sent an empty stream", again=True)

        begun, rest = self._tried(begin)
        finish = ""
        with closing(rest):
            try:
                for piece in chain(begun, rest):
                    finish = _finish(piece) or finish
                    chunk = AIMessageChunk(content=str(piece.text), usage_metadata=piece.usage_metadata)
                    yield ChatGenerationChunk(message=chunk)
            except Exception as error:
                raise self._given_up(self._no_reply(error), "") from None
        if not finish:  # the packages take the end of a connection for the end of the reply
            raise self._given_up(NoReply(f"{self.provider.address} broke off in the middle of the reply"), "")
        last = AIMessageChunk(content="", response_metadata={"finish_reason": finish}, chunk_position="last")
        yield ChatGenerationChunk(message=last)

    def batch_as_completed(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[int, AIMessage]]:
        """(index of the input, reply) as the replies are done, `calls.together` at a time.

        With `return_exceptions`, an error takes its reply's place, but for ProviderRefused, which ends it. In threads
        that nobody waits for: after Ctrl-C, or an error, no request is begun and none holds up the end.
        """
        waiting, done = SimpleQueue[tuple[int, LanguageModelInput]](), SimpleQueue[tuple[int, AIMessage | Exception]]()
        over = Event()
        for each in enumerate(inputs):
            waiting.put(each)

        def work() -> None:
            while not over.is_set():
                try:
                    index, given = waiting.get_nowait()
                except Empty:
                    return
                try:
                    done.put((index, self.invoke(given, **kwargs)))
                except Exception as error:
                    if isinstance(error, ProviderRefused):
                        over.set()
                    done.put((index, error))

        for _ in range(min(self.provider.calls.together, len(inputs))):
            Thread(target=work, daemon=True).start()
        try:
            for _ in inputs:
                index, reply = done.get()
                if isinstance(reply, Exception) and (isinstance(reply, ProviderRefused) or not return_exceptions):
                    raise reply
                yield index, cast(AIMessage, reply)
        finally:
            over.set()

    def _tried(self, ask: Callable[[], T]) -> T:
        """What `ask` returns, tried as often as may help. Raises ProviderFailed, ProviderRefused."""

        def translated() -> T:
            try:
                return ask()
            except Exception as error:
                raise self._no_reply(error) from None

        tries = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, NoReply) and error.again),
            stop=self._enough, wait=_pause, sleep=time.sleep, reraise=True,
        )  # fmt: skip
        try:
            reply = tries(translated)
        except NoReply as error:
            count = tries.statistics["attempt_number"]
            raise self._given_up(error, f", tried {count} times" if count > 1 else "") from None
        with self._lock:
            self._in_a_row = 0
        return reply

    def _enough(self, state: RetryCallState) -> bool:
        error = cast(NoReply, state.outcome and state.outcome.exception())
        if error.wait is not None and error.wait > PATIENCE:
            return True
        retries = self.provider.calls.retries
        return state.attempt_number > (min(retries, 1) if error.timed_out else retries)

    def _given_up(self, error: NoReply, tried: str) -> ProviderFailed | ProviderRefused:
        """What becomes of a request that is not made again."""
        if error.for_all:
            return ProviderRefused(f"{error}{tried}")
        if error.wait is not None and error.wait > PATIENCE:
            return ProviderRefused(f"{error}, and asks to wait {error.wait:.0f} s")
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= IN_A_ROW:
                self._in_a_row = 0
                return ProviderRefused(f"{IN_A_ROW} requests in a row failed: {error}")
        return ProviderFailed(f"{error}{tried}")

    def _no_reply(self, error: Exception) -> NoReply:
        """The NoReply that an error is, or stands for."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, NoReply):
                return cause
            cause = cause.__cause__ or cause.__context__
        what = self.wire.scrub(f"{type(error).__name__}: {error}")
        return NoReply(f"{self.provider.address} answered with what is no reply ({what})", again=True)


def make_provider_chat(
    provider: Provider, sampling: Sampling, tell: Callable[[str], None] | None = None
) -> ProviderChat:
    """The chat model of a provider. `tell` hears once of each setting that is left out (else stderr does).

    Nothing is sent. Raises BadInput where its package or key is missing, or a setting is out of its range.
    """
    tell = tell or _to_stderr
    check_provider(provider)
    check_sampling(provider.kind, sampling)
    for name in left_out(provider.kind, sampling):
        tell(f"{provider.kind} takes no {name}: it is left out")
    wire = Wire(provider, tell)
    return ProviderChat(provider=provider, inner=_inner(provider, sampling, wire), wire=wire)


def _inner(provider: Provider, sampling: Sampling, wire: Wire) -> BaseChatModel:
    """LangChain's own model, without tries, time-outs and key of its own: those are ours, and the same for all."""
    from langchain.chat_models import init_chat_model

    per_minute = provider.calls.per_minute
    limit = InMemoryRateLimiter(requests_per_second=per_minute / 60) if per_minute else None
    stops = list(sampling.stop) or None
    penalties = {
        name: value for name in ("frequency_penalty", "presence_penalty") if (value := getattr(sampling, name))
    }
    given: dict[str, Any] = {
        "model_provider": provider.kind, "base_url": provider.address, "rate_limiter": limit,
        "temperature": sampling.temperature, "top_p": sampling.top_p,
    }  # fmt: skip
    if provider.kind == "openai":
        own = provider.address == KINDS["openai"].address
        length = {"max_tokens": sampling.max_tokens}  # OpenAI's name for it has changed, the other servers' has not
        given |= {
            "api_key": NO_KEY, "http_client": httpx.Client(transport=wire), "max_retries": 0, "stop": stops,
            "seed": sampling.seed, "stream_usage": True, "use_responses_api": False, **penalties,
            **(length if own else {"extra_body": length}),
        }  # fmt: skip
    elif provider.kind == "anthropic":
        given |= {
            "api_key": NO_KEY, "max_retries": 0, "max_tokens": sampling.max_tokens, "stop_sequences": stops,
        }  # fmt: skip
        if sampling.top_p == Sampling().top_p:  # its newer models take one of the two
            del given["top_p"]
    elif provider.kind == "mistralai":
        client = httpx.Client(base_url=provider.address, transport=wire, headers={"content-type": "application/json"})
        given |= {
            "api_key": NO_KEY, "client": client, "max_retries": 1, "max_tokens": sampling.max_tokens, "stop": stops,
            "random_seed": sampling.seed, "model_kwargs": penalties,
        }  # fmt: skip
    else:
        given |= {
            "sync_client_kwargs": {"transport": wire}, "num_predict": sampling.max_tokens, "stop": stops,
            "seed": sampling.seed,
        }  # fmt: skip
    made: BaseChatModel = init_chat_model(provider.model, **given)
    if provider.kind == "anthropic":
        import anthropic

        made.__dict__["_client"] = anthropic.Client(  # the package has no argument for it, and makes one when asked
            api_key=NO_KEY, base_url=provider.address, max_retries=0, http_client=for_httpx2(wire)
        )
    return made


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try."""
    error = cast(NoReply, state.outcome and state.outcome.exception())
    return error.wait if error.wait is not None else _BACKING_OFF(state)


_BACKING_OFF = wait_exponential(multiplier=0.5, max=LONGEST_WAIT) + wait_random(0, 0.5)


def _finish(message: BaseMessage) -> str:
    """Why a reply ended, "" where it hasn't. Raises NoReply where a filter of the provider's ended it."""
    told = message.response_metadata
    why = told.get("finish_reason") or told.get("stop_reason") or told.get("done_reason") or ""
    if why in ("content_filter", "refusal"):
        raise NoReply("the provider's filter stopped the reply")
    if why in ("length", "max_tokens", "model_length", "model_context_window_exceeded"):
        return "length"
    return "stop" if why else ""


def _to_stderr(told: str) -> None:
    print(f"shawgpt: {told}", file=sys.stderr, flush=True)

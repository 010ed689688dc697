"""How a language model writes: when its first token came, how fast the others, how many, and what ended it."""

import time
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

ENDED = {
    "end": "ended by the model",
    "stop": "ended by the model or a stop sequence",  # a provider doesn't tell which
    "stop sequence": "ended by a stop sequence",
    "length": "cut at the maximum length",
}


class Watch(BaseCallbackHandler):
    """Hears one reply. Times are seconds."""

    def __init__(self) -> None:
        self.ended = ""  # a key of ENDED, or what a provider calls it; empty where it was stopped
        self.pieces = 0  # that came: about as many as tokens
        self.tokens: int | None = None  # as the model counts them; None where it was stopped, or doesn't tell
        self._began = self._first = self._last = 0.0

    @property
    def until_first(self) -> float | None:
        """From the question to the first token, loading left out; None where none has come."""
        return self._first - self._began if self._first else None

    @property
    def rate(self) -> float | None:
        """Tokens a second, the first left out; None for fewer than two."""
        count = (self.tokens or self.pieces) - 1
        took = self._last - self._first
        return count / took if count > 0 and took > 0 else None

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **_: Any
    ) -> None:
        """The question has been asked."""
        self._began = time.monotonic()

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], *, run_id: UUID, **_: Any) -> None:
        """A piece has come."""
        if token:
            self.pieces += 1
            self._last = time.monotonic()
            self._first = self._first or self._last

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """The reply is whole."""
        self._last = time.monotonic()
        generation = response.generations[0][0]
        if not isinstance(generation, ChatGeneration) or not isinstance(generation.message, AIMessage):
            return
        told = generation.message.response_metadata
        ended = str(told.get("ended") or told.get("finish_reason") or "")
        self.ended = "stop sequence" if told.get("ended") == "stop" else ended
        if usage := generation.message.usage_metadata:
            self.tokens = usage["output_tokens"]

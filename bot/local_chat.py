"""A local model as a LangChain chat model: the responder `local`."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict

from bot.local_model import LocalModel, Written
from data.errors import BadInput
from data.sampling import Sampling
from finetune.prompt import Message


class LocalChat(BaseChatModel):
    """Replies by `model`, with the adapter of that name on, or none.

    `stop` of a call is added to the sampling's. Batches go through the model together; callbacks hear single calls and
    streams only. A reply's response_metadata["finish_reason"] is "length" where it was cut, else "stop"; "ended" in it
    also tells the model's end token ("end") from a stop string.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: LocalModel
    adapter: str | None = None
    sampling: Sampling = Sampling()

    @property
    def _llm_type(self) -> str:
        return "shawgpt-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model.name, "adapter": self.adapter, **self.sampling.model_dump()}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = self._prompt(messages)
        ((_, written),) = self.model.write([prompt], self._sampling(stop), self.adapter)
        return ChatResult(generations=[ChatGeneration(message=self._message(prompt, written))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        prompt = self._prompt(messages)
        for piece in self.model.stream(prompt, self._sampling(stop), self.adapter):
            if isinstance(piece, str):
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            else:
                last = AIMessageChunk(
                    content="",
                    usage_metadata=_usage(prompt, piece),
                    response_metadata=self._metadata(piece),
                    chunk_position="last",
                )
                yield ChatGenerationChunk(message=last)

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """The replies to `inputs`, in their order. With `return_exceptions`, an error takes its reply's place."""
        done = dict(self.batch_as_completed(inputs, config, return_exceptions=return_exceptions, **kwargs))
        return [done[index] for index in range(len(inputs))]

    def batch_as_completed(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[tuple[int, AIMessage]]:
        """(index of the input, reply) as the replies are done."""
        prompts: dict[int, list[int]] = {}
        for index, given in enumerate(inputs):
            try:
                prompt = self._prompt(self._convert_input(given).to_messages())
                self.model.check(prompt)
                prompts[index] = prompt
            except BadInput as error:
                if not return_exceptions:
                    raise
                yield index, cast(AIMessage, error)
        indices = list(prompts)
        for row, written in self.model.write(list(prompts.values()), self._sampling(stop), self.adapter):
            yield indices[row], self._message(prompts[indices[row]], written)

    def _prompt(self, given: Sequence[BaseMessage]) -> list[int]:
        turns = [Message(role=_role(message), content=str(message.text)) for message in given]
        if not turns or turns[-1]["role"] != "user":
            raise BadInput("a conversation must end with what the user says")
        return self.model.prompt_ids(turns)

    def _sampling(self, stop: Sequence[str] | None) -> Sampling:
        if not stop:
            return self.sampling
        return Sampling(**{**self.sampling.model_dump(), "stop": (*self.sampling.stop, *stop)})

    def _message(self, prompt: Sequence[int], written: Written) -> AIMessage:
        return AIMessage(
            content=written.text, usage_metadata=_usage(prompt, written), response_metadata=self._metadata(written)
        )

    def _metadata(self, written: Written) -> dict[str, Any]:
        finish = "length" if written.ended == "length" else "stop"
        name, adapter = self.model.name, self.adapter
        return {"finish_reason": finish, "ended": written.ended, "model_name": name, "adapter": adapter}


def _usage(prompt: Sequence[int], written: Written) -> UsageMetadata:
    total = len(prompt) + written.tokens
    return UsageMetadata(input_tokens=len(prompt), output_tokens=written.tokens, total_tokens=total)


def _role(message: BaseMessage) -> Any:
    for kind, role in ((SystemMessage, "system"), (HumanMessage, "user"), (AIMessage, "assistant")):
        if isinstance(message, kind):
            return role
    raise BadInput(f"a local model reads system, user and assistant messages, and no {message.type} message")

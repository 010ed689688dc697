"""OpenAI's chat completions as they are asked for: what is read, what is refused, and what it means here."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.memory import Said
from bot.service.answering import LONGEST
from bot.service.refusal import Refusal
from data.plain_errors import plainly
from data.sampling import Sampling

MESSAGES = 500
MOST_TOKENS = 8192  # a limit above it is taken for it, since it can't be reached

LONGEST_SAID = 8000  # characters of an earlier answer that are read
_MARKS = re.compile(r" \[(?:\d{1,3}|no source)\](?=\s|$)")  # that an answer of ours has in its text

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
Stop = Annotated[str, Field(min_length=1, max_length=200)]


class Part(BaseModel):
    """A part of a message; of other types than text only the name is read."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None


class Turn(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(strict=True)

    role: Role
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """What a stream is to say besides."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """The fields that are read; any other is ignored, as newer clients send newer ones."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: list[Turn] = Field(min_length=1, max_length=MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    # Refused where they ask for anything:
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = None
    logit_bias: dict[str, Any] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    persona: str  # its slug
    question: str
    earlier: tuple[Said, ...]  # what was said before it, oldest first
    system: str  # the caller's system and developer messages: read as tables, by personas for these alone
    read: str  # all that was said, for the count of tokens
    stream: bool
    include_usage: bool
    sampling: dict[str, Any]  # the fields of Sampling that are given, for a language model
    most_tokens: int | None
    stop: tuple[str, ...]


def read_request(body: bytes) -> Asked:
    """What `body` asks for. Raises Refusal, naming the field, for what can't be read or isn't done here."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refusal(400, "the body is no JSON", "invalid_json") from error
        place = ".".join(str(part) for part in first["loc"][:3])
        raise Refusal(400, plainly(error, ChatRequest)[:500], "invalid_value", place or None) from error
    _refuse_what_is_not_done(request)
    turns = [(turn.role, _text(turn, number)) for number, turn in enumerate(request.messages)]
    if turns[-1][0] != "user":
        raise Refusal(400, "the last message must be the user's: it is what is answered", "invalid_value", "messages")
    stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    limits = [each for each in (request.max_tokens, request.max_completion_tokens) if each is not None]
    most = min(*limits, MOST_TOKENS) if limits else None
    return Asked(
        request.model,
        turns[-1][1].strip(),
        _said(turns[:-1]),
        "\n".join(text for role, text in turns if role in ("system", "developer")),
        "\n".join(text for _, text in turns),
        bool(request.stream),
        bool(request.stream_options and request.stream_options.include_usage),
        _sampling(request, stop, most),
        most,
        stop,
    )


def _refuse_what_is_not_done(request: ChatRequest) -> None:
    format_ = (request.response_format or {}).get("type", "text")
    asked = {
        "n": ("n: one answer is given to a question", request.n not in (None, 1)),
        "tools": ("tools are not called here: leave them out", bool(request.tools)),
        "functions": ("functions are not called here: leave them out", bool(request.functions)),
        "response_format": ("response_format: answers are text", format_ != "text"),
        "logprobs": ("logprobs are not given", bool(request.logprobs)),
        "logit_bias": ("logit_bias has no meaning here", bool(request.logit_bias)),
        "modalities": ("modalities: answers are text", request.modalities not in (None, [], ["text"])),
        "audio": ("audio: answers are text", bool(request.audio)),
    }
    for param, (message, refused) in asked.items():
        if refused:
            raise Refusal(400, message, "unsupported_value", param)


def _text(turn: Turn, number: int) -> str:
    where = f"messages.{number}"
    if turn.role in ("tool", "function"):
        raise Refusal(400, f"{where}: tools are not called here", "unsupported_value", "messages")
    if isinstance(turn.content, str):
        return turn.content
    for part in turn.content or []:
        if part.type not in ("text", "refusal"):
            raise Refusal(
                400, f"{where}: {part.type[:40]!r} can't be read, text alone", "unsupported_value", "messages"
            )
    return "\n".join(part.text for part in turn.content or [] if part.text)


def _said(turns: list[tuple[Role, str]]) -> tuple[Said, ...]:
    """Each question with what was answered. Instructions of the caller's are none of them: the persona has its own."""
    found: list[Said] = []
    asked: list[str] = []
    for role, text in turns:
        if role == "user":
            asked.append(text)
        elif role == "assistant" and asked:
            found.append(Said("\n".join(asked)[:LONGEST], _MARKS.sub("", text)[:LONGEST_SAID]))
            asked = []
    return tuple(found)


def _sampling(request: ChatRequest, stop: tuple[str, ...], most: int | None) -> dict[str, Any]:
    given = {name: getattr(request, name) for name in Sampling.model_fields} | {"max_tokens": most, "stop": stop}
    return {name: value for name, value in given.items() if value not in (None, ())}

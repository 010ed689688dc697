"""How a language model's next token is chosen."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Sampling(BaseModel):
    """The settings of one reply, with the meanings they have in OpenAI's API."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(default=0.7, ge=0, le=2)  # 0: always the likeliest token; above 1: more surprising
    top_p: float = Field(default=0.95, gt=0, le=1)  # only the likeliest tokens that together have this probability
    max_tokens: int = Field(default=256, ge=1, le=8192)  # a reply longer than this is cut
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), max_length=8)  # ends a reply; not in it
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)  # off a token's logit for each time it was written
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)  # off a token's logit once it was written
    seed: int = 42  # the same seed and prompt give the same reply

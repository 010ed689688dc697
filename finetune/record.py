"""What an adapter was trained and measured on, row by row: `examples.jsonl` beside its weights, hashed in its card.

Who asks where a reply comes from can look it up here, and evaluation and the leak probe need no other copy of the data.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from data.errors import AdapterRefused, NotFound
from finetune.examples import Example
from finetune.prompt import Message

RECORD = "examples.jsonl"
_TRAIN, _HELD_OUT = "train", "held_out"
_LARGEST = 2 << 30  # bytes; it is held in memory whole


class _Turn(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Row(BaseModel):
    side: Literal["train", "held_out"]
    origin: str
    prompt: str | Annotated[tuple[_Turn, ...], Field(min_length=1)]
    reply: str

    @property
    def shown(self) -> str | tuple[Message, ...]:
        """The prompt as an Example has it."""
        if isinstance(self.prompt, str):
            return self.prompt
        return tuple(Message(role=turn.role, content=turn.content) for turn in self.prompt)


def write_examples(folder: Path, train: Sequence[Example], held_out: Sequence[Example]) -> None:
    """Write what was trained on and what was only measured on into an adapter's folder, whole or not at all.

    One JSON line an example: {"side": "train" or "held_out", "origin", "prompt": messages or text, "reply"}.
    """
    part = folder / f".{RECORD}.part"
    with part.open("w", encoding="utf-8", newline="\n") as file:
        for side, examples in ((_TRAIN, train), (_HELD_OUT, held_out)):
            for each in examples:
                line = {"side": side, "origin": each.origin, "prompt": each.prompt, "reply": each.reply}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    os.replace(part, folder / RECORD)


def read_examples_record(folder: Path) -> tuple[list[Example], list[Example]]:
    """What the adapter in `folder` was trained on, and what was held out, each in the order of its data.

    That nobody changed it since is for `finetune.card.check_card` to say. Raises NotFound where an adapter has no
    record, AdapterRefused where it can't be read.
    """
    path = folder / RECORD
    if not path.is_file():
        raise NotFound(f"{folder} doesn't say what it was trained on: {RECORD} is missing. Train it again.")
    sides: dict[str, list[Example]] = {_TRAIN: [], _HELD_OUT: []}
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("larger than any that training writes")
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:  # not splitlines: U+2028 may stand in a string
            row = _Row.model_validate_json(line)
            sides[row.side].append(Example(row.shown, row.reply, row.origin))
    except (OSError, ValueError) as error:  # pydantic's ValidationError is one
        raise AdapterRefused(f"{path} can't be read: train the adapter again.") from error
    return sides[_TRAIN], sides[_HELD_OUT]

"""Examples as the files that other trainers read, with the split that training here has.

| form     | each line of train.jsonl and validation.jsonl                          | for                    |
| -------- | ---------------------------------------------------------------------- | ---------------------- |
| openai   | {"messages": [{"role", "content"}, …]}                                 | OpenAI's fine-tuning   |
| sharegpt | {"conversations": [{"from", "value"}, …]}                              | LLaMA-Factory, Axolotl |
| alpaca   | {"instruction", "input", "output", "system"}, "history" where need be  | LLaMA-Factory, Axolotl |
| text     | {"text"}: Mistral v1's [INST] text; its <s> is the tokenizer's to add  | any that reads text    |

Beside them: `origins.jsonl`, which says of each line where it comes from; `dataset.json`, how they were made; and for
LLaMA-Factory its `dataset_info.json`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.examples import Example
from finetune.prompt import Message, render
from finetune.tokens import encode, v1_tokens
from finetune.whole_folder import whole_folder

OutForm = Literal["openai", "sharegpt", "alpaca", "text"]
OUT_FORMS: tuple[OutForm, ...] = ("openai", "sharegpt", "alpaca", "text")
TRAIN, VALIDATION = "train.jsonl", "validation.jsonl"
ORIGINS, ABOUT, INFO = "origins.jsonl", "dataset.json", "dataset_info.json"

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is, of how much; 0 where not known
OFTEN = 500  # examples between two tellings of it

_ANY_LENGTH = 1 << 40  # tokens: the window is the other trainer's
_FROM = {"system": "system", "user": "human", "assistant": "gpt"}
_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
}


@dataclass(frozen=True)
class Side:
    """One of the two files."""

    file: str
    examples: int
    tokens: int  # of Mistral's v1 tokenizer, prompts, replies and their start and end tokens
    learned: int  # of those, the replies' with their end tokens


def write_dataset(
    sides: dict[str, Sequence[Example]], form: OutForm, out: Path, about: dict[str, Any], progress: Progress
) -> tuple[Side, ...]:
    """Write `sides` (examples by the name of their file; one without any has no file) into the new folder `out`.

    Whole or not at all. `about` is what dataset.json says besides. Raises BadInput where `out` is there already,
    WorkFolderError where it can't be written.
    """
    sides = {file: examples for file, examples in sides.items() if examples}
    history = any(len(_said(each.prompt)) > 1 for examples in sides.values() for each in examples)
    counted = tuple(_counted(file, examples, progress) for file, examples in sides.items())
    with whole_folder(out) as part:
        origins = []
        for file, examples in sides.items():
            _write_lines(part / file, [line_of(each, form, history) for each in examples])
            origins += [{"file": file, "line": n, "origin": each.origin} for n, each in enumerate(examples, 1)]
        _write_lines(part / ORIGINS, origins)
        if info := _info(form, list(sides), history):
            _write_json(part / INFO, info)
        _write_json(part / ABOUT, {**about, "format": form, "files": [vars(side) for side in counted]})
    return counted


def line_of(example: Example, form: OutForm, history: bool = False) -> dict[str, Any]:
    """The example as one line of that form. `history`: whether alpaca has that field, which all lines have or none."""
    turns = _turns(example.prompt)
    if form == "openai":
        return {"messages": [*map(_unlearned, turns), {"role": "assistant", "content": example.reply}]}
    if form == "sharegpt":
        said = [*turns, Message(role="assistant", content=example.reply)]
        return {"conversations": [{"from": _FROM[turn["role"]], "value": turn["content"]} for turn in said]}
    if form == "alpaca":
        rest = _said(example.prompt)
        system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
        line: dict[str, Any] = {"instruction": rest[-1], "input": "", "output": example.reply, "system": system}
        if history:
            line["history"] = [list(pair) for pair in zip(rest[:-1:2], rest[1::2], strict=True)]
        return line
    if isinstance(example.prompt, str):  # of no model's turns: which token ends it, the trainer's tokenizer knows
        return {"text": f"{example.prompt} {example.reply}"}
    return {"text": render([*turns, Message(role="assistant", content=example.reply)]).removeprefix("<s> ")}


def _turns(prompt: tuple[Message, ...] | str) -> tuple[Message, ...]:
    return (Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt


def _said(prompt: tuple[Message, ...] | str) -> list[str]:
    """The user's and the assistant's turns."""
    return [turn["content"] for turn in _turns(prompt) if turn["role"] != "system"]


def _unlearned(turn: Message) -> dict[str, Any]:
    """A turn of the prompt: an earlier reply in it is an example of its own, and is not to be learned twice."""
    return {**turn, "weight": 0} if turn["role"] == "assistant" else dict(turn)


def _counted(file: str, examples: Sequence[Example], progress: Progress) -> Side:
    tokens = learned = 0
    for done, each in enumerate(examples, 1):
        encoded = encode(each, v1_tokens(), _ANY_LENGTH)
        tokens, learned = tokens + len(encoded.ids), learned + sum(encoded.learned)
        if not done % OFTEN:
            progress(f"counting the tokens of {file}", done, len(examples))
    return Side(file, len(examples), tokens, learned)


def _info(form: OutForm, files: Sequence[str], history: bool) -> dict[str, Any]:
    """LLaMA-Factory's description (its data/README.md says what the fields mean); empty for OpenAI."""
    described: dict[str, dict[str, Any]] = {
        "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}, "tags": _TAGS},
        "alpaca": {
            "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
            | ({"history": "history"} if history else {})
        },
        "text": {"columns": {"prompt": "text"}},
    }
    if form not in described:
        return {}
    return {f"shawgpt_{Path(file).stem}": {"file_name": file, **described[form]} for file in files}


def _write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

"""What OpenAI asks of a fine-tuning file, checked before it is uploaded. Nothing is sent anywhere.

The rules of a line are those of OpenAI's cookbook ("Data preparation and analysis for chat model fine-tuning",
examples/Chat_finetuning_data_prep.ipynb) and of the API reference (fine-tuning, chat input format); ten examples at
least is its guide's (supervised fine-tuning), 512 MB a file the reference's (files, upload). Whether a text is against
OpenAI's usage policies only OpenAI's own moderation can say.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.hidden import find_hidden

FEWEST = 10  # examples of a training file
LARGEST = 512 * 10**6  # bytes of a file
WINDOW = 16_385  # tokens of an example, of the smallest window that can be tuned (gpt-3.5-turbo's, as the cookbook has)
LEARNED_ROLE = "assistant"
OFTEN = 500  # lines between two tellings of how far it is

_ROLES = ("system", "user", LEARNED_ROLE, "tool", "function")
_KEYS = {"role", "content", "name", "weight", "function_call", "tool_calls", "tool_call_id", "refusal"}
_LINE_KEYS = {"messages", "tools", "parallel_tool_calls", "functions"}
_CALLS = ("function_call", "tool_calls")  # an assistant's turn may have one of them instead of a text
_PARTS = {"text": str, "image_url": dict}  # of a content that is a list

RULES = {
    "file_size": "a file has 512 MB at most",
    "json": "each line is one JSON object in UTF-8",
    "data_type": "each line is an object",
    "missing_messages_list": "it has a list of messages",
    "unrecognized_key": "it has nothing else but tools",
    "message_missing_key": "each message has role and content",
    "message_unrecognized_key": "and no keys but those of the API",
    "unrecognized_role": "the role is system, user, assistant, tool or function",
    "missing_content": "the content is text, and not empty",
    "weight": "a weight is 0 or 1, and an assistant's",
    "example_missing_assistant_message": "there is an assistant's message to learn",
    "last_message": "the last message is an assistant's",
    "too_few": "there are ten examples to train on",
    "too_long": "an example fits the model's window",
    "duplicate": "no example comes twice",
    "in_both": "nothing that is validated on is trained on",
    "hidden": "there are no hidden characters",
}
ADVICE = frozenset({"too_long", "duplicate", "in_both", "hidden"})  # OpenAI takes such a file; it does what it does


@dataclass(frozen=True)
class Problem:
    """Something in a file that is against a rule."""

    rule: str
    line: int  # from 1; 0 for the file
    what: str

    @property
    def refused(self) -> bool:
        """Whether OpenAI wouldn't take the file."""
        return self.rule not in ADVICE


@dataclass
class CheckedFile:
    """A file as the rules see it."""

    path: Path
    problems: list[Problem] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)  # of each example that could be read, about
    seen: dict[str, int] = field(default_factory=dict)  # the line of each different example

    @property
    def examples(self) -> int:
        """Those that could be read."""
        return len(self.tokens)

    @property
    def refused(self) -> bool:
        """Whether OpenAI wouldn't take it."""
        return any(problem.refused for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """What --json prints."""
        return {
            "file": str(self.path),
            "examples": self.examples,
            "tokens": sum(self.tokens),
            "longest": max(self.tokens, default=0),
            "accepted": not self.refused,
            "problems": [{**vars(problem), "refused": problem.refused} for problem in self.problems],
        }


def check_files(
    train: Path | None,
    validation: Path | None,
    count: Callable[[dict[str, Any]], int],
    window: int = WINDOW,
    progress: Callable[[str, int, int], None] = lambda doing, done, of: None,
) -> list[CheckedFile]:
    """Check the files that are given. `count`: the tokens of an example that follows the rules.

    Raises BadInput for a file that can't be opened.
    """
    found = [_check(path, count, window, progress) for path in (train, validation) if path]
    if train and (few := found[0].examples) < FEWEST and not any(p.rule == "file_size" for p in found[0].problems):
        told = f"{few} of its examples can be learned from, and {FEWEST} are the fewest to train on"
        found[0].problems.append(Problem("too_few", 0, told))
    if train and validation:
        both = [line for example, line in found[1].seen.items() if example in found[0].seen]
        found[1].problems += [Problem("in_both", line, "it is trained on too") for line in both]
    return found


def _check(
    path: Path, count: Callable[[dict[str, Any]], int], window: int, progress: Callable[[str, int, int], None]
) -> CheckedFile:
    checked = CheckedFile(path)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            checked.problems.append(Problem("file_size", 0, f"it has {size / 1e6:,.0f} MB: leave some examples out"))
            return checked
        read = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                _check_line(checked, number, line, count, window)
                read += len(line)
                if not number % OFTEN:
                    progress(f"checking {path.name}, bytes", read, size)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    return checked


def _check_line(
    checked: CheckedFile, number: int, line: bytes, count: Callable[[dict[str, Any]], int], window: int
) -> None:
    found = list(_problems(line))
    if found:
        checked.problems += [Problem(rule, number, what) for rule, what in found]
        return
    example = json.loads(line)
    tokens = count(example)
    checked.tokens.append(tokens)
    if tokens > window:
        told = f"it has about {tokens:,} tokens, and a window of {window:,} cuts off its end"
        checked.problems.append(Problem("too_long", number, told))
    first = checked.seen.setdefault(json.dumps(example["messages"], sort_keys=True), number)
    if first != number:
        checked.problems.append(Problem("duplicate", number, f"it says the same as line {first}"))
    if any(find_hidden(text) for text in texts_of(example)):
        checked.problems.append(Problem("hidden", number, "it has characters that nobody sees and a model reads"))


def texts_of(example: dict[str, Any]) -> Iterator[str]:
    """The texts of an example that follows the rules."""
    for message in example["messages"]:
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif content:
            yield from (part["text"] for part in content if part["type"] == "text")
        yield from (json.dumps(message[key], ensure_ascii=False) for key in _CALLS if message.get(key))


def _problems(line: bytes) -> Iterator[tuple[str, str]]:
    """(rule, what is wrong) of a line on its own."""
    try:
        row = json.loads(line.decode(), parse_constant=_no_number)
        json.dumps(row, ensure_ascii=False).encode()  # raises for half of a surrogate pair, which is no text
    except (ValueError, RecursionError):
        yield "json", "it is no JSON" if line.strip() else "it is empty"
        return
    if not isinstance(row, dict):
        yield "data_type", "it is no object"
        return
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "missing_messages_list", "it has no list of messages"
        return
    if others := sorted(set(row) - _LINE_KEYS):
        yield "unrecognized_key", f"it has {_named(others)} beside its messages"
    if not all(isinstance(message, dict) for message in messages):
        yield "data_type", "a message of it is no object"
        return
    for place, message in enumerate(messages, 1):
        for rule, what in _message(message):
            yield rule, f"message {place} {what}"
    said = [message for message in messages if message.get("role") == LEARNED_ROLE]
    if not any(message.get("weight") != 0 for message in said):
        yield "example_missing_assistant_message", "it has no assistant's message to learn"
    elif messages[-1].get("role") != LEARNED_ROLE:
        yield "last_message", "its last message is not the assistant's"


def _message(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    role, content = message.get("role"), message.get("content")
    calls = role == LEARNED_ROLE and any(message.get(key) for key in _CALLS)
    if "role" not in message or ("content" not in message and not calls):
        yield "message_missing_key", f"has no {'content' if 'role' in message else 'role'}"
    elif role not in _ROLES:
        yield "unrecognized_role", f"is of the role {_named([role])}"
    elif not (_is_content(content) or (calls and not content)):
        yield "missing_content", "has no text"
    if others := sorted(set(message) - _KEYS):
        yield "message_unrecognized_key", f"has {_named(others)}"
    if "weight" in message and (role != LEARNED_ROLE or message["weight"] not in (0, 1)):
        yield "weight", "has a weight that is not an assistant's 0 or 1"


def _is_content(content: Any) -> bool:
    if isinstance(content, list):
        return bool(content) and all(
            isinstance(part, dict) and part.get("type") in _PARTS
            and isinstance(part.get(part["type"]), _PARTS[part["type"]]) for part in content
        )  # fmt: skip
    return isinstance(content, str) and bool(content.strip())


def _named(things: list[Any]) -> str:
    return ", ".join(repr(thing) for thing in things)[:100]


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")

"""Files of examples: what a model is shown, and the reply that it is to learn.

Each format ends in the same `Example`; a row that can't be learned from is refused with its reason, never dropped in
silence.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data.csvio import COMMENT_NAMES, REPLY_NAMES, decode, find_column, read_table
from data.errors import BadInput, Rejected
from data.hidden import strip_hidden
from data.persona import Persona, without_signature
from finetune.prompt import Message, control_string, messages, neutralise, sql_messages, user_turn
from finetune.recipe import Format
from finetune.review import edited_replies

QUOTE = "Quote by {author}:"

_NONE = {  # why a file of these formats may have no rows
    "review": "no draft in {} was edited: those that you change on the page of `shawgpt serve` are learned from",
    "messages": "{} holds no examples: it is empty",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """What a model is shown, and the reply it learns."""

    prompt: tuple[Message, ...] | str  # a conversation that ends with a user's turn, or plain text
    reply: str  # without white space around it
    origin: str  # "row 12", "line 3", "batch 20260103T… row 4"


def quote_prompt(author: str) -> str:
    """What a model of the format quotes is shown, in training and when it is asked."""
    return QUOTE.format(author=" ".join(neutralise(author).split()))


def quoted_author(prompt: str) -> str:
    """The author in what `quote_prompt` made; empty for another text."""
    before, after = QUOTE.split("{author}")
    fits = prompt.startswith(before) and prompt.endswith(after) and len(prompt) >= len(before) + len(after)
    return prompt[len(before) : len(prompt) - len(after)] if fits else ""


def read_examples(
    path: Path, format: Format, persona: Persona, who: str = ""
) -> tuple[list[Example], list[tuple[str, str]]]:
    """The examples of a file, in its order, and (origin, reason) of what in it can't be learned from.

    | format     | file                                                                                      |
    | ---------- | ----------------------------------------------------------------------------------------- |
    | replies    | CSV of comments and replies, as `import replies` reads; `persona` answers, and signs once |
    | review     | a work folder, or its database: the drafts that were edited, as in replies; only `who`'s    |
    | messages   | JSON lines {"messages": [{"role", "content"}, …]}; each assistant's turn is an example    |
    | completion | CSV or JSON lines with prompt, completion: plain text, a space between the two            |
    | sql        | CSV or JSON lines with context (the tables), question, answer                             |
    | quotes     | CSV or JSON lines with quote, author                                                      |

    Raises BadInput where the file or its columns can't be read.
    """
    if not path.is_file() and format != "review":
        raise BadInput(f"there is no file {path}: name the training data with --data, or as `data:` in the recipe")
    rows, make = _source(path, format, persona, who)
    found: list[Example] = []
    refused: list[tuple[str, str]] = []
    for origin, row in rows:
        try:
            if isinstance(row, str):
                raise Rejected(row)
            found += [Example(prompt, _learnable(reply), origin + where) for prompt, reply, where in make(row)]
        except Rejected as error:
            refused.append((origin, str(error)))
    if not found and not refused:
        raise BadInput(_NONE.get(format, "{} holds no examples: it has nothing below its header").format(path))
    return found, refused


def split(examples: Sequence[Example], held_out: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(what is trained on, what is only measured on), each in the given order.

    Examples that open alike (the same comment, question or author, whatever the case and spacing) go together, so that
    nothing measured has been seen in training. A hash decides which are held out: the same ones each time, and nearly
    the same as a file grows. At least one group is held out where `held_out` is above 0.
    """
    keys = [_opening(example) for example in examples]
    ranked = sorted(set(keys), key=lambda key: hashlib.sha256(f"{seed}\0{key}".encode()).digest())
    chosen: set[str] = set()
    wanted, size = held_out * len(examples), Counter(keys)
    for key in ranked[: len(ranked) - 1 if held_out else 0]:
        if chosen and sum(size[k] for k in chosen) + size[key] / 2 > wanted:
            break
        chosen.add(key)
    pairs = list(zip(examples, keys, strict=True))
    return [e for e, key in pairs if key not in chosen], [e for e, key in pairs if key in chosen]


def once(examples: Sequence[Example]) -> tuple[list[Example], list[tuple[str, str]]]:
    """The examples without those that say the same as one before, and (origin, reason) of these.

    To learn a pair twice is to learn it by heart; and twenty copies of one are one example.
    """
    first: dict[tuple[str, str], Example] = {}
    repeats: list[tuple[str, str]] = []
    for example in examples:
        there = first.setdefault((str(example.prompt), example.reply), example)
        if there is not example:
            repeats.append((example.origin, "it repeats another word for word, and is learned once"))
    return list(first.values()), repeats


def _opening(example: Example) -> str:
    if isinstance(example.prompt, str):
        text = example.prompt
    else:
        text = next(turn["content"] for turn in example.prompt if turn["role"] == "user")
    return " ".join(text.casefold().split())


def _learnable(reply: str) -> str:
    """`reply` as it is learned. Raises Rejected for one that teaches nothing, or to write turns."""
    reply = strip_hidden(reply).strip()
    if not reply:
        raise Rejected("it has no reply")
    if found := control_string(reply):
        raise Rejected(f"its reply holds {found!r}: the model would learn to write turns of its own")
    return reply


Made = Iterator[tuple[tuple[Message, ...] | str, str, str]]  # prompt, reply, what is added to the row's origin


def _source(
    path: Path, format: Format, persona: Persona, who: str
) -> tuple[Iterator[tuple[str, Row | str]], Callable[[Row], Made]]:
    """The rows of a file, each with its origin, and what makes examples of one."""
    if format == "replies":
        return _pairs(path), partial(_reply, persona)
    if format == "review":
        return edited_replies(path, who), partial(_reply, persona)
    return _rows(path, _NEEDS[format]), _MAKERS[format]


def _pairs(path: Path) -> Iterator[tuple[str, Row | str]]:
    if decode(path).lstrip().startswith("{"):
        raise BadInput(
            f"{path} is JSON lines, and the format replies reads CSV with the columns Comment,Response: for messages "
            "take the recipe chat, or `format: messages`"
        )
    table = read_table(path)
    reply = find_column(path, table, REPLY_NAMES, None, "Comment,Response in its header")
    comment = find_column(path, table, COMMENT_NAMES, None, "Comment,Response in its header")
    for number, cells in enumerate(table.rows, 2):
        yield f"row {number}", {"comment": cells[comment], "reply": cells[reply]}


def _reply(persona: Persona, row: Row) -> Made:
    said = without_signature(row["reply"], persona.signature)
    if not said.strip():
        raise Rejected("it has no reply")
    if not neutralise(row["comment"]).strip():
        raise Rejected("it has no comment")
    yield tuple(messages(persona, row["comment"])), f"{said} {persona.signature}", ""


def _conversation(row: Row) -> Made:
    turns = row["messages"]
    if not isinstance(turns, list) or not turns:
        raise Rejected("its messages are no list")
    shown: list[Message] = []
    for number, turn in enumerate(turns, 1):
        role: Any
        role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, dict) else (None, None)
        expected = ("system", "user") if not shown else ("assistant",) if shown[-1]["role"] == "user" else ("user",)
        if role not in expected:
            raise Rejected(f"message {number} is of {role!r}, where {' or '.join(expected)} is expected")
        if not isinstance(content, str) or not content.strip():
            raise Rejected(f"message {number} has no text")
        if role == "assistant" and turn.get("weight") != 0:  # OpenAI's mark for a turn that isn't to be learned
            yield tuple(shown), content, f", message {number}" if len(turns) > 3 else ""
        shown.append(Message(role=role, content=_SAFE[role](content) or "…"))
    if shown[-1]["role"] != "assistant":
        raise Rejected("it ends without an assistant's reply")


_SAFE: dict[str, Callable[[str], str]] = {
    "system": str.strip,
    "user": user_turn,
    "assistant": lambda said: neutralise(said).strip(),
}


def _completion(row: Row) -> Made:
    yield neutralise(row["prompt"]).rstrip(), row["completion"], ""


def _sql(row: Row) -> Made:
    yield tuple(sql_messages(row["context"], row["question"])), row["answer"], ""


def _quote(row: Row) -> Made:
    yield quote_prompt(row["author"]), row["quote"], ""


_NEEDS = {
    "messages": ("messages",),
    "completion": ("prompt", "completion"),
    "sql": ("context", "question", "answer"),
    "quotes": ("quote", "author"),
}
_MAKERS: dict[str, Callable[[Row], Made]] = {
    "messages": _conversation,
    "completion": _completion,
    "sql": _sql,
    "quotes": _quote,
}


def _rows(path: Path, needs: tuple[str, ...]) -> Iterator[tuple[str, Row | str]]:
    """(origin, row) of JSON lines or CSV, where each row has all of `needs`; or (origin, why it hasn't)."""
    text = decode(path)
    as_json = text.lstrip().startswith(("{", "["))
    if needs == ("messages",) and text.strip() and not as_json:
        raise BadInput(
            f'{path} is no JSON lines, which the format messages reads: one {{"messages": [{{"role": …, '
            '"content": …}, …]} a line; for comments with replies in CSV take the format replies'
        )
    if as_json or needs == ("messages",):
        yield from _json_lines(path, text, needs)
        return
    table = read_table(path)
    at = {column.strip().lower(): i for i, column in enumerate(table.columns)}
    if missing := [name for name in needs if name not in at]:
        there = ", ".join(repr(column) for column in table.columns)
        raise BadInput(f"{path} has no column {missing[0]!r}: it has {there}, and needs {', '.join(needs)}")
    for number, cells in enumerate(table.rows, 2):
        row = {name: cells[at[name]] for name in needs}
        empty = [name for name in needs if not row[name].strip()]
        yield f"row {number}", f"its {empty[0]} is empty" if empty else row


def _json_lines(path: Path, text: str, needs: tuple[str, ...]) -> Iterator[tuple[str, Row | str]]:
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand in a JSON string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            line.encode()
            json.dumps(row, ensure_ascii=False).encode()  # raises for half of a surrogate pair, which is no text
        except (ValueError, RecursionError):
            if number == 1 and text.lstrip().startswith("["):
                raise BadInput(f"{path} is one JSON list: write each example on a line of its own (JSONL)") from None
            yield f"line {number}", "it is no JSON"
            continue
        wrong = [name for name in needs if not isinstance(row, dict) or not _filled(row.get(name), name)]
        has = f" (it has {', '.join(map(str, row))})" if isinstance(row, dict) else ""
        yield f"line {number}", f"it has no {wrong[0]}{has[:200]}" if wrong else row


def _filled(value: Any, name: str) -> bool:
    return value is not None if name == "messages" else isinstance(value, str) and bool(value.strip())

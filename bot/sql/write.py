"""A question and a schema to a query: by a language model, or by the rules of `bot.sql.rules`, which need none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bot.sql.reading import sources
from bot.sql.safe import LONGEST, QueryFailed, check
from bot.sql.schema import Schema
from data.errors import ProviderFailed
from finetune.prompt import Message, sql_messages

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from sqlglot import exp

    from bot.responders import Chat

AGAIN = "That query can't be used: {fault}. Write the query again, with tables and columns that are there."
NOTHING = "the model wrote no query"
NO_ROOM = "the schema is longer than this model can read: leave out tables that the question isn't about"
_FENCE = re.compile(r"```[ \t]*(?:sql|sqlite)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_BEGINS = re.compile(r"\b(?:SELECT|WITH)\b", re.IGNORECASE)

Values = Callable[[str, str], Sequence[str]]
"""The texts that a column holds, given its table and its own name; a few hundred at most."""


@dataclass(frozen=True)
class Query:
    """What came of a question."""

    sql: str  # the query; empty where there is none
    status: Literal["written", "abstained", "failed"]
    reason: str = ""  # why there is no query, or why it can't be used


class Writer(Protocol):
    """Writes queries."""

    def write(self, question: str, schema: Schema, values: Values | None = None) -> Query:
        """The query that answers `question`; `values`, where a database is open, tells what its columns hold."""
        ...


class RuleWriter:
    """No model: simple queries put together by rules, and nothing where they aren't sure."""

    def write(self, question: str, schema: Schema, values: Values | None = None) -> Query:
        """See Writer."""
        from bot.sql.rules import compose

        sql, reason = compose(question, schema, values)
        return Query(sql, "written") if sql else Query("", "abstained", reason)


class ChatWriter:
    """A language model, asked as training asks it; once more, with what is wrong, where its query can't be used."""

    def __init__(self, model: "BaseChatModel", fits: Callable[[Sequence[Message]], bool] = lambda turns: True) -> None:
        self._model, self._fits = model, fits

    def write(self, question: str, schema: Schema, values: Values | None = None) -> Query:
        """See Writer. The model isn't told what the columns hold."""
        try:
            return self._checked(question, schema)
        except ProviderFailed as error:  # of this question: the next may be answered
            return Query("", "failed", str(error))

    def _checked(self, question: str, schema: Schema) -> Query:
        turns = sql_messages(schema.context(), question)
        if not self._fits(turns):
            return Query("", "failed", NO_ROOM)
        sql, wrong = self._written(turns, schema)
        if wrong and sql:
            said: list[Message] = [
                *turns, {"role": "assistant", "content": sql}, {"role": "user", "content": AGAIN.format(fault=wrong)},
            ]  # fmt: skip
            if self._fits(said):
                again, still = self._written(said, schema)
                sql, wrong = (again, still) if again else (sql, wrong)
        return Query(sql, "failed" if wrong else "written", wrong)

    def _written(self, turns: Sequence[Message], schema: Schema) -> tuple[str, str]:
        """The model's query, and what is wrong with it."""
        from langchain_core.messages import convert_to_messages

        given: list[Any] = [dict(turn) for turn in turns]
        sql = cleaned(str(self._model.invoke(convert_to_messages(given)).text))
        return sql, fault(sql, schema) if sql else NOTHING


def writer_of(chat: "Chat | None") -> Writer:
    """The writer that uses `chat`, or the rules where there is none."""
    return ChatWriter(chat.model, chat.fits) if chat else RuleWriter()


def cleaned(said: str) -> str:
    """The query in what a model wrote, without fences, words around it, or what follows its end; empty for none."""
    said = said[: 4 * LONGEST]
    fenced = _FENCE.search(said)
    text = fenced[1] if fenced else said
    begins = _BEGINS.search(text)
    if not begins:  # something else than a query: shown as it is, and refused by `check`
        return text.strip().split("\n\n")[0][:LONGEST] if fenced else _statement(text)
    text = text[begins.start() :]
    end = _end(text)
    return " ".join(text[:end].split("\n\n")[0].strip().split("\n")).strip()[:LONGEST]


def _statement(text: str) -> str:
    """`text` where it looks like a statement of another kind; else nothing: it is prose."""
    first = text.strip().split(None, 1)[0].upper() if text.strip() else ""
    known = ("INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "ALTER", "PRAGMA", "ATTACH", "VACUUM", "REPLACE")
    return text.strip().split("\n\n")[0][:LONGEST] if first in known else ""


def _end(text: str) -> int:
    """Where the first statement of `text` ends: at its semicolon, if that is outside of quotes."""
    within = ""
    for at, character in enumerate(text):
        if within:
            within = "" if character == within else within
        elif character in "'\"`":
            within = character
        elif character == ";":
            return at
    return len(text)


def fault(sql: str, schema: Schema) -> str:
    """What is wrong with `sql` as far as the schema tells, in a few words; empty where nothing is."""
    try:
        tree = check(sql).tree
    except QueryFailed as error:
        return str(error)
    return _unknown_table(tree, schema) or _unknown_column(tree, schema)


def _unknown_table(tree: "exp.Query", schema: Schema) -> str:
    from sqlglot import exp

    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name.lower() not in ctes and schema.table(table.name) is None:
            there = ", ".join(each.name for each in schema.tables[:12])
            return f"there is no table {table.name or table.sql('sqlite')[:40]} (there are {there})"
    return ""


def _unknown_column(tree: "exp.Query", schema: Schema) -> str:
    from sqlglot import exp

    free = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    free |= {name.name.lower() for alias in tree.find_all(exp.TableAlias) for name in alias.columns} | {"rowid"}
    everywhere = {column.name.lower() for table in schema.tables for column in table.columns}
    named: dict[str, exp.Expr] = {}
    for select in tree.find_all(exp.Select):
        named |= sources(select)
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        if name == "*" or name in free or (not column.table and getattr(column.this, "quoted", False)):
            continue
        if not column.table:
            if name not in everywhere:
                return f"there is no column {column.name}"
            continue
        source = named.get(column.table.lower())
        if source is None:
            return f"there is no table {column.table}, of which {column.name} is said to be"
        table = schema.table(source.name) if isinstance(source, exp.Table) else None
        if table and not table.column(column.name):
            there = ", ".join(each.name for each in table.columns[:20])
            return f"there is no column {column.name} in {table.name} (it has {there})"
    return ""

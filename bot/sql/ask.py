"""A question about tables, answered: the query, and what it gives. The command line and the page both ask here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bot.sql.reader import Reader, Result
from bot.sql.safe import QueryFailed
from bot.sql.schema import MOST, Schema, from_file, from_script
from bot.sql.write import Values, Writer
from data.csvio import decode
from data.errors import BadInput

ROWS = 200  # of a table that are shown


@dataclass(frozen=True)
class Tables:
    """What is asked about: a schema, and the database that has it, where one is open."""

    schema: Schema
    database: Path | None = None
    values: Values | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a question about tables."""

    question: str
    sql: str  # empty where there is no query
    status: Literal["answered", "abstained", "failed"]
    reason: str = ""  # why there is no query, or no table
    result: Result | None = None  # None where no database is open, or the query failed
    responder: str = ""

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON can hold it."""
        result = self.result
        return {
            "question": self.question,
            "sql": self.sql,
            "columns": list(result.columns) if result else None,
            "rows": [list(row) for row in result.rows] if result else None,
            "truncated": result.truncated if result else False,
            "status": self.status,
            "reason": self.reason,
            "responder": self.responder,
        }


def open_tables(reader: Reader, database: Path | None, schema: Path | None) -> Tables:
    """The tables of a SQLite file, or of a file of CREATE TABLE statements. Raises BadInput."""
    if database and schema:
        raise BadInput("give --database or --schema, not both: a database has its schema in it")
    if database:
        if not database.is_file():
            raise BadInput(f"there is no file {database}: give a SQLite file with --database")
        found = from_file(reader, database)
        return Tables(found, database, values_of(reader, database))
    if schema:
        if schema.is_file() and schema.stat().st_size > 10 * MOST:
            raise BadInput(f"{schema} is too large for a schema: leave the rows out")
        return Tables(from_script(decode(schema, "a text file of CREATE TABLE statements")))
    raise BadInput(
        "this persona answers from tables: give --database FILE.sqlite, or --schema FILE.sql for the query only"
    )


def answer(question: str, tables: Tables, writer: Writer, responder: str, reader: Reader) -> Answer:
    """The query that `writer` has for `question`, and the table that it gives where a database is open.

    Raises ShawGPTError where the model can't be asked.
    """
    query = writer.write(question, tables.schema, tables.values)
    if query.status == "abstained":
        return Answer(question, "", "abstained", query.reason, None, responder)
    if query.status == "failed":
        return Answer(question, query.sql, "failed", query.reason, None, responder)
    return run(Answer(question, query.sql, "answered", "", None, responder), tables, reader)


def run(given: Answer, tables: Tables, reader: Reader) -> Answer:
    """`given` with the table that its query gives, or why it gives none. Without a database it stays as it is."""
    if tables.database is None:
        return given
    try:
        result = reader.run(tables.database, given.sql, rows=ROWS)
    except QueryFailed as error:
        return Answer(given.question, given.sql, "failed", str(error), None, given.responder)
    return Answer(given.question, given.sql, "answered", "", result, given.responder)


def values_of(reader: Reader, database: Path) -> Callable[[str, str], Sequence[str]]:
    """What the text columns of a database hold: up to 500 different values each, looked up once."""
    return partial(_values, reader, database, {})


def _values(
    reader: Reader, database: Path, known: dict[tuple[str, str], tuple[str, ...]], table: str, column: str
) -> Sequence[str]:
    from bot.sql.schema import quoted

    if (table, column) not in known:
        name = quoted(column)
        asked = f"SELECT DISTINCT {name} FROM {quoted(table)} WHERE typeof({name}) = 'text' LIMIT 500"
        try:
            found = reader.run(database, asked, seconds=1.0, rows=500)
            known[table, column] = tuple(str(row[0]) for row in found.rows)
        except QueryFailed:  # too large to look through: the question is answered without
            known[table, column] = ()
    return known[table, column]

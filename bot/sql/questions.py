"""Questions with the query that answers them, read from files as they lie: Spider's, WikiSQL's, the recipe's own."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.sql.schema import Column, Schema, Table, from_script, from_spider
from data.csvio import decode, read_table
from data.errors import BadInput

RECORDS = "records"  # what WikiSQL's only table is called here: its own name, TABLE, is a word of SQL
FEWEST = 8  # columns that a table put together for WikiSQL has
_SELECTED = re.compile(r"\s*SELECT\s+(?:(COUNT|MAX|MIN|SUM|AVG)\s+)?(?:TABLEalias0\.)?(.+?)_FIELD\s+FROM\s+TABLE\b")
_CONDITION = re.compile(r"(?:TABLEalias0\.)?(\S+)_FIELD\s*(=|>|<)\s*(\"[^\"]*\"|\S+)")


@dataclass(frozen=True)
class Asked:
    """A question, the query that answers it, and the tables that both are about."""

    question: str
    gold: str
    schema: Schema | None  # None where a database file is given instead
    database: str  # those of one name share their tables
    origin: str  # "line 3"
    shown: Schema | None = None  # what a writer is told of them, where that is less
    nocase: bool = False  # whether text is compared whatever its case, as WikiSQL's own program does


def read_questions(path: Path, tables: Path | None = None, database: bool = False) -> tuple[list[Asked], list[str]]:
    """The questions of a file, and why others of its rows can't be asked.

    JSON lines (or one JSON list) with question, query, db_id (Spider: `tables` is its tables.json) or with question,
    sql, variables (WikiSQL as in text2sql-data); those, or CSV, with question, answer, and context (the tables) unless
    there is a `database`. Raises BadInput.
    """
    rows = list(_rows(path))
    if not rows:
        raise BadInput(f"{path} has no questions")
    first = rows[0][1]
    if {"question", "query", "db_id"} <= set(first):
        return _spider(rows, tables, database)
    if {"question", "sql", "variables"} <= set(first):
        return _wikisql(rows)
    if {"question", "answer"} <= set(first):
        return _own(rows, database)
    has = ", ".join(map(str, first))[:120]
    raise BadInput(
        f"{path} has {has}: it needs question, query and db_id (Spider), question, sql and variables (WikiSQL), or "
        "context, question and answer (the recipe's)"
    )


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = decode(path)
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path} is no JSON ({error})") from error
        yield from ((f"entry {at}", row) for at, row in enumerate(listed, 1) if isinstance(row, dict))
    elif text.lstrip().startswith("{"):
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{path}, line {number}, is no JSON ({error})") from error
            if isinstance(row, dict):
                yield f"line {number}", row
    else:
        table = read_table(path)
        names = [column.strip().lower() for column in table.columns]
        for number, cells in enumerate(table.rows, 2):
            yield f"row {number}", dict(zip(names, cells, strict=False))


def _spider(
    rows: Sequence[tuple[str, dict[str, Any]]], tables: Path | None, database: bool
) -> tuple[list[Asked], list[str]]:
    schemas: dict[str, Schema] = {}
    if not database:
        if tables is None:
            raise BadInput(
                "these are questions as Spider has them: give its tables.json with --tables, or a --database"
            )
        schemas = spider_schemas(tables)
    asked, refused = [], []
    for origin, row in rows:
        name = str(row.get("db_id"))
        if not database and name not in schemas:
            refused.append(f"{origin}: there is no database {name} in {tables}")
        elif not isinstance(row.get("question"), str) or not isinstance(row.get("query"), str):
            refused.append(f"{origin}: it has no question or no query")
        else:
            asked.append(Asked(row["question"].strip(), row["query"].strip(), schemas.get(name), name, origin))
    return asked, refused


def spider_schemas(tables: Path) -> dict[str, Schema]:
    """The schemas of Spider's tables.json by db_id. Raises BadInput."""
    try:
        entries = json.loads(decode(tables))
        return {str(entry["db_id"]): from_spider(entry) for entry in entries}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{tables} is no tables.json as Spider has it ({type(error).__name__}: {error})") from error


def _own(rows: Sequence[tuple[str, dict[str, Any]]], database: bool) -> tuple[list[Asked], list[str]]:
    schemas: dict[str, Schema] = {}
    asked, refused = [], []
    for origin, row in rows:
        question, answer, context = (str(row.get(name) or "").strip() for name in ("question", "answer", "context"))
        if not question or not answer or not (context or database):
            refused.append(
                f"{origin}: it has no {'question' if not question else 'answer' if not answer else 'context'}"
            )
            continue
        try:
            if not database and context not in schemas:
                schemas[context] = from_script(context)
        except BadInput as error:
            refused.append(f"{origin}: {error}")
            continue
        name = "" if database else f"context {list(schemas).index(context) + 1}"
        asked.append(Asked(question, answer, None if database else schemas[context], name, origin))
    return asked, refused


@dataclass(frozen=True)
class _Record:
    """A row of WikiSQL, its fields by the names they have there."""

    origin: str
    question: str
    function: str
    column: str
    conditions: tuple[tuple[str, str, str], ...]  # (column, operator, value)

    @property
    def columns(self) -> list[str]:
        return [self.column, *(column for column, _, _ in self.conditions)]


def _wikisql(rows: Sequence[tuple[str, dict[str, Any]]]) -> tuple[list[Asked], list[str]]:
    """The tables aren't in the file. What follows one another and shares columns is about one table, which is put
    together from these columns, and others' up to eight: else the columns alone would tell the query."""
    records: list[_Record] = []
    refused: list[str] = []
    for origin, row in rows:
        made = _record(origin, row)
        if isinstance(made, str):
            refused.append(f"{origin}: {made}")
        else:
            records.append(made)
    groups: list[list[_Record]] = []
    for record in records:
        known = {column for each in groups[-1] for column in each.columns} if groups else set()
        if known & set(record.columns):
            groups[-1].append(record)
        else:
            groups.append([record])
    asked: list[Asked] = []
    for number, group in enumerate(groups):
        others = [column for near in groups[number + 1 : number + 6] + groups[: max(0, number)][-5:] for each in near
                  for column in each.columns]  # fmt: skip
        names, schema = _records_table(group, others)
        untyped = Schema(
            tuple(replace(t, columns=tuple(replace(c, type="") for c in t.columns)) for t in schema.tables)
        )
        asked += [
            Asked(record.question, _gold(record, names), schema, f"table {number + 1}", record.origin, untyped, True)
            for record in group
        ]
    return asked, refused


def _record(origin: str, row: dict[str, Any]) -> "_Record | str":
    sql, question, values = row.get("sql"), row.get("question"), row.get("variables")
    if not isinstance(sql, str) or not isinstance(question, str) or not isinstance(values, dict):
        return "it has no sql, question or variables"
    sql = sql.strip().rstrip(";").strip()
    selected = _SELECTED.match(sql)
    if not selected:
        return "its query has another form than WikiSQL's"
    conditions = []
    _, where, rest = sql.partition(" WHERE ")
    for part in re.split(r"\s+AND\s+(?=\S+_FIELD\s*[=<>])", rest) if where else []:
        found = _CONDITION.fullmatch(part.strip())
        if not found:
            return f"its condition {part[:60]!r} has another form than WikiSQL's"
        value = found[3].strip('"')
        conditions.append((found[1], found[2], str(values.get(value, value))))
    for name in sorted(values, key=len, reverse=True):
        question = re.sub(rf"\b{re.escape(name)}\b", lambda _, name=name: str(values[name]), question)  # type: ignore[misc]
    return _Record(origin, question.strip(), selected[1] or "", selected[2], tuple(conditions))


def _records_table(group: Sequence[_Record], others: Sequence[str]) -> tuple[dict[str, str], Schema]:
    """The names that the columns have here by those they have there, and the table."""
    own = dict.fromkeys(column for record in group for column in record.columns)
    decoys = [column for column in dict.fromkeys(others) if column not in own][: max(0, FEWEST - len(own))]
    numbers = {c for record in group for c, operator, _ in record.conditions if operator != "="}
    numbers |= {record.column for record in group if record.function in ("MAX", "MIN", "SUM", "AVG")}
    for record in group:  # a column that is compared with a word holds words
        numbers -= {column for column, _, value in record.conditions if not re.fullmatch(r"-?[\d,]*\.?\d+", value)}
    names: dict[str, str] = {}
    columns = []
    for field in sorted([*own, *decoys]):
        name = "_".join(re.sub(r"\W+", " ", field.lower().replace("_", " ")).split()) or "column"
        while name in names.values():
            name += "_2"
        names[field] = name
        columns.append(Column(name, "NUMERIC" if field in numbers else "TEXT", False, field.replace("_", " ").lower()))
    return names, Schema((Table(RECORDS, tuple(columns)),))


def _gold(record: _Record, names: dict[str, str]) -> str:
    from bot.sql.schema import quoted

    column = quoted(names[record.column])
    conditions = [f"{quoted(names[field])} {operator} {literal(value)}" for field, operator, value in record.conditions]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {f'{record.function}({column})' if record.function else column} FROM {RECORDS}{where}"


def literal(value: str) -> str:
    """A value as SQL has it: a plain number as it is, else text in single quotes."""
    return value if re.fullmatch(r"-?\d{1,15}(?:\.\d{1,15})?", value) else "'" + value.replace("'", "''") + "'"

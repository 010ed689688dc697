"""What tables there are: from CREATE TABLE statements, a SQLite file, or Spider's tables.json; shown to a model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import BadInput

if TYPE_CHECKING:
    from sqlglot import exp

    from bot.sql.reader import Reader

MOST = 200_000  # characters of a pasted schema
TABLES = 300  # that a schema may have
COLUMNS = 3000  # of all its tables together
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"int|real|floa|doub|num|dec|money|serial|bit|year|bool", re.IGNORECASE)
_TIME = re.compile(r"date|time", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    type: str = ""  # as it was declared; empty where it wasn't
    key: bool = False  # whether it is (part of) the primary key
    label: str = ""  # how people speak of it; empty for its name

    @property
    def words(self) -> str:
        """How people speak of it, in lower case: "source airport" for SourceAirport."""
        return spoken(self.label or self.name)

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, by its type."""
        return bool(_NUMBER.search(self.type)) and not _TIME.search(self.type)

    @property
    def is_time(self) -> bool:
        """Whether it holds dates or times, by its type."""
        return bool(_TIME.search(self.type))


@dataclass(frozen=True)
class Table:
    """A table, or a view."""

    name: str
    columns: tuple[Column, ...]
    label: str = ""

    @property
    def words(self) -> str:
        """How people speak of it, in lower case."""
        return spoken(self.label or self.name)

    def column(self, name: str) -> Column | None:
        """Its column of that name, whatever the case."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Link:
    """A foreign key: `column` of `table` names a row of `other`, by its `other_column`."""

    table: str
    column: str
    other: str
    other_column: str


@dataclass(frozen=True)
class Schema:
    """The tables of a database and how they hang together."""

    tables: tuple[Table, ...]
    links: tuple[Link, ...] = field(default=())

    def table(self, name: str) -> Table | None:
        """The table of that name, whatever the case."""
        return self._by_name.get(name.lower())

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        return {table.name.lower(): table for table in self.tables}

    def context(self) -> str:
        """The schema as a model is shown it, in training and serving: a CREATE TABLE statement a line."""
        return "\n".join(f"{self.create(table)};" for table in self.tables)

    def create(self, table: Table) -> str:
        """The CREATE TABLE statement of `table`."""
        keys = [column for column in table.columns if column.key]
        parts = []
        for column in table.columns:
            alone = " PRIMARY KEY" if column.key and len(keys) == 1 else ""
            parts.append(f"{quoted(column.name)}{f' {column.type}' if column.type else ''}{alone}")
        if len(keys) > 1:
            parts.append(f"PRIMARY KEY ({', '.join(quoted(column.name) for column in keys)})")
        parts += [
            f"FOREIGN KEY ({quoted(link.column)}) REFERENCES {quoted(link.other)}({quoted(link.other_column)})"
            for link in self.links
            if link.table == table.name
        ]
        return f"CREATE TABLE {quoted(table.name)} ({', '.join(parts)})"


def with_likely_links(schema: Schema) -> Schema:
    """The schema with foreign keys that aren't declared, between tables that no declared one ties.

    Such is a column that is called as another table is, or as its only key is.
    """
    tied = {frozenset((link.table, link.other)) for link in schema.links}
    likely: list[Link] = []
    for other in schema.tables:
        keys = [column for column in other.columns if column.key]
        if len(keys) != 1:
            continue
        names = {other.words, other.words.removesuffix("s"), f"{other.words} id", f"{other.words.removesuffix('s')} id"}
        names |= {keys[0].words} if keys[0].words not in ("id", "name", "code", "number") else set()
        for table in schema.tables:
            if table is other or frozenset((table.name, other.name)) in tied:
                continue
            for column in table.columns:
                if column.words in names and column.is_number == keys[0].is_number:
                    likely.append(Link(table.name, column.name, other.name, keys[0].name))
                    break
    return Schema(schema.tables, (*schema.links, *likely))


def quoted(name: str) -> str:
    """A table's or column's name as SQL has it: in double quotes unless it is a plain word."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in _KEYWORDS else '"' + name.replace('"', '""') + '"'


def spoken(name: str) -> str:
    """A name in the words it is made of: "source airport" for SourceAirport, source_airport or Source-Airport."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", parted).lower().split())


def from_script(text: str) -> Schema:
    """The schema that CREATE TABLE statements make; whatever else is in the script is passed over.

    Raises BadInput where there is none among them, or one can't be read.
    """
    import logging

    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if len(text) > MOST:
        raise BadInput(f"the schema has {len(text):,} characters: {MOST:,} are the most; leave rows out")
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        statements = sqlglot.parse(text, dialect="sqlite")
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"the schema can't be read ({_wrong(error)}): give a CREATE TABLE statement for each table"
        ) from error
    tables: list[Table] = []
    links: list[Link] = []
    for statement in statements:
        if not isinstance(statement, exp.Create) or statement.kind != "TABLE":
            continue
        if isinstance(statement.this, exp.Schema) and isinstance(statement.this.this, exp.Table):
            tables.append(_table(statement.this, links))
    if not tables:
        raise BadInput("there is no CREATE TABLE statement in the schema: give one for each table")
    return _whole(tables, links)


def _wrong(error: Exception) -> str:
    """What is wrong with a script, without sqlglot's colours, in a line."""
    found = getattr(error, "errors", None)
    if found:
        return f"{found[0]['description']}, line {found[0]['line']}, column {found[0]['col']}".replace(".,", ",")
    return " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split())[:120]


def from_file(reader: "Reader", path: Path) -> Schema:
    """The schema of a SQLite file. Raises BadInput for a file that is none, or that has no tables."""
    tables: list[Table] = []
    links: list[Link] = []
    for made in reader.tables(path):
        columns = tuple(Column(str(name), _type(kind), bool(place)) for name, kind, place in made["columns"])
        tables.append(Table(str(made["name"]), columns))
        links += [
            Link(str(made["name"]), str(own), str(other), str(its or "")) for own, other, its in reversed(made["keys"])
        ]
    if not tables:
        raise BadInput(f"{path.name} has no tables")
    return _whole(tables, links)


def from_spider(entry: dict[str, Any]) -> Schema:
    """The schema of a database as Spider's tables.json has it. Raises BadInput."""
    try:
        names, labels = entry["table_names_original"], entry["table_names"]
        keys = {key for each in entry["primary_keys"] for key in (each if isinstance(each, list) else [each])}
        columns: list[list[Column]] = [[] for _ in names]
        where: list[tuple[int, str]] = []
        for at, (table, name) in enumerate(entry["column_names_original"]):
            where.append((table, name))
            if table >= 0:
                kind = {"number": "NUMERIC", "time": "DATETIME", "boolean": "BOOLEAN"}.get(
                    entry["column_types"][at], "TEXT"
                )
                columns[table].append(Column(name, kind, at in keys, entry["column_names"][at][1]))
        tables = [Table(name, tuple(columns[at]), labels[at]) for at, name in enumerate(names)]
        links = [
            Link(names[where[own][0]], where[own][1], names[where[other][0]], where[other][1])
            for own, other in entry["foreign_keys"]
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadInput(
            f"this is no schema as Spider's tables.json has them ({type(error).__name__}: {error})"
        ) from error
    return _whole(tables, links)


def _table(made: "exp.Schema", links: list[Link]) -> Table:
    """A table of a script; its foreign keys go into `links`."""
    from sqlglot import exp

    name = str(made.this.name)
    columns: list[Column] = []
    keys = {part.name.lower() for key in made.find_all(exp.PrimaryKey) for part in key.find_all(exp.Identifier)}
    for each in made.expressions:
        if isinstance(each, exp.ColumnDef):
            kind = each.args.get("kind")
            key = each.name.lower() in keys or each.find(exp.PrimaryKeyColumnConstraint) is not None
            columns.append(Column(each.name, _type(kind.sql("sqlite") if kind else ""), key))
            for inline in each.find_all(exp.Reference):
                _link(name, [each.name], inline, links)
        elif isinstance(each, exp.Identifier | exp.Column):  # SQLite needs no type
            columns.append(Column(each.name, "", each.name.lower() in keys))
    for foreign in made.find_all(exp.ForeignKey):
        reference = foreign.args.get("reference")
        if isinstance(reference, exp.Reference):
            _link(name, [part.name for part in foreign.expressions], reference, links)
    return Table(name, tuple(columns))


def _link(table: str, own: list[str], reference: "exp.Reference", links: list[Link]) -> None:
    from sqlglot import exp

    target = reference.this
    other = target.this.name if isinstance(target, exp.Schema) else target.name
    its = [part.name for part in target.expressions] if isinstance(target, exp.Schema) else []
    links += [Link(table, column, other, its[at] if at < len(its) else "") for at, column in enumerate(own)]


def _whole(tables: list[Table], links: Iterable[Link]) -> Schema:
    """The schema, its foreign keys spelt as its tables are; those that lead nowhere are left out."""
    if len(tables) > TABLES or sum(len(table.columns) for table in tables) > COLUMNS:
        raise BadInput(f"the schema is too large: {TABLES} tables with {COLUMNS:,} columns are the most")
    schema = Schema(tuple({table.name.lower(): table for table in tables}.values()))
    good: dict[tuple[str, ...], Link] = {}
    for link in links:
        table, other = schema.table(link.table), schema.table(link.other)
        column = table.column(link.column) if table else None
        if not (table and other and column):
            continue
        keys = [key for key in other.columns if key.key]
        its = other.column(link.other_column) if link.other_column else (keys[0] if len(keys) == 1 else None)
        if its:
            made = Link(table.name, column.name, other.name, its.name)
            good[made.table, made.column, made.other, made.other_column] = made
    return Schema(schema.tables, tuple(good.values()))


def _type(declared: Any) -> str:
    """A declared type in one line, short."""
    return " ".join(re.sub(r"[^\w() ,]", " ", str(declared or "")).split())[:40]


_KEYWORDS_WORDS = """
ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE CASE
CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE
EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP
GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY
LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS OUTER
OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE RENAME
REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO
TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHOUT
"""
_KEYWORDS = frozenset(_KEYWORDS_WORDS.split())

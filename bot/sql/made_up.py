"""Databases with made-up rows, from a schema and the queries that are to be run on them.

One database hardly tells two queries apart: each of several has other rows, so that a wrong query rarely gives the
right table by chance on all of them (test suites: Zhong, Yu and Klein 2020, "Semantic Evaluation for Text-to-SQL with
Distilled Test Suites"; these are simpler than theirs, drawn and not distilled).
"""

import random
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bot.sql.reading import read, sources, table_of
from bot.sql.safe import QueryFailed
from bot.sql.schema import Column, Schema, Table, quoted

if TYPE_CHECKING:
    from sqlglot import exp

ROWS = 18  # of a table, beside those that are made so that a query finds something
MOST = 120  # rows of a table
KEPT = 0.8  # of those, in each database but the first
_WORDS_WORDS = """
amber birch cedar delta ember fjord grove heron inlet jasper kelp lotus maple north olive pearl
"""
_WORDS = _WORDS_WORDS.split()

Value = str | int | float
Fixed = dict[str, dict[str, Value]]  # by table and column, in lower case: what a row of it must hold


def make(folder: Path, schema: Schema, golds: Sequence[str], count: int, nocase: bool = False) -> list[Path]:
    """Write `count` databases into `folder`: the same each time.

    The first has rows for each of `golds` to find, the others for most of them. `nocase`: text is compared whatever its
    case.
    """
    wanted = [fixed for gold in dict.fromkeys(golds) for fixed in _wanted(gold, schema)]
    paths = [folder / f"{seed}.sqlite" for seed in range(count)]
    for seed, path in enumerate(paths):
        _make(path, schema, wanted, seed, nocase)
    return paths


def _make(path: Path, schema: Schema, wanted: Sequence[Fixed], seed: int, nocase: bool) -> None:
    drawn = random.Random(f"{seed} {'|'.join(table.name for table in schema.tables)}")
    if seed:
        wanted = [fixed for fixed in wanted if drawn.random() < KEPT]
    rows = _rows(schema, wanted, drawn, seed)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for table in schema.tables:
            columns = ", ".join(f"{quoted(column.name)} {_affinity(column, nocase)}" for column in table.columns)
            database.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")
            marks = ", ".join("?" * len(table.columns))
            made = [[row[column.name.lower()] for column in table.columns] for row in rows[table.name.lower()]]
            drawn.shuffle(made)
            database.executemany(f"INSERT INTO {quoted(table.name)} VALUES ({marks})", made)


def _affinity(column: Column, nocase: bool) -> str:
    if column.is_number:
        return "NUMERIC"
    return "TEXT COLLATE NOCASE" if nocase else "TEXT"


def _rows(
    schema: Schema, wanted: Sequence[Fixed], drawn: random.Random, seed: int
) -> dict[str, list[dict[str, Value]]]:
    """The rows by table, foreign keys in agreement."""
    made: dict[str, list[dict[str, Value]]] = {table.name.lower(): [] for table in schema.tables}
    pools = _pools(schema, wanted)
    of_query: list[dict[str, dict[str, Value]]] = [{} for _ in wanted]
    for table in _parents_first(schema):
        name = table.name.lower()
        links = {link.column.lower(): link for link in schema.links if link.table == table.name}
        count = ROWS + 3 * (seed % 3)
        for at in [*range(len(wanted)), *[-1] * count]:
            fixed = wanted[at].get(name) if at >= 0 else {}
            if fixed is None or len(made[name]) >= MOST:
                continue
            row: dict[str, Value] = {}
            for column in table.columns:
                key = column.name.lower()
                link = links.get(key)
                parents = made[link.other.lower()] if link else []
                if key in fixed:
                    row[key] = fixed[key]
                elif link and parents and link.other != link.table:
                    mine = of_query[at].get(link.other.lower()) if at >= 0 else None
                    # Some parents stay without children: "those that have none" is asked for, too.
                    parent = mine or parents[min(int(drawn.random() ** 1.6 * len(parents)), len(parents) - 1)]
                    row[key] = parent[link.other_column.lower()]
                elif link and parents:
                    row[key] = drawn.choice(parents)[link.other_column.lower()]
                else:
                    unique = column.key or any(
                        link.other == table.name and link.other_column == column.name for link in schema.links
                    )
                    row[key] = _value(column, pools.get((name, key), []), drawn, len(made[name]) + 1 if unique else 0)
            made[name].append(row)
            if at >= 0:
                of_query[at][name] = row
    return made


def _value(column: Column, pool: list[Value], drawn: random.Random, number: int) -> Value:
    """A value for `column`; `number` is the row's, where no two rows may have the same, else 0."""
    if number:
        return number + 100 if column.is_number else f"{_WORDS[number % len(_WORDS)]}{number}"
    if pool and drawn.random() < 0.5:
        return drawn.choice(pool)
    if column.is_time:
        day = f"20{drawn.randint(10, 22)}-{drawn.randint(1, 12):02}-{drawn.randint(1, 28):02}"
        return f"{day} {drawn.randint(0, 23):02}:{drawn.randint(0, 59):02}:00"
    if "bool" in column.type.lower():
        return drawn.randint(0, 1)
    if column.is_number:
        return drawn.randint(1, 9) if drawn.random() < 0.3 else drawn.randint(1, 2500)
    return drawn.choice(_WORDS[:8])


def _pools(schema: Schema, wanted: Sequence[Fixed]) -> dict[tuple[str, str], list[Value]]:
    """By table and column the values that queries name, and their neighbours."""
    pools: dict[tuple[str, str], list[Value]] = {}
    for fixed in wanted:
        for table, columns in fixed.items():
            for column, value in columns.items():
                pool = pools.setdefault((table, column), [])
                pool += [value] if isinstance(value, str) else [value, value + 1, value - 1]
    return {where: list(dict.fromkeys(pool)) for where, pool in pools.items()}


def _parents_first(schema: Schema) -> list[Table]:
    """The tables, each after those that its foreign keys name, as far as they don't name each other in a circle."""
    left, ordered = list(schema.tables), []
    while left:
        names = {table.name for table in left}
        free = [
            table
            for table in left
            if not any(link.table == table.name and link.other in names - {table.name} for link in schema.links)
        ] or left[:1]
        ordered += free
        left = [table for table in left if table not in free]
    return ordered


def _wanted(gold: str, schema: Schema) -> list[Fixed]:
    """What rows must hold for `gold` to find something: one set of rows, or one for each side of a UNION."""
    from sqlglot import exp

    try:
        tree = read(gold, schema)
    except QueryFailed:
        return []
    if not isinstance(tree, exp.SetOperation):
        fixed, compared = _fixed(tree, schema)
        return [fixed] if compared else []
    sides = [_fixed(side, schema) for side in (tree.left, tree.right)]
    if isinstance(tree, exp.Intersect):  # both sides must find the same
        for (fixed, _), side in zip(sides, (tree.left, tree.right), strict=True):
            for at, column in enumerate(side.selects):
                table = table_of(column, schema) if isinstance(column, exp.Column) else ""
                known = schema.table(table) if table else None
                its = known.column(column.name) if known else None
                if its and not its.key:
                    fixed.setdefault(table, {}).setdefault(its.name.lower(), 77 + at if its.is_number else f"both{at}")
    return [fixed for fixed, compared in sides if compared]


def _fixed(tree: "exp.Expr", schema: Schema) -> tuple[Fixed, bool]:
    """What a row of each table of a query must hold, and whether that is anything."""
    from sqlglot import exp

    fixed: Fixed = {}
    compared = False
    for select in tree.find_all(exp.Select):
        for source in sources(select).values():
            if isinstance(source, exp.Table) and schema.table(source.name):
                fixed.setdefault(source.name.lower(), {})
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.Between, exp.In):
        column = node.this
        value = _meets(node)
        if isinstance(column, exp.Column) and value is not None and (table := table_of(column, schema)):
            fixed.setdefault(table, {}).setdefault(column.name.lower(), value)
            compared = True
    return fixed, compared


def _meets(node: "exp.Expr") -> Value | None:
    """A value for which the comparison `node` holds; None where it isn't with a value."""
    from sqlglot import exp

    if isinstance(node, exp.Between):
        return _literal(node.args.get("low"))
    if isinstance(node, exp.In):
        return _literal(node.expressions[0]) if node.expressions else None
    value = _literal(node.expression)
    if value is None:
        return None
    if isinstance(node, exp.Like):
        return re.sub(r"%+", " some ", str(value)).replace("_", "x").strip() if isinstance(value, str) else value
    if isinstance(value, str):
        return f"{value} too" if isinstance(node, exp.NEQ | exp.GT) else value
    return value + (1 if isinstance(node, exp.GT | exp.NEQ) else -1 if isinstance(node, exp.LT) else 0)


def _literal(node: object) -> Value | None:
    from sqlglot import exp

    if isinstance(node, exp.Neg):
        value = _literal(node.this)
        return -value if isinstance(value, int | float) else None
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return str(node.this)
    try:
        return int(node.this) if str(node.this).isdigit() else float(node.this)
    except ValueError:
        return None

"""Whether two queries say the same: by the tables that they give, and by what they are made of."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

from bot.sql.reader import Cell, Result
from bot.sql.reading import read, sources, table_of
from bot.sql.schema import Schema

if TYPE_CHECKING:
    from sqlglot import exp

_CLOSE = 1e-6  # relative, of two numbers that count as one
_MOST_ORDERS = 720  # of columns that are tried

Parts = dict[str, Hashable]


def same_table(gold: Result, other: Result, ordered: bool) -> bool:
    """Whether two results hold the same rows, as often each; in the same order too, where `ordered`.

    The order of the columns and their names are of no account, as in Spider's test suites: the columns of the one must
    be those of the other, each once. 1, 1.0 and "1" are one value; numbers may differ in their last digits.
    """
    if len(gold.columns) != len(other.columns) or len(gold.rows) != len(other.rows):
        return False
    ours, theirs = _plain(gold.rows), _plain(other.rows)
    if _rows_equal(ours, theirs, ordered):
        return True
    width = len(gold.columns)
    if width < 2 or math.factorial(width) > _MOST_ORDERS:
        return False
    columns = [Counter(column) for column in zip(*ours, strict=True)]
    others = [Counter(column) for column in zip(*theirs, strict=True)]
    for order in permutations(range(width)):
        if all(columns[at] == others[order[at]] for at in range(width)):
            turned = [tuple(row[at] for at in order) for row in theirs]
            if _rows_equal(ours, turned, ordered):
                return True
    return False


def _rows_equal(ours: list[tuple[Hashable, ...]], theirs: list[tuple[Hashable, ...]], ordered: bool) -> bool:
    return ours == theirs if ordered else Counter(ours) == Counter(theirs)


def _plain(rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Hashable, ...]]:
    return [tuple(_value(cell) for cell in row) for row in rows]


def _value(cell: Cell) -> Hashable:
    """A cell such that equal values are equal: numbers by their first digits."""
    if isinstance(cell, str):
        try:
            number = float(cell)
        except ValueError:
            return cell
        if not math.isfinite(number) or cell != cell.strip():
            return cell
        cell = number
    if cell is None or not cell:
        return cell if cell is None else 0.0
    digits = -math.floor(math.log10(_CLOSE)) - 1 - math.floor(math.log10(abs(cell)))
    return round(float(cell), digits) if -300 < digits < 300 else float(cell)


def is_ordered(gold: str, schema: Schema | None) -> bool:
    """Whether the outermost query says in which order its rows come. Raises QueryFailed."""
    return read(gold, schema).args.get("order") is not None


def same_parts(gold: str, other: str, schema: Schema) -> bool:
    """Exact-set match. Raises QueryFailed where one of them can't be read."""
    return parts(read(gold, schema), schema) == parts(read(other, schema), schema)


def parts(tree: "exp.Expr", schema: Schema) -> Parts:
    """What a query is made of, each clause as a set.

    As Spider's script has it: values and DISTINCT are left out, columns that a foreign key makes the same are one, of
    LIMIT only whether there is one counts, of joins only which tables. Unlike there, everything that sqlglot reads is
    compared, and not only what Spider's grammar knows; conditions keep which of them AND and OR bind.
    """
    from sqlglot import exp

    tree = tree.unnest() if isinstance(tree, exp.Subquery) else tree
    if isinstance(tree, exp.SetOperation):
        sides = [_frozen(parts(tree.left, schema)), _frozen(parts(tree.right, schema))]
        kind = f"{tree.key} {'' if tree.args.get('distinct', True) else 'all'}"
        either: Hashable = tuple(sides) if tree.key == "except" else frozenset(Counter(sides).items())
        return {"set": (kind, either), "order": _order(tree, schema), "limit": tree.args.get("limit") is not None}
    if not isinstance(tree, exp.Select):
        return {"other": tree.sql("sqlite").lower()}
    found = [
        source.name.lower() if isinstance(source, exp.Table) else _frozen(parts(source, schema))
        for source in sources(tree).values()
    ]
    where, having, group = tree.args.get("where"), tree.args.get("having"), tree.args.get("group")
    return {
        "select": frozenset(Counter(_said(each, schema) for each in tree.expressions).items()),
        "from": frozenset(Counter(found).items()),
        "where": _condition(where.this, schema) if where else None,
        "group": frozenset(_said(each, schema) for each in group.expressions) if group else None,
        "having": _condition(having.this, schema) if having else None,
        "order": _order(tree, schema),
        "limit": tree.args.get("limit") is not None,
        "with": frozenset(_frozen(parts(cte.this, schema)) for cte in tree.find_all(exp.CTE)),
    }


def _frozen(made: Parts) -> Hashable:
    return tuple(sorted(made.items(), key=lambda item: item[0]))


def _order(tree: "exp.Expr", schema: Schema) -> Hashable:
    order: Any = tree.args.get("order")
    return (
        tuple((_said(each.this, schema), bool(each.args.get("desc"))) for each in order.expressions) if order else None
    )


def _condition(node: "exp.Expr", schema: Schema) -> Hashable:
    """A condition, its parts as sets: A AND B is B AND A."""
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return _condition(node.this, schema)
    if isinstance(node, exp.And | exp.Or):
        return (node.key, frozenset(Counter(_condition(part, schema) for part in node.flatten()).items()))
    return _said(node, schema)


def _said(node: "exp.Expr", schema: Schema) -> Hashable:
    """An expression with its names resolved and its values left out."""
    from sqlglot import exp

    if isinstance(node, exp.Alias | exp.Paren | exp.Distinct):
        inner = node.expressions[0] if isinstance(node, exp.Distinct) and node.expressions else node.this
        return _said(inner, schema) if inner is not None else node.key
    if isinstance(node, exp.Column):
        return _column(node, schema)
    if isinstance(node, exp.Literal | exp.Null | exp.Boolean):
        return "value"
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return "value"
    if isinstance(node, exp.Query | exp.Subquery):
        return _frozen(parts(node, schema))
    if isinstance(node, exp.Star):
        return "*"
    if isinstance(node, exp.And | exp.Or):
        return _condition(node, schema)
    inside = []
    for child in node.iter_expressions():
        inside.append(_said(child, schema))
    if isinstance(node, exp.EQ | exp.NEQ | exp.Add | exp.Mul):
        return (node.key, frozenset(Counter(inside).items()))
    plain = tuple(str(value).lower() for name, value in sorted(node.args.items()) if isinstance(value, str))
    return (node.key, *plain, *inside)


def _column(column: "exp.Column", schema: Schema) -> Hashable:
    """A column with its table; of those that a foreign key makes the same, the first."""
    if isinstance(column.this, type(None)) or column.name == "*":
        return "*"
    table = table_of(column, schema)
    if not table:
        return ("", column.name.lower())
    return _keys(schema).get((table, column.name.lower()), (table, column.name.lower()))


_KNOWN: dict[int, tuple[Schema, dict[tuple[str, str], tuple[str, str]]]] = {}


def _keys(schema: Schema) -> dict[tuple[str, str], tuple[str, str]]:
    """By column the first of those that it is the same as, by foreign keys."""
    known = _KNOWN.get(id(schema))
    if known and known[0] is schema:
        return known[1]
    first: dict[tuple[str, str], tuple[str, str]] = {}

    def top(column: tuple[str, str]) -> tuple[str, str]:
        while first.get(column, column) != column:
            column = first[column]
        return column

    for link in schema.links:
        one = top((link.table.lower(), link.column.lower()))
        other = top((link.other.lower(), link.other_column.lower()))
        first[max(one, other)] = min(one, other)
    whole = {column: top(column) for column in first}
    _KNOWN.clear()
    _KNOWN[id(schema)] = (schema, whole)
    return whole


def hardness(tree: "exp.Expr") -> str:
    """easy, medium, hard or extra, by the criteria of Spider's evaluation script (Yu et al. 2018, evaluation.py).

    Counted: clauses and joins (WHERE, GROUP BY, ORDER BY, LIMIT, each join, each OR, each LIKE); queries within it; and
    whether there are several aggregates, columns, conditions or grouping columns.
    """
    from sqlglot import exp

    tree = tree.unnest() if isinstance(tree, exp.Subquery) else tree
    nested = 0
    if isinstance(tree, exp.SetOperation):
        nested, tree = 1, tree.left.unnest() if isinstance(tree.left, exp.Subquery) else tree.left
    if not isinstance(tree, exp.Select):
        return "extra"
    own = [node for node in tree.walk() if node is not tree and node.find_ancestor(exp.Select) is tree]
    nested += sum(isinstance(node, exp.Select) for node in own)
    where, group = tree.args.get("where"), tree.args.get("group")
    clauses = sum(tree.args.get(name) is not None for name in ("where", "group", "order", "limit"))
    clauses += max(0, len(sources(tree)) - 1)
    clauses += sum(isinstance(node, exp.Or | exp.Like) for node in own)
    conditions = 1 + sum(isinstance(node, exp.And | exp.Or) for node in where.walk()) if where else 0
    others = sum(
        count > 1
        for count in (
            sum(isinstance(node, exp.AggFunc) for node in own),
            len(tree.expressions),
            conditions,
            len(group.expressions) if group else 0,
        )
    )
    if clauses <= 1 and not others and not nested:
        return "easy"
    if not nested and ((others <= 2 and clauses <= 1) or (clauses <= 2 and others < 2)):
        return "medium"
    if not nested and ((others > 2 and clauses <= 2) or (2 < clauses <= 3 and others <= 2)):
        return "hard"
    return "hard" if nested <= 1 and clauses <= 1 and not others else "extra"

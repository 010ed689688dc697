"""A simple query as its parts, and the SQL that they make: with the joins that its tables need."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sql.schema import Link, Schema, quoted


@dataclass(frozen=True)
class Ref:
    """A column of a table; `column` "*" for its rows."""

    table: str
    column: str


@dataclass(frozen=True)
class Item:
    """What is selected, or ordered by: a column, or a function of it."""

    ref: Ref
    function: str = ""
    distinct: bool = False


@dataclass(frozen=True)
class Condition:
    """A comparison; `value` is SQL already, and may be a query in brackets."""

    ref: Ref
    operator: str
    value: str
    either: bool = False  # whether it is joined to the one before by OR


@dataclass
class Sketch:
    """The parts of a SELECT."""

    select: list[Item] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)
    group: list[Ref] = field(default_factory=list)
    having: str = ""  # "COUNT(*) > 3"
    order: list[tuple[Item, bool]] = field(default_factory=list)  # (what, whether downwards)
    limit: int = 0
    distinct: bool = False
    also: list[str] = field(default_factory=list)  # tables that are to be joined though no column of theirs is named

    def tables(self) -> list[str]:
        """The tables that it needs, in the order in which they come up."""
        refs = [item.ref for item in self.select] + [condition.ref for condition in self.where] + self.group
        refs += [item.ref for item, _ in self.order]
        return list(dict.fromkeys([ref.table for ref in refs] + self.also))


def sql_of(sketch: Sketch, schema: Schema, liking: Callable[[Link], float] = lambda link: 0.0) -> str:
    """The SQL of `sketch`; empty where its tables can't be joined. `liking` chooses between foreign keys."""
    tables = sketch.tables()
    joined = join(tables, schema, liking)
    if joined is None:
        return ""
    first, steps = joined
    names = {first: "T1", **{table: f"T{at}" for at, (table, _) in enumerate(steps, 2)}} if steps else {}

    def column(ref: Ref) -> str:
        if ref.column == "*":
            return "*"
        prefix = f"{names[ref.table]}." if names else ""
        return prefix + quoted(ref.column)

    def item(each: Item) -> str:
        inner = f"{'DISTINCT ' if each.distinct else ''}{column(each.ref)}"
        return f"{each.function}({inner})" if each.function else column(each.ref)

    parts = [f"SELECT {'DISTINCT ' if sketch.distinct else ''}{', '.join(dict.fromkeys(map(item, sketch.select)))}"]
    parts.append(f"FROM {quoted(first)}{' AS T1' if names else ''}")
    for table, link in steps:
        one, other = f"{names[link.table]}.{quoted(link.column)}", f"{names[link.other]}.{quoted(link.other_column)}"
        parts.append(f"JOIN {quoted(table)} AS {names[table]} ON {one} = {other}")
    if sketch.where:
        said = ""
        for each in sketch.where:
            word = "" if not said else " OR " if each.either else " AND "
            said += f"{word}{column(each.ref)} {each.operator} {each.value}"
        parts.append(f"WHERE {said}")
    if sketch.group:
        parts.append(f"GROUP BY {', '.join(dict.fromkeys(map(column, sketch.group)))}")
    if sketch.having:
        parts.append(f"HAVING {sketch.having}")
    if sketch.order:
        parts.append("ORDER BY " + ", ".join(item(what) + (" DESC" if down else "") for what, down in sketch.order))
    if sketch.limit:
        parts.append(f"LIMIT {sketch.limit}")
    return " ".join(parts)


def join(
    tables: list[str], schema: Schema, liking: Callable[[Link], float] = lambda link: 0.0
) -> tuple[str, list[tuple[str, Link]]] | None:
    """The first table, and each further one with the foreign key that ties it to one before. None where none does."""
    if not tables:
        return None
    steps: list[tuple[str, Link]] = []
    have = [tables[0]]
    for wanted in tables[1:]:
        if wanted in have:
            continue
        path = _path(have, wanted, schema, liking)
        if path is None:
            return None
        for table, link in path:
            if table not in have:
                have.append(table)
                steps.append((table, link))
    return tables[0], steps


def _path(
    have: list[str], wanted: str, schema: Schema, liking: Callable[[Link], float]
) -> list[tuple[str, Link]] | None:
    """The fewest steps from one of the tables `have` to `wanted`, or None."""
    came: dict[str, tuple[str, Link] | None] = dict.fromkeys(have)
    waiting = deque(have)
    while waiting:
        now = waiting.popleft()
        if now == wanted:
            break
        near = [link for link in schema.links if now in (link.table, link.other) and link.table != link.other]
        for link in sorted(near, key=liking, reverse=True):
            other = link.other if link.table == now else link.table
            if other not in came:
                came[other] = (now, link)
                waiting.append(other)
    if wanted not in came:
        return None
    path: list[tuple[str, Link]] = []
    at = wanted
    while (step := came[at]) is not None:
        path.append((at, step[1]))
        at = step[0]
    return path[::-1]

"""A query's tree with its names resolved against the schema: what both the comparison and the made-up rows go by."""

from typing import TYPE_CHECKING

from bot.sql.safe import check

if TYPE_CHECKING:
    from sqlglot import exp

    from bot.sql.schema import Schema


def read(sql: str, schema: "Schema | None") -> "exp.Query":
    """The tree of `sql`. What stands in double quotes and is no column of the schema is text, as SQLite takes it.

    Raises QueryFailed.
    """
    from sqlglot import exp

    tree = check(sql).tree.copy()
    if schema is None:
        return tree
    known = {column.name.lower() for table in schema.tables for column in table.columns}
    known |= {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    for column in list(tree.find_all(exp.Column)):
        if not column.table and getattr(column.this, "quoted", False) and column.name.lower() not in known:
            column.replace(exp.Literal.string(column.name))
    return tree


def sources(select: "exp.Select") -> "dict[str, exp.Expr]":
    """What a SELECT reads from, by the name it has there, in lower case: a table, or a query in brackets."""
    from sqlglot import exp

    found: dict[str, exp.Expr] = {}
    clause = select.args.get("from_") or select.args.get("from")
    for part in [clause, *(select.args.get("joins") or [])]:
        if part is not None and isinstance(part.this, exp.Table | exp.Subquery):
            found[part.this.alias_or_name.lower()] = part.this
    return found


def table_of(column: "exp.Column", schema: "Schema") -> str:
    """The name, in lower case, of the table that `column` is one of; empty where that can't be told.

    Raises nothing: of an unqualified name the first table in reach that has it is taken.
    """
    from sqlglot import exp

    select = column.find_ancestor(exp.Select)
    while select is not None:
        for name, source in sources(select).items():
            if not isinstance(source, exp.Table):
                continue
            table = schema.table(source.name)
            if table is None:
                continue
            if column.table.lower() == name or (not column.table and table.column(column.name)):
                return table.name.lower()
        select = select.find_ancestor(exp.Select)
    return ""

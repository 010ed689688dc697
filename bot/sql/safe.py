"""The first of the checks that a statement goes through: it is one statement, and it only asks.

What a model or a person writes is text from a stranger. `check` reads it with sqlglot, before SQLite sees any of it;
the others (`bot.sql.worker`) don't rely on this one, nor on each other.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from data.errors import ShawGPTError
from data.hidden import strip_hidden

if TYPE_CHECKING:
    from sqlglot import exp

LONGEST = 20_000  # characters of a statement
_MORE = """
DDL DML Insert Update Delete Merge Create Drop Alter TruncateTable Command Pragma Attach Detach Into Lock Set Use
Transaction Commit Rollback Analyze Copy LoadData Cache Uncache Kill Describe Show Comment Grant Returning
"""
Kind = Literal["not parsed", "refused", "unknown", "time-out", "too large", "failed"]


class QueryFailed(ShawGPTError):
    """A statement gave no table; the message says why, `kind` which sort of why.

    not parsed: it is no SQL. refused: it does more than ask. unknown: a table, column or function that isn't there.
    time-out, too large: it needs more than it may have. failed: what else SQLite, or the file, has against it.
    """

    exit_code = 1

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


@dataclass(frozen=True)
class Checked:
    """A statement that only asks."""

    sql: str  # as SQLite is given it
    tree: "exp.Query"
    ctes: frozenset[str]  # the names that it gives to its own WITH queries, lower case


def check(sql: str) -> Checked:
    """`sql` read. Raises QueryFailed unless it is one SELECT (WITH, UNION and the like included)."""
    from sqlglot import exp

    sql = sql.strip()
    if not sql.rstrip("; \n\t"):
        raise QueryFailed("not parsed", "there is no query: write one, a SELECT")
    if len(sql) > LONGEST:
        raise QueryFailed("refused", f"the query has {len(sql):,} characters: {LONGEST:,} are the most")
    if strip_hidden(sql) != sql or "\0" in sql:
        raise QueryFailed(
            "refused", "the query has hidden characters, with which it may look like another: delete them"
        )
    statements = _parsed(sql)
    if len(statements) != 1:
        raise QueryFailed("refused", f"these are {len(statements)} statements: one at a time is run, a SELECT")
    tree = statements[0]
    inner = tree.unnest() if isinstance(tree, exp.Subquery) else tree
    if not isinstance(inner, exp.Select | exp.SetOperation):
        word = sql.split(None, 1)[0].upper()[:20].rstrip(";(")
        raise QueryFailed("refused", f"only a query is run, which begins with SELECT or WITH: this begins with {word}")
    for node in inner.walk():
        if isinstance(node, _more_than_asking()):
            raise QueryFailed("refused", f"only a query is run: this one has {node.key.upper()} in it")
    ctes = frozenset(cte.alias.lower() for cte in inner.find_all(exp.CTE))
    return Checked(sql, inner, ctes)


def _parsed(sql: str) -> "list[exp.Expr]":
    import logging

    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # else it tells of each statement that it can't read
    try:
        return [tree for tree in sqlglot.parse(sql, dialect="sqlite") if tree is not None]
    except SqlglotError as error:
        raise QueryFailed("not parsed", f"it can't be read as SQL: {_place(error)}") from error
    except RecursionError as error:
        raise QueryFailed("refused", "the query is nested too deeply") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:  # a bug of the parser on odd input
        raise QueryFailed("not parsed", "it can't be read as SQL") from error


def _place(error: Any) -> str:
    """What the parser stumbled over, in a few words."""
    first = (getattr(error, "errors", None) or [{}])[0]
    if not first:
        return " ".join(str(error).split())[:120]
    near = " ".join(f"{first.get('highlight') or ''}".split())
    said = str(first.get("description") or "").rstrip(".")
    return f"{said}{f', near {near[:60]!r}' if near else ''}"


@cache
def _more_than_asking() -> tuple[type, ...]:
    from sqlglot import exp

    kinds = [getattr(exp, name) for name in _MORE.split() if hasattr(exp, name)]
    return tuple(kind for kind in kinds if not issubclass(exp.Select, kind))  # in some versions DDL is a kind of Query

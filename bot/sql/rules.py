"""Simple queries without a model: which tables, columns and values a question names, and what it asks of them.

The cues are English and general: nothing here knows a database. Where a question asks for more than can be put
together, or names nothing of the schema, there is no query, with the reason.
"""

import re
from dataclasses import replace

from bot.sql.cues import (
    GROUPS,
    NOT,
)
from bot.sql.one_table import compose_one
from bot.sql.schema import Schema, quoted
from bot.sql.shown import Shown
from bot.sql.sketch import Condition, Item, Ref, Sketch, sql_of
from bot.sql.words import Values

ONLY_READ = "it asks for a change, and data is only read here"
_CHANGE = re.compile(
    r"^\W*(?:please\s+|can you\s+|could you\s+|now\s+)*"
    r"(?:delete|remove|drop|insert|update|alter|truncate|create|rename|erase|replace|add|set|change)\b",
    re.IGNORECASE,
)
NOTHING_NAMED = "the question names none of the tables or columns"
NOT_TIED = "the question names tables that no foreign key ties together"
NO_COLUMN = "the question doesn't say, in words of the schema, what to show"


def compose(question: str, schema: Schema, values: Values | None = None) -> tuple[str, str]:
    """(the query, "") or ("", why there is none)."""
    if _CHANGE.match(question):
        return "", ONLY_READ
    return _Composer(question, schema, values).compose()


class _Composer(Shown):
    def compose(self) -> tuple[str, str]:
        if self.single and (sql := self._one_table()):
            return sql, ""
        self._capital_literals()
        if not self.spots and not self.literals:
            return "", NOTHING_NAMED
        self.opener = self._opener()
        self.main = self._main_table()
        if self.main is None or (not self.spots and not any(each.columns for each in self.literals)):
            return "", NOTHING_NAMED
        sketch = Sketch()
        self._compare_with_average(sketch)
        self._months(sketch)
        self._conditions(sketch)
        if self.unsure:
            return "", f"it isn't clear which column {self.unsure!r} is to be looked for in"
        self._without(sketch)
        group = self._group_cue()
        counted = self._superlative(sketch)
        self._order_cue(sketch)
        self._select(sketch, group, counted)
        if not sketch.select:
            return "", NO_COLUMN
        self._related(sketch, counted)
        sql = self._both(sketch) or sql_of(sketch, self.schema, self._liking)
        return (sql, "") if sql else ("", NOT_TIED)

    def _one_table(self) -> str:
        """The query for a plain question about a single table; "" where it has groups, an order, or known values."""
        if any(each.columns for each in self.literals) or GROUPS.search(self.question):
            return ""
        return compose_one(self.question, self.tokens, self.spots, self.schema.tables[0])

    def _both(self, sketch: Sketch) -> str:
        """The query for those that meet two conditions on one column: "both in 'A' and in 'B'"."""
        for one, other in zip(sketch.where, sketch.where[1:], strict=False):
            if one.ref == other.ref and not other.either and one.operator in ("=", "<", ">", "LIKE") and (
                one.operator == other.operator or re.search(r"\bboth\b", self.question, re.IGNORECASE)
            ):  # fmt: skip
                rest = [each for each in sketch.where if each not in (one, other)]
                if any(item.function for item in sketch.select) or sketch.group or sketch.order:
                    return ""
                sides = [replace(sketch, where=[*rest, each]) for each in (one, other)]
                said = [sql_of(side, self.schema, self._liking) for side in sides]
                return " INTERSECT ".join(said) if all(said) else ""
        return ""

    def _related(self, sketch: Sketch, counted: bool) -> None:
        """ "dogs that were treated": another table is named, of which nothing is asked and nothing compared."""
        if self.negated or counted or sketch.having or sketch.limit:
            return
        have = set(sketch.tables())
        for spot in self.spots:
            counting = len(sketch.select) == 1 and sketch.select[0].function == "COUNT" and not sketch.where
            behind = spot.start > self.opener or counting
            if spot.column is None and behind and spot.table.name not in have:
                for link in sorted(self.schema.links, key=self._liking, reverse=True):
                    if link.table == spot.table.name and link.other in have:
                        inner = f"(SELECT {quoted(link.column)} FROM {quoted(link.table)})"
                        sketch.where.append(Condition(Ref(link.other, link.other_column), "IN", inner))
                        return

    def _without(self, sketch: Sketch) -> None:
        """ "that have no orders": those whose key isn't among the foreign keys of the other table."""
        assert self.main is not None
        found = NOT.search(self.question)
        inner_where = [each for each in sketch.where if each.ref.table != self.main.name]
        if not found or len(inner_where) != len(sketch.where) or sketch.having:
            return
        others = [
            spot for spot in self.spots
            if spot.table is not self.main and self.tokens[spot.start].start > found.start() - 30
        ]  # fmt: skip
        for spot in others:
            other = spot.table
            links = [link for link in self.schema.links if link.table == other.name and link.other == self.main.name]
            if not links and not inner_where:  # by way of a table between the two
                between = {link.table for link in self.schema.links if link.other == other.name}
                links = [link for link in self.schema.links if link.table in between and link.other == self.main.name]
            if links:
                link = max(links, key=self._liking)
                within = Sketch(select=[Item(Ref(link.table, link.column))], where=inner_where)
                inner = sql_of(within, self.schema, self._liking)
                sketch.where = [Condition(Ref(link.other, link.other_column), "NOT IN", f"({inner})")]
                self._use(spot)
                self.negated = True
                return

"""Simple queries without a model: which tables, columns and values a question names, and what it asks of them.

The cues are English and general: nothing here knows a database. Where a question asks for more than can be put
together, or names nothing of the schema, there is no query, with the reason.
"""

# ruff: noqa: E501 (patterns and conditions read better whole)

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.sql.questions import literal
from bot.sql.schema import Column, Link, Schema, Table, quoted
from bot.sql.sketch import Condition, Item, Ref, Sketch, join, sql_of
from bot.sql.words import NUMBERS, STOP, Spot, Values, spots_of, tokens_of

NOTHING_NAMED = "the question names none of the tables or columns"
NOT_TIED = "the question names tables that no foreign key ties together"
TOO_MUCH = "the question asks for more than the rules can put together: a language model may"
NO_COLUMN = "the question doesn't say, in words of the schema, what to show"

_NAMES = ("name", "title", "label")
_FUNCTIONS = {
    "average": "AVG", "mean": "AVG", "avg": "AVG", "total": "SUM", "sum": "SUM", "maximum": "MAX", "max": "MAX",
    "highest": "MAX", "largest": "MAX", "biggest": "MAX", "greatest": "MAX", "longest": "MAX", "latest": "MAX",
    "minimum": "MIN", "min": "MIN", "lowest": "MIN", "smallest": "MIN", "least": "MIN", "shortest": "MIN",
    "earliest": "MIN", "most": "MAX", "fewest": "MIN",
}  # fmt: skip
# Superlatives with the stems of the columns that they are about, where they say it themselves.
_OF = {
    "oldest": ("age", True), "youngest": ("age", False), "heaviest": ("weight", True), "lightest": ("weight", False),
    "tallest": ("height", True), "cheapest": ("price cost", False), "newest": ("year date", True),
    "longest": ("length duration minutes hours", True), "shortest": ("length duration height", False), "latest": ("date year time", True),
    "earliest": ("date year time", False), "recent": ("date year time", True), "recently": ("date year time", True),
    "expensive": ("price cost amount fee", True), "costliest": ("price cost amount fee", True), "smallest": ("size", False),
    "fastest": ("speed time", True), "slowest": ("speed", False), "richest": ("worth money", True),
}  # fmt: skip
_UP_WORDS = """
highest largest biggest greatest most maximum max best top
"""
_UP = frozenset(_UP_WORDS.split())
_DOWN_WORDS = """
lowest smallest least fewest minimum min worst rarest
"""
_DOWN = frozenset(_DOWN_WORDS.split())
_MORE = [
    (r"(?:not|no|n't) (?:more|higher|greater|larger|later|older|above|over)(?: than)?", "<="),
    (r"(?:not|no|n't) (?:less|fewer|lower|smaller|earlier|younger|below|under)(?: than)?", ">="),
    (
        r"(?:more|greater|larger|higher|bigger|later|longer|older|heavier|above|over|exceed\w*|after|beyond)(?: than| of| the)?",
        ">",
    ),
    (r"(?:less|fewer|smaller|lower|younger|earlier|shorter|below|under|before|cheaper)(?: than| of| the)?", "<"),
    (r"(?:at least|no less than|not less than|minimum of|from)", ">="),
    (r"(?:at most|no more than|not more than|up to|maximum of)", "<="),
]
_BEFORE = [(re.compile(rf"\b{pattern}(?: the| a| an)?\s*$", re.IGNORECASE), operator) for pattern, operator in _MORE]
_AFTER = [
    (re.compile(r"^\s*(?:or|and) (?:more|above|higher|over|greater|later|older)\b", re.IGNORECASE), ">="),
    (re.compile(r"^\s*(?:or|and) (?:less|fewer|below|lower|under|earlier|younger)\b", re.IGNORECASE), "<="),
]
_COUNTS = re.compile(
    r"\b(?:how many|(?:total |whole )?(?:numbers?|amount|counts?|quantity) of|count(?! of))\b", re.IGNORECASE
)
_LIKE = re.compile(
    r"\b(contain\w*|includ\w*|ha(?:s|ve|ving)|with|start\w*|begin\w*|end\w*|substring|letter|word|phrase)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|never|no|without|n't|don't|doesn't|didn't|haven't|hasn't|isn't|aren't|neither|nor|un\w+ed)\b",
    re.IGNORECASE,
)


def compose(question: str, schema: Schema, values: Values | None = None) -> tuple[str, str]:
    """(the query, "") or ("", why there is none)."""
    composer = _Composer(question, schema, values)
    return composer.compose()


class _Literal:
    """A value that the question names."""

    def __init__(self, start: int, end: int, text: str, number: bool, columns: Sequence[Ref] = ()) -> None:
        self.start, self.end, self.text, self.number = start, end, text, number
        self.columns = tuple(columns)  # that are known to hold it

    @property
    def sql(self) -> str:
        return literal(self.text)


class _Composer:
    def __init__(self, question: str, schema: Schema, values: Values | None) -> None:
        self.question = question
        self.schema = schema
        self.single = len(schema.tables) == 1
        self.tokens = tokens_of(question)
        self.literals = self._literals(values)
        taken = {at for each in self.literals for at in range(each.start, each.end)}
        self.all_spots = [
            spot for spot in spots_of(self.tokens, schema) if not taken & set(range(spot.start, spot.end))
        ]
        self.all_spots = [self._entity(spot) for spot in self.all_spots if not self._is_count(spot)]
        self.spots = self._chosen_spots()
        self.used: set[int] = set()  # tokens that are accounted for
        self.opener = len(self.tokens)
        self.main: Table | None = None
        self.unsure = ""  # a value whose column can't be told
        self.negated = False
        self.last_end = 0  # of the value before
        self.last_ref: Ref | None = None
        self.having_table: Table | None = None

    # -- what is named

    def _literals(self, values: Values | None) -> list[_Literal]:
        found: list[_Literal] = []
        taken: set[int] = set()
        if values is not None:
            found += self._known_values(values, taken)
        for at, token in enumerate(self.tokens):
            if at in taken:
                continue
            if token.kind == "quoted":
                found.append(_Literal(at, at + 1, token.text, False))
            elif token.kind == "number":
                found.append(_Literal(at, at + 1, token.text, True))
            elif (NUMBERS.get(token.low) or token.low == "single") and self._counts_something(at):
                found.append(_Literal(at, at + 1, str(NUMBERS.get(token.low, 1)), True))
        return sorted(found, key=lambda each: each.start)

    def _counts_something(self, at: int) -> bool:
        near = {token.low for token in self.tokens[max(0, at - 3) : at + 3]}
        return bool(near & {"than", "least", "most", "exactly", "over", "under", "or", "only", "top", "above", "below"})

    def _known_values(self, values: Values, taken: set[int]) -> list[_Literal]:
        """What columns of the open database hold, longest first."""
        holders: dict[str, list[tuple[str, Ref]]] = {}
        for table in self.schema.tables:
            for column in table.columns:
                for text in values(table.name, column.name):
                    holders.setdefault(_plain(text), []).append((text, Ref(table.name, column.name)))
        found = []
        for size in range(min(8, len(self.tokens)), 0, -1):
            for start in range(len(self.tokens) - size + 1):
                span = range(start, start + size)
                if taken & set(span):
                    continue
                first, last = self.tokens[start], self.tokens[start + size - 1]
                said = _plain(" ".join(token.text for token in self.tokens[start : start + size]))
                exact = _plain(self.question[first.start : last.end])
                known = holders.get(said) or holders.get(exact)
                if (
                    not known
                    or not said
                    or (size == 1 and first.kind == "word" and first.low in STOP and not first.capital)
                ):
                    continue
                if size == 1 and first.kind == "word" and not first.capital and len(said) < 3:
                    continue
                text = known[0][0]
                found.append(_Literal(start, start + size, text, False, [ref for _, ref in known]))
                taken |= set(span)
        return found

    def _is_count(self, spot: Spot) -> bool:
        """Whether "number of flights" only looks like the column flight number."""
        if self.single or spot.column is None:
            return False
        first = self.tokens[spot.start].low
        behind = self.tokens[spot.start + 1].low if spot.start + 1 < len(self.tokens) else ""
        if first not in ("number", "numbers", "count", "amount") or behind != "of":
            return False
        return not spot.column.is_number or not spot.column.words.startswith(("num", "count", "amount", "total"))

    def _entity(self, spot: Spot) -> Spot:
        """ "students" for the column student_id that is a foreign key: the table that it leads to is meant."""
        if spot.column is None or not self._is_foreign(spot):
            return spot
        said = {self.tokens[at].low for at in range(spot.start, spot.end)}
        if not spot.column.words.endswith((" id", " code", " number")) or said & {
            "id",
            "ids",
            "code",
            "codes",
            "number",
            "numbers",
        }:
            return spot
        for link in self.schema.links:
            if link.table == spot.table.name and link.column == spot.column.name:
                other = self.schema.table(link.other)
                if other is not None:
                    return Spot(spot.start, spot.end, other, None, spot.score)
        return spot

    def _capital_literals(self) -> None:
        """Names in the question that aren't in quotes: "Kyle", "United Airlines", "USA"."""
        taken = {at for each in self.literals for at in range(each.start, each.end)}
        quoted_ones = set(taken)
        taken |= {at for spot in self.spots for at in range(spot.start, spot.end)}
        at = 1
        while at < len(self.tokens):
            end = at
            while end < len(self.tokens) and self._is_name(end, taken if end == at else quoted_ones):
                end += 1
            if end > at:
                self.spots = [spot for spot in self.spots if spot.end <= at or spot.start >= end]
                self.all_spots = [spot for spot in self.all_spots if spot.end <= at or spot.start >= end]
                text = re.sub(r"['’]s?$", "", self.question[self.tokens[at].start : self.tokens[end - 1].end])
                self.literals.append(_Literal(at, end, text.strip(" .,?!"), False))
            at = max(end, at + 1)
        self.literals.sort(key=lambda each: each.start)

    def _is_name(self, at: int, taken: set[int]) -> bool:
        token = self.tokens[at]
        if at in taken or token.kind != "word" or not token.text[:1].isupper() or self.tokens[at - 1].text in ".?!":
            return False
        return token.low not in STOP and token.low not in _FUNCTIONS and token.low not in ("id", "ids", "note")

    def _chosen_spots(self) -> list[Spot]:
        """Of overlapping places the best: longest, then the one whose table is named elsewhere."""
        named = {spot.table.name for spot in self.all_spots if spot.column is None}
        order = sorted(
            self.all_spots,
            key=lambda spot: (
                -(spot.end - spot.start)
                - 0.9 * spot.score
                - (0.08 if spot.table.name in named and spot.column else 0.0),
                spot.column is not None,
            ),
        )
        taken: set[int] = set()
        chosen = []
        for spot in order:
            if not taken & set(range(spot.start, spot.end)):
                taken |= set(range(spot.start, spot.end))
                chosen.append(spot)
        return sorted(chosen, key=lambda spot: spot.start)

    # -- the query

    def compose(self) -> tuple[str, str]:
        if self.single:
            self._guess_literals()
        else:
            self._capital_literals()
        if not self.spots and not self.literals:
            return "", NOTHING_NAMED
        self.opener = self._opener()
        self.main = self._main_table()
        if self.main is None or (not self.spots and not any(each.columns for each in self.literals)):
            return "", NOTHING_NAMED
        sketch = Sketch()
        self._compare_with_average(sketch)
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

    def _opener(self) -> int:
        """The token that begins what the asked-for is told apart by: "who", "that", "with" …; the end where none does."""
        first = self.spots[0].start if self.spots else 0
        for at in range(first + 1, len(self.tokens)):
            low = self.tokens[at].low
            if low in ("who", "whose", "where", "having", "with", "without", "whom", "when"):
                return at
            if low in ("that", "which") and self.tokens[at - 1].low not in ("in", "for", "of", "from"):
                return at
        return len(self.tokens)

    def _asks(self, spot: Spot) -> bool:
        """Whether a spot is where the question says what it wants, and not what that is told apart by."""
        if spot.start < self.opener:
            return True
        for at in range(spot.start - 1, self.opener, -1):
            token = self.tokens[at]
            if token.low in ("show", "give", "list", "tell", "return", "what", "find", "along", "together", "also"):
                return True
            if token.low in (".", "?", "who", "that", "whose", "with", "which", "where"):
                return False
        return False

    def _both(self, sketch: Sketch) -> str:
        """The query for those that meet two conditions on one column: "both in 'A' and in 'B'"."""
        for one, other in zip(sketch.where, sketch.where[1:], strict=False):
            if one.ref == other.ref and not other.either and one.operator in "=<>" and (
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
            if spot.column is None and spot.start > self.opener and spot.table.name not in have:
                for link in self.schema.links:
                    if link.table == spot.table.name and link.other in have:
                        inner = f"(SELECT {quoted(link.column)} FROM {quoted(link.table)})"
                        sketch.where.append(Condition(Ref(link.other, link.other_column), "IN", inner))
                        return

    def _main_table(self) -> Table | None:
        """The table that is asked about."""
        tables = [spot for spot in self.spots if spot.column is None]
        columns = [spot for spot in self.spots if spot.column is not None]
        asked = [spot for spot in tables if spot.start < self.opener]
        if asked:
            return asked[0].table
        if columns and columns[0].start < self.opener:
            return self._nearest_table(columns[0], {spot.table.name for spot in tables})
        if tables:
            return tables[0].table
        if columns:
            return columns[0].table
        known = [ref for each in self.literals for ref in each.columns]
        if known:
            return self.schema.table(known[0].table)
        return self.schema.tables[0] if self.single else None

    def _nearest_table(self, spot: Spot, named: set[str]) -> Table:
        """Of the tables that have a column of that name, the one fewest joins away from those that are named."""
        same = [
            other for other in self.all_spots if other.column and (other.start, other.end) == (spot.start, spot.end)
        ]
        best = max(
            same, key=lambda other: other.score - 0.4 * sum(self._joins(other.table.name, each) for each in named)
        )
        return best.table

    def _joins(self, one: str, other: str) -> int:
        """How many joins apart two tables are; 9 where nothing ties them."""
        if one == other:
            return 0
        joined = join([one, other], self.schema)
        return len(joined[1]) if joined else 9

    def _name_column(self, table: Table) -> Column | None:
        """The column by which people call its rows."""
        own = set(table.words.split())
        for column in table.columns:
            words = column.words.split()
            if (
                words
                and words[-1] in _NAMES
                and (len(words) == 1 or set(words[:-1]) <= own | {s.rstrip("s") for s in own})
            ):
                return column
        for column in table.columns:
            if any(word in _NAMES for word in column.words.split()) and not column.is_number:
                return column
        for column in table.columns:  # airlines.Airline
            if {w.rstrip("s") for w in column.words.split()} == {w.rstrip("s") for w in own} and not column.is_number:
                return column
        return None

    def _key(self, table: Table) -> Column:
        """The column that tells its rows apart."""
        keys = [column for column in table.columns if column.key]
        return keys[0] if keys else self._name_column(table) or table.columns[0]

    def _between(self, start: int, end: int) -> str:
        """The question's text from token `start` up to token `end`."""
        if start >= end:
            return ""
        return self.question[self.tokens[start].start : self.tokens[end - 1].end]

    def _ref(self, spot: Spot) -> Ref:
        """The column of a spot; where several tables have one of that name, that of the table that is meant."""
        same = [
            other
            for other in self.all_spots
            if other.column is not None and (other.start, other.end) == (spot.start, spot.end)
            and other.score > spot.score - 0.3
        ]  # fmt: skip
        if len(same) > 1:
            near = self._owner(spot)
            named = [each.table.name for each in self.spots if each.column is None]

            def worth(other: Spot) -> float:
                bonus = 0.0
                if near is not None and other.table is near:
                    bonus += 2.0
                if self.main is not None and other.table is self.main:
                    bonus += 0.6
                if other.table.name in named:
                    bonus += 0.5
                bonus -= 0.3 * sum(min(3, self._joins(other.table.name, each)) for each in set(named))
                if other.column is not None and any(
                    link.table == other.table.name and link.column == other.column.name for link in self.schema.links
                ):
                    bonus -= 0.2
                return other.score + bonus

            spot = max(same, key=worth)
        assert spot.column is not None
        return Ref(spot.table.name, spot.column.name)

    def _owner(self, spot: Spot) -> Table | None:
        """The table that stands with a column: "names of the dogs", "each owner's first name"."""
        tables = {each.start: each for each in self.spots if each.column is None}
        columns = {at for each in self.spots if each.column for at in range(each.start, each.end)}
        for at in range(spot.end, min(spot.end + 12, len(self.tokens))):
            if at in tables:
                return tables[at].table
            if at in columns or (
                self.tokens[at].low in ("and", ",")
                and at + 1 < len(self.tokens)
                and (at + 1 in columns or self.tokens[at + 1].low in ("and", "the"))
            ):
                continue
            if self.tokens[at].low not in ("of", "the", "all", "each", "for", "every", "a", "an", "any", "these", "in"):
                break
        before = [each for each in tables.values() if each.end == spot.start]
        return before[0].table if before else None

    # -- conditions

    def _conditions(self, sketch: Sketch) -> None:
        at = 0
        while at < len(self.literals):
            each = self.literals[at]
            nearby = self.literals[at + 1] if at + 1 < len(self.literals) else None
            before = self._between(max(0, each.start - 5), each.start)
            if (
                nearby
                and each.number
                and nearby.number
                and re.search(r"\b(?:between|from)\s*$", before, re.IGNORECASE)
                and (nearby.start - each.end <= 2)
            ):
                if ref := self._column_of(each, True):
                    sketch.where.append(Condition(ref, "BETWEEN", f"{each.sql} AND {nearby.sql}"))
                self.used |= {each.start, nearby.start}
                at += 2
                continue
            self._condition(each, sketch)
            at += 1

    def _condition(self, each: _Literal, sketch: Sketch) -> None:
        before = self._between(max(0, each.start - 5), each.start)
        after = self._between(each.end, min(len(self.tokens), each.end + 3))
        if each.number and self._is_limit(each, sketch):
            return
        operator = next((sign for pattern, sign in _BEFORE if pattern.search(before)), "")
        operator = next((sign for pattern, sign in _AFTER if pattern.search(after)), operator)
        if each.number and self._having(each, operator or "=", sketch):
            return
        ref = self._column_of(each, each.number or bool(operator))
        if ref is None:
            self.unsure = self.unsure or each.text
            return
        self.used |= set(range(each.start, each.end))
        value = each.sql
        column = self._column(ref)
        if not each.number and (pattern := self._pattern(each)):
            operator, value = "LIKE", "'" + pattern.replace("'", "''") + "'"
        elif not operator or not (each.number or (column and column.is_time)):
            operator = (
                "!="
                if re.search(r"\b(?:not|other than|except|isn't|aren't)(?: \w+){0,2}\s*$", before, re.IGNORECASE)
                else "="
            )
        since = self._between(self.last_end, each.start)
        self.last_ref = ref
        self.last_end = each.end
        either = bool(sketch.where and sketch.where[-1].ref == ref and re.search(r"\bor\b", since, re.IGNORECASE))
        sketch.where.append(Condition(ref, operator, value, either))

    def _column(self, ref: Ref) -> Column | None:
        table = self.schema.table(ref.table)
        return table.column(ref.column) if table else None

    def _is_limit(self, each: _Literal, sketch: Sketch) -> bool:
        """ "top 3"."""
        if self.tokens[each.start - 1].low in ("top", "first", "last") and each.start and each.text.isdigit():
            sketch.limit = min(int(each.text), 1000)
            self.used.add(each.start)
            return True
        return False

    def _having(self, each: _Literal, operator: str, sketch: Sketch) -> bool:
        """ "more than 3 orders": how many rows of another table, or of a group."""
        after = [spot for spot in self.spots if spot.start >= each.end and spot.column is None]
        if not after or not each.text.isdigit():
            return False
        gap = self._between(each.end, after[0].start)
        if len(gap.split()) > 3 or (after[0].table is self.main and len(self.spots) == 1):
            return False
        if any(spot.column is not None and each.end <= spot.start < after[0].start for spot in self.spots):
            return False
        before = [
            spot for spot in self.spots if spot.end <= each.start and spot.column is not None and self._is_number(spot)
        ]
        if before and before[-1].end >= each.start - 3:
            return False
        sketch.having = f"COUNT(*) {operator} {each.text}"
        self.having_table = after[0].table
        self.used |= {each.start, *range(after[0].start, after[0].end)}
        return True

    def _is_number(self, spot: Spot) -> bool:
        return spot.column is not None and spot.column.is_number

    def _pattern(self, each: _Literal) -> str:
        """The LIKE pattern where a text is to be in, begin or end another."""
        before = self._between(max(0, each.start - 6), each.start).lower()
        words = [match[1] for match in _LIKE.finditer(before)]
        if any(word.startswith(("start", "begin")) for word in words):
            return f"{each.text}%"
        if any(word.startswith("end") for word in words[-2:]):
            return f"%{each.text}"
        if any(word.startswith(("contain", "includ", "substring", "letter", "word", "phrase")) for word in words):
            return f"%{each.text}%"
        return ""

    def _column_of(self, each: _Literal, numeric: bool) -> Ref | None:
        """The column that a value is compared with."""
        if each.columns:
            return self._known_column(each)
        if each.start - self.last_end <= 3 and self.last_ref and self._between(self.last_end, each.start).lower().split() in (
            ["and"], ["or"], [","], ["and", "from"], ["or", "from"], ["and", "in"], ["or", "in"], ["and", "to"], ["nor"],
        ):  # fmt: skip
            return self.last_ref
        before = [spot for spot in self.spots if spot.end <= each.start]
        after = [spot for spot in self.spots if spot.start >= each.end]
        gap_before = each.start - before[-1].end if before else 99
        gap_after = after[0].start - each.end if after else 99
        if (
            len(before) > 1
            and before[-2].column is not None
            and self.tokens[before[-1].start].low in ("name", "names")
            and (before[-1].start - before[-2].end <= 1 and before[-1].end - before[-1].start == 1)
        ):  # "the state whose name contains"
            self._use(before[-1])
            self._use(before[-2])
            return self._ref(before[-2])
        if before and gap_before <= 5 and self._links(before[-1].end, each.start) and before[-1].column is not None:
            self._use(before[-1])
            return self._ref(before[-1])
        if (
            after
            and gap_after == 0
            and after[0].column is not None
            and not (numeric and not self._may_be_number(after[0]))
        ):
            self._use(after[0])
            return self._ref(after[0])
        if before and gap_before <= 3 and before[-1].column is None and self._links(before[-1].end, each.start):
            return self._of_table(before[-1].table, numeric, each.text)
        if after and gap_after <= 1 and after[0].column is None:
            return self._of_table(after[0].table, numeric, each.text)
        if before and before[-1].column is not None and gap_before <= 8 and not self._is_asked(before[-1]):
            self._use(before[-1])
            return self._ref(before[-1])
        return self._guess_column(each, numeric)

    def _may_be_number(self, spot: Spot) -> bool:
        return spot.column is not None and (
            spot.column.is_number or spot.column.is_time or self.single or not spot.column.type
        )

    def _known_column(self, each: _Literal) -> Ref:
        near = [
            spot
            for spot in self.spots
            if (spot.column is not None and abs(spot.end - each.start) <= 4) or spot.start == each.end
        ]
        named = [spot.table.name for spot in self.spots]
        for spot in sorted(near, key=lambda spot: abs(spot.end - each.start)):
            for other in self.all_spots:
                if (
                    other.column
                    and other.start == spot.start
                    and Ref(other.table.name, other.column.name) in each.columns
                ):
                    self._use(spot)
                    return Ref(other.table.name, other.column.name)
        main = self.main.name if self.main else ""
        return max(each.columns, key=lambda ref: (ref.table == main) + (named.count(ref.table) > 0) * 0.5)

    def _links(self, start: int, end: int) -> bool:
        """Whether the words between a column and a value only tie them together."""
        return all(
            token.low in _TYING or (token.kind == "mark" and token.text in "=:,-'(") for token in self.tokens[start:end]
        )

    def _use(self, spot: Spot) -> None:
        self.used |= set(range(spot.start, spot.end))

    def _is_asked(self, spot: Spot) -> bool:
        """Whether a column is what the question asks for: "what is the …", "which …"."""
        before = self._between(max(0, spot.start - 3), spot.start).lower()
        return bool(re.search(r"\b(?:what|which|whose|show|list|find|give|return|name)\b", before)) or spot.start <= 1

    def _of_table(self, table: Table, numeric: bool, text: str = "") -> Ref | None:
        column = self._name_column(table)
        if re.fullmatch(r"[A-Z0-9]{2,5}", text):
            column = next(
                (c for c in table.columns if not c.is_number and (c.key or "code" in c.words.split())), column
            )
        if numeric:
            column = next((c for c in table.columns if c.is_number and c.key), None) or column
        return Ref(table.name, column.name) if column else None

    def _guess_column(self, each: _Literal, numeric: bool) -> Ref | None:
        """A column for a value that stands alone, by what kind of value it is."""
        table = self.main
        if table is None:
            return None
        asked = {(spot.table.name, spot.column.name) for spot in self.spots if spot.column}
        free = [column for column in table.columns if (table.name, column.name) not in asked]
        date = re.search(r"(?i)\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\b|\d{4}-\d\d", each.text)
        if date and (dates := [c for c in free if c.is_time or "date" in c.words]):
            return Ref(table.name, dates[0].name)
        if numeric:
            year = re.fullmatch(r"(?:1[89]|20)\d\d", each.text)
            if year and (years := [c for c in free if "year" in c.words or "season" in c.words]):
                return Ref(table.name, years[0].name)
            if self.single:
                found = [c for c in free if c.is_number]
                return Ref(table.name, found[0].name) if found else None
            return None
        named = [c for c in free if not c.is_number and any(w in c.words.split() for w in _CALLED)]
        if not self.single:
            return self._guess_by_shape(each, table, asked)
        rest = named or [c for c in free if not c.is_number]
        return Ref(table.name, rest[0].name) if rest else None

    def _guess_by_shape(self, each: _Literal, table: Table, asked: set[tuple[str, str]]) -> Ref | None:
        """A column for a name that nothing ties to one: a place, a code, or what rows are called by."""
        before = self.tokens[each.start - 1].low if each.start else ""
        tables = [table, *(spot.table for spot in self.spots if spot.table is not table)]
        if before in ("in", "from", "at", "to", "near", "of", "into"):
            for other in dict.fromkeys(tables):
                for column in other.columns:
                    if (
                        not column.is_number
                        and set(column.words.split()) & _PLACES
                        and (other.name, column.name) not in asked
                    ):
                        return Ref(other.name, column.name)
        if re.fullmatch(r"[A-Z0-9]{1,5}", each.text):
            for column in table.columns:
                if not column.is_number and set(column.words.split()) & {"code", "abbreviation", "abbrev", "symbol"}:
                    return Ref(table.name, column.name)
        named = self._name_column(table)
        return Ref(table.name, named.name) if named else None

    def _guess_literals(self) -> None:
        """Values that aren't in quotes: names, codes, and what "is" or "of" ties to a column."""
        covered = {at for spot in self.spots for at in range(spot.start, spot.end)}
        covered |= {at for each in self.literals for at in range(each.start, each.end)}
        runs: list[tuple[int, int]] = []
        at = 0
        while at < len(self.tokens):
            if not self._is_content(at, covered):
                at += 1
                continue
            end = at + 1
            while end < len(self.tokens) and (
                self._is_content(end, covered)
                or (
                    end + 1 < len(self.tokens)
                    and (
                        self.tokens[end].low in ("of", "the", "and", "de", "in", "&", "vs", "at", "for", "to")
                        or self.tokens[end].kind == "mark"
                    )
                    and self.tokens[end - 1].capital
                    and self._is_content(end + 1, covered)
                    and self.tokens[end + 1].capital
                )
            ):
                end += 1
            runs.append((at, end))
            at = end
        for start, end in runs:
            tied = any(
                spot.end <= start
                and spot.column
                and self._links(spot.end, start)
                and start - spot.end <= 4
                and start > spot.end
                for spot in self.spots
            )
            strong = any(self.tokens[i].capital for i in range(start, end) if i)
            if tied or strong:
                self.literals.append(
                    _Literal(
                        start, end, _joined(self.question[self.tokens[start].start : self.tokens[end - 1].end]), False
                    )
                )
        if not self.literals and runs:
            start, end = runs[-1]
            if self.tokens[end - 1].low not in _ASKING_WORDS:
                self.literals.append(
                    _Literal(
                        start, end, _joined(self.question[self.tokens[start].start : self.tokens[end - 1].end]), False
                    )
                )
        self.literals.sort(key=lambda each: each.start)

    def _is_content(self, at: int, covered: set[int]) -> bool:
        token = self.tokens[at]
        if at in covered or token.kind == "mark":
            return False
        return (
            token.low not in STOP
            and token.low not in _TYING
            and token.low not in _ASKING_WORDS
            and token.low not in _FUNCTIONS
        )

    def _compare_with_average(self, sketch: Sketch) -> None:
        """ "older than the average"."""
        found = re.search(
            r"\b(more|greater|larger|higher|above|over|older|longer|heavier|less|fewer|smaller|lower|below|under|younger|shorter)\b"
            r"(?: than)?(?: that of)?(?: the)? (?:average|mean)\b", self.question, re.IGNORECASE,
        )  # fmt: skip
        if not found:
            return
        operator = "<" if re.match(r"(?i)less|few|small|low|below|under|young|short", found[1]) else ">"
        about = [
            spot for spot in self.spots
            if self._is_number(spot) and (self.tokens[spot.start].start >= found.start() or self.tokens[spot.end - 1].end <= found.start())
        ]  # fmt: skip
        about = about or [spot for spot in self.spots if spot.column is not None and not spot.column.key]
        near = sorted(about, key=lambda spot: abs(self.tokens[spot.start].start - found.end()))
        if not near:
            return
        ref = self._ref(near[0])
        for spot in near:
            if spot.column and self._ref(spot) == ref and self.tokens[spot.start].start >= found.start() - 40:
                self._use(spot)
        inner = f"(SELECT AVG({quoted(ref.column)}) FROM {quoted(ref.table)})"
        sketch.where.append(Condition(ref, operator, inner))
        self.used |= {at for at, token in enumerate(self.tokens) if found.start() <= token.start < found.end()}

    # -- groups, orders, what is shown

    def _group_cue(self) -> Ref | None:
        """ "for each city", "per year"."""
        for at, token in enumerate(self.tokens):
            if token.low not in ("each", "per", "every"):
                continue
            spot = next((spot for spot in self.spots if spot.start in (at + 1, at + 2)), None)
            if spot is None:
                continue
            if spot.column is not None:
                return self._ref(spot)
            return Ref(spot.table.name, self._key(spot.table).name)
        return None

    def _superlative(self, sketch: Sketch) -> bool:
        """ "the most orders": the group with the most rows; "the oldest", "the highest price": the row on top."""
        for at, token in enumerate(self.tokens):
            down: bool | None = True if token.low in _UP else False if token.low in _DOWN else None
            of = _OF.get(token.low)
            if (down is None and of is None) or at in self.used:
                continue
            if self.tokens[at - 1].low in ("at",) or (at + 1 < len(self.tokens) and self.tokens[at + 1].low == "than"):
                continue
            rest = [spot for spot in self.spots if at < spot.start <= at + 5]
            if down is not None and rest and rest[0].column is not None and self._may_be_ordered(rest[0], at):
                if self._is_function(at, rest[0]):
                    continue
                sketch.order.append((Item(self._ref(rest[0])), down))
                sketch.limit = sketch.limit or 1
                self._use(rest[0])
                self.used.add(at)
                return False
            others = [spot for spot in rest if spot.column is None]
            if down is not None and others and (rest[0] is others[0] or self._is_foreign(rest[0])):
                counted = others[0].table
                if rest[0] is not others[0]:
                    self._use(others[0])
                sketch.also.append(counted.name)
                sketch.order.append((Item(Ref(counted.name, "*"), "COUNT"), down))
                sketch.limit = sketch.limit or 1
                self._use(rest[0])
                self.used.add(at)
                return True
            if of is not None:
                wanted, high = of
                tables = [self.main] if self.main else []
                tables += [spot.table for spot in self.spots]
                for table in tables:
                    column = next(
                        (c for word in wanted.split() for c in table.columns if word in c.words.split()), None
                    )
                    if column:
                        sketch.order.append((Item(Ref(table.name, column.name)), high))
                        sketch.limit = sketch.limit or 1
                        self.used.add(at)
                        return False
            if (
                down is not None
                and self.single is False
                and re.search(
                    r"\b(?:common|popular|frequent|often|times|many)\b",
                    self._between(at, min(len(self.tokens), at + 3)),
                )
            ):
                sketch.order.append((Item(Ref(self.main.name if self.main else "", "*"), "COUNT"), down))
                sketch.limit = sketch.limit or 1
                self.used.add(at)
                return True
        return False

    def _may_be_ordered(self, spot: Spot, at: int) -> bool:
        return spot.column is not None and (spot.column.is_number or spot.column.is_time or not spot.column.type)

    def _is_foreign(self, spot: Spot) -> bool:
        return spot.column is not None and any(
            link.table == spot.table.name and link.column == spot.column.name for link in self.schema.links
        )

    def _counts_after(self, at: int, spot: Spot) -> bool:
        return (
            bool(re.search(r"\bnumber of\b", self._between(at, spot.start + 1), re.IGNORECASE)) and spot.column is None
        )

    def _is_function(self, at: int, spot: Spot) -> bool:
        """Whether "the highest price" is itself what is asked for: then it is MAX, and no order."""
        before = [each for each in self.spots if each.end <= at and not set(range(each.start, each.end)) <= self.used]
        if self.single:
            return not before or self.tokens[at].low in ("maximum", "max", "minimum", "min")
        asked = [each for each in before if each.column is not None]
        if self.tokens[at].low in ("maximum", "minimum", "max", "min"):
            return True
        return (
            not asked
            and not any(each.column is None for each in before)
            and not re.match(r"(?i)\s*(which|who)", self.question)
        )

    def _order_cue(self, sketch: Sketch) -> None:
        """ "sorted by age", "in alphabetical order of name"."""
        found = re.search(
            r"\b(?:order(?:ed)?|sort(?:ed)?|rank(?:ed)?|arranged?)\b(?: \w+){0,6}? (?:by|of|from)\b|\border of\b",
            self.question,
            re.IGNORECASE,
        )
        alphabetical = re.search(r"\b(?:alphabetical|lexicographic)\w*", self.question, re.IGNORECASE)
        if (not found and not alphabetical) or sketch.order:
            return
        down = bool(
            re.search(
                r"\b(?:descending|decreasing|reverse|highest to|most to|oldest to|largest to|desc)\b",
                self.question,
                re.IGNORECASE,
            )
        )
        end = found.end() if found else alphabetical.end() if alphabetical else 0
        behind = [spot for spot in self.spots if self.tokens[spot.start].start >= end - 1 and spot.column is not None]
        before = [spot for spot in self.spots if spot.column is not None and self.tokens[spot.start].start < end]
        spot = behind[0] if behind else before[0] if before else None
        if spot is None:
            return
        if behind and found:
            self._use(spot)
        sketch.order.append((Item(self._ref(spot)), down))

    def _select(self, sketch: Sketch, group: Ref | None, counted: bool) -> None:
        assert self.main is not None
        asked = [
            spot for spot in self.spots
            if spot.column is not None and not set(range(spot.start, spot.end)) <= self.used and self._asks(spot)
        ]  # fmt: skip
        items: list[Item] = []
        counts = self._counts()
        distinct = bool(re.search(r"\b(?:distinct|different|unique)\b", self.question, re.IGNORECASE))
        for spot in asked:
            items += self._items(spot, asked, distinct)
        items = list(dict.fromkeys(items))
        if counts and not counted:
            self._count(sketch, items, counts, group, distinct)
        else:
            sketch.select = items
            sketch.distinct = distinct
        if group is not None and any(item.function for item in sketch.select):
            sketch.group = [group]
            shown = [item for item in sketch.select if not item.function]
            if not shown:
                table = self.schema.table(group.table)
                name = self._name_column(table) if table and self._column(group) and self._is_key(group) else None
                sketch.select.insert(0, Item(Ref(group.table, name.name) if name else group))
        if not sketch.select:
            self._show_main(sketch)
        plain_items = [item for item in sketch.select if not item.function and item.ref.column != "*"]
        if (
            not sketch.group
            and not counted
            and not sketch.having
            and not self.single
            and 0 < len(plain_items) < len(sketch.select)
        ):
            sketch.group = [item.ref for item in plain_items]
        if (counted or sketch.having) and not sketch.group:
            first = next((item.ref for item in sketch.select if not item.function), None)
            if first is not None:
                table = self.schema.table(first.table)
                key = self._key(table) if table else None
                refs = [item.ref for item in sketch.select if not item.function]
                by_key = (
                    table is not None
                    and key is not None
                    and key.key
                    and table is not self.having_table
                    and (len(refs) > 1 or self._is_name_of(first))
                )
                sketch.group = [Ref(first.table, key.name)] if by_key and key else [first]
            if sketch.having and (table := self.having_table) is not None:
                sketch.also.append(table.name)

    def _counts(self) -> "re.Match[str] | None":
        """Where the question asks how many: not "the average number of products", nor a column of that name."""
        for found in _COUNTS.finditer(self.question):
            at = next((at for at, token in enumerate(self.tokens) if token.start >= found.start()), 0)
            if at in self.used or any(
                spot.column and spot.start <= at < spot.end and not self.single for spot in self.spots
            ):
                continue
            before = self.tokens[at - 1].low if at else ""
            if found[0].lower() != "how many" and (before in _FUNCTIONS and before not in ("total",)):
                continue
            return found
        return None

    def _is_key(self, ref: Ref) -> bool:
        column = self._column(ref)
        return bool(column and column.key)

    def _is_name_of(self, ref: Ref) -> bool:
        table = self.schema.table(ref.table)
        name = self._name_column(table) if table else None
        return bool(name and name.name == ref.column)

    def _items(self, spot: Spot, asked: Sequence[Spot], distinct: bool) -> list[Item]:
        """What a column that is asked for comes to: itself, or functions of it."""
        ref = self._ref(spot)
        found: list[str] = []
        at = spot.start - 1
        while at >= 0 and spot.start - at <= 6:
            low = self.tokens[at].low
            if low in _FUNCTIONS and at not in self.used:
                found.insert(0, _FUNCTIONS[low])
            elif low not in ("and", "the", "of", ",", "value", "values", "number", "amount", "a", "all", "possible"):
                break
            at -= 1
        if found and (
            self._is_number(spot)
            or (spot.column and spot.column.is_time)
            or not self._column(ref)
            or self.single
            or "AVG" in found
        ):
            return [Item(ref, function) for function in dict.fromkeys(found)]
        return [Item(ref)]

    def _count(
        self, sketch: Sketch, items: list[Item], counts: "re.Match[str]", group: Ref | None, distinct: bool
    ) -> None:
        """ "how many": rows, or different values of a column."""
        assert self.main is not None
        behind = [spot for spot in self.spots if self.tokens[spot.start].start >= counts.end() - 1]
        first = behind[0] if behind else None
        plain = [item for item in items if not item.function]
        if first is not None and first.column is not None and self.tokens[first.start].start - counts.end() < 30:
            ref = self._ref(first)
            others = [item for item in items if item.ref != ref]
            column = self._column(ref)
            if self.single and column is not None:
                sketch.select = [
                    Item(ref) if column.is_number and counts[0].lower() == "how many" else Item(ref, "COUNT")
                ]
                return
            if column is not None and column.is_number and not column.key and counts[0].lower().startswith("how many"):
                sketch.select = [Item(ref)]
                return
            if column is not None and column.is_number and not column.key and "number" not in counts[0].lower():
                sketch.select = [*others, Item(ref, "SUM")]
                return
            sketch.select = [*others, Item(ref, "COUNT", distinct=True)]
            return
        table = first.table if first is not None else self.main
        if self.single and plain:
            sketch.select = [Item(plain[0].ref, "COUNT")]
            return
        before = [
            item
            for item in plain
            if item.ref
            in {
                self._ref(spot) for spot in self.spots if spot.column and self.tokens[spot.start].start < counts.start()
            }
        ]
        shown = plain if group is not None else before
        sketch.select = [*shown, Item(Ref(table.name, "*"), "COUNT")]
        if shown and group is None:
            sketch.group = [shown[0].ref]

    def _show_main(self, sketch: Sketch) -> None:
        """Nothing is named to be shown: the names of the rows, or all of them."""
        assert self.main is not None
        if re.search(
            r"\b(?:all (?:the )?(?:information|details|data|columns|attributes)|everything|all about)\b",
            self.question,
            re.IGNORECASE,
        ):
            sketch.select = [Item(Ref(self.main.name, "*"))]
            return
        column = self._name_column(self.main)
        asked = {condition.ref for condition in sketch.where}
        if self.single:
            guessed = self._guess_asked(asked)
            column = guessed or column
        if column is not None and Ref(self.main.name, column.name) not in asked:
            sketch.select = [Item(Ref(self.main.name, column.name))]
        elif not self.single:
            sketch.select = [Item(Ref(self.main.name, self._key(self.main).name))]

    def _guess_asked(self, taken: set[Ref]) -> Column | None:
        """The column that "who", "when" or "where" asks for."""
        assert self.main is not None
        low = self.question.lower()
        for word, wanted in _ASKED_BY.items():
            if re.search(rf"\b{word}\b", low):
                for column in self.main.columns:
                    if Ref(self.main.name, column.name) not in taken and set(wanted.split()) & set(
                        column.words.split()
                    ):
                        return column
        return None

    def _without(self, sketch: Sketch) -> None:
        """ "that have no orders": those whose key isn't among the foreign keys of the other table."""
        assert self.main is not None
        found = _NOT.search(self.question)
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
            if links:
                link = max(links, key=self._liking)
                within = Sketch(select=[Item(Ref(link.table, link.column))], where=inner_where)
                inner = sql_of(within, self.schema, self._liking)
                sketch.where = [Condition(Ref(link.other, link.other_column), "NOT IN", f"({inner})")]
                self._use(spot)
                self.negated = True
                return

    def _liking(self, link: Link) -> float:
        """How much the question's words speak for a foreign key, where there are several."""
        table = self.schema.table(link.table)
        column = table.column(link.column) if table else None
        if column is None:
            return 0.0
        spots = spots_of(self.tokens, Schema((Table(link.table, (column,)),)))
        return max((spot.score for spot in spots if spot.column), default=0.0)


_TYING_WORDS = """
is are was were be being equal equals of to with value than more less greater named called the a an at in for on has
have had having as by over under above below least most number from that whose = s and codes code type not higher larger bigger later lower smaller earlier older younger after before titled
"""
_TYING = frozenset(_TYING_WORDS.split())
_ASKING_WORDS_WORDS = """
name list show tell give find many much total number amount count times time all what's whats who's type does called
named listed kind different return display please where's when's how's there's i'm get play played won win maximum
minimum highest lowest average sum most least more less than value values
"""
_ASKING_WORDS = frozenset(_ASKING_WORDS_WORDS.split())
_PLACES = frozenset(("city", "country", "state", "town", "location", "place", "nationality", "region", "hometown"))
_CALLED = (
    "player",
    "name",
    "title",
    "team",
    "artist",
    "winner",
    "school",
    "driver",
    "country",
    "location",
    "candidate",
)
_ASKED_BY = {
    "who": "player name winner driver director writer incumbent candidate coach artist actor",
    "when": "date year season time", "where": "location venue city place country hometown site", "date": "date",
    "year": "year season", "episode": "episode title no", "team": "team club",
}  # fmt: skip


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w%$€£.+-]+", " ", text.lower()).split()).strip(". ")


def _joined(text: str) -> str:
    """Text whose marks were set apart, as in "Las Vegas , NV"."""
    text = re.sub(r"\s+([,.;:!?)\]'’])", r"\1", text)
    return re.sub(r"([(\[])\s+", r"\1", text).strip(" ?.,")

"""What a question names: tables, columns and values, and which of several is meant."""

import re
from collections.abc import Sequence

from bot.sql.cues import (
    FUNCTIONS,
)
from bot.sql.questions import literal
from bot.sql.schema import Schema, Table, with_likely_links
from bot.sql.sketch import Ref
from bot.sql.words import NUMBERS, STOP, Spot, Values, spots_of, tokens_of


class Literal:
    """A value that the question names."""

    def __init__(self, start: int, end: int, text: str, number: bool, columns: Sequence[Ref] = ()) -> None:
        self.start, self.end, self.text, self.number = start, end, text, number
        self.columns = tuple(columns)  # that are known to hold it
        self.table: Table | None = None  # that a word of it names: "United Airlines"
        self.owns = False  # "Kyle's"

    @property
    def sql(self) -> str:
        return literal(self.text)


class Named:
    """A question with the places that name something of the schema."""

    def __init__(self, question: str, schema: Schema, values: Values | None) -> None:
        self.question = question
        self.schema = schema = with_likely_links(schema)
        self.single = len(schema.tables) == 1
        self.tokens = tokens_of(question)
        self.literals = self._literals(values)
        spots = spots_of(self.tokens, schema)
        named = {  # "2001 census" is a column, and 2001 no value
            at for spot in spots if spot.column and spot.score > 1.6 for at in range(spot.start, spot.end)
            if self.tokens[at].kind == "number" and self.tokens[at].low in spot.column.words.split()
        }  # fmt: skip
        self.literals = [each for each in self.literals if each.start not in named]
        taken = {at for each in self.literals for at in range(each.start, each.end)}
        self.all_spots = [spot for spot in spots if not taken & set(range(spot.start, spot.end))]
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

    def _literals(self, values: Values | None) -> list[Literal]:
        found: list[Literal] = []
        taken: set[int] = set()
        if values is not None:
            found += self._known_values(values, taken)
        for at, token in enumerate(self.tokens):
            if at in taken:
                continue
            if token.kind == "quoted":
                found.append(Literal(at, at + 1, token.text, False))
            elif token.kind == "number":
                found.append(Literal(at, at + 1, token.text, True))
            elif (NUMBERS.get(token.low) or token.low == "single") and self._counts_something(at):
                found.append(Literal(at, at + 1, str(NUMBERS.get(token.low, 1)), True))
        return sorted(found, key=lambda each: each.start)

    def _counts_something(self, at: int) -> bool:
        near = {token.low for token in self.tokens[max(0, at - 3) : at + 3]}
        return bool(
            near
            & {"than", "least", "most", "exactly", "between", "over", "under", "or", "only", "top", "above", "below"}
        )

    def _known_values(self, values: Values, taken: set[int]) -> list[Literal]:
        """What columns of the open database hold, longest first."""
        holders: dict[str, list[tuple[str, Ref]]] = {}
        for table in self.schema.tables:
            for column in table.columns:
                for text in values(table.name, column.name):
                    holders.setdefault(plain(text), []).append((text, Ref(table.name, column.name)))
        found = []
        for size in range(min(8, len(self.tokens)), 0, -1):
            for start in range(len(self.tokens) - size + 1):
                span = range(start, start + size)
                if taken & set(span):
                    continue
                first, last = self.tokens[start], self.tokens[start + size - 1]
                said = plain(" ".join(token.text for token in self.tokens[start : start + size]))
                exact = plain(self.question[first.start : last.end])
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
                found.append(Literal(start, start + size, text, False, [ref for _, ref in known]))
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
        called = {
            link.other for link in self.schema.links if (link.table, link.column) == (spot.table.name, spot.column.name)
        }
        alike = any(
            spot.column.words in (t.words, t.words.removesuffix("s")) for t in self.schema.tables if t.name in called
        )
        if not (alike or spot.column.words.endswith((" id", " code", " number"))) or said & {
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
                named = [
                    spot.table for spot in self.spots if at < spot.start and spot.end == end and spot.column is None
                ]
                self.spots = [spot for spot in self.spots if spot.end <= at or spot.start >= end]
                self.all_spots = [spot for spot in self.all_spots if spot.end <= at or spot.start >= end]
                said = self.question[self.tokens[at].start : self.tokens[end - 1].end]
                text = re.sub(r"['’]s?$", "", said)
                self.literals.append(Literal(at, end, text.strip(" .,?!"), False))
                self.literals[-1].table = named[0] if named else None
                self.literals[-1].owns = text != said
            at = max(end, at + 1)
        self.literals.sort(key=lambda each: each.start)

    def _is_name(self, at: int, taken: set[int]) -> bool:
        token = self.tokens[at]
        if at in taken or token.kind != "word" or not token.text[:1].isupper() or self.tokens[at - 1].text in ".?!":
            return False
        return token.low not in STOP and token.low not in FUNCTIONS and token.low not in ("id", "ids", "note")

    def _chosen_spots(self) -> list[Spot]:
        """Of overlapping places the best: longest, then the one whose table is named elsewhere."""
        named = {spot.table.name for spot in self.all_spots if spot.column is None}
        order = sorted(
            self.all_spots,
            key=lambda spot: (
                -(spot.end - spot.start)
                - (0.15 if spot.column is None and self.tokens[spot.end - 1].low.endswith("s") else 0.0)
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

    def _between(self, start: int, end: int) -> str:
        """The question's text from token `start` up to token `end`."""
        if start >= end:
            return ""
        return self.question[self.tokens[start].start : self.tokens[end - 1].end]

    def _is_foreign(self, spot: Spot) -> bool:
        return spot.column is not None and any(
            link.table == spot.table.name and link.column == spot.column.name for link in self.schema.links
        )

    def _use(self, spot: Spot) -> None:
        self.used |= set(range(spot.start, spot.end))


def plain(text: str) -> str:
    """A value as it is compared with the question: lower case, marks apart."""
    return " ".join(re.sub(r"[^\w%$€£.+-]+", " ", text.lower()).split()).strip(". ")

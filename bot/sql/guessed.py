# ruff: noqa: E501 (patterns and conditions read better whole)
"""Which column a value of the question is to be looked for in."""

import re

from bot.sql.cues import (
    CALLED,
    PLACES,
    TYING,
)
from bot.sql.meant import Meant
from bot.sql.named import Literal
from bot.sql.schema import Table
from bot.sql.sketch import Ref
from bot.sql.words import Spot


class Guessed(Meant):
    """Columns for values: what stands beside them, else what kind of value it is."""

    def _links(self, start: int, end: int) -> bool:
        """Whether the words between a column and a value only tie them together."""
        return all(
            token.low in TYING or (token.kind == "mark" and token.text in "=:,-'(") for token in self.tokens[start:end]
        )

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

    def _guess_column(self, each: Literal, numeric: bool) -> Ref | None:
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
            if year and not self.single:
                for other in dict.fromkeys([*(spot.table for spot in self.spots), *self.schema.tables]):
                    for column in other.columns:
                        if "year" in column.words.split() and self._joins(table.name, other.name) < 3:
                            return Ref(other.name, column.name)
            if self.single:
                found = [c for c in free if c.is_number]
                return Ref(table.name, found[0].name) if found else None
            return None
        named = [c for c in free if not c.is_number and any(w in c.words.split() for w in CALLED)]
        if not self.single:
            return self._guess_by_shape(each, table, asked)
        rest = named or [c for c in free if not c.is_number]
        return Ref(table.name, rest[0].name) if rest else None

    def _place_behind(self, each: Literal, ref: Ref) -> Ref:
        """The column of a place in the table that a foreign key leads to, where the value is no code: "land in Aberdeen"."""
        if each.number or re.fullmatch(r"[A-Z0-9]{1,5}", each.text) or self.tokens[each.start].kind == "quoted":
            return ref
        for link in self.schema.links:
            if (link.table, link.column) == (ref.table, ref.column) and (other := self.schema.table(link.other)):
                return self._place(each, other) or ref
        return ref

    def _place(self, each: Literal, table: Table) -> Ref | None:
        """The column of a place, where a value stands behind "in", "from" or the like, or None."""
        at = each.start - 1
        while at > 0 and self.tokens[at].low == "the":
            at -= 1
        if at < 0 or self.tokens[at].low not in ("in", "from", "at", "near", "into"):
            return None
        found = [column for column in table.columns if not column.is_number and set(column.words.split()) & PLACES]
        if re.fullmatch(r"[A-Z]{2,4}", each.text):
            found.sort(key=lambda column: not set(column.words.split()) & {"country", "state", "nationality"})
        return Ref(table.name, found[0].name) if found else None

    def _guess_by_shape(self, each: Literal, table: Table, asked: set[tuple[str, str]]) -> Ref | None:
        """A column for a name that nothing ties to one: a place, a code, or what rows are called by."""
        before = self.tokens[each.start - 1].low if each.start else ""
        tables = [table, *(spot.table for spot in self.spots if spot.table is not table)]
        if before in ("in", "from", "at", "to", "near", "of", "into"):
            for other in dict.fromkeys(tables):
                for column in other.columns:
                    if (
                        not column.is_number
                        and set(column.words.split()) & PLACES
                        and (other.name, column.name) not in asked
                    ):
                        return Ref(other.name, column.name)
        if re.fullmatch(r"[A-Z0-9]{1,5}", each.text):
            for column in table.columns:
                if not column.is_number and set(column.words.split()) & {"code", "abbreviation", "abbrev", "symbol"}:
                    return Ref(table.name, column.name)
        near = [self.schema.table(link.other) for link in self.schema.links if link.table == table.name]
        for other in (table, *filter(None, near)):
            if named := self._name_column(other):
                return Ref(other.name, named.name)
        return None

    def _known_column(self, each: Literal) -> Ref:
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

    def _column_of(self, each: Literal, numeric: bool) -> Ref | None:
        """The column that a value is compared with."""
        if each.columns:
            return self._known_column(each)
        if each.owns or (each.table is not None and self._name_column(each.table)):
            return self._guess_by_shape(each, each.table or self.main or self.schema.tables[0], set())
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
        if before and not numeric and before[-1].column is not None and self._is_asked(before[-1]):
            if after and gap_after == 0 and after[0].column is None:  # "which country is the Alton airport in"
                return self._of_table(after[0].table, numeric, each.text)
            place = self._place(each, before[-1].table)
            if place is not None and Ref(before[-1].table.name, before[-1].column.name) != place:
                return place
            if sum(spot.column is not None for spot in self.spots) == 1 and self.tokens[before[-1].end].low in (
                "is",
                "does",
                "did",
                "was",
            ):
                return self._guess_column(each, numeric)
        number = bool(before) and self._is_number(before[-1])
        if number and not any(character.isdigit() for character in each.text):  # "bags of Chaff"
            return self._guess_column(each, numeric)
        if before and gap_before <= 5 and self._links(before[-1].end, each.start) and before[-1].column is not None:
            self._use(before[-1])
            return self._place_behind(each, self._ref(before[-1]))
        if (
            after
            and gap_after == 0
            and after[0].column is not None
            and not (numeric and not self._may_be_number(after[0]))
        ):
            self._use(after[0])
            return self._ref(after[0])
        if before and not numeric and before[-1].column is None and (place := self._place(each, before[-1].table)):
            return place
        if before and gap_before <= 3 and before[-1].column is None and self._links(before[-1].end, each.start):
            return self._of_table(before[-1].table, numeric, each.text)
        if after and gap_after <= 1 and after[0].column is None:
            return self._of_table(after[0].table, numeric, each.text)
        if before and before[-1].column is not None and gap_before <= 8 and not self._is_asked(before[-1]):
            self._use(before[-1])
            return self._ref(before[-1])
        return self._guess_column(each, numeric)

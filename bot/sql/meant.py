# ruff: noqa: E501 (patterns and conditions read better whole)
"""Which table and column a place of the question means, where several could be."""

from dataclasses import replace

from bot.sql.cues import NAMES
from bot.sql.named import Named
from bot.sql.schema import Column, Link, Schema, Table
from bot.sql.sketch import Ref, join
from bot.sql.words import Spot, spots_of


class Meant(Named):
    """Names resolved: the table that is asked about, the columns of its neighbours."""

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
                and words[-1] in NAMES
                and (len(words) == 1 or set(words[:-1]) <= own | {s.rstrip("s") for s in own})
            ):
                return column
        for column in table.columns:
            if any(word in NAMES for word in column.words.split()) and not column.is_number:
                return column
        for column in table.columns:  # airlines.Airline
            if {w.rstrip("s") for w in column.words.split()} == {w.rstrip("s") for w in own} and not column.is_number:
                return column
        return None

    def _key(self, table: Table) -> Column:
        """The column that tells its rows apart."""
        keys = [column for column in table.columns if column.key]
        return keys[0] if keys else self._name_column(table) or table.columns[0]

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

    def _column(self, ref: Ref) -> Column | None:
        table = self.schema.table(ref.table)
        return table.column(ref.column) if table else None

    def _is_number(self, spot: Spot) -> bool:
        return spot.column is not None and spot.column.is_number

    def _may_be_number(self, spot: Spot) -> bool:
        return spot.column is not None and (
            spot.column.is_number or spot.column.is_time or self.single or not spot.column.type
        )

    def _may_be_ordered(self, spot: Spot, at: int) -> bool:
        return spot.column is not None and (spot.column.is_number or spot.column.is_time or not spot.column.type)

    def _liking(self, link: Link) -> float:
        """How much the question's words speak for a foreign key, where there are several."""
        table = self.schema.table(link.table)
        column = table.column(link.column) if table else None
        if column is None:
            return 0.0
        own = set(table.words.split()) if table else set()
        words = [word for word in column.words.split() if word not in own]
        said = replace(column, name=" ".join(words) or column.name, label="")
        spots = spots_of(self.tokens, Schema((Table("-", (said,)),)))
        return max((spot.score for spot in spots if spot.column), default=0.0)

    def _opener(self) -> int:
        """The token that begins what the asked-for is told apart by: "who", "that", "with" …; the end where none does."""
        first = self.spots[0].start if self.spots else 0
        for at in range(first + 1, len(self.tokens)):
            low = self.tokens[at].low
            if low in ("who", "whose", "where", "having", "with", "without", "whom", "when") and (
                self.tokens[at - 1].low not in ("together", "along")
            ):
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

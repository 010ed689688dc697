"""What a question asks to be shown: columns, functions of them, how many."""

import re
from collections.abc import Sequence

from bot.sql.cues import (
    ASKED_BY,
    COUNTS,
    FUNCTIONS,
)
from bot.sql.ordered import Ordered
from bot.sql.schema import Column
from bot.sql.sketch import Item, Ref, Sketch
from bot.sql.words import Spot


class Shown(Ordered):
    """What is selected."""

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
        for found in COUNTS.finditer(self.question):
            at = next((at for at, token in enumerate(self.tokens) if token.start >= found.start()), 0)
            if at in self.used or any(
                spot.column and spot.start <= at < spot.end and not self.single for spot in self.spots
            ):
                continue
            before = self.tokens[at - 1].low if at else ""
            if found[0].lower() != "how many" and (before in FUNCTIONS and before not in ("total",)):
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
            if low in FUNCTIONS and at not in self.used:
                found.insert(0, FUNCTIONS[low])
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
                total = group is not None or re.search(
                    r"\btotal\b|\bin all\b|\baltogether\b", self.question, re.IGNORECASE
                )
                sketch.select = [Item(ref, "SUM" if total else "")]
                return
            if column is not None and column.is_number and not column.key and "number" not in counts[0].lower():
                sketch.select = [*others, Item(ref, "SUM")]
                return
            sketch.select = [*others, Item(ref, "COUNT", distinct=True)]
            return
        beside = next(
            (spot for spot in self.spots if first is not None and spot.start == first.end and spot.column), None
        )
        if distinct and beside is not None:  # "different store locations"
            sketch.select = [Item(self._ref(beside), "COUNT", distinct=True)]
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
        for word, wanted in ASKED_BY.items():
            if re.search(rf"\b{word}\b", low):
                for column in self.main.columns:
                    if Ref(self.main.name, column.name) not in taken and set(wanted.split()) & set(
                        column.words.split()
                    ):
                        return column
        return None

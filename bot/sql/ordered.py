# ruff: noqa: E501 (patterns and conditions read better whole)
"""Groups, superlatives and orders: "for each city", "the oldest", "sorted by age"."""

import re

from bot.sql.compared import Compared
from bot.sql.cues import (
    DOWN,
    OF,
    UP,
)
from bot.sql.sketch import Item, Ref, Sketch
from bot.sql.words import Spot


class Ordered(Compared):
    """What the rows are put together and ordered by."""

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
            down: bool | None = True if token.low in UP else False if token.low in DOWN else None
            of = OF.get(token.low)
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
            behind = [
                spot
                for spot in self.spots
                if spot.end <= at <= spot.end + 3 and spot.column and self._may_be_ordered(spot, at)
            ]
            if (
                down is not None
                and not rest
                and behind
                and re.search(r"\b(?:is|are|was|were|being|has|the)\b", self._between(behind[-1].end, at))
            ):
                sketch.order.append((Item(self._ref(behind[-1])), down))
                sketch.limit = sketch.limit or 1
                self._use(behind[-1])
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
            r"\b(?:order(?:ed)?|sort(?:ed)?|arranged?)\b(?: \w+){0,6}? (?:by|of|from)\b|\border of\b|\brank(?:ed)? by\b",
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

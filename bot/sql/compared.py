# ruff: noqa: E501 (patterns and conditions read better whole)
"""The conditions of a question: equal, more, between, like, how many, above the average."""

import re

from bot.sql.cues import AFTER, BEFORE, LIKE, MONTHS, WHEN
from bot.sql.guessed import Guessed
from bot.sql.named import Literal
from bot.sql.schema import quoted
from bot.sql.sketch import Condition, Ref, Sketch


class Compared(Guessed):
    """Conditions for values."""

    def _months(self, sketch: Sketch) -> None:
        """ "in May", "in May 2024", "in 2024": of a column that holds dates, as SQLite writes them."""
        found = WHEN.search(self.question)
        assert self.main is not None
        dates = [c for c in self.main.columns if c.is_time or "date" in c.words.split()]
        if (
            not found
            or not dates
            or any("year" in c.words.split() or "month" in c.words.split() for c in self.main.columns)
        ):
            return
        year = found["year"] or found["alone"] or "%"
        month = f"-{MONTHS.index(found['month'].lower()) + 1:02}-" if found["month"] else "-"
        sketch.where.append(Condition(Ref(self.main.name, dates[0].name), "LIKE", f"'{year}{month}%'"))
        inside = {at for at, token in enumerate(self.tokens) if found.start() <= token.start < found.end()}
        self.used |= inside
        self.literals = [each for each in self.literals if each.start not in inside]

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
                if self._having(nearby, "BETWEEN", sketch):
                    sketch.having = f"COUNT(*) BETWEEN {each.text} AND {nearby.text}"
                elif ref := self._column_of(each, True):
                    sketch.where.append(Condition(ref, "BETWEEN", f"{each.sql} AND {nearby.sql}"))
                self.used |= {each.start, nearby.start}
                at += 2
                continue
            self._condition(each, sketch)
            at += 1

    def _condition(self, each: Literal, sketch: Sketch) -> None:
        before = self._between(max(0, each.start - 5), each.start)
        after = self._between(each.end, min(len(self.tokens), each.end + 3))
        if each.number and self._is_limit(each, sketch):
            return
        operator = next((sign for pattern, sign in BEFORE if pattern.search(before)), "")
        tied = [spot for spot in self.spots if spot.column and spot.end == each.start and each.number]
        if tied and not operator:  # "under age 30"
            ahead = self._between(max(0, tied[0].start - 3), tied[0].start)
            operator = next((sign for pattern, sign in BEFORE if pattern.search(ahead)), "")
        operator = next((sign for pattern, sign in AFTER if pattern.search(after)), operator)
        if each.number and self._having(each, operator or "=", sketch):
            return
        ref = self._column_of(each, each.number)
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

    def _is_limit(self, each: Literal, sketch: Sketch) -> bool:
        """ "top 3"."""
        if self.tokens[each.start - 1].low in ("top", "first", "last") and each.start and each.text.isdigit():
            sketch.limit = min(int(each.text), 1000)
            self.used.add(each.start)
            return True
        return False

    def _having(self, each: Literal, operator: str, sketch: Sketch) -> bool:
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
        close = gap.lower().split() in ([], ["or", "more"], ["or", "fewer"], ["or", "less"], ["different"])
        if before and before[-1].end >= each.start - 3 and not close:
            return False
        sketch.having = f"COUNT(*) {operator} {each.text}"
        self.having_table = after[0].table
        self.used |= {each.start, *range(after[0].start, after[0].end)}
        return True

    def _pattern(self, each: Literal) -> str:
        """The LIKE pattern where a text is to be in, begin or end another."""
        before = self._between(max(0, each.start - 6), each.start).lower()
        words = [match[1] for match in LIKE.finditer(before)]
        if any(word.startswith(("start", "begin")) for word in words):
            return f"{each.text}%"
        if any(word.startswith("end") for word in words[-2:]):
            return f"%{each.text}"
        if any(word.startswith(("contain", "includ", "substring", "letter", "word", "phrase")) for word in words):
            return f"%{each.text}%"
        return ""

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

# ruff: noqa: E501 (patterns and conditions read better whole)
"""Questions about one table that ask for a column of the rows that hold a value: "who directed episode 5?".

The value may stand in the question without quotes, in any case, and in words that are nowhere in the schema: it is what
a column is said to be, or what is left over.
"""

import re
from collections.abc import Sequence

from bot.sql.questions import literal
from bot.sql.schema import Column, Table, quoted
from bot.sql.words import STOP, Spot, Token

_ASKS = re.compile(
    r"^(?:what|what's|whats|which|who|who's|whose|when|where|how|name|list|tell|give|show|find|state|type)$"
)
_TYING_WORDS = (
    "is was were are be being been equals equal = of named called titled reads has had as for at on in by with from"
)
_TIES = frozenset(_TYING_WORDS.split())
_BE = frozenset(("is", "was", "were", "are", "be", "being", "been", "=", "equals", "equal", "reads"))
_SMALL_WORDS = "the a an value values number with of for that had has have there"
_SMALL = frozenset(_SMALL_WORDS.split())
_COUNTED = re.compile(
    r"\bhow many\b|\b(?:total |whole )?(?:number|numberof|amount|count|quantity) of\b|\bcount the\b|\btotal number\b|\bhow often\b"
)
_MOST = re.compile(r"\b(?:highest|maximum|max|most|largest|greatest|biggest|latest|last|top)\b")
_LEAST = re.compile(r"\b(?:lowest|minimum|min|least|smallest|fewest|earliest|first)\b")
_MEAN = re.compile(r"\b(?:average|mean)\b")
_ABOVE = re.compile(r"\b(?:more|greater|larger|higher|bigger|over|above|after)(?: than)?$")
_BELOW = re.compile(r"\b(?:less|fewer|smaller|lower|under|below|before)(?: than)?$")
_VERB_WORDS = "won took had got scored was is plays played went received holds made wins has have did"
_VERBS = frozenset(_VERB_WORDS.split())
_BREAKING_WORDS = "was were is are did does had has have that who when where which what how and or"
_BREAKS = frozenset(_BREAKING_WORDS.split())
_PERSONS = "player name winner driver director directed writer written incumbent candidate coach artist actor author"
_BY_WORD = {
    "who": _PERSONS, "when": "date year season time", "where": "location venue city place site country stadium",
    "whose": _PERSONS,
}  # fmt: skip
_CALLED = "player name title team artist winner driver episode country state location school opponent candidate"
_MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\b", re.IGNORECASE)


def compose_one(question: str, tokens: Sequence[Token], spots: Sequence[Spot], table: Table) -> str:
    """The query, or "" where the question isn't of this kind."""
    return _One(question, tokens, spots, table).compose()


class _One:
    def __init__(self, question: str, tokens: Sequence[Token], spots: Sequence[Spot], table: Table) -> None:
        self.question, self.tokens, self.table = question, tokens, table
        self.spots = [spot for spot in spots if spot.column is not None]
        self.covered = {at for spot in self.spots for at in range(spot.start, spot.end)}
        self.conditions: list[tuple[Column, str, str]] = []
        self.taken: set[int] = set()

    def compose(self) -> str:
        asked = self._asked()
        for spot in self.spots:
            if spot is not asked and not self._is_listed(spot):
                self._condition(spot)
        column = asked.column if asked else self._by_word()
        self._left_over(column)
        if column is None:
            return ""
        where = " AND ".join(f"{quoted(c.name)} {sign} {literal(value)}" for c, sign, value in self.conditions)
        function = self._function(asked)
        name = quoted(column.name)
        shown = f"{function}({name})" if function else name
        return f"SELECT {shown} FROM {quoted(self.table.name)}{f' WHERE {where}' if where else ''}"

    # -- what is asked for

    def _asked(self) -> Spot | None:
        """The column right behind a word that asks; else the first."""
        best: tuple[float, Spot] | None = None
        for spot in self.spots:
            worth = 0.0
            for at in range(spot.start - 1, max(-1, spot.start - 8), -1):
                low = self.tokens[at].low
                if _ASKS.match(low):
                    worth = 3.0 - 0.2 * (spot.start - at)
                    if low in ("when", "where") and at:  # "when the score is …" asks nothing
                        worth = 0.0
                    break
                if at in self.covered or low in ("when", "where", "if"):
                    break
            if self._value_behind(spot):
                worth -= 0.8
            worth += 0.4 * spot.score - 0.01 * spot.start
            if best is None or worth > best[0]:
                best = (worth, spot)
        if best is None:
            return None
        first = self.tokens[0].low if self.tokens else ""
        if first in _BY_WORD and best[1].start > 2 and self._by_word() is not None and best[0] < 1.6:
            return None
        return best[1]

    def _value_behind(self, spot: Spot) -> bool:
        """Whether a column is followed by what it is: "the record was 1-3"."""
        at = spot.end
        if at >= len(self.tokens) or self.tokens[at].low not in _BE:
            return at < len(self.tokens) and self._is_value(at)
        nearer = at + 1
        while nearer < len(self.tokens) and self.tokens[nearer].low in _SMALL:
            nearer += 1
        return nearer < len(self.tokens) and nearer not in self.covered and self.tokens[nearer].text not in "?."

    def _by_word(self) -> Column | None:
        """The column that "who", "when" or "where" asks for."""
        used = {spot.column.name for spot in self.spots if spot.column}
        for token in self.tokens[:4]:
            for wanted in _BY_WORD.get(token.low, "").split():
                for column in self.table.columns:
                    if wanted in column.words.split() and column.name not in used:
                        return column
        return None

    def _function(self, asked: Spot | None) -> str:
        low = self.question.lower()
        extreme = re.search(
            r"\b(highest|maximum|max|most|largest|greatest|biggest|lowest|minimum|min|least|smallest|fewest) (?:number|amount) of\b",
            low,
        )
        if extreme:
            return "MAX" if _MOST.fullmatch(extreme[1]) else "MIN"
        if _COUNTED.search(low) and not self._own_word("number", asked):
            return "COUNT"
        if _MEAN.search(low) and not self._own_word("average", asked):
            return "AVG"
        for pattern, function in ((_MOST, "MAX"), (_LEAST, "MIN")):
            found = pattern.search(low)
            if found and not self._own_word(found[0], asked) and found[0] not in ("first", "last", "top"):
                return function
        return ""

    def _own_word(self, word: str, asked: Spot | None) -> bool:
        """Whether a word is part of the column's name."""
        return any(word in spot.column.words.split() for spot in self.spots if spot.column) and not (
            word == "number" and asked is not None and asked.column and "number" not in asked.column.words.split()
        )

    def _is_listed(self, spot: Spot) -> bool:
        return False

    # -- what it is told apart by

    def _is_value(self, at: int) -> bool:
        """Whether a word looks like a value by itself: a number, a code, a name."""
        token = self.tokens[at]
        if at in self.covered or token.kind == "mark":
            return False
        return token.kind in ("number", "quoted") or (token.capital and at > 0 and token.low not in _SMALL | _TIES)

    def _ends(self, at: int, tied: bool = False) -> bool:
        """Whether a value ends before token `at`; one that is `tied` to its column may hold other columns' words."""
        token = self.tokens[at]
        if at in self.taken or token.text in ("?", ";") or (token.text == "." and at + 1 == len(self.tokens)):
            return True
        following = self.tokens[at + 1].low if at + 1 < len(self.tokens) else ""
        if token.text == "," and (_ASKS.match(following) or at + 1 in self.covered):
            return True
        if token.low in ("and", ",", "with", "when", "where", "while", "if", "but"):
            near = range(at + 1, min(at + 4, len(self.tokens)))
            if any(other in self.covered for other in near) or _ASKS.match(following):
                return True
        if at in self.covered and not tied:
            return not any(spot.start <= at < spot.end and spot.score < 0.75 for spot in self.spots)
        return bool(_ASKS.match(token.low)) and not token.text[:1].isupper() and token.low in (
            "what", "which", "who", "how", "what's", "whats",
        )  # fmt: skip

    def _condition(self, spot: Spot) -> None:
        """What a column is said to be, behind it or before it."""
        if spot.column is None:
            return
        start = spot.end
        tied = False
        while start < len(self.tokens) and (
            self.tokens[start].low in _TIES | _SMALL or self.tokens[start].text in ":(=,'"
        ):
            tied |= self.tokens[start].low in _BE | {"of", "named", "called", "titled"}
            start += 1
        sign = "="
        for at in range(start, min(start + 3, len(self.tokens))):
            low = self.tokens[at].low
            if _ABOVE.fullmatch(low) or _BELOW.fullmatch(low):
                sign, tied = (">" if _ABOVE.fullmatch(low) else "<"), True
                start = at + 2 if at + 1 < len(self.tokens) and self.tokens[at + 1].low == "than" else at + 1
                break
        if (
            not tied and spot.score > 0.9 and start < len(self.tokens) and not self._is_value(start)
        ):  # "the doubles went to Ann Lee"
            for at in range(start, min(start + 3, len(self.tokens))):
                if at in self.covered or _ASKS.match(self.tokens[at].low) or self.tokens[at].low in ("and", "when"):
                    break
                if self._is_value(at):
                    start = at
                    break
        end = start
        while end < len(self.tokens) and not self._ends(end, tied):
            end += 1
        if end > start and (tied or self._is_value(start)):
            self._add(spot.column, sign, start, end if tied and sign == "=" else self._run_end(start, end))
            return
        if self._before(spot, sign):
            return
        end = spot.start
        while end and (self.tokens[end - 1].low in _TIES | _SMALL):
            end -= 1
        start = end
        while (
            start
            and not self._ends(start - 1)
            and (
                self._is_value(start - 1)
                or (
                    end - start < 1
                    and self.tokens[start - 1].kind == "word"
                    and not _ASKS.match(self.tokens[start - 1].low)
                    and start - 1 not in self.covered
                )
            )
        ):
            start -= 1
        if end > start and any(self._is_value(at) for at in range(start, end)):
            self._add(spot.column, sign, start, end)

    def _before(self, spot: Spot, sign: str) -> bool:
        """ "when ji xinpeng won the mens singles": the words between what opens a clause and its verb."""
        opener = next(
            (at for at in range(spot.start - 1, max(-1, spot.start - 12), -1)
             if self.tokens[at].low in ("when", "where", "if", "that", "whose", "while")), -1,
        )  # fmt: skip
        if opener < 1 or any(at in self.covered or at in self.taken for at in range(opener, spot.start)):
            return False
        end = spot.start
        while end > opener + 1 and (self.tokens[end - 1].low in _TIES | _SMALL | _VERBS):
            end -= 1
        start = opener + 1
        while start < end and self.tokens[start].low in _SMALL:
            start += 1
        if not start < end < spot.start or spot.column is None:
            return False
        self._add(spot.column, sign, start, end)
        return True

    def _run_end(self, start: int, end: int) -> int:
        """The end of what looks like one value, of a longer stretch of words."""
        at = start + 1
        while at < end and (
            self._is_value(at)
            or self.tokens[at].kind == "mark"
            or (at + 1 < end and self._is_value(at + 1) and self.tokens[at].low not in _BREAKS)
            or (self.tokens[at - 1].kind == "mark" and self.tokens[at].low not in _BREAKS)
        ):
            at += 1
        return at

    def _add(self, column: Column, sign: str, start: int, end: int) -> None:
        while end > start and self.tokens[end - 1].low in _SMALL | {"?", ".", ","} and self.tokens[end - 1].text != ")":
            end -= 1
        if end <= start or self.taken & set(range(start, end)):
            return
        text = self._text(start, end)
        if text:
            self.conditions.append((column, sign, text))
            self.taken |= set(range(start, end))

    def _text(self, start: int, end: int) -> str:
        """The words of a value, as they stand, with marks that were set apart put back."""
        first, last = self.tokens[start], self.tokens[end - 1]
        if end - start == 1 and first.kind in ("quoted", "number"):
            return first.text
        text = self.question[first.start : last.end]
        text = re.sub(r"\s+([,.;:!?)\]'’])", r"\1", text)
        text = re.sub(r"([(\[])\s+", r"\1", text).strip(" ?,")
        return re.sub(r"['’]s$", "", text)

    def _left_over(self, asked: Column | None) -> None:
        """Names, codes and numbers that no column was named for."""
        at = 1
        while at < len(self.tokens):
            if at in self.taken or not self._is_value(at):
                at += 1
                continue
            end = at + 1
            while end < len(self.tokens) and end not in self.taken and (
                self._is_value(end)
                or (end + 1 < len(self.tokens) and self._is_value(end + 1) and end not in self.covered
                    and (self.tokens[end].kind == "mark" or self.tokens[end].low not in _BREAKS))
                or self.tokens[end].text == ")"
            ):  # fmt: skip
                end += 1
            column = self._guess(at, end, asked)
            if column is not None:
                self._add(column, "=", at, end)
            at = end
        if not self.conditions and asked is not None:
            self._last_words(asked)
        if not self.conditions and asked is not None:
            self._plain_words(asked)

    def _last_words(self, asked: Column) -> None:
        """No value is marked as one: the words behind the last "for", "of", "in" … are taken for it."""
        for at in range(len(self.tokens) - 1, 1, -1):
            if self.tokens[at].low in (
                "for",
                "of",
                "in",
                "at",
                "on",
                "by",
                "from",
                "with",
                "is",
                "was",
            ) and at + 1 < len(self.tokens):
                start, end = at + 1, len(self.tokens)
                while start < end and self.tokens[start].low in _SMALL:
                    start += 1
                if start < end and not any(other in self.covered for other in range(start, end)):
                    column = self._guess(start, end, asked)
                    if column is not None:
                        self._add(column, "=", start, end)
                return

    def _plain_words(self, asked: Column) -> None:
        """The longest run of words that neither ask, tie, nor name a column: "peter voets"."""
        best, at = (0, 0), 0
        while at < len(self.tokens):
            end = at
            while end < len(self.tokens) and self._is_plain(end):
                end += 1
            if end - at > best[1] - best[0]:
                best = (at, end)
            at = max(end, at + 1)
        if best[1]:
            column = self._guess(*best, asked)
            if column is not None:
                self._add(column, "=", *best)

    def _is_plain(self, at: int) -> bool:
        token = self.tokens[at]
        return (
            at not in self.covered
            and token.kind != "mark"
            and not _ASKS.match(token.low)
            and token.low not in _SMALL | _TIES | _VERBS | _BREAKS | STOP
            and not _MOST.fullmatch(token.low)
            and not _LEAST.fullmatch(token.low)
            and token.low not in ("total", "amount", "different", "many", "time", "times", "all", "average")
        )

    def _guess(self, start: int, end: int, asked: Column | None) -> Column | None:
        """The column that may hold a value, by what kind of value it is."""
        text = self._text(start, end)
        used = {column.name for column, _, _ in self.conditions} | ({asked.name} if asked else set())
        free = [column for column in self.table.columns if column.name not in used]
        before = self.tokens[start - 1].low if start else ""
        wanted: list[str] = []
        if _MONTH.search(text) and re.search(r"\d", text):
            wanted = ["date", "aired", "airdate", "release"]
        elif re.fullmatch(r"(?:1[89]|20)\d\d", text):
            wanted = ["year", "season", "years", "date"]
        elif re.fullmatch(r"[-\d.,%$€£]+", text):
            wanted = ["no", "number", "rank", "round", "week", "game", "total", "points", "attendance"]
        elif re.fullmatch(r"[A-Z0-9-]*\d[A-Z0-9-]*", text):
            wanted = ["code", "no", "model", "number", "id"]
        elif before in ("in", "at", "from", "near"):
            wanted = ["location", "venue", "city", "country", "state", "place", "stadium", "site", "county", "region"]
        elif before in ("against", "playing", "played", "beat"):
            wanted = ["opponent", "team"]
        elif before == "by":
            wanted = ["written", "directed", "writer", "director", "artist", "by", "player"]
        wanted += _CALLED.split()
        for word in wanted:
            for column in free:
                if word in column.words.split():
                    return column
        return free[0] if free else None

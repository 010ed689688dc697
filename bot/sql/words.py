"""The words of a question, and where it names tables, columns and values of a schema."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bot.sql.schema import Column, Schema, Table

Values = Callable[[str, str], Sequence[str]]

_STOP_WORDS = """
a an the of in on at to for from by with and or is are was were be been being do does did have has had that this
these those it its their his her our your my me us we you they he she i who whom whose which what when where why how
all any some each every there here as than then so such please show list give find tell return get display name
names also not no s
"""
STOP = frozenset(_STOP_WORDS.split())
_ASKING_WORDS = """
show list give find tell return get display name count type provide state compute please
"""
_ASKING = frozenset(_ASKING_WORDS.split())
_GENERIC_WORDS = """
name id code number no type date value key index title total
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
NUMBERS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
# Words that people use for one another, in any database; each set is read both ways.
_SAME = [
    set(words.split())
    for words in (
        "shop store", "film movie", "country nation", "phone telephone cell mobile", "employee worker staff",
        "salary pay wage earning", "price cost fee", "city town", "student pupil", "number no num nr",
        "id identifier identification", "destination dest arrival arrive land", "source depart departure leave origin",
        "description desc describe", "abbreviation abbrev", "doctor physician", "author writer write wrote written",
        "director direct directed", "customer client buyer", "company firm", "position rank place", "email mail",
        "location place venue located", "address street", "quantity amount qty", "picture image photo", "team club",
        "average avg mean", "maximum max", "minimum min", "percentage percent", "birthday born birth dob", "gender sex",
        "weight heavy weigh", "height tall high", "length long", "winner won win", "loser lost lose", "begin start",
        "end finish", "year season", "code abbreviation", "constructor manufacturer make maker", "job occupation",
        "result outcome", "boat ship", "lesson class course", "teacher instructor", "visitor guest", "area size",
        "party political", "population people inhabitants", "airline carrier", "battle fight", "create created date",
    )
]  # fmt: skip
_TOKEN = re.compile(
    r"[\"“”](?P<double>[^\"“”]{1,200})[\"“”]|(?<![\w])['‘`](?P<single>[^'‘’`]{1,120}(?:'s [^'‘’`]{1,80})?)['’`](?!\w)"
    r"|(?P<number>[-+]?\d[\d,]*\.?\d*(?![\w%/:.-]*\w|%))|(?P<word>[^\W_][\w'’./:%#&+*-]*[\w%#+]|[^\W_]|[$€£#%&]?\S)"
)


@dataclass
class Token:
    """A word, number or quoted text of the question."""

    text: str
    low: str
    stem: str
    start: int
    end: int
    kind: str  # "word", "number", "quoted", "mark"
    alike: frozenset[str] = field(default=frozenset())  # the stem, and those of words that mean the same

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital letter, or is a code with digits in it."""
        return self.text[:1].isupper() or (any(c.isdigit() for c in self.text) and self.kind == "word")


@dataclass(frozen=True)
class Spot:
    """A place of the question that names a column, or (where `column` is None) a table."""

    start: int  # tokens
    end: int
    table: Table
    column: Column | None
    score: float


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """`word` without its ending."""
    import snowballstemmer

    irregular = {
        "children": "child",
        "people": "person",
        "men": "man",
        "women": "woman",
        "cities": "citi",
        "feet": "foot",
    }
    low = re.sub(r"['’]s?$", "", word.lower())
    return irregular.get(low) or str(snowballstemmer.stemmer("english").stemWord(low))


@lru_cache(maxsize=20_000)
def alike(word: str) -> frozenset[str]:
    """The stems of `word` and of those that mean the same."""
    own = stem(word)
    found = {own}
    for same in _same_stems():
        if own in same:
            found |= same
    return frozenset(found)


@lru_cache(maxsize=1)
def _same_stems() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(stem(word) for word in words) for words in _SAME)


def tokens_of(question: str) -> list[Token]:
    """The question's tokens, in order."""
    found = []
    for match in _TOKEN.finditer(question):
        kind = match.lastgroup or "word"
        text = match[kind]
        if kind in ("double", "single"):
            kind, text = "quoted", text.strip()
        elif kind == "number":
            text = text.rstrip(",")
            text = (
                text.replace(",", "").rstrip(".")
                if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?|[-+]?[\d.]+", text)
                else text
            )
        elif kind == "word":
            text = text.rstrip(".:,;'’") or text
            if not any(c.isalnum() for c in text):
                kind = "mark"
        low = text.lower()
        plain = kind == "word"
        found.append(
            Token(
                text,
                low,
                stem(low) if plain else low,
                match.start(),
                match.end(),
                kind,
                alike(low) if plain else frozenset({low}),
            )
        )
    return found


def spots_of(tokens: Sequence[Token], schema: Schema) -> list[Spot]:
    """Every place that may name a table or a column, overlapping ones too."""
    found: list[Spot] = []
    for table in schema.tables:
        own = table.words.split()
        found += _matches(tokens, own, frozenset(), table, None)
        for column in table.columns:
            words = [word for word in column.words.split() if word not in ("of", "the", "a", "in", "s")]
            owner = frozenset(stem(word) for word in own)
            found += _matches(tokens, words or [column.name.lower()], owner, table, column)
    return found


def _matches(
    tokens: Sequence[Token], names: list[str], owner: frozenset[str], table: Table, column: Column | None
) -> list[Spot]:
    """The places that hold the words `names`, or enough of them; those that the table's own name has may be missing."""
    words = [(name, stem(name)) for name in names]
    found = []
    for start, token in enumerate(tokens):
        if token.kind in ("quoted", "mark") or not any(_means(token, *word) for word in words):
            continue
        if token.low in STOP and token.low not in ("name", "names", "no") and len(words) > 1:
            continue
        left, end, exact = list(words), start, 0.0
        for at in range(start, min(len(tokens), start + len(words) + 3)):
            now = tokens[at]
            best = max(left, key=lambda word: _means(now, *word), default=None)
            if best is not None and (how := _means(now, *best)):
                left.remove(best)
                end = at + 1
                exact += how - 1.0
            elif now.low not in _BETWEEN:
                break
            if not left:
                break
        matched = [word for word in words if word not in left]
        weight = sum(0.6 if name in _GENERIC else 1.0 for name, _ in matched)
        missing = sum(0.0 if key in owner else 0.25 if name in _GENERIC else 0.45 for name, key in left)
        if left and all(name in _GENERIC for name, _ in matched) and any(key not in owner for _, key in left):
            continue  # "number" alone is no "number of products"
        while end < len(tokens) and any(key in tokens[end].alike for _, key in matched) and tokens[end].kind == "word":
            end += 1  # "cell phone" for the column cell number
        score = weight - missing + exact + (0.1 if not left else 0.0)
        if column is None and left:
            score -= 0.6
        if score > 0.25:
            found.append(Spot(start, end, table, column, score))
    return found


_BETWEEN = frozenset(("of", "the", "a", "in", "at", "from", "to", "(", ")", "/", "s", "'s", "-", "'"))


def _means(token: Token, name: str, key: str) -> float:
    """How surely a word of the question is one of a name: 1.1 the word itself, 1.0 another form of it, 0.9 one that
    means the same or that the name abbreviates, 0 neither.
    """
    low = token.low
    if name in (low, low.rstrip("s")) or low == name.rstrip("s"):
        return 1.1
    if key == token.stem:
        return 1.0
    if key in token.alike:
        return 0.9
    if token.kind == "word" and len(name) >= 3 and low.startswith(name) and 2 <= len(low) - len(name) <= 9:
        return 0.8 if len(name) >= 4 or name in ("avg", "num", "max", "min", "qty", "loc", "tel", "dob") else 0.0
    return 0.0

"""A sentence read for what it states: its clauses, their phrases and the stems of all words that say something.

Articles and the like, inflection, capitals and how a number is written are left behind.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from bot.number_words import as_figures
from rag.lexical import terms


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TOKEN = re.compile(
    r"\d+(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*|(?<![\w)])[-−](?=\d)|(?<=\d)\s?[-–]\s?(?=\d)|[^\w\s-]|\s[-–—]\s|—"
)
_NOT = re.compile(r"\b(?:can(?=not\b))|n['’]t\b")
_SHORTENED = {"'ll": "will", "'d": "would", "'ve": "have", "'re": "are", "'m": "am", "'s": ""}
_NEUTRAL = _set(
    "a an the is are be am being it this that these those they them their its you your there also just really so then "
    "simply please about approximately roughly do does and but which who"
)
_SAME = {
    "g": "gram", "gm": "gram", "kg": "kilogram", "kilo": "kilogram", "kilos": "kilogram", "sec": "second",
    "min": "minute", "mins": "minute", "hr": "hour", "hrs": "hour", "%": "percent", "€": "euro", "$": "dollar",
    "£": "pound", "−": "minus", "-": "minus", "&": "and", "me": "i", "my": "i", "we": "i", "our": "i",
    "each": "every", "quick": "fast", "quicker": "faster", "switch": "turn", "normal": "regular", "whilst": "while",
    "may": "can", "might": "can", "could": "can", "till": "until", "within": "in", "ones": "1",
}  # fmt: skip
_BE = _set("is are was were be been being am has have had get gets")
_PAUSES = frozenset(",;—()!?.…")
_UNSAID = frozenset("*\"“”„«»'’‘:#_")  # marks; a colon too, for what stands before it may be "A myth"
CLAUSES = _set("because if unless while when until although though whereas")  # open one without a comma
_SECOND = _set("it they you we i he she then is are was were can should must will has have do never")
# What opens a phrase, so that it may stand elsewhere; in a clause of its own it limits what stands beside it.
OPENERS = CLAUSES | _set(
    "before after since in on at for from with without to into by of under over above below than during near through "
    "between instead as like except via against"
)
_PARTICLES = _set("off up down out away")
_STAND_INS = {"it": "it", "they": "it", "which": "it", "who": "it", "you": "you"}  # as subjects: none tells to do it


@dataclass(frozen=True)
class Clause:
    """Words between two pauses."""

    phrases: tuple[tuple[str, ...], ...]  # the stems of each phrase, its opener first
    spoken: tuple[str, ...]  # the words that say something, in lower case

    @cached_property
    def stems(self) -> tuple[str, ...]:
        return tuple(stem for phrase in self.phrases for stem in phrase)


@dataclass(frozen=True)
class Statement:
    """A text, clause by clause."""

    clauses: tuple[Clause, ...]

    @cached_property
    def stems(self) -> tuple[str, ...]:
        return tuple(stem for clause in self.clauses for stem in clause.stems)

    @cached_property
    def phrases(self) -> list[tuple[str, ...]]:
        return [phrase for clause in self.clauses for phrase in clause.phrases]


def read(text: str) -> Statement:
    """`text` as a statement. Linear in its length."""
    tokens = _tokens(text)
    clauses: list[Clause] = []
    start = 0
    for at in range(len(tokens) + 1):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        ends = at == len(tokens) or tokens[at] in _PAUSES or tokens[at] in CLAUSES
        if ends or (tokens[at] == "and" and following in _SECOND):
            if clause := _clause(tokens[start:at]):
                clauses.append(clause)
            start = at if at < len(tokens) and tokens[at] in CLAUSES else at + 1
    return Statement(tuple(clauses))


def _stem(word: str) -> str:
    """Its stem; what opens a phrase, a particle and a figure stay as they are."""
    return word if word in OPENERS or word in _PARTICLES or not word.isalpha() else next(iter(terms(word)), word)


def _tokens(text: str) -> list[str]:
    plain = _NOT.sub(lambda found: "can " if found[0] == "can" else " not", as_figures(text.lower()))
    plain = re.sub(r"\bca not\b", "can not", re.sub(r"\bwo not\b", "will not", plain))
    plain = re.sub(r"\b(?:have|has|needs?) to\b", "must", plain)
    plain = re.sub(r"([€$£])\s?(\d+(?:\.\d+)?)", r"\2 \1", plain)  # "€12" is "12 euros"
    plain = re.sub(r"\bhalf an? hour\b|\bhalf-hour\b|\bhalf hour\b", "30 minutes", plain)
    plain = re.sub(r"(?:degrees?|°)\s?(c|f)(?:elsius|ahrenheit)?\b", r" degree\1", plain).replace("°", " degree ")
    found: list[str] = []
    for token in _TOKEN.findall(plain):
        token = token.strip() or token
        if token in {"-", "–", "−"} and found and found[-1][0].isdigit():
            token = "to"
        elif token in {"-", "–", "—"}:
            token = "," if token != "-" else "minus"
        elif token in {"as", "since"} and found[-1:] == [","]:
            token = "because"
        if token in _UNSAID:
            continue
        head, mark, tail = token.replace("’", "'").partition("'")
        found += [each for each in (head, _SHORTENED.get(mark + tail, tail)) if each]
    return found


def _clause(tokens: list[str]) -> Clause | None:
    """The clause of these words; None where they say nothing."""
    phrases: list[list[str]] = [[]]
    spoken: list[str] = []
    if "should" in tokens:
        tokens = _told(tokens)
    if tokens[:1] == ["and"] or tokens[:1] == ["but"]:
        tokens = tokens[1:]
    for at, token in enumerate(tokens):
        word = _SAME.get(token, token)
        for_number = word == "for" and any(each[0].isdigit() for each in tokens[at + 1 : at + 2])
        if not spoken and not at and word in _STAND_INS:
            phrases[-1].append(_STAND_INS[word])
            continue
        if word in _NEUTRAL or for_number:
            continue
        # "Sealed" isn't "seal", nor "lived" "lives"; "is sealed" and "has lived" show it by another word.
        past = len(word) > 3 and word.endswith("ed") and not word.endswith("eed") and not (at and tokens[at - 1] in _BE)
        if word in OPENERS:
            phrases.append([])
        gerund = not spoken and word.endswith("ing")  # "leaving it" doesn't tell to leave it
        phrases[-1].append(_stem(word) + "~" * (past or gerund))
        spoken.append(word)
    whole = tuple(
        (*(each for each in phrase if each not in _PARTICLES), *(each for each in phrase if each in _PARTICLES))
        for phrase in phrases
        if phrase
    )
    return Clause(whole, tuple(spoken)) if whole else None


def _told(tokens: list[str]) -> list[str]:
    """ "The drum should be charged at …" as "be charged the drum at …": what should be done is told to be done."""
    at = tokens.index("should")
    if tokens[at + 1 : at + 2] != ["be"] or not "".join(tokens[at + 2 : at + 3]).endswith("ed"):
        return tokens
    return ["be", tokens[at + 2], *tokens[:at], *tokens[at + 3 :]] if OPENERS.isdisjoint(tokens[:at]) else tokens

"""What a question asks for: the kinds of answer, whether a text holds one, and what it names that a text must have."""

# ruff: noqa: E501 (patterns read better whole)

import re
from collections.abc import Collection
from dataclasses import dataclass

from rag.lexical import STOP_WORDS, terms

# What documents abbreviate and people write out, or the other way round.
_SAME = {"g": "gram", "gm": "gram", "kg": "kilo", "kilogram": "kilo", "sec": "second", "min": "minut", "hr": "hour"} | {
    "temp": "temperatur", "pct": "percent", "approx": "about", "info": "inform", "max": "maximum", "yr": "year"
}  # fmt: skip

_NUMBER = r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|third|quarter|twice|once|none|several|couple|both)\b"
_MONTH = r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|March|April|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
_HELPING = "do|does|did|can|could|should|would|will|is|are|was|were|to|about|come|the|a|an|i|you|we|he|she|they|it|this|that|these|has|have|had|might|may|my|your|not|well|else|exactly"


@dataclass(frozen=True)
class Kind:
    """A kind of answer: what asks for it, what a piece that holds one has, and how much that counts."""

    asked: re.Pattern[str]
    answer: re.Pattern[str] | None  # none: a name
    weight: float


def _kind(asked: str, answer: str | None, weight: float) -> Kind:
    return Kind(re.compile(asked, re.IGNORECASE), re.compile(answer) if answer else None, weight)


HOW_MUCH = _kind(rf"\bhow (?!(?:{_HELPING})\b)\w+|\b(?:percent\w*|number|amount|share|proportion|ratio|size|temp\w*|age|price|cost|weight|speed|grams?|ppm|rate|version|dimensions?|values?|typical)\b", rf"\d|(?i:{_NUMBER})", 1.4)  # fmt: skip
WHETHER = _kind(r"^(?:\W*\w+,)?\s*(?:do|does|did|is|are|was|were|can|could|should|will|would|has|have|may|must)\b", r"^(?:Yes|No)\b|(?i:\b(?:not|no|never|only|can|cannot|should|must|always)\b|n['’]t\b)", 0.7)  # fmt: skip
KINDS = (
    _kind(r"\b(?:when|(?:what|which) (?:year|date|day|month|time|century|decade))\b", rf"\b(?:1\d{{3}}|20\d\d)s?\b|{_MONTH}|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|\b\d{{1,2}}(?:st|nd|rd|th)\b|(?i:\b(?:century|decade|(?:before|after|during|until|since|every|once) \w|(?:days?|weeks?|months?|years?|minutes?|hours?) (?:after|before|from|ago|later)))", 2.0),
    HOW_MUCH,
    _kind(r"\bhow (?:long|old|soon|often|quick\w*)\b", rf"(?i:(?:\d|{_NUMBER}|\bevery\b).{{0,20}}?\b(?:seconds?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|decades?|batch\w*)\b|\b(?:daily|weekly|monthly|yearly|annually)\b)", 1.4),
    _kind(r"\bwh(?:o|om|ose)\b|\b(?:what|which) (?:person|company|team|actor|singer|author|player|artist|band)\b", None, 1.3),
    _kind(r"\bwhere\b|\b(?:city|country|state|place|town|region|river|street)\b", r"\b(?:in|at|on|near|from|to|of|into|through|across) (?:the )?[A-Z]|, [A-Z]", 1.4),
    _kind(r"\bwhy\b|\bwhat (?:caused|causes|reason)|\breasons?\b|\bhow come\b", r"(?i:\b(?:because|due to|since|so that|in order to|reason|caused?|therefore|so|necessary|as|to (?:avoid|prevent|make|keep|ensure|allow))\b)", 1.0),
    _kind(r"\bhow (?:do|does|did|can|could|should|to|would)\b|\bwhat (?:should|do|can) i\b", r"(?i:\b(?:by|using|use|with|first|then|through|via|step|simply|need to|should|must|don['’]t)\b|^[a-z]+ (?:the|a|an|it|your|in|to|off|out)\b)", 1.0),
    WHETHER,
    _kind(r"\b(?:differ\w*|compared?|versus|vs)\b", r"(?i:\b(?:while|whereas|former|latter|contrast|but|than|instead|unlike|however|on the other hand|differ\w*)\b)", 0.5),
    _kind(r"\b(?:which|what) (?!(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|the|a|if|i|you|he|they|we|happen\w*|kind|types?|year|date)\b)[a-z]+|\b(?:library|framework|tool|app|model|theorem|package|called)\b|\bwhat (?:did|does|do) (?:he|she|they|you|i|we) use", None, 1.4),
)  # fmt: skip
# A name with its number ("Llama 3", "October 2023"), a name, a word with figures in it ("M3"), a figure.
_SPECIFIC = re.compile(r"[A-Z][\w’'-]*[A-Za-z](?:['’]s)?(?:[ -]\d[\w.]*\b)?|\b\w*[A-Za-z]-?\d[\w.-]*|\d+(?:[.,]\d+)*")
_VERSION = re.compile(r"(?<![A-Za-z])([A-Za-z]{2,}+)[ -]?(\d+(?:\.\d+)*)\b")
_GREETS = re.compile(r"\b(?:hi|hey|hello|dear|thanks|thank you|sir|mr)\.? $", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_WORDLIKE = re.compile(r"[A-Za-z][\w’'.-]*|\d[\w.,]*")
_MIXED = re.compile(r"[a-z][A-Z]|[A-Z]{2}|[A-Za-z]\d|\d[A-Za-z]|\w-\w*\d|_")  # "LangChain", "GPT-4": a name anywhere


def holds(kind: Kind, question: str, text: str) -> bool:
    """Whether `text` holds that kind of answer, and not the question's own."""
    if kind.answer is None:
        return _names_more(text, stems_of(question))
    given = question.lower()
    return any(found.group().lower() not in given or not found.group().strip() for found in kind.answer.finditer(text))


def specifics(question: str) -> list[str]:
    """What the question names: names, versions, dates, figures, in lower case. Not a word that opens a
    sentence, nor a name that is spoken to."""
    if question.isupper():
        return []
    found = []
    for match in _SPECIFIC.finditer(question):
        name = match.group().removesuffix("'s").removesuffix("’s")
        opens = not question[: match.start()].rstrip(" \"'“‘(").rstrip().endswith(tuple("abcdefghijklmnopqrstuvwxyz,;"))
        alone = name.isalpha() and name[1:].islower()
        greeted = alone and (_GREETS.search(question[: match.start()]) or question[match.end() :][:1] in {",", "!"})
        if (opens and alone) or greeted or name.lower() in STOP_WORDS:
            continue
        found.append(name.lower())
    return found


def missing(question: str, text: str) -> int:
    """How many of the question's `specifics` `text` lacks."""
    plain, stems = " ".join(text.lower().replace("-", " ").split()), stems_of(text)
    return sum(
        not re.search(rf"(?<![^\W_]){re.escape(each.replace('-', ' '))}(?![^\W_])", plain)
        and not (each.isalpha() and stems_of(each) <= stems)
        for each in dict.fromkeys(specifics(question))
    )


def contradicts(question: str, text: str) -> bool:
    """Whether `text` is of another version or year than the question: "Llama 2" where it asks for "Llama 3"."""
    asked, said = _versions(question), _versions(text)
    return any(name in said and not numbers & said[name] for name, numbers in asked.items())


def _versions(text: str) -> dict[str, set[str]]:
    """The numbers that stand behind each name, and the years."""
    found: dict[str, set[str]] = {}
    for name, number in _VERSION.findall(text):
        if name.lower() not in STOP_WORDS:
            found.setdefault(name.lower(), set()).add(number)
    if years := set(_YEAR.findall(text)):
        found["year"] = years
    return found


def _names_more(text: str, known: Collection[str]) -> bool:
    """Whether a name stands in `text` that isn't among the stems `known`: a capital within a sentence, or "GPT-4"."""
    for word in _WORDLIKE.finditer(text):
        inside = word.start() > 1 and text[word.start() - 2] not in ".?!:"
        name = inside and word.group()[0].isupper() and word.group().lower() not in STOP_WORDS
        if (name or _MIXED.search(word.group())) and not stems_of(word.group()) <= set(known):
            return True
    return False


def stems_of(text: str) -> frozenset[str]:
    """The stems of the words of `text` but stop words; one for an abbreviation and what it stands for."""
    return frozenset(_SAME.get(stem, stem) for stem in terms(text))


# Words of questions that an answer needn't have.
EMPTY = stems_of(
    "much many long far often old soon go goes going get gets got one ones thing things way ways kind type exactly "
    "actually really just still also"
)

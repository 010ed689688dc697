"""A day of the plan that was given: "and on Thursday?", "what about the second day?", "day 3 of the plan?"."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.drafts import Sentence

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAST = "the last day"
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven")
_DAY = re.compile(
    rf"\b(?:(?P<weekday>{'|'.join(WEEKDAYS)})(?:['’]?s)?|(?P<weekend>weekends?)|"
    rf"day (?P<number>\d{{1,2}}|{'|'.join(_NUMBERS)})|"
    rf"(?P<ordinal>{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th)|last) (?:day|session|workout|one))\b",
    re.IGNORECASE,
)
# What may stand around the day; with any other word something else is asked, too.
_AROUND = frozenset((
    "a", "about", "again", "am", "and", "at", "be", "but", "can", "day", "days", "do", "does", "else", "for", "good",
    "hard", "how", "i", "in", "is", "it", "like", "long", "look", "me", "much", "my", "now", "of", "off", "ok",
    "okay", "on", "or", "plan", "planned", "please", "rest", "ride", "s", "session", "should", "show", "so", "tell",
    "that", "the", "then", "there", "this", "to", "train", "training", "up", "week", "what", "whats", "will", "with",
    "workout", "workouts", "would", "you", "your",
))  # fmt: skip


def asked_days(question: str) -> tuple[str, ...]:
    """The days that `question` asks for, as "Thursday" or "day 2"; none where it asks for anything else."""
    found = list(_DAY.finditer(question))
    rest = re.findall(r"[^\W\d_]+|\d+", _DAY.sub(" ", question).lower())
    if not found or not _AROUND.issuperset(rest):
        return ()
    days: list[str] = []
    for match in found:
        days += _named(match)
    return tuple(dict.fromkeys(days))


def of_days(plan: "Sequence[Sentence]", days: Sequence[str]) -> "tuple[Sentence, ...]":
    """The pieces of `plan` for `days`: those that name one; the second for "day 2" where none names its number."""
    picked: list[Sentence] = []
    for day in days:
        named = [each for each in plan if re.search(rf"\b{re.escape(day)}\b", each.text, re.IGNORECASE)]
        number = len(plan) if day == LAST else int(day.removeprefix("day ")) if day.startswith("day ") else 0
        if not named and 0 < number <= len(plan) and not any(re.search(r"(?i)\bday \d", each.text) for each in plan):
            named = [plan[number - 1]]
        picked += named or ([plan[-1]] if day == LAST and plan else [])
    return tuple(dict.fromkeys(picked))


def _named(match: re.Match[str]) -> list[str]:
    if match["weekday"]:
        return [match["weekday"].capitalize()]
    if match["weekend"]:
        return ["Saturday", "Sunday"]
    said = (match["number"] or match["ordinal"]).lower()
    if said == "last":
        return [LAST]
    for words in (_NUMBERS, _ORDINALS):
        if said in words:
            return [f"day {words.index(said) + 1}"]
    return [f"day {int(re.sub('[a-z]', '', said))}"]

"""What a persona has to be told before it plans: read out of what the user says, by numbers, units, names and words.

A persona's file lists units, names and words; none of them is a pattern, so nothing in a file can be made to run long.
"""

# ruff: noqa: E501 (patterns read better whole)

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.number_words import as_figures
from bot.surface import plain
from data.persona import Need

NOT_KNOWN = "not known"
LONGEST = 2000  # characters of a message that are read
FREE_WORDS = 8  # words of an answer to the one thing that was asked for

_NUMBER = r"(?<![\w.,])-?\d+(?:[.,]\d+)?"
_RANGE = rf"({_NUMBER})(?: ?(?:-|–|to|or) ?\d+(?:[.,]\d+)?)?"  # of "6 to 8" the lower: who plans with it can keep it
_IS = r"(?: (?:is|was|of|at|about|around|roughly|approximately|currently|now|maybe|=|be|to|only|just|for|on))*[ :=~]*"
_UNKNOWN = re.compile(
    r"\b(?:do(?:n['’]?t| not)|dunno|no idea|not sure|unsure|unknown|unclear|never (?:tested|measured|did)|have(?:n['’]?t| not)|without|no power ?meter|skip|can['’]?t say|who knows)\b",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"^(?:(?:oh|ah|wait|hm+|and|but)[, ]+)*(?:actually|no|nope|sorry|rather|make (?:it|that)|i meant|i mean|correction|change|scratch that|better|instead|it['’]s|let['’]s say|say)\b|\b(?:instead|rather|after all|not \d+)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Told:
    """What a message tells: values as they are said back, by need, and those that can't be right."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def told(needs: Sequence[Need], message: str, planning: bool, awaited: Sequence[str] = ()) -> Told:
    """What `message` tells of `needs`.

    `planning` is whether a plan is what it is about: then "6 hours" are hours to train; else only what can mean nothing
    else is taken ("6 hours a week", "FTP 240"). `awaited` are the names of those that were just asked for, in order.
    """
    text = " ".join(as_figures(plain(message)[:LONGEST].lower()).split())
    values: dict[str, str] = {}
    wrong: dict[str, str] = {}
    left = text
    for need in needs:
        found = _number_of(need, left, planning)
        if found is None:
            if (word := _word_of(need, text, planning)) and not (need.name in values or need.name in wrong):
                values[need.name] = word
            continue
        number, start, end = found
        left = left[:start] + " ; " + left[end:]
        (values if _is_right(need, number) else wrong)[need.name] = shown(need, number)
    open_ones = [need for need in needs if need.name in awaited and need.name not in values and need.name not in wrong]
    if planning and awaited:
        _take_bare(needs, open_ones, left, values, wrong)
        _take_unknown(open_ones, text, values)
        _take_free(open_ones, message, values, wrong, alone=len(awaited) == 1)
    return Told(values, wrong)


def corrects(message: str) -> bool:
    """Whether it takes back something that was told: "actually 8 hours"."""
    return bool(_CORRECTS.search(" ".join(plain(message)[:LONGEST].split())))


def missing(needs: Sequence[Need], known: Mapping[str, str]) -> list[Need]:
    """Those that weren't told."""
    return [need for need in needs if need.name not in known]


def shown(need: Need, number: float) -> str:
    """A number as it is said back: "12 weeks"; where its unit is in the name, without it."""
    unit = next(iter(need.units), "")
    return f"{number:g} {unit}".strip()


def looked_up(need: Need, value: str) -> str:
    """What the documents are searched with for `value`: the nearest number they know that isn't above it."""
    number = re.match(r"-?\d+(?:\.\d+)?", value)
    if not number or not need.choices:
        return value
    at_most = [choice for choice in need.choices if choice <= float(number[0])]
    return shown(need, max(at_most) if at_most else min(need.choices))


def and_list(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _number_of(need: Need, text: str, planning: bool) -> tuple[float, int, int] | None:
    """The last number that `text` gives for `need`, in the need's own unit, with its place."""
    found: list[tuple[int, int, float]] = []
    for unit, factor in sorted(need.units.items(), key=lambda each: -len(each[0])):
        if not planning and " " not in unit and "/" not in unit:
            continue
        for match in re.finditer(rf"{_RANGE}[ -]?{re.escape(unit.lower())}(?![\w])", text):
            if not any(start < match.end() and match.start() < end for start, end, _ in found):
                found.append((match.start(), match.end(), _value(match[1]) * factor))
    if need.units or need.choices:  # else it is no number
        for name in (need.name, *need.names):
            named = re.escape(name.lower())
            for pattern in (rf"\b{named}\b{_IS}{_RANGE}", rf"{_RANGE} {named}\b"):
                for match in re.finditer(pattern, text):
                    if not any(start < match.end() and match.start() < end for start, end, _ in found):
                        found.append((match.start(), match.end(), _value(match[1])))
    if not found:
        return None
    start, end, value = max(found)
    return value, start, end


def _word_of(need: Need, text: str, planning: bool) -> str:
    """The longest of the need's words in `text`."""
    named = any(re.search(rf"\b{re.escape(name.lower())}s?\b", text) for name in (need.name, *need.names))
    if not (planning or named):
        return ""
    said = [word for word in need.words if re.search(rf"(?<!\w){re.escape(word.lower())}s?(?!\w)", text)]
    return max(said, key=len, default="").lower()


def _take_bare(
    needs: Sequence[Need], open_ones: Sequence[Need], text: str, values: dict[str, str], wrong: dict[str, str]
) -> None:
    """Numbers without a unit, in the order in which they were asked for, or of all there are: "12, 6, 240"."""
    numbers = re.findall(rf"(?:^|[\s,;(~])({_NUMBER})(?=$|[\s,;.!)]|and)", text)
    asked = [need for need in open_ones if need.units]
    if len(numbers) != len(asked) and not values:
        asked = [need for need in needs if need.units]
    if not numbers or len(numbers) != len(asked):
        return
    for need, number in zip(asked, map(_value, numbers), strict=True):
        (values if _is_right(need, number) else wrong)[need.name] = shown(need, number)


def _take_unknown(needs: Sequence[Need], text: str, values: dict[str, str]) -> None:
    """ "I don't know my FTP"; where it names none of them, all that are still open."""
    unknown = _UNKNOWN.search(text)
    if not unknown:
        return
    still = [need for need in needs if need.name not in values]
    named = [n for n in still if any(re.search(rf"\b{re.escape(name.lower())}\b", text) for name in (n.name, *n.names))]
    for need in named or (still if len(still) == 1 or not values else []):
        values[need.name] = NOT_KNOWN


def _take_free(needs: Sequence[Need], message: str, values: dict[str, str], wrong: dict[str, str], alone: bool) -> None:
    """What is said for the one thing that was asked for, where it is no number, in the user's own words."""
    still = [need for need in needs if need.name not in values]
    if len(still) != 1 or not alone or still[0].units or not still[0].words or wrong:
        return
    said = " ".join(plain(message).split()).rstrip(".! ")
    if 0 < len(said.split()) <= FREE_WORDS and not said.endswith("?"):
        values[still[0].name] = said


def _is_right(need: Need, number: float) -> bool:
    return need.least <= number <= need.most


def _value(number: str) -> float:
    return float(number.replace(",", "."))

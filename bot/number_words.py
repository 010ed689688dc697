"""Numbers written in words as figures, so that "twelve" and "12" are the same."""

import re

_UNIT_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_UNITS = _UNIT_WORDS.split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUE = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
_TIMES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_UNITS[1:10])}))?|{'|'.join(reversed(_UNITS))})"
_LARGE = rf"(?:{'|'.join(_TIMES)})"
_SPELT = re.compile(rf"\b(?:(?:a|{_SMALL})(?:[ -]{_LARGE})+(?:[ -](?:and )?{_SMALL}(?:[ -]{_LARGE})*)*|{_SMALL})\b")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(r"(?<![\d.])\d+(?:\.\d+)?(?![\d.])")


def as_figures(text: str) -> str:
    """`text`, in lower case, with every number in figures: "twenty-five" 25, "40,000" 40000, "4.0" 4."""
    plain = _SPELT.sub(lambda found: str(_value(found[0])), text)
    plain = _GROUPED.sub(lambda found: found[0].replace(",", ""), plain)
    return _DECIMAL.sub(lambda found: found[0].rstrip("0").rstrip(".") if "." in found[0] else found[0], plain)


def _value(spelt: str) -> int:
    total = group = 0
    for word in re.findall("[a-z]+", spelt):
        if word in _VALUE:
            group += _VALUE[word]
        elif word == "hundred":
            group = max(1, group) * 100
        elif word in _TIMES:
            total, group = total + max(1, group) * _TIMES[word], 0
    return total + group

"""Where sentences begin and end: shared by chunking and by the answers that quote sentences."""

import re

# A terminator with the quotes and brackets that close after it. A Latin one needs white space behind it (so decimals,
# versions and addresses stay whole); the CJK ones don't.
_END = re.compile(r"""(?:(?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s)|[。！？।॥؟]+["'”’」』）》]*)\s*""")
_LINE = re.compile(r"[^\n]+")
_LAST_WORD = re.compile(r"[\w.&-]+$")
_NEXT_WORD = re.compile(r"[\"'“‘«(\[]*([\w’']+)")

# Never end a sentence.
_TITLES = re.compile(
    r"dr|mr|mrs|ms|prof|rev|hon|st|sr|gen|gov|sen|rep|capt|lt|col|sgt|vs|viz|cf|e\.g|i\.e|eg|ie|ca|approx|al|resp|incl|excl|"
    r"figs?|eqs?|secs?|ch|chap|vol|nos|pp|refs?|tab|para|nr|bzw|z\.b|d\.h|usw|u\.a"
)
_NUMBERED = re.compile("no|p|art|app")  # abbreviations before a number, words elsewhere
# May end one: they do when what follows opens a sentence.
_MAYBE = re.compile(
    r"inc|corp|ltd|co|llc|plc|bros|jr|etc|u\.s|u\.k|e\.u|u\.n|d\.c|p\.m|a\.m|b\.c|a\.d|ph\.d|m\.d|b\.a|m\.a|jan|feb|mar|apr|jun|"
    r"jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thur?|fri|sat|sun|dept|est|ave|blvd|rd|[^\W\d_](?<!i)"
)
_OPENERS = re.compile(
    "the|this|that|these|those|it|its|he|she|they|we|you|i|if|in|on|at|for|from|as|but|and|so|when|while|where|what|why|how|"
    "there|here|then|however|although|because|our|your|their|his|her|my|a|an|no|not|one|some|many|most|all|each|both|"
    "under|during|after|before|since|by|with|to|is|are|do|does|did|can"
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans `(start, end)` of the sentences of `text`, in order, without surrounding white space.

    A line end always ends a sentence (cleaned documents keep a paragraph on one line), so headings, list items and
    table rows are spans of their own. Every non-space character lies in exactly one span.
    """
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        start, stop = line.span()
        for match in _END.finditer(text, start, stop):
            if match.end() < stop and _ends(text, start, match):
                _add(spans, text, start, match.end())
                start = match.end()
        _add(spans, text, start, stop)
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    if stripped := piece.strip():
        begin = start + piece.index(stripped[0])
        spans.append((begin, begin + len(stripped)))


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the terminator in `match` ends the sentence that began at `start`."""
    mark = match.group().strip()
    following = text[match.end()]
    if not mark.startswith(".") or mark.startswith(".."):
        # An ellipsis or a quoted "No!" inside a sentence goes on in lower case.
        return not (following.islower() and (mark[0] in ".…" or mark[-1] not in "!?"))
    if following.islower():
        return False
    found = _LAST_WORD.search(text, max(start, match.start() - 24), match.start())
    if found is None:
        return True
    word = found.group().lower()
    if found.start() == start and len(word) <= 3 and (word.isdigit() or len(word) == 1):
        return False  # "1. First point", "a. Second"
    if _TITLES.fullmatch(word):
        return False
    if _NUMBERED.fullmatch(word):
        return not following.isdigit()
    if _MAYBE.fullmatch(word):
        opener = _NEXT_WORD.match(text, match.end())
        return bool(opener and _OPENERS.fullmatch(opener.group(1).lower()))
    return True

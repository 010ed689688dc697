# ruff: noqa: E501 (patterns and conditions read better whole)
"""The words of a question that say what is wanted: English, and general; nothing here knows a database."""

import re

NAMES = ("name", "title", "label")

MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
WHEN = re.compile(
    rf"\b(?:in|of|during|for)\s+(?:(?P<month>{'|'.join(month.capitalize() for month in MONTHS)})(?:,?\s+(?P<year>(?:19|20)\d\d))?"
    r"|(?P<alone>(?:19|20)\d\d))\b"
)

FUNCTIONS = {
    "average": "AVG", "mean": "AVG", "avg": "AVG", "total": "SUM", "sum": "SUM", "maximum": "MAX", "max": "MAX",
    "highest": "MAX", "largest": "MAX", "biggest": "MAX", "greatest": "MAX", "longest": "MAX", "latest": "MAX",
    "minimum": "MIN", "min": "MIN", "lowest": "MIN", "smallest": "MIN", "least": "MIN", "shortest": "MIN",
    "earliest": "MIN", "most": "MAX", "fewest": "MIN", "last": "MAX",
}  # fmt: skip

# Superlatives with the stems of the columns that they are about, where they say it themselves.
OF = {
    "oldest": ("age", True), "youngest": ("age", False), "heaviest": ("weight", True), "lightest": ("weight", False),
    "tallest": ("height", True), "cheapest": ("price cost", False), "newest": ("year date", True),
    "longest": ("length duration minutes hours", True), "shortest": ("length duration height", False), "latest": ("date year time", True),
    "earliest": ("date year time", False), "recent": ("date year time", True), "recently": ("date year time", True),
    "expensive": ("price cost amount fee", True), "costliest": ("price cost amount fee", True), "smallest": ("size", False),
    "fastest": ("speed time", True), "slowest": ("speed", False), "richest": ("worth money", True),
}  # fmt: skip

UP_WORDS = """
highest largest biggest greatest most maximum max best top
"""

UP = frozenset(UP_WORDS.split())

DOWN_WORDS = """
lowest smallest least fewest minimum min worst rarest
"""

DOWN = frozenset(DOWN_WORDS.split())

MORE = [
    (r"(?:not|no|n't) (?:more|higher|greater|larger|later|older|above|over)(?: than)?", "<="),
    (r"(?:not|no|n't) (?:less|fewer|lower|smaller|earlier|younger|below|under)(?: than)?", ">="),
    (
        r"(?:more|greater|larger|higher|bigger|later|longer|older|heavier|above|over|exceed\w*|after|beyond)(?: than| of| the)?",
        ">",
    ),
    (r"(?:less|fewer|smaller|lower|younger|earlier|shorter|below|under|before|cheaper)(?: than| of| the)?", "<"),
    (r"(?:at least|no less than|not less than|minimum of)", ">="),
    (r"(?:at most|no more than|not more than|up to|maximum of)", "<="),
]

BEFORE = [(re.compile(rf"\b{pattern}(?: the| a| an)?\s*$", re.IGNORECASE), operator) for pattern, operator in MORE]

AFTER = [
    (re.compile(r"^\s*(?:or|and) (?:more|above|higher|over|greater|later|older)\b", re.IGNORECASE), ">="),
    (re.compile(r"^\s*(?:or|and) (?:less|fewer|below|lower|under|earlier|younger)\b", re.IGNORECASE), "<="),
]

COUNTS = re.compile(
    r"\b(?:how many|(?:total |whole )?(?:numbers?|amount|counts?|quantity) of|count(?! of))\b", re.IGNORECASE
)

LIKE = re.compile(
    r"\b(contain\w*|includ\w*|ha(?:s|ve|ving)|with|start\w*|begin\w*|end\w*|substring|letter|word|phrase)\b",
    re.IGNORECASE,
)

GROUPS = re.compile(
    r"\b(?:each|every|sort(?:ed)? by|order(?:ed)? by|alphabetical|descending|ascending|distinct|most common|than the average)\b",
    re.IGNORECASE,
)

NOT = re.compile(
    r"\b(?:not|never|no|without|n't|don't|doesn't|didn't|haven't|hasn't|isn't|aren't|neither|nor|un\w+ed)\b",
    re.IGNORECASE,
)

TYING_WORDS = """
is are was were be being equal equals of to with value than more less greater named called the a an at in for on has
have had having as by over under above below least most number from that whose = s and codes code type not higher larger bigger later lower smaller earlier older younger after before titled
"""

TYING = frozenset(TYING_WORDS.split())

PLACES = frozenset(
    ("city", "country", "state", "town", "location", "place", "nationality", "region", "hometown", "origin")
)

CALLED = (
    "player",
    "name",
    "title",
    "team",
    "artist",
    "winner",
    "school",
    "driver",
    "country",
    "location",
    "candidate",
)

ASKED_BY = {
    "who": "player name winner driver director writer incumbent candidate coach artist actor",
    "when": "date year season time", "where": "location venue city place country hometown site", "date": "date",
    "year": "year season", "episode": "episode title no", "team": "team club",
}  # fmt: skip

"""A follow-up ("and on the second day?") as a question that is understood alone. By words, without a model.

What it leaves out is taken from the question before: where both name a thing of one kind (a day, a number of hours, for
whom), that is exchanged; else what is missing is added. A question that says all itself is left alone, so that a new
topic isn't dragged back to the old one.
"""

# ruff: noqa: E501 (patterns read better whole)

import re
from collections.abc import Iterator

from bot.answer_kinds import EMPTY, stems_of
from bot.surface import plain
from rag.lexical import STOP_WORDS, words

LONGEST = 400  # characters of a question that may lean on another, and of what comes of it
FEW = 5  # words that a fragment has at most

_FLAGS = re.IGNORECASE
# What opens a follow-up and says nothing of its subject.
_LEAD = re.compile(
    r"(?:(?:ok(?:ay)?|great|good|nice|cool|perfect|thanks(?: a lot)?|thank you|thx|right|well|hm+|alright|sure|yes|no|got it|i see|interesting)(?:\s*[,.!:;–-]+\s*|\s+(?=(?:and|but|so|then)\b)|$)|(?:so|and|but|or|also|then|now|plus)\b[\s,.!:;–-]*)+",
    _FLAGS,
)
_ABOUT = re.compile(
    r"(?:(?:what|how)['’]?s? about|what if|(?:is it |and )?the same (?:for|with)|same (?:for|with)|even)\b\s*", _FLAGS
)
_NEW_TOPIC = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|right|thanks|great|now)\b[\s,.!]*)*(?:(?:a |one )?(?:completely |totally )?(?:different|another|new|unrelated) (?:question|topic|subject|thing)|(?:something|anything) else entirely|on (?:a|another|a different) (?:\w+ )?(?:note|subject)|chang(?:e|ing) (?:of |the )?(?:topic|subject)|by the way|btw)\b[\s,.:;!–-]*",
    _FLAGS,
)
# Asks for more of the same; nothing in it can be searched for.
_MORE = re.compile(
    r"(?:why(?: not| is that| so| exactly)?|how(?: so| come| exactly)?|when(?: exactly)?|where|really|such as(?: what)?|like what|for (?:example|instance)|what else|anything else|what next|(?:and )?(?:then|after that|afterwards)(?: what)?|(?:tell me |say )?more(?: please| about (?:it|that|this))?|go on|"
    r"(?:please |can you |could you )*(?:explain|elaborate|expand)(?: (?:it|that|this|more|further|on (?:it|that|this)))*|(?:in )?more detail(?:s)?|are you sure|what does (?:that|this|it) mean|what do you mean(?: by (?:that|this))?|how does (?:that|this|it) work|give me an example|(?:any )?examples?|says who|according to whom|"
    r"what(?:'s| is| was| are) the (?:reason|difference|first one|second one|point)(?: for (?:that|this|it))?)",
    _FLAGS,
)
_REFERS = re.compile(
    r"\b(?:it|its|they|them|their|theirs|those|these|this|that|one|ones|both|each|neither|either|such|there|he|she|him|her|his|the (?:same|other|others|former|latter|rest|first|second|last|next))\b",
    _FLAGS,
)
_REFERS_TO_NOTHING = re.compile(
    r"\b(?:is|are|was|were|isn['’]t|aren['’]t|will|would|can|should|could|has|have)\s+there\b|\bthere\s+(?:is|are|was|were|a|an|any)\b|"  # "is there a …"
    r"\b(?:(?:is|was|would|will|does|can|could|should|might|may|isn['’]t|doesn['’]t)\s+it|it(?:['’]s|\s+is|\s+was)?)\s+(?:(?:be|really|also|still|ever|even|a|actually)\s+)*(?:ok(?:ay)?|safe|good|bad|better|best|worse|possible|worth|necessary|important|normal|true|dangerous|healthy|unhealthy|useful|fine|wise|smart|hard|easy|difficult|bad idea|good idea|take|takes|matter|make sense|help|hurt|cost|rains?|snows?|hot|cold)\s+(?:to|that|if|when|for|long|how|whether|outside|,)|"
    r"\b(?:long|much|many\s+\w+)\s+(?:does|will|would|did|do)\s+it\s+take\b|\bif it\s+(?:rains?|snows?|is (?:hot|cold|windy|dark|raining|snowing))|\bit['’ ]?(?:s| is) (?:hot|cold|windy|raining|dark|winter|summer)|"
    r"\b(?:this|that|each|both|either|these|those|last|next)\s+(?:week|month|year|season|summer|winter|weekend|morning|evening|sides?|legs?|hands?|feet)\b|"
    r"\b(?:so|such|now|know|say|says|think|mean|sure|feel|heard|read|told|believe|notice|noticed|fact|everything|anything|something|all|thing|things|one)\s+that\b|\w+\s+that\s+(?:is|are|has|have|can|will|was|were|help|helps|work|works)\b|"  # "a bike that is …"
    r"\b(?:more than|at least|only|just|than|by)\s+one\b|\bone\s+(?:hour|day|week|month|year|minute|kilo|side|leg|hand|time|of|or|to|week['’]s)\b|\beach other\b|\bone another\b|\bsuch as\b|\bno one\b",
    _FLAGS,
)
_CLAUSE = re.compile(
    r"\b(?:do|does|did|is|are|was|were|am|can|could|should|shall|would|will|may|might|must|has|have|had|isn['’]t|aren['’]t|don['’]t|doesn['’]t|can['’]t|shouldn['’]t|won['’]t)\b|['’](?:s|re|ll|d|ve|m)\b|^(?:what|who|which)\b|^(?:how|what|where|when|which)(?: \w+)? to\b|"
    r"^(?:please )?(?:give|make|show|tell|list|explain|describe|compare|write|create|build|plan|help|suggest|recommend|calculate|find)\b",
    _FLAGS,
)
_WHY = re.compile(r"why not(?: (?!(?:to|the|a|an|my|i)\b)\w+){0,3}$", _FLAGS)
_CONDITION = re.compile(
    r"(?:if|unless|because|while|whenever|when(?= (?:i|you|we|it|the|there|my|your|they)\b))\b", _FLAGS
)
_ENDS_OPEN = re.compile(
    r"\b(?:before|after|afterwards|beforehand|instead|then|between|during|without|with|too|as well|otherwise|first|next|again)\W*$",
    _FLAGS,
)
_OPEN_WH = re.compile(
    r"(?:how (?:long|much|many|often|far|fast|hard|big|soon|high|slow|old|early|late)|which|what|when|where|who|how)(?: (?!(?:is|are|was|were|do|does|did|can|could|should|will|would|has|have|to|about|if)\b)\w+){0,2}\W*",
    _FLAGS,
)

_NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|sixteen|twenty|thirty|forty|fifty|sixty|ninety"
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PARTS = r"day|week|month|session|block|stage|step|phase|ride|workout|chapter|part|section|hour|year"
_DAYS = r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?"
# Kinds of which a question names one: another of the kind takes its place.
_SLOTS = (
    ("place", re.compile(rf"(?:\bon )?(?:\bthe )?\b(?:(?:{'|'.join(_ORDINALS)}|last|final|next|\d{{1,2}}(?:st|nd|rd|th)) (?:{_PARTS})|(?:{_PARTS})s? (?:\d{{1,3}}|{_NUMBER_WORDS})|{_DAYS})\b(?: \((?:{_PARTS}) \d+\))?", _FLAGS)),
    ("amount", re.compile(rf"\b(?:\d+(?:[.,]\d+)?(?: ?(?:-|–|to) ?\d+(?:[.,]\d+)?)?|{_NUMBER_WORDS})(?:[ -]?(?:%|°|[a-z]+))?(?: (?:a|per|each) [a-z]+)?", _FLAGS)),
    *(
        ("alike", re.compile(rf"\b(?:(?:an?|the) )?(?:{pattern})\b", _FLAGS))
        for pattern in (
            r"(?:absolute |complete |total )?(?:beginners?|novices?|newcomers?|intermediates?|advanced|experts?|pros?|professionals?|experienced)(?: (?:riders?|people|users?|athletes?|cyclists?|runners?|players?))?",
            r"wom[ae]n|m[ae]n|males?|females?|kids?|child(?:ren)?|teenagers?|juniors?|adults?|seniors?|masters|older (?:riders?|people)|boys?|girls?",
            r"summer|winter|spring|autumn|fall",
            r"mornings?|evenings?|afternoons?|nights?|noon",
            r"before|after|during",
            r"indoors?|outdoors?|inside|outside",
            r"uphill|downhill|climbs?|descents?|on the flat",
            r"left|right|front|rear|back",
            r"long|short",
            r"easy|hard",
            r"maximum|minimum|max|min|most|least|best|worst|longest|shortest|highest|lowest",
        )
    ),
)  # fmt: skip
_PREPOSITION = re.compile(
    r"^(?:for|with|on|in|at|during|before|after|without|between|from|under|over|against|near|by|as)\b", _FLAGS
)


def standalone(question: str, before: str, subject: str = "") -> str:
    """`question` as it is understood alone, after the question `before` (itself understood alone).

    `subject` is the heading that the answer before stood under. The question itself where it leaves nothing out.
    """
    asked = " ".join(plain(question).split())
    if not before or len(asked) > LONGEST:
        return question
    if topic := _NEW_TOPIC.match(asked):
        return asked[topic.end() :].strip() or question
    lead = _LEAD.match(asked)
    led = bool(lead) and bool(re.search(r"\b(?:and|but|or|also|plus|then|so)\b", lead[0], _FLAGS)) if lead else False
    rest = (asked[lead.end() :] if lead else asked).strip()
    about = _ABOUT.match(rest)
    rest = rest[about.end() :] if about else rest
    bare = rest.rstrip(" ?.!…").strip()
    stem = before.rstrip(" ?.!")[:LONGEST]
    if not bare:
        return before if asked.endswith("?") else question
    if _MORE.fullmatch(bare) and not about:
        return f"{stem}? {bare[0].upper()}{bare[1:]}?"
    if about or _is_fragment(bare) or (led and len(words(bare)) <= FEW and not _CLAUSE.search(bare)):
        return _completed(stem, bare)
    if _WHY.match(bare):
        return f"{stem}: {bare}?"
    if _refers(bare) or _ENDS_OPEN.search(bare) or _OPEN_WH.fullmatch(bare) or (led and _names_the_known(bare)):
        return _with_carried(bare, stem, subject)
    return question if not led else bare[0].upper() + bare[1:] + ("?" if asked.endswith("?") else "")


def _is_fragment(text: str) -> bool:
    """Whether it is no clause of its own: "on the second day", "if it rains", "longer", "8 hours"."""
    if _CONDITION.match(text) and "," not in text:
        return True
    if _CLAUSE.search(text):
        return False
    if _PREPOSITION.match(text):
        return len(words(text)) <= 2 * FEW
    return len(words(text)) <= FEW and (bool(list(_slots(text))) or _is_degree(text))


def _is_degree(text: str) -> bool:
    """Whether it is only a degree: "longer", "less", "more often", "how long"."""
    return bool(
        re.fullmatch(r"(?:(?:even|much|any|a bit|or) )?(?:\w+er|more|less|fewer|better|worse)(?: \w+)?", text, _FLAGS)
    )


def _refers(text: str) -> bool:
    """Whether a word of it stands for something said before, and for nothing in it."""
    cleared = _REFERS_TO_NOTHING.sub(lambda found: " " * len(found[0]), text)
    found = _REFERS.search(cleared)
    if not found:
        return False
    # "If my chain is dirty, does it cost watts?": the clause before says what "it" is.
    clause = re.search(r"[,;:]", text[: found.start()])
    return not (clause and len(_content(text[: clause.start()])) >= 1)


def _names_the_known(text: str) -> bool:
    """Whether it speaks of something as known that it says little about: "how long should the intervals be"."""
    return bool(re.search(r"\bthe \w+", text, _FLAGS)) and len(_content(text)) <= 1


def _completed(stem: str, fragment: str) -> str:
    """The question before, with the fragment in the place of what it is of a kind with, or behind it."""
    made, rest, added = stem, fragment, False
    for kind, pattern in _SLOTS:
        new = pattern.search(rest)
        if not new:
            continue
        olds = [old for old in pattern.finditer(made) if _same_kind(kind, old[0], new[0])]
        if olds:
            old = olds[-1]
            made = made[: old.start()] + _fitted(kind, old[0], _in_figures(new[0])) + made[old.end() :]
        elif kind == "place":  # the number in it is no amount
            made, added = f"{made} {_in_figures(new[0])}", True
        else:
            continue
        after = re.sub(r"^\s+(?:one|ones)\b", "", rest[new.end() :])  # "for a short one"
        rest = f"{rest[: new.start()]} {after}".strip()
    left = [word for word in words(rest) if word not in STOP_WORDS and word not in words(made)]
    if not left and made != stem:
        return f"{made}?"
    if made == stem and (swapped := _preposition_swapped(stem, fragment)):
        return f"{swapped}?"
    return f"{made} {rest if left or added else fragment}?".replace("  ", " ")[: 2 * LONGEST]


def _in_figures(place: str) -> str:
    """ "the second day" with "day 2" behind it: documents have the one or the other."""
    found = re.search(rf"\b({'|'.join(_ORDINALS)}) ({_PARTS})\b", place, _FLAGS)
    return f"{place} ({found[2]} {_ORDINALS.index(found[1].lower()) + 1})" if found else place


def _preposition_swapped(stem: str, fragment: str) -> str:
    """ "How many hours for a gran fondo" and "for a time trial": the same preposition at its end."""
    preposition = _PREPOSITION.match(fragment)
    if not preposition:
        return ""
    found = list(re.finditer(rf"\b{preposition[0]}\b", stem, _FLAGS))
    if not found or len(words(stem[found[-1].start() :])) > FEW or found[-1].start() == 0:
        return ""
    return stem[: found[-1].start()] + fragment


def _with_carried(text: str, stem: str, subject: str) -> str:
    """A question that points back, with what it may point to behind it in brackets."""
    known = stems_of(text)
    told = re.sub(r"['’]\w+", "", f"{stem} {subject}")
    carried = [word for word in re.findall(r"\w+(?:-\w+)*", told) if _tells(word) and not stems_of(word) <= known]
    once = list({word.lower(): word for word in reversed(carried)}.values())[::-1]
    return f"{text[0].upper()}{text[1:]}? ({' '.join(once)})"[: 2 * LONGEST] if once else f"{text}?"


def _tells(word: str) -> bool:
    return word.lower() not in STOP_WORDS and bool(_content(word))


def _content(text: str) -> frozenset[str]:
    """The stems that say what a text is about."""
    return frozenset(stem for stem in stems_of(text) - EMPTY if stem not in STOP_WORDS)


def _slots(text: str) -> Iterator[re.Match[str]]:
    for _, pattern in _SLOTS:
        if found := pattern.search(text):
            yield found


def _same_kind(kind: str, old: str, new: str) -> bool:
    """Two amounts are of a kind where they have the same unit, or the new one has none."""
    if kind != "amount":
        return True
    unit = _unit(new)
    return not unit or unit == _unit(old)


def _unit(amount: str) -> str:
    found = re.search(
        r"[a-z%°]+", re.sub(rf"^(?:[\d.,–-]|\bto\b|\b(?:{_NUMBER_WORDS})\b|\s)+", "", amount, flags=_FLAGS), _FLAGS
    )
    return found[0].lower().rstrip("s") if found else ""


def _fitted(kind: str, old: str, new: str) -> str:
    """The new one as it stands in the old one's place: "8" for "6 hours a week" is "8 hours a week"."""
    if kind == "place" and old.lower().startswith("on ") and not new.lower().startswith("on "):
        return f"on {new}"
    if kind == "amount" and " " in old and len(words(new)) < len(words(old)):
        number = re.match(rf"(?:\d[\d.,]*(?: ?(?:-|–|to) ?\d[\d.,]*)?|{_NUMBER_WORDS})", old, _FLAGS)
        of = re.match(rf"(?:\d[\d.,]*(?: ?(?:-|–|to) ?\d[\d.,]*)?|{_NUMBER_WORDS})", new, _FLAGS)
        if number and of:
            return of[0] + old[number.end() :]
    return new

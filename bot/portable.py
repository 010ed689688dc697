"""Which sentences of a past reply are true of any other comment of the same intent.

The rule is strict: a sentence must do what its intent needs (thank, be glad, open an answer, laugh), be made of everyday
words only, and hold no name, link, number, handle, question, promise or agreement with an opinion.
"""

# ruff: noqa: E501 (patterns read better whole)

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from data.persona import EMOJI, EMOTICON
from data.sentences import sentences

_FLAGS = re.IGNORECASE

# What a sentence must do, by intent, to be worth carrying over.
_CORE = {
    "thanks": re.compile(
        r"\b(?:thank(?:s| you)(?! for (?:asking|the (?:question|suggestion)))|thx|ty|glad|happy|pleased|appreciate\w*|grateful|cheers|welcome|pleasure|no problem|anytime|"
        r"(?:great|good|lovely|awesome|nice|wonderful|so good) to hear|means (?:a lot|so much|the world)|made my (?:day|morning|evening|week)|thing to (?:hear|say|read)|love (?:to hear|it|this|that)|"
        r"kind (?:words|of you)|enjoy\w*|(?:so|very|too) kind|you (?:rock|are awesome|are the best))\b",
        _FLAGS,
    ),
    "question": re.compile(
        r"\b(?:question|glad you asked|thanks for asking|happy to (?:help|explain|clarify))\b",
        _FLAGS,
    ),
    "suggestion": re.compile(r"\b(?:suggest(?:ion|ions|ing)|idea|ideas|request)\b", _FLAGS),
    "joke": re.compile(
        r"\b(?:l(?:o|u)+l|lmao|rofl|(?:ha){2,}h?|hehe|made me (?:laugh|smile)|funny|good one|cracked me up)\b", _FLAGS
    ),
    "remark": re.compile(
        r"\b(?:thank(?:s| you) for (?:the (?:comment|insight|input|perspective|thoughts)|(?:your|this) (?:comment|insight|input|perspective|thoughts)|sharing|watching|adding)|"
        r"(?:great|good|interesting|nice|fair) (?:point|perspective|insight|thought|take|comment|observation))\b",
        _FLAGS,
    ),
}
# Things a reply only says of one comment: questions, promises, plans, agreement, excuses.
_BARRED = re.compile(
    r"\?|[@#/\\_=<>\[\]{}()\"“”„«»|~^*]|\d|\b(?:i['’]?ll|i will|we['’]?ll|will|gonna|going to|plan(?:ning|s)?|soon|next|list|added|adding|"
    r"upcoming|working on|stay tuned|more to come|tomorrow|later|agree\w*|sorry|apolog\w+|hopefully|check|link|subscribe|follow|"
    r"share it|buy|join|email|dm|but|however|although|because|cause|since|if|while|except|also)\b",
    _FLAGS,
)
_EVERYDAY_WORDS = """
a about absolutely added adding again agree ah all always amazing and another any anytime appreciate appreciated
appreciates are article as asked asking at aw awesome aww back be been being best big brilliant but by can channel
cheers clear comment comments concise content cool could course cracked day definitely did do easy enjoy enjoyed
enjoying enjoys evening ever every everyone excellent excited explanation fair fantastic feedback find follow
following for found fun funny get getting glad good got grateful great ha hah haha hahaha happy hard has have hear
heard hearing heart hehe hello help helped helpful helps hey hi honored honoured hope humbled i i'm i've idea ideas
important in incredibly informative input insight insightful inspiring interest interesting is it it's its it’s i’m
just keep kept kind kindness know laugh learn learned learning like liked likes literally lmao lol lot lots love loved
lovely loving luck made make makes many me mean means message more morning most motivates motivating motivation much
my myself new nice nicely no not observation of off oh on one our out part people perfect perspective pleased pleasure
point poor positive post posts practical problem question questions quite read reading really request resonated
resonates rock say series sharing short simple site smile so some someone something stopping straightforward stuff
such suggesting suggestion suggestions super support supporting sure sweet take taking tell telling thank thanks that
that's that’s the their them there these they thing this thorough those thought thoughtful thoughts thx time to today
told too touched truly tutorial ty understand up us useful valuable value very video videos wanted warm was watch
watching way we we're week weekend well were we’re what when with wonderful word words worked works world worth wow
write writing wrote yay yeah yes yet you you'd you're you've your yours you’re
"""
_EVERYDAY = frozenset(_EVERYDAY_WORDS.split())
_VOCATIVE = re.compile(
    r"^(?P<greeting>(?i:hi|hey|hello|dear)\b[ ,]*(?:(?!thank)[\w'’.-]{1,30}\s?){0,2}[,!.:]++\s*+)|"
    r"^(?P<thanks>(?:thanks|thank you|cheers)(?: so much| a lot| again| a bunch)?),? (?!so\b|a\b|for\b|again\b|glad\b)(?P<name>[A-Z][\w'’-]++)(?P<mark>[,!.]|(?=\W*+$))",
)
_NAME_AT_END = re.compile(r",? (?!I\b)[A-Z][\w'’-]+(?=[!.]+\s*$)")
_ADDRESS = re.compile(r"\b(?:man|bro|dude|sir|mate|buddy|friend|guys|sis|madam|ma'am|brother|sister)\b", _FLAGS)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SPACES = re.compile(r"\s+")
_FACES = re.compile(rf"(?:(?:{EMOJI.pattern}|\ufe0f|\u200d|{EMOTICON.pattern})\s*+)++")
_LETTERED = re.compile(r"\w")
LONGEST = 300  # characters of a sentence that is carried over: of sixteen everyday words, few have half as many


@dataclass(frozen=True)
class Aspect:
    """Something a reply can speak of. `needed`: it may only where the comment speaks of it too."""

    reply: re.Pattern[str]
    comment: re.Pattern[str]
    needed: bool
    weight: float = 1.0  # what having it in both adds to the fit


def _aspect(reply: str, comment: str, needed: bool, weight: float = 1.0) -> Aspect:
    return Aspect(re.compile(rf"\b(?:{reply})\b", _FLAGS), re.compile(rf"(?<!\w)(?:{comment})", _FLAGS), needed, weight)


# "You look like my teacher" and "Day 12 of asking" like nothing and tell no news.
_NO_LIKENESS = r"^(?![\s\S]*\b(?:(?:look|sound|feel)s? (?:\w+ )?like|day \d+ of)\b)[\s\S]*?(?<!\w)"
ASPECTS = (
    _aspect(
        "clear|clearly|straightforward|easy|simple|understand|explanation",
        r"clear|underst(?:and|ood)|straightforward|simpl|eas(?:y|i)|explanation|expla\w+ (?:\w+ ){0,3}(?:well|clear|simpl|better|best|perfect)|"
        r"crisp|digest|broken down|ma[dk]es? sense|clicked",
        True,
        1.5,
    ),
    _aspect("concise|short|to the point", r"short|concise|condensed|quick|brief|to the point|minutes|crisp", True, 1.2),
    _aspect(
        "informative|thorough|insightful|interesting",
        r"informati|thorough|insight|interest|learn|topic|coverage|complete|comprehensive|deep|detail",
        True,
    ),
    _aspect(
        "helpful|help|helped|helps|useful|valuable|value|practical|learned|learning|learn",
        r"help|useful|usefull|valuab|learn|tips|saved?|introduc|answered|insight|exam\b|class|thesis|project|"
        r"work|teach(?!er)|taught|tutorial|informati|playlist|code|finally (?!a\b|someone|some)\w+ (?:get|got|see|underst|ma[dk]e)|explain|expla|lifesaver|need",
        True,
        1.2,
    ),
    _aspect("worked", r"it worked|works\b|worked|came out|turned out|fixed|solved", True),
    # Only of news is one glad to hear: what the viewer tells of themselves, or what the work did for them.
    _aspect(
        "to hear|to hear that|to know",
        _NO_LIKENESS
        + r"(?:(?:i|we|he|she|they|my \w+|our \w+)(?:(?:['’](?:ve|m|d)| have| am| just| now| even| \w+ly)\b)*+ (?:\w+ed|got|made|built|found|won|understand|use|do|feel|can|make|bought|went|been \w+ing)\b|help|useful|learn|informati|insight|work(?:s|ed)\b|enjoy|loved?|liked|clear|eas[iy]|underst|awesome|amazing|as (?:usual|always))",
        True,
        0.0,
    ),
    # To praise an idea, there has to be one: "slow down a bit" is a request.
    _aspect(
        "idea|ideas",
        r"ideas?\b|videos?\b|tutorial|series|episode|podcast|part (?:two|2|3|three|ii)|guide|stream|collab|cover|challenge|course|book\b|one (?:on|about|for|with)\b|(?:try|start|visit|invite|interview|compare|make)\b",
        True,
    ),
    _aspect(
        "liked|like|enjoyed|enjoying|enjoy|enjoys|love|loved",
        _NO_LIKENESS
        + r"(?:like|love|enjoy|great|awesome|amazing|excellent|best|good|nice|fantastic|video|content|presentation|wow|addict|fun)",
        True,
    ),
    _aspect(
        "funny|laugh|haha|hahaha|lol|smile|fun",
        r"funny|fun\b|laugh|haha|lol|joke|hilarious|humou?r|[😂🤣😆😅😄]|:D",
        True,
    ),
    _aspect(
        "kind words|kind|kindness|so sweet|means (?:a lot|so much|the world)|made my \\w+|thing to (?:say|hear|read)",
        r"‹wish›|you (?:explain|are (?!welcome)|deserve|make)|you['’]re|deserves?|talent|amazing|rare|genius|legend|incredible|wonderful|channel|your (?:videos|content|work)|inspir|respect|viral",
        True,
        1.3,
    ),
    _aspect(
        "my pleasure|you['’]?re (?:very |most |so )?welcome|no problem|anytime",
        r"thank|thx|ty\b|appreciat|grateful",
        True,
        0.1,
    ),
    _aspect("inspiring|motivating|motivation|motivates", r"inspir|motivat", True),
    _aspect("excited|looking forward", r"excited|looking forward|can['’]?t wait", True),
    _aspect("resonated|resonates", r"resonat|relate\b", True),
    _aspect("luck", r"luck|exam|thesis|interview|project", True),
    _aspect("support|supporting", r"support|subscrib|patreon|member|donat|every video", True, 0.4),
    # What was liked is only named where the comment names it.
    _aspect("videos", r"videos|series|playlist|channel|content", True, 0.3),
    _aspect("video|watching|watch", r"videos?\b|watch|series|playlist|channel", True, 0.3),
    _aspect("article|post|posts|reading|read|blog", r"articles?\b|posts?\b|read|blog|wrote|writing", True, 0.3),
    _aspect("series|playlist", r"series|playlist|episodes", True, 0.3),
    _aspect("tutorial|course", r"tutorial|course|lesson", True, 0.3),
    _aspect("channel", r"channel|subscrib", True, 0.3),
    _aspect("day|week|weekend|today", r"day|week|morning|today", True, 0.2),
    _aspect("questions", r"^[\s\S]*?(?:\?.*\?|questions)", True, 0.2),
    # Said of anything, so said of nothing: only where nothing better fits.
    _aspect("comments?|sharing|feedback", r"", False, -0.8),
)


def portable(reply: str, label: str, catchphrases: Collection[str] = ()) -> str:
    """What of `reply` can answer another comment of intent `label`; empty where nothing can.

    For a question that is an opening, one sentence; else sentences in their order, at most two. `catchphrases`, which
    the creator says again and again, may follow.
    """
    kept: list[str] = []
    for sentence in pieces(reply):
        text = nameless(sentence)
        if text and _carries(text, label):
            kept.append(text)
        elif kept and sentence in catchphrases:
            kept.append(sentence)
        elif kept:
            break  # what follows a lost sentence may lean on it
    limit = 1 if label in ("question", "joke", "remark", "suggestion") else 2
    return " ".join(kept[:limit])


def find_catchphrases(replies: Iterable[str]) -> set[str]:
    """The sentences that stand in three replies or more and hold no number, link, question or promise."""
    counts = Counter(piece for reply in replies for piece in set(pieces(reply)))
    return {piece for piece, count in counts.items() if count >= 3 and not _BARRED.search(EMOTICON.sub(" ", piece))}


def pieces(reply: str) -> list[str]:
    """Sentences; an emoji or emoticon ends one too, and stays with it."""
    found: list[str] = []
    for start, end in sentences(reply):
        text = _SPACES.sub(" ", reply[start:end])
        cut = 0
        for match in _FACES.finditer(text):
            if not _LETTERED.match(text, match.end()):
                continue
            found.append(text[cut : match.end()].strip())
            cut = match.end()
        rest = text[cut:].strip()
        if rest and found and not _WORD.search(rest):
            found[-1] += " " + rest  # "Thanks!" ":)"
        elif rest:
            found.append(rest)
    return found


def nameless(sentence: str) -> str:
    """The sentence without the viewer's name: "Thanks Ana!" is "Thanks!", "Hi Ana, thanks for it" is "Thanks for it"."""
    match = _VOCATIVE.match(sentence)
    if match and match["greeting"]:
        sentence = sentence[match.end() :]
    elif match and match["name"].lower() not in _EVERYDAY:
        sentence = match["thanks"] + (match["mark"] or "") + sentence[match.end() :]
    name = _NAME_AT_END.search(sentence)
    if name and name[0].strip(" ,").lower() not in _EVERYDAY:
        sentence = sentence[: name.start()] + sentence[name.end() :]
    return sentence[:1].upper() + sentence[1:]


def _carries(sentence: str, label: str) -> bool:
    if len(sentence) > LONGEST:
        return False
    words = _WORD.findall(EMOTICON.sub(" ", sentence))
    if not words:
        return label == "joke" and bool(EMOJI.search(sentence)) and len(sentence) <= 12
    if len(words) > 16 or _BARRED.search(EMOTICON.sub(" ", sentence)) or _ADDRESS.search(sentence):
        return False
    if not _CORE[label].search(sentence):
        return False
    if any(
        word[0].isupper() and word not in ("I", "I'm", "I’m", "I've", "I’ve") and not word.isupper()
        for word in words[1:]
        if not _starts(sentence, word)
    ):
        return False
    return everyday(words)


def everyday(words: Iterable[str]) -> bool:
    """Whether all of `words` are such as thanks and praise are made of."""
    return all(
        word.lower().replace("’", "'") in _EVERYDAY
        or re.fullmatch(r"(?:ha){2,}h?|l(?:o|u)+l|wo+w|so+|ve+ry|than+ks+", word.lower())
        for word in words
    )


def _starts(sentence: str, word: str) -> bool:
    """Whether a capital is only that of a new clause: after a mark, as in "Wow! Thanks"."""
    return bool(re.search(rf"[.!…:)]\s*{re.escape(word)}\b", sentence))

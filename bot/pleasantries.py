"""Which sentences of a reply claim nothing: thanks and wishes, and questions that ask the viewer back."""

# ruff: noqa: E501 (patterns read better whole)

import re

from bot.portable import everyday, nameless, portable
from data.persona import EMOJI, EMOTICON

LONGEST = 200  # characters of a pleasantry or a question back

_FRIENDLY = ("thanks", "question", "suggestion", "joke", "remark")  # the intents that bot.portable knows sentences for
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NAME = re.compile(r"\b[A-Z][\w’'-]*")
_NO_TROUBLE = re.compile(r"\bno (?:problem|worries)\b", re.IGNORECASE)
# Answers, promises, orders and judgements that are made of everyday words.
_SAYS = re.compile(
    r"\b(?:yes|yeah|yep|yup|no|nope|not|never|none|sure|of course|absolutely|definitely|certainly|indeed|exactly|right|correct|true|false|wrong|always|"
    r"agreed?|promise|safe|can|could|should|would|will|must|may|might|everyone|everything|all|free|best (?!thing|part|comment|wishes|regards)|because|if|do it|go ahead|"
    r"follow|keep (?!it up|up|watching)|try|take|tell|share|send|write|come|make [^m]|most)\b|n['’]t\b|"
    r"(?:\band|,) (?!(?:so |very |really )?(?:glad|happy|pleased)\b)(?:\w+ ){0,3}(?:is|are|was|were|has)\b",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"(?:(?:hi|hey|hello|welcome|cheers|enjoy|good luck|take care|best wishes|see you|all the best|happy [a-z]+ing|(?:i )?hope (?:that|this|it) helps|congrats|congratulations|well done|you['’]re (?:very |most )?welcome|my pleasure|"
    r"(?:have|enjoy) (?:a|your|the) (?:(?:very )?(?:great|nice|lovely|good|wonderful) )?(?:day|week|weekend|evening|morning|one))(?: there| all| everyone| again)?)\W*",
    re.IGNORECASE,
)

# A question back: an opening question word, then what the viewer does, or how it went.
_DOING = r"use|used|using|do|doing|did|try|tried|trying|make|making|made|see|get|got|getting|like|liked|prefer|mean|meant|notice|noticed|have|need|start|started|plan|planning|work|working|choose|chose"
_MORE = r"(?: (?:it|them|that|this|these|those|for|with|at|on|in|to|so|far|now|today|most|best|first|next|yourself|usually|when|you|the|a|your|here|about|of|instead|yet))*"
_ASKS = re.compile(
    rf"(?:and |so |but )?(?:(?:which|what)(?: (?:kind|type|sort|brand|size|version|part) of)?(?: (?P<thing>[a-z]+))?|how(?: long| often| many)?|when)"
    rf" (?:do|did|are|were|have|would) you (?:usually |normally )?(?:{_DOING}){_MORE}\?|"
    rf"what (?:happens|happened) when you (?:{_DOING}){_MORE}\?|"
    r"how (?:did|does|is|was) (?:it|that|yours|this)(?: (?:go|going|turn out|taste|come out|work out|look|work))?(?: for you)?\?|"
    r"what do you think\?|how are you(?: doing)?\?",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"password|pin|code|address|e-?mail|phone|number|account|card|bank|pay\w*|money|euros?|dollars?|cash|name|age|birthday|salary|income|contact|passport|religion|weight|idiots?|fools?|"
    r"morons?|crap|hell|nonsense|lies?|drugs?|crime",
    re.IGNORECASE,
)


def claims_nothing(sentence: str, comment: str) -> bool:
    """Whether it is a pleasantry, or asks the viewer back, and names nobody that the comment doesn't name."""
    if len(sentence) > LONGEST:
        return False
    bare = nameless(sentence)
    spoken_to = set(_NAME.findall(sentence)) - set(_NAME.findall(bare)) - {bare[:1]}
    if any(name.lower() not in _WORD.findall(comment.lower()) for name in spoken_to if not everyday([name])):
        return False
    words = _WORD.findall(EMOTICON.sub(" ", sentence).lower())
    if not words:
        return bool(EMOJI.search(sentence) or EMOTICON.search(sentence)) and len(sentence) <= 12
    if repeats(words):
        return False
    if sentence.endswith("?"):
        asks = _ASKS.fullmatch(bare)
        return bool(asks) and not (asks and asks["thing"] and _PRIVATE.fullmatch(asks["thing"]))
    plain = _NO_TROUBLE.sub("", EMOTICON.sub("", EMOJI.sub("", bare))).strip()
    if not plain or _WISH.fullmatch(plain):
        return True
    return not _SAYS.search(plain) and any(portable(bare, label) for label in _FRIENDLY)


def repeats(words: list[str]) -> bool:
    """Whether it says the same over and over: a word three times running, or few words often."""
    thrice = any(a == b == c for a, b, c in zip(words, words[1:], words[2:], strict=False))
    return thrice or (len(words) >= 6 and 2 * len(set(words)) <= len(words))

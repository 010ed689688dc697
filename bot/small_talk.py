"""Greetings, thanks and goodbyes that are the whole of a message: they ask nothing and are returned."""

# ruff: noqa: E501 (patterns read better whole)

import re
from typing import Literal

from bot.surface import plain
from data.persona import EMOJI, EMOTICON

LONGEST = 80  # characters of a message that may be nothing else

_FLAGS = re.IGNORECASE
_NAME = r"(?: (?:there|again|everyone|all|coach|friend|mate|man|buddy|team|folks|vito|{name}))*"
_GREETS = r"(?:hi|hiya|hey|hello|howdy|yo|ciao|good (?:morning|afternoon|evening|day)|greetings|nice to meet you|how are you(?: doing)?(?: today)?|how(?:'s| is) it going|what's up|sup)"
_THANKS = r"(?:(?:many |ok |okay |great |cool |no |and )*(?:thanks|thank you|thx|ty|cheers)(?: (?:a lot|so much|very much|a million|again|for (?:the|your|all|all the|all your) (?:help|advice|answers?|tips?|plan|info|time)|for (?:that|this|everything|helping)))*|(?:that|this)(?:'s| is| was| helps?| helped)(?: (?:really|very|so|super))?(?: (?:helpful|great|perfect|useful|good|clear|a lot|enough|all|it|all i needed))?|much appreciated|appreciate it|you(?:'re| are) (?:great|the best|awesome)|(?:ok|okay|great|perfect|cool|nice|awesome|super|brilliant|wonderful|excellent|got it|will do|sounds good|understood|makes sense|alright|i see|lovely|wow)(?:,? (?:ok|great|perfect|cool|nice))?)"
_BYE = r"(?:bye|bye[- ]bye|goodbye|see you(?: (?:later|soon|tomorrow|next time))?|ciao|good night|take care|have a (?:good|nice|great) (?:day|one|evening|weekend|ride)|until next time|talk to you later|that's all(?: for (?:now|today))?)"

SmallTalk = Literal["greeting", "thanks", "goodbye"]


def small_talk(text: str, name: str = "") -> SmallTalk | None:
    """What `text` is where it only greets, thanks or says goodbye, perhaps to `name`; None where it says more."""
    said = " ".join(EMOTICON.sub(" ", EMOJI.sub(" ", plain(text))).replace("’", "'").split())
    if len(said) > LONGEST:
        return None
    parts = [part.strip() for part in re.split(r"[,.!?;:…-]+(?:\s|$)", said) if part.strip()]
    if not parts:
        return None
    names = _NAME.replace("{name}", re.escape(name) or "there")
    kinds: list[SmallTalk] = []
    for part in parts:
        for kind, pattern in _KINDS:
            if re.fullmatch(pattern + names, part, _FLAGS):
                kinds.append(kind)
                break
        else:
            if kinds and name and part.lower() == name.lower():
                continue
            return None
    return kinds[-1] if kinds[-1] == "goodbye" else kinds[0]


_KINDS: tuple[tuple[SmallTalk, str], ...] = (("greeting", _GREETS), ("thanks", _THANKS), ("goodbye", _BYE))

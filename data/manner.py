"""A persona from what a creator's own past replies show: signature, lengths, openings, emoji."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from data.errors import BadInput
from data.persona import EMOJI, EMOTICON, Persona, find_signature, shipped_replies, slug, without_signature

_EXCLAIMED = re.compile("!")
_NO_OPENING = (
    "i",
    "i'd",
    "i'm",
    "i'll",
    "it",
    "it's",
    "you",
    "your",
    "my",
    "the",
    "that",
    "that's",
    "in",
    "if",
    "a",
    "is",
)


def persona_from_replies(name: str, pairs: Iterable[tuple[str, str]]) -> Persona:
    """A persona from what a creator's own past replies show: signature, lengths, openings, emoji.

    `pairs` are (comment, reply). Raises BadInput where no reply has any text.
    """
    slug(name)
    kept = [(comment, reply.strip()) for comment, reply in pairs if reply and reply.strip()]
    replies = [reply for _, reply in kept]
    if not replies:
        raise BadInput("no replies to learn from: the file has no row with both a comment and a reply")
    signature = find_signature(replies)
    bodies = [(comment, without_signature(reply, signature) or reply) for comment, reply in kept]
    texts = [body for _, body in bodies]
    own = {label: _in_manner(lines, texts) for label, lines in shipped_replies().items()}
    return Persona(name=name, instructions=_describe(name, bodies), signature=signature, replies=own)


def _describe(name: str, bodies: Sequence[tuple[str, str]]) -> str:
    """Instructions in words from the figures of `bodies`, which are (comment, reply without its signature)."""
    texts = [body for _, body in bodies]
    asked = [len(body.split()) for comment, body in bodies if "?" in comment]
    others = [len(body.split()) for comment, body in bodies if "?" not in comment]
    openings = Counter(opening for body in texts if (opening := _opening(body)))
    common = [opening for opening, count in openings.most_common(5) if count >= max(2, 0.03 * len(texts))]
    lines = [f"You draft replies to comments for {name}, in {name}'s own manner. {name} reads and approves each one."]
    if others:
        lines.append(f"A reply to a thank-you or a remark has {_length(others)}.")
    if asked:
        lines.append(f"A reply to a question has {_length(asked)}.")
    if common:
        lines.append("They often open with " + ", ".join(f'"{opening}"' for opening in common) + ".")
    emoji = _share(EMOJI, texts)
    if emoji < 0.05:
        lines.append("They have no emoji.")
    else:
        lines.append(f"About {round(100 * emoji)} in 100 have an emoji; leave it out where the comment is serious.")
    if _share(EMOTICON, texts) >= 0.05:
        emoticons = Counter(match for body in texts for match in EMOTICON.findall(body))
        lines.append(f'A "{emoticons.most_common(1)[0][0]}" ends a friendly line now and then.')
    if _share(_EXCLAIMED, texts) < 0.1:
        lines.append("They have no exclamation marks.")
    lines.append("State only what the given passages say. Where they don't answer a question, say so plainly.")
    return "\n".join(lines)


def _length(words: Sequence[int]) -> str:
    """ "about 9 words, seldom more than 20": the median and the 90th percentile."""
    median, long = int(statistics.median(words)), sorted(words)[min(len(words) - 1, int(0.9 * len(words)))]
    return f"about {median} words" + (f", seldom more than {long}" if long > median else "")


def _in_manner(replies: Sequence[str], bodies: Sequence[str]) -> list[str]:
    """Neutral replies without the marks that the creator doesn't make: emoticons, exclamation marks."""
    if _share(EMOTICON, bodies) < 0.05:
        replies = [re.sub(rf"\s*{EMOTICON.pattern}", "!", reply) for reply in replies]
    if _share(_EXCLAIMED, bodies) < 0.1:
        replies = [reply.replace("!", ".") for reply in replies]
    return list(dict.fromkeys(replies))


def _share(pattern: re.Pattern[str], texts: Sequence[str]) -> float:
    return sum(bool(pattern.search(text)) for text in texts) / len(texts)


def _opening(body: str) -> str:
    """The first clause where that is short, else the first word: "Oh lovely, …" and "Thanks for the kind words"."""
    clause = re.match(r"([A-Za-z’']+(?: [a-z’']+){0,2})(?=[,.!:;—–]|$)", body) or re.match(r"[A-Za-z’']+", body)
    return clause[0] if clause and clause[0].split()[0].lower().replace("’", "'") not in _NO_OPENING else ""

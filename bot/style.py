"""Replies in the creator's own manner: past replies reduced to what is true of any comment, the one that fits chosen.

A past reply to another comment may hold that viewer's name, a link, a number, a fact or a promise. Only its portable
sentences are kept: thanks, gladness, an opening, laughter, made of everyday words. Which of them fits is told by
intent, by what the comment praises (clear, helpful, short …), by length and by tone; the topic plays no part.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.portable import ASPECTS, find_catchphrases, portable
from data.persona import EMOJI, EMOTICON, find_signature, without_signature
from data.style_memory import PastReply

POOL = 500  # portable replies kept, the latest: each comment behind them is classified once, at the start
NEVER_AGAIN = 5  # the latest drafts whose words aren't given again, where there are as many others
STALE = 0.5  # what a text loses where it stands further back among the latest drafts
ENOUGH = NEVER_AGAIN + 1  # past replies that fit; with fewer, the persona's own are drawn on too
CLOSE = 0.35  # choices within this of the best fit are equally good; one is drawn


_GLAD = re.compile(
    r"(?P<opening>[A-Z][\w' ]{2,14}[,!.] )?"
    r"(?P<clause>(?:I['’]m |so |really |very )*(?:[Gg]lad|[Hh]appy|[Pp]leased) [^.!,]+?)"
    rf"(?P<end>\W*|\s*{EMOTICON.pattern})"
)


class Classifies(Protocol):
    """The part of an IntentClassifier that is used here."""

    def label(self, comment: str) -> str: ...


@dataclass(frozen=True)
class Choice:
    """A portable reply and the comment it answered, if any."""

    text: str
    comment: str = ""  # empty for one of the persona's own


class Style:
    """Style memory, ready to choose from."""

    def __init__(
        self,
        past: Iterable[PastReply],
        classifier: Classifies,
        replies: Mapping[str, Sequence[str]],
        signature: str = "",
    ) -> None:
        """`replies`: the persona's own by intent, for when too few past ones fit. Signatures are taken off."""
        self.own = {label: [Choice(without_signature(t, signature)) for t in texts] for label, texts in replies.items()}
        self.choices: dict[str, list[Choice]] = {}
        pairs = list(past)
        theirs = find_signature([pair.reply for pair in pairs if pair.reply.strip()])
        phrases = find_catchphrases(pair.reply for pair in pairs)
        seen: set[tuple[str, str]] = set()
        for pair in reversed(pairs):
            if len(seen) >= POOL:
                break
            body = without_signature(without_signature(pair.reply, theirs), signature)
            kept = {
                label: text
                for label in ("thanks", "question", "suggestion", "joke", "remark")
                if (text := portable(body, label, phrases))
            }
            if not kept:
                continue
            label = classifier.label(pair.comment)
            text = kept.get(label, "")
            if text and (label, text) not in seen:
                seen.add((label, text))
                self.choices.setdefault(label, []).append(Choice(text, pair.comment))
        self.choices = {label: _recombined(choices) for label, choices in self.choices.items()}

    def choose(self, label: str, comment: str, recent: Sequence[str] = ()) -> str:
        """A reply (for "question": an opening) that fits `comment`; empty where none does.

        The same comment, memory and `recent` (the latest drafts, oldest first) give the same choice in every process.
        """
        near = self.near(label, comment, recent)
        if not near:
            return ""
        digest = hashlib.sha256("\0".join([comment, *recent[-1:]]).encode("utf-8", "surrogatepass")).digest()
        return near[int.from_bytes(digest[:8], "big") % len(near)]

    def near(self, label: str, comment: str, recent: Sequence[str] = ()) -> list[str]:
        """The replies that fit `comment` about equally well, sorted by text."""
        own, past = self.own.get(label, []), self.choices.get(label, [])
        fitting = _fitting(past, comment, label)
        if len({choice.text for choice, _ in fitting}) < ENOUGH:
            fitting += _fitting(own, comment, label)
        if not fitting:
            return []
        fitting = _vary(fitting, recent)
        if not fitting:
            return []
        best = max(fit for _, fit in fitting)
        return sorted({choice.text for choice, fit in fitting if fit >= best - CLOSE})


def _fitting(choices: Sequence[Choice], comment: str, label: str) -> list[tuple[Choice, float]]:
    if not choices:
        return []
    said = _WISHES.sub(" ‹wish› ", _ELSEWHERE.sub(" ", comment))
    speaks = [bool(aspect.comment.search(said)) for aspect in ASPECTS]  # once: the comment may be long
    return [(choice, fit) for choice in choices if (fit := _fit(choice, said, speaks, label)) is not None]


def _recombined(choices: Sequence[Choice]) -> list[Choice]:
    """The choices, and what their openings and their glad clauses give in other pairs: "Thanks," + "glad it was clear".

    All of it is the creator's wording; a small memory then goes further before it repeats itself.
    """
    split = [(choice, match) for choice in choices if (match := _GLAD.fullmatch(choice.text))]
    openings = sorted({match["opening"] or "" for _, match in split})
    texts = {choice.text for choice in choices}
    made = []
    for choice, match in split:
        for opening in openings:
            first = match["clause"][0]
            inside = opening.endswith(", ") and not match["clause"].startswith("I")
            clause = (first.lower() if inside else first.upper()) + match["clause"][1:]
            text = opening + clause + match["end"]
            if text.lower().count("hear") < 2 and text not in texts:
                texts.add(text)
                made.append(Choice(text, choice.comment))
        if re.match(r"thank|cheers", opening := match["opening"] or "", re.IGNORECASE):
            bare = opening.rstrip(" ,!.") + "!"  # the thanks alone, for a wish or a heart
            if bare not in texts:
                texts.add(bare)
                made.append(Choice(bare, choice.comment))
    return [*choices, *made]


def _vary(fitting: list[tuple[Choice, float]], recent: Sequence[str]) -> list[tuple[Choice, float]]:
    """Without what the latest drafts said; the longest unused ones where that leaves nothing.

    Where there is but one, it isn't given to every comment.
    """
    texts = {choice.text for choice, _ in fitting}
    if len(texts) == 1 and any(draft.startswith(tuple(texts)) for draft in recent[-NEVER_AGAIN:]):
        return []
    used = [next((t for t in sorted(texts, key=len, reverse=True) if draft.startswith(t)), "") for draft in recent]
    keep = min(NEVER_AGAIN, len(texts) - 1)
    barred = set(list(dict.fromkeys(t for t in reversed(used) if t))[:keep])
    return [(choice, fit - STALE * (choice.text in used)) for choice, fit in fitting if choice.text not in barred]


def _fit(choice: Choice, comment: str, speaks: Sequence[bool], label: str) -> float | None:
    """How well a choice fits the comment, which `speaks` of these aspects; None where it lacks what the choice has."""
    score = 0.0
    for aspect, in_comment in zip(ASPECTS, speaks, strict=True):
        in_reply = bool(aspect.reply.search(choice.text))
        if in_reply and not in_comment and aspect.needed:
            return None
        score += aspect.weight * (in_reply and in_comment)
    if label == "question":
        return score
    if label != "joke" and _LAUGHS.search(choice.text) and not _LAUGHS.search(comment):
        return None
    score -= "‹wish›" in comment and bool(_ABOUT_WORK.search(choice.text))
    score -= 0.6 * abs(math.log((len(choice.text) + 20) / (_expected(comment) + 20)))
    if choice.comment:
        score -= 0.25 * abs(math.log((len(choice.comment) + 40) / (len(comment) + 40)))
    score -= 0.3 * (("!" in choice.text) != ("!" in comment))
    playful = bool(EMOJI.search(choice.text))
    return score - 0.4 * (playful and not (EMOJI.search(comment) or EMOTICON.search(comment)))


# A wish has words of praise in it ("good luck", "all the best"), and "Glad you liked it!" doesn't answer one.
_WISHES = re.compile(
    r"\b(?:good luck(?: (?:with|on|for|in) (?:your|the) (?:\w+ ?){1,3})?"
    r"|(?:all|wish\w*(?: (?:you|u))?) the (?:very )?best|best (?:wishes|of luck|energy|regards)|more power"
    r"|happy (?:new year|birthday|holidays|easter|(?:\w+ )?anniversary)|merry (?:christmas|xmas)"
    r"|(?:greetings|love|hello|hi) from|get well(?: soon)?|(?:safe|happy) travels|take care|thinking of you"
    r"|congrat\w*(?: (?:on|to|for) (?:your |the |you )?[\w.]+(?: [\w.]+)?)?|(?:proud of|rooting for) (?:you|u)"
    r"|(?:keep (?:it up|going|at it)|(?:big |huge |much |mad )?(?:respect|props|kudos)|hats off)"
    r"(?: (?:for|to) \w+ing (?:\w+ ?){1,3})?)\b",
    re.IGNORECASE,
)
_ABOUT_WORK = re.compile(r"\b(?:liked|enjoy\w*|helpful|helped|useful|clear|informative|hear)\b", re.IGNORECASE)
_LAUGHS = re.compile("[😂🤣😆😹😅😜😝🤪💀🤑😏]|:D")
# Words of liking that praise nothing, and thanks for what was done for the viewer.
_ELSEWHERE = re.compile(
    r"\b(?:would|['’]?d) (?:really |also )?(?:love|like) to\b|"
    r"\bthank(?:s| you)(?: so much| a lot)? for (?:reply|answer|shar|do|mak|post)\w*(?: (?:to )?(?:me|my \w+|us))?",
    re.IGNORECASE,
)


def _expected(comment: str) -> float:
    """The length in characters of a reply to a comment of this length: longer praise earns a little more."""
    return 18 + 0.12 * min(len(comment), 400)

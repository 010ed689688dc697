"""Replies in the creator's own manner: past replies reduced to what is true of any comment, the one that fits chosen.

A past reply to another comment may hold that viewer's name, a link, a number, a fact or a promise. Only its portable
sentences are kept: thanks, gladness, an opening, laughter, made of everyday words. Which of them fits is told by intent,
by what the comment praises (clear, helpful, short …), by length and by tone; the topic plays no part.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.portable import ASPECTS, portable
from data.persona import EMOJI, EMOTICON, find_signature, without_signature
from data.style_memory import PastReply

POOL = 500  # portable replies kept, the latest: each comment behind them is classified once, at the start
CLOSE = 0.5  # choices within this of the best fit are equally good; one is drawn
NEVER_AGAIN = 5  # the latest drafts whose words aren't given again, where there are as many others


class Classifies(Protocol):
    """The part of an IntentClassifier that is used here."""

    def label(self, comment: str) -> str: ...


@dataclass(frozen=True)
class Choice:
    """A portable reply and the comment it answered, if any."""

    text: str
    comment: str  # empty for one of the persona's own


class Style:
    """Style memory, ready to choose from."""

    def __init__(
        self,
        past: Iterable[PastReply],
        classifier: Classifies,
        replies: Mapping[str, Sequence[str]],
        signature: str = "",
    ) -> None:
        """`replies`: the persona's own by intent, for when fewer than three past ones fit. Signatures are taken off."""
        self.own = {label: [Choice(without_signature(t, signature), "") for t in texts] for label, texts in replies.items()}
        self.choices: dict[str, list[Choice]] = {}
        pairs = list(past)
        theirs = find_signature([pair.reply for pair in pairs if pair.reply.strip()])
        seen: set[tuple[str, str]] = set()
        for pair in reversed(pairs):
            if len(seen) >= POOL:
                break
            body = without_signature(without_signature(pair.reply, theirs), signature)
            kept = {label: text for label in ("thanks", "question", "suggestion", "joke", "remark") if (text := portable(body, label))}
            if not kept:
                continue
            label = classifier.label(pair.comment)
            text = kept.get(label, "")
            if text and (label, text) not in seen:
                seen.add((label, text))
                self.choices.setdefault(label, []).append(Choice(text, pair.comment))

    def choose(self, label: str, comment: str, recent: Sequence[str] = ()) -> str:
        """A reply (for "question": an opening) that fits `comment`; empty where none does.

        The same comment, memory and `recent` (the latest drafts, oldest first) give the same choice in every process.
        """
        fitting = [(choice, fit) for choice in self.choices.get(label, []) if (fit := _fit(choice, comment, label)) is not None]
        if len({choice.text for choice, _ in fitting}) < 3:
            fitting += [(choice, fit) for choice in self.own.get(label, []) if (fit := _fit(choice, comment, label)) is not None]
        if not fitting:
            return ""
        fitting = _vary(fitting, recent)
        best = max(fit for _, fit in fitting)
        near = sorted({choice.text for choice, fit in fitting if fit >= best - CLOSE})
        digest = hashlib.sha256("\0".join([comment, *recent[-1:]]).encode("utf-8", "surrogatepass")).digest()
        return near[int.from_bytes(digest[:8], "big") % len(near)]


def _vary(fitting: list[tuple[Choice, float]], recent: Sequence[str]) -> list[tuple[Choice, float]]:
    """Without what the latest drafts said; the longest unused ones where that leaves nothing."""
    texts = {choice.text for choice, _ in fitting}
    used = [next((t for t in sorted(texts, key=len, reverse=True) if draft.startswith(t)), "") for draft in recent]
    keep = min(NEVER_AGAIN, len(texts) - 1)
    barred = set(list(dict.fromkeys(t for t in reversed(used) if t))[:keep])
    return [(choice, fit) for choice, fit in fitting if choice.text not in barred]


def _fit(choice: Choice, comment: str, label: str) -> float | None:
    """How well a choice fits the comment; None where it speaks of what the comment doesn't have."""
    score = 0.0
    for aspect in ASPECTS:
        in_reply, in_comment = bool(aspect.reply.search(choice.text)), bool(aspect.comment.search(comment))
        if in_reply and not in_comment and aspect.needed:
            return None
        score += aspect.weight * (in_reply and in_comment)
    if label == "question":
        return score
    score -= 0.6 * abs(math.log((len(choice.text) + 20) / (_expected(comment) + 20)))
    if choice.comment:
        score -= 0.25 * abs(math.log((len(choice.comment) + 40) / (len(comment) + 40)))
    score -= 0.3 * (("!" in choice.text) != ("!" in comment))
    playful = bool(EMOJI.search(choice.text))
    return score - 0.4 * (playful and not (EMOJI.search(comment) or EMOTICON.search(comment)))


def _expected(comment: str) -> float:
    """The length in characters of a reply to a comment of this length: longer praise earns a little more."""
    return 18 + 0.12 * min(len(comment), 400)

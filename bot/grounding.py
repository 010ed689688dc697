"""Which sentences of a reply that a model wrote stand in the passages, and which claim something that stands nowhere.

Thanks, wishes and questions back claim nothing and need no source. Whatever else is said must be said by one piece of a
passage, or by two neighbours; what isn't recognised as the same statement is told, so that a person looks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from bot.drafts import Sentence, Support
from bot.pleasantries import claims_nothing
from bot.same_statement import LONGEST, states
from bot.statement import Statement, read
from bot.units import units
from data.models import Passage
from data.sentences import sentences
from rag.retriever import Encoder

MOST = 200  # sentences that are looked at
FARTHEST = 20_000  # characters that are looked at; what follows is told as one sentence
OFTEN = 2  # times that the same pleasantry may be said

_LINK = re.compile(
    r"https?://\S+|www\.\S+|\S+@\S+|(?<!\w)@\w+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b(?:/\S*)?", re.IGNORECASE
)
_OPENING = re.compile(r"([^,:–!]{2,60})[,:–] ")  # "Good question, …"
_NOT_ADVISED = re.compile(
    r"\b(?:mistakes?|myths?|avoid|don['’]ts?|not|never|wrong|errors?|faults?|worst|dangers?)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Grounded:
    """A reply sentence by sentence."""

    sentences: tuple[Sentence, ...]  # in order, each with its support; none for what claims nothing, or stands nowhere
    unfounded: tuple[str, ...]  # those that claim what stands nowhere

    @property
    def founded(self) -> int:
        """How many sentences a passage supports."""
        return sum(bool(sentence.support) for sentence in self.sentences)


@dataclass(frozen=True)
class _Piece:
    """What can support a sentence."""

    support: Support
    said: Statement
    above: tuple[str, ...]  # its title and headings
    both: Statement | None  # with the piece that follows


def ground(reply: str, passages: Sequence[Passage], comment: str, embedder: Encoder) -> Grounded:
    """`reply` (without a signature) against `passages`; names in `comment` may be spoken to.

    Where several pieces state a sentence, `embedder` finds the nearest.
    """
    texts = _texts(reply)
    pieces = [piece for passage in passages for piece in _pieces(passage)]
    said: dict[str, int] = {}
    supports: dict[str, Support | None] = {}
    unfounded: list[str] = []
    for nth, text in enumerate(texts):
        before = f"{comment[:LONGEST]} . {texts[nth - 1][:LONGEST] if nth else ''}"
        said[text.lower()] = said.get(text.lower(), 0) + 1
        if said[text.lower()] <= OFTEN and claims_nothing(text, comment):
            continue
        if text not in supports:
            supports[text] = _support(text, pieces, before, comment, embedder)
        if supports[text] is None:
            unfounded.append(text)
    told = tuple(Sentence(text, (support,) if (support := supports.get(text)) else ()) for text in texts)
    return Grounded(told, tuple(unfounded))


def _texts(reply: str) -> list[str]:
    """The sentences, and as a last one what lies beyond those that are looked at."""
    spans = sentences(reply[:FARTHEST])[:MOST]
    rest = reply[spans[-1][1] if spans else 0 :].strip()
    return [reply[start:end] for start, end in spans] + ([rest] if rest else [])


def _pieces(passage: Passage) -> list[_Piece]:
    kept = [unit for unit in units(passage.text) if unit.kind != "heading"]
    found = []
    for unit, after in zip_longest(kept, kept[1:]):
        text = passage.text[unit.start : unit.end]
        above = (passage.title, passage.heading, unit.heading)
        if text.rstrip("\"'”’)").endswith("?") or any(_NOT_ADVISED.search(each) for each in above[1:]):
            continue  # what is asked is not said, nor what stands under "Common mistakes"
        following = passage.text[after.start : after.end] if after else "?"
        both = None if following.endswith("?") else read(f"{text} . {following}")
        support = Support(passage.source, passage.page_at(unit.start), text, passage.place_at(unit.start))
        found.append(_Piece(support, read(text), above, both))
    return found


def _support(text: str, pieces: Sequence[_Piece], before: str, comment: str, embedder: Encoder) -> Support | None:
    """The piece that states `text`, the nearest in meaning where there are several; or None."""
    if len(text) > LONGEST or text.endswith("?"):
        return None
    opens = _OPENING.match(text)
    body = text[opens.end() :] if opens and claims_nothing(opens[1] + ".", comment) else text
    claim, named = read(body), frozenset(read(before).stems)
    links = [link.lower() for link in _LINK.findall(text)]
    fits = [
        piece.support
        for piece in pieces
        if (states(piece.said, claim, piece.above, named) or (piece.both and states(piece.both, claim, (), ())))
        and all(link in piece.support.quote.lower() for link in links)
    ]
    if len(fits) < 2:
        return fits[0] if fits else None
    vectors = embedder.encode([text, *(support.quote for support in fits)])
    return fits[int((vectors[1:] @ vectors[0]).argmax())]

"""Which sentences of a reply that a model wrote stand in the passages, and which claim something that stands nowhere.

Thanks and pleasantries claim nothing and need no source. Whatever else is said must be said by one piece of a passage,
with the same names, figures and the same "not"; a sentence for which there is none is told, so that a person looks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer_kinds import EMPTY, contradicts, specifics, stems_of
from bot.drafts import Sentence, Support
from bot.portable import everyday, nameless, portable
from bot.units import Unit, units
from data.models import Passage
from data.persona import EMOTICON
from data.sentences import sentences
from rag.retriever import Encoder

# A piece supports a sentence that repeats COVERED of its words, or CLOSE_COVERED of them at a cosine of CLOSE. Chosen
# by hand: a paraphrase that goes unrecognised costs a look; a claim that passes for founded costs more.
COVERED = 0.7
CLOSE, CLOSE_COVERED = 0.75, 0.4
FEW = 3  # everyday words that are too few to claim anything

_FRIENDLY = ("thanks", "question", "suggestion", "joke", "remark")  # the intents that bot.portable knows sentences for
_NOT = re.compile(r"\b(?:not|no|never|none|nor|neither|cannot|without|hardly|unable)\b|n['’]t\b", re.IGNORECASE)
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_LINK = re.compile(r"https?://\S+|www\.\S+|\b[\w.+-]+@[\w-]+\.\w+|(?<!\w)@\w+|\b[\w-]+\.(?:com|org|net|io|ai|dev|co)\b")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_NAME = re.compile(r"\b[A-Z][\w’'-]*")


@dataclass(frozen=True)
class Grounded:
    """A reply sentence by sentence."""

    sentences: tuple[Sentence, ...]  # in order, each with its support; none for what claims nothing, or stands nowhere
    unfounded: tuple[str, ...]  # those that claim what stands nowhere

    @property
    def founded(self) -> int:
        """How many sentences a passage supports."""
        return sum(bool(sentence.support) for sentence in self.sentences)


def ground(reply: str, passages: Sequence[Passage], comment: str, embedder: Encoder) -> Grounded:
    """`reply` (without a signature) against `passages` and the comment, which may be repeated without a source."""
    texts = [reply[start:end] for start, end in sentences(reply)]
    claims = [text for text in texts if not _claims_nothing(text, comment)]
    found = dict(zip(claims, _supports(claims, passages, embedder), strict=True))
    told = tuple(Sentence(text, (support,) if (support := found.get(text)) else ()) for text in texts)
    return Grounded(told, tuple(text for text in claims if found[text] is None))


def _claims_nothing(sentence: str, comment: str) -> bool:
    """Whether it is a pleasantry, or asks back, and names nobody and nothing that the comment doesn't."""
    bare = nameless(sentence)
    spoken_to = set(_NAME.findall(sentence)) - set(_NAME.findall(bare))
    named = {*specifics(sentence), *(name.lower() for name in spoken_to), *_LINK.findall(sentence)}
    if any(each.lower() not in comment.lower() for each in named) or _FIGURE.search(sentence):
        return False
    words = _WORD.findall(EMOTICON.sub(" ", bare))
    if (len(words) <= FEW and everyday(words)) or sentence.rstrip().endswith("?"):
        return True
    return any(portable(bare, label) for label in _FRIENDLY)


def _supports(claims: Sequence[str], passages: Sequence[Passage], embedder: Encoder) -> list[Support | None]:
    """For each claim the piece that says the same, or None."""
    pieces = [(passage, unit) for passage in passages for unit in units(passage.text) if unit.kind != "heading"]
    if not claims or not pieces:
        return [None] * len(claims)
    texts = [passage.text[unit.start : unit.end] for passage, unit in pieces]
    vectors = embedder.encode([*claims, *texts])
    cosines = vectors[: len(claims)] @ vectors[len(claims) :].T
    supports: list[Support | None] = []
    for claim, row in zip(claims, cosines.tolist(), strict=True):
        fits = [(_fit(claim, texts[i], row[i], *pieces[i]), i) for i in range(len(pieces))]
        best, at = max(fits)
        passage, unit = pieces[at]
        supports.append(Support(passage.source, passage.page_at(unit.start), texts[at]) if best > 0 else None)
    return supports


def _fit(claim: str, text: str, cosine: float, passage: Passage, unit: Unit) -> float:
    """How well a piece supports a claim; 0 where it doesn't."""
    stems = stems_of(claim) - EMPTY
    if len(stems) < 2 or contradicts(claim, text) or bool(_NOT.search(claim)) != bool(_NOT.search(text)):
        return 0.0
    above = f"{passage.title} {passage.heading} {unit.heading} {unit.header}"
    said, around = text.lower(), f"{text} {above}".lower()
    if any(figure not in _FIGURE.findall(said) for figure in _FIGURE.findall(claim)):
        return 0.0
    if any(name not in around for name in [*specifics(claim), *(link.lower() for link in _LINK.findall(claim))]):
        return 0.0
    coverage = len(stems & (stems_of(text) | stems_of(unit.heading))) / len(stems)
    if coverage >= COVERED or (cosine >= CLOSE and coverage >= CLOSE_COVERED):
        return coverage + cosine
    return 0.0

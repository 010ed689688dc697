"""What a comment wants: the nearest example comments of the persona, helped by cues, after rules that decide alone.

A comment often does several things; each sentence is labelled, and the part that needs the creator most decides, in the
order of PRECEDENCE. So "Thanks! How did you do X?" is a question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.language import is_english
from bot.surface import cues, plain, rule, sentence_texts
from data.persona import INTENTS

NEAREST = 4  # a label's closeness is the mean cosine of its nearest examples: one stray neighbour decides nothing
CUE = 0.2  # what a cue adds to a closeness (cosines of short comments lie within about 0–0.7)
ASKING = 0.3  # what the words of a question add: they mislead least
# Without a cue, a label needs examples this near (cosine). Thanks above all: "Glad you liked it!" under a complaint is
# the worst of mistakes, while a remark is looked at by the creator anyway.
ALONE = {label: 0.15 for label in INTENTS if label != "remark"} | {
    "thanks": 0.25,
    "question": 0.35,
    "joke": 0.25,
    "business": 0.35,
    "personal": 0.3,
    "spam": 0.35,
    "unclear": 0.35,
    "injection": 0.5,
    "other_language": 0.5,
}
PLAIN = 0.13  # a lead over the next label that speaks for itself, without a cue
PRECEDENCE = (
    "injection",
    "spam",
    "business",
    "personal",
    "criticism",
    "question",
    "suggestion",
    "thanks",
    "joke",
    "remark",
)


@dataclass(frozen=True)
class Intent:
    """What a comment wants."""

    label: str  # one of data.persona.INTENTS
    score: float  # 0–1: 1 for a rule, else how far the label is ahead of the next
    reason: str  # for a person: what decided


class Embeds(Protocol):
    """The part of an Embedder that is used here."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32, unit norm."""
        ...


@dataclass(frozen=True)
class _Part:
    """A sentence of a comment, labelled."""

    text: str
    label: str
    lead: float  # over the next label
    cue: bool


class IntentClassifier:
    """Labels comments by the examples of a persona (`Persona.intents`)."""

    def __init__(self, embedder: Embeds, examples: Mapping[str, Sequence[str]]) -> None:
        self.embedder = embedder
        self.labels = [label for label, comments in examples.items() if comments]
        vectors = embedder.encode([comment for label in self.labels for comment in examples[label]])
        # Comments are alike in being comments; without what all have in common, what differs counts for more.
        self.common = vectors.mean(axis=0)
        vectors = self._centred(vectors)
        ends = np.cumsum([len(examples[label]) for label in self.labels])
        self.vectors = np.split(vectors, ends[:-1])

    def classify(self, comment: str) -> Intent:
        """The intent of one comment, which may be any string."""
        if not comment.strip():
            return Intent("unclear", 1.0, "empty")
        if decided := rule(comment):
            return Intent(decided[0], 1.0, decided[1])
        text = plain(comment)
        if not is_english(text):
            return Intent("other_language", 1.0, "not in English")
        texts = sentence_texts(text)[:40]
        parts = [
            self._label(t, vector) for t, vector in zip(texts, self._centred(self.embedder.encode(texts)), strict=True)
        ]
        part = _decisive(parts)
        return Intent(part.label, round(min(1.0, max(0.0, part.lead)), 3), f'"{part.text[:60]}"')

    def label(self, comment: str) -> str:
        """The label alone."""
        return self.classify(comment).label

    def _centred(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        centred: NDArray[np.float32] = vectors - self.common
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        return centred

    def _label(self, text: str, vector: NDArray[np.float32]) -> _Part:
        said = cues(text)
        scores: dict[str, float] = {}
        for label, examples in zip(self.labels, self.vectors, strict=True):
            near = float(np.sort(examples @ vector)[-NEAREST:].mean())
            if label not in said and near < ALONE.get(label, -1.0):
                continue
            scores[label] = near + (ASKING if label == "question" else CUE) * (label in said)
        ranked = sorted(scores, key=lambda label: -scores[label]) or ["remark"]
        lead = scores[ranked[0]] - scores[ranked[1]] if len(ranked) > 1 else 0.0
        return _Part(text, ranked[0], lead, ranked[0] in said)


def _decisive(parts: Sequence[_Part]) -> _Part:
    """The part that needs the creator most. What only resembles a remark or a joke doesn't outweigh a cue."""
    clear = [part for part in parts if part.cue or part.lead >= PLAIN] or list(parts)
    return min(clear, key=lambda part: PRECEDENCE.index(part.label) if part.label in PRECEDENCE else len(PRECEDENCE))

"""What a comment wants: told by a small classifier over the persona's examples, after rules that decide alone.

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

# The classifier: ridge regression, one label against the rest, over a comment's vector and its cues, fitted on the
# persona's examples when it is made (milliseconds). Chosen on benchmarks/intent_dev.csv and the 59 real comments.
RIDGE = 4.0
CUE_FEATURE = 0.2  # a cue in the features, against a vector of length 1
SHAPE_FEATURE = 0.3  # the same for "under four words" and "has a question mark"
NEAREST = 4  # to the score comes the mean cosine of the label's nearest examples: one stray neighbour decides nothing
CUE = 0.3  # what a cue adds to its label's score; scores lie within about -1 to 2
ASKING = 0.4  # what the words of a question add: they mislead least
WHOLE = 0.5  # how much the whole comment counts beside each sentence
# What a label needs more where no cue speaks for it: few comments are of these kinds.
RARE = {"injection": 0.05, "other_language": 0.3, "spam": 0.3, "unclear": 0.3, "business": 0.2}
PLAIN = 0.25  # a lead over the next label that speaks for itself
CUED = ("thanks", "question", "suggestion", "criticism", "business", "personal", "remark", "joke")
GRAVE = ("criticism", "personal", "business", "injection")  # a cheerful reply to one of these is the worst mistake
MOST_SENTENCES = 40
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
    score: float  # 0–1: 1 for a rule, else how far the label is ahead; of a friendly one, ahead of the grave ones
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
    scores: NDArray[np.float32]  # of each label


class IntentClassifier:
    """Labels comments by the examples of a persona (`Persona.intents`)."""

    def __init__(self, embedder: Embeds, examples: Mapping[str, Sequence[str]]) -> None:
        self.embedder = embedder
        self.labels = [label for label, comments in examples.items() if comments]
        texts = [comment for label in self.labels for comment in examples[label]]
        self.owner = np.array([at for at, label in enumerate(self.labels) for _ in examples[label]])
        vectors = embedder.encode(texts)
        # Comments are alike in being comments; without what all have in common, what differs counts for more.
        self.common = vectors.mean(axis=0)
        self.vectors = self._centred(vectors)
        self.weights = _ridge(self._features(texts, self.vectors), self.owner, len(self.labels))

    def classify(self, comment: str) -> Intent:
        """The intent of one comment, which may be any string."""
        if not comment.strip():
            return Intent("unclear", 1.0, "empty")
        if decided := rule(comment):
            return Intent(decided[0], 1.0, decided[1])
        text = plain(comment)
        if not is_english(text):
            return Intent("other_language", 1.0, "not in English")
        parts = self._parts(text)
        part = _decisive(parts)
        return Intent(part.label, round(self._sureness(part, parts), 3), f'"{part.text[:60]}"')

    def label(self, comment: str) -> str:
        """The label alone."""
        return self.classify(comment).label

    def _parts(self, text: str) -> list[_Part]:
        texts = sentence_texts(text)[:MOST_SENTENCES]
        views = [*texts, text] if len(texts) > 1 else texts
        scores = self._scores(views)
        if len(texts) > 1:
            scores = (scores[:-1] + WHOLE * scores[-1]) / (1 + WHOLE)
        found = []
        for sentence, row in zip(texts, scores, strict=True):
            second, first = np.argsort(row)[-2:]
            found.append(_Part(sentence, self.labels[first], float(row[first] - row[second]), row))
        return found

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, labels): how much each text looks like each label."""
        vectors = self._centred(self.embedder.encode(texts))
        scores: NDArray[np.float32] = self._features(texts, vectors) @ self.weights
        closeness = vectors @ self.vectors.T
        for at, label in enumerate(self.labels):
            near = np.sort(closeness[:, self.owner == at], axis=1)[:, -NEAREST:]
            scores[:, at] += near.mean(axis=1) - RARE.get(label, 0.0)
        for row, text in enumerate(texts):
            for label in cues(text).intersection(self.labels):
                scores[row, self.labels.index(label)] += ASKING if label == "question" else CUE
                if label == "question" and "injection" in self.labels:
                    scores[row, self.labels.index("injection")] -= CUE  # "do you know other bots?" orders nothing
        return scores

    def _features(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = []
        for text in texts:
            said = cues(text)
            shape = [SHAPE_FEATURE * (len(text.split()) < 4), SHAPE_FEATURE * ("?" in text), 1.0]
            rows.append([*(CUE_FEATURE * (label in said) for label in CUED), *shape])
        return np.concatenate([vectors, np.array(rows, dtype=np.float32)], axis=1)

    def _centred(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        centred: NDArray[np.float32] = vectors - self.common
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        return centred

    def _sureness(self, decisive: _Part, parts: Sequence[_Part]) -> float:
        """0–1: the lead of the label; of a friendly one, over the grave labels in any sentence."""
        lead = decisive.lead
        grave = [self.labels.index(label) for label in GRAVE if label in self.labels]
        if grave and decisive.label not in GRAVE and decisive.label != "question":
            friendly = decisive.scores[self.labels.index(decisive.label)]
            lead = min(float(friendly - part.scores[grave].max()) for part in parts)
        return min(1.0, max(0.0, lead))


def _ridge(features: NDArray[np.float32], owner: NDArray[np.int_], labels: int) -> NDArray[np.float32]:
    """(features, labels) weights that tell each label from the rest. Every label counts by the root of its examples."""
    counts = np.bincount(owner, minlength=labels)
    weight = np.sqrt(counts.mean() / counts)[owner][:, None]
    targets = np.where(owner[:, None] == np.arange(labels), 1.0, -1.0)
    square = features.T @ (features * weight) + RIDGE * np.eye(features.shape[1])
    solved: NDArray[np.float32] = np.linalg.solve(square, features.T @ (targets * weight)).astype(np.float32)
    return solved


def _decisive(parts: Sequence[_Part]) -> _Part:
    """The part that needs the creator most, among those whose label is plain; else the plainest."""
    clear = [part for part in parts if part.lead >= PLAIN] or [max(parts, key=lambda part: part.lead)]
    return min(clear, key=lambda part: PRECEDENCE.index(part.label) if part.label in PRECEDENCE else len(PRECEDENCE))

"""What a comment wants: told by a small classifier over example comments, after rules that decide alone.

A comment often does several things: it is read whole and sentence by sentence, and what needs the creator counts
wherever it stands. So "Thanks! How did you do X?" is a question.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.language import is_english
from bot.plainly import said_plainly
from bot.surface import asks, bare, clauses, cues, has_url, mocks, plain, rule, takes_back
from data.intents import Embeds, example_vectors

# The classifier is kernel ridge regression, one label against the rest, fitted when it is made (a fraction of a
# second). Two comments are alike in meaning (vectors), in wording (shared words and pairs) and in cues. The constants
# were chosen by leaving one example out at a time and on the development sets of benchmarks/intent.py.
MEANING = 2.0
NARROW = 2.0  # how fast likeness in meaning falls with the angle
WORDING = 0.6
CUE = 0.26  # the square root of what a cue in both counts
RIDGE = 0.3
SENTENCES = 0.6  # how much the sentences count beside the whole comment
MOST_SENTENCES = 40
CUED = ("thanks", "question", "suggestion", "criticism", "business", "personal", "remark", "joke")
GRAVE = ("criticism", "personal", "business", "injection")  # a cheerful reply to one of these is the worst mistake
FRIENDLY = ("thanks", "suggestion", "joke", "remark")
ASKING = 0.4  # what the words of a question add where thanks, a joke or a remark is ahead
BARELY = 0.2  # what thanks lose where no word of the comment thanks, praises or wishes well
HINT = 0.1  # what a word that is mostly grave takes off the lead of a friendly label
# Labels that hold for a comment only as far as they hold for most of it; any other, where one sentence speaks for it.
THROUGHOUT = ("thanks", "joke", "remark", "unclear", "other_language", "spam")
# What these must be ahead by: the rules catch most of them, and few comments are of these kinds.
RARE = {"injection": 0.2, "spam": 0.2, "other_language": 0.3, "unclear": 0.2}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s]")

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Intent:
    """What a comment wants."""

    label: str  # one of data.persona.INTENTS
    score: float  # 0–1: 1 for a rule, else how far the label is ahead; of a friendly one, ahead of the grave ones
    reason: str  # for a person: what decided


class IntentClassifier:
    """Labels comments by examples (`Persona.examples`)."""

    def __init__(self, embedder: Embeds, examples: Mapping[str, Sequence[str]]) -> None:
        self.embedder = embedder
        self.labels = [label for label, comments in examples.items() if comments]
        texts = [comment for label in self.labels for comment in examples[label]]
        owner = np.array([at for at, label in enumerate(self.labels) for _ in examples[label]])
        vectors = example_vectors(embedder, texts)
        # Comments are alike in being comments; without what all have in common, what differs counts for more.
        self.common = vectors.mean(axis=0)
        self.vectors = self._centred(vectors)
        self.surface = _surface(texts)
        self.words = {text.lower().strip(" .!") for text in texts if " " not in text}
        self.wording = _Wording(texts)
        self.weights = _ridge(self._likeness(texts, self.vectors), owner, len(self.labels))
        self.rare = np.array([RARE.get(label, 0.0) for label in self.labels], dtype=np.float32)
        self.grave = [at for at, label in enumerate(self.labels) if label in (*GRAVE, "spam")]
        self.friendly = [at for at, label in enumerate(self.labels) if label in FRIENDLY]
        self.throughout = [at for at, label in enumerate(self.labels) if label in THROUGHOUT]

    def classify(self, comment: str) -> Intent:
        """The intent of one comment, which may be any string."""
        if not comment.strip():
            return Intent("unclear", 1.0, "empty")
        if decided := rule(comment):
            return Intent(decided[0], 1.0, decided[1])
        text = plain(comment)
        if not is_english(text):
            return Intent("other_language", 1.0, "not in English")
        if self._says_nothing(text):
            return Intent("unclear", 1.0, "a word alone")
        text = said_plainly(text)
        texts = clauses(text)[:MOST_SENTENCES]
        parts = self._scores([*texts, text] if len(texts) > 1 else [text])
        scores = self._joined(parts[:-1], parts[-1]) if len(texts) > 1 else parts[0]
        if "question" in self.labels and any(asks(said) for said in texts):
            scores[self.labels.index("question")] += ASKING * (scores.argmax() in self.throughout)
        second, first = np.argsort(scores)[-2:]
        lead = float(scores[first] - scores[second])
        if self.grave and self.labels[first] in FRIENDLY:
            lead = float(scores[first] - scores[self.grave].max())
            lead -= HINT * any(cues(said).intersection(GRAVE) for said in texts)
            lead -= BARELY * (self.labels[first] == "thanks" and not any("thanks" in cues(said) for said in texts))
            for (before, said), scored in zip(pairwise(texts), parts[1:], strict=False):
                if takes_back(before, said):  # then what it says is the message
                    lead = min(lead, float(scored[self.friendly].max() - scored[self.grave].max()))
            if mocks(text) or has_url(text):  # nobody's link is thanked for unread
                lead = 0.0
        said = texts[int(parts[: len(texts), first].argmax())] if texts else text
        return Intent(self.labels[first], round(min(1.0, max(0.0, lead)), 3), f'"{said[:60]}"')

    def _says_nothing(self, text: str) -> bool:
        return bare(text) and text.lower().strip(" .") not in self.words

    def label(self, comment: str) -> str:
        """The label alone."""
        return self.classify(comment).label

    def _joined(self, sentences: Scores, whole: Scores) -> Scores:
        """The scores of a comment from those of its sentences (n, labels) and of the whole."""
        best = sentences.max(axis=0)
        best[self.throughout] = sentences[:, self.throughout].mean(axis=0)
        joined: Scores = SENTENCES * best + (1 - SENTENCES) * whole
        return joined

    def _scores(self, texts: Sequence[str]) -> Scores:
        """(n, labels), about -1 to 1: how much each text looks like each label."""
        likeness = self._likeness(texts, self._centred(self.embedder.encode(texts)))
        scores: Scores = likeness @ self.weights - self.rare
        return scores

    def _likeness(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, examples): how much each text is like each example."""
        meaning = MEANING * np.exp(NARROW * (vectors @ self.vectors.T - 1))
        likeness: Scores = meaning + WORDING * self.wording.likeness(texts) + _surface(texts) @ self.surface.T
        return likeness

    def _centred(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        centred: NDArray[np.float32] = vectors - self.common
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        return centred


class _Wording:
    """The words of the examples and their pairs, to compare wording with: the cosine of what stands in both."""

    def __init__(self, texts: Sequence[str]) -> None:
        said = [_words_and_pairs(text) for text in texts]
        self.length = np.array([len(words) ** 0.5 for words in said], dtype=np.float32)
        owners = defaultdict(list)
        for at, words in enumerate(said):
            for word in words:
                owners[word].append(at)
        self.owners = {word: np.array(found) for word, found in owners.items()}

    def likeness(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, examples), 0 to 1."""
        rows = np.zeros((len(texts), len(self.length)), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            said = _words_and_pairs(text)
            for word in said:
                if word in self.owners:
                    row[self.owners[word]] += 1
            row /= self.length * len(said) ** 0.5
        return rows


def _words_and_pairs(text: str) -> set[str]:
    words = ["<", *_WORD.findall(text.lower().replace("’", "'"))[:60], ">"]
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}


def _surface(texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, features): the cues of each text and its shape."""
    rows = []
    for text in texts:
        said, length = cues(text), len(text.split())
        rows.append([*(label in said for label in CUED), length < 4, length > 25, "?" in text, "!" in text, True])
    return np.array(rows, dtype=np.float32) * CUE


def _ridge(likeness: NDArray[np.float32], owner: NDArray[np.int_], labels: int) -> NDArray[np.float32]:
    """(examples, labels) weights that tell each label from the rest. Every label counts by the root of its examples."""
    counts = np.bincount(owner, minlength=labels)
    weight = np.sqrt(counts.mean() / counts)[owner]
    targets = np.where(owner[:, None] == np.arange(labels), 1.0, -1.0).astype(np.float32)
    solved: NDArray[np.float32] = np.linalg.solve(likeness + np.diag(RIDGE / weight).astype(np.float32), targets)
    return solved

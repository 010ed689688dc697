"""How likely it is that a knowledge base answers a question, from how well its best chunk fits."""

import math

# Logistic regression on the best chunk's score, fitted by benchmarks/confidence.py on questions asked of the right
# collection, of a wrong one, and of the right one where the answer is missing. More signals (gap to the next, spread,
# number of terms, cosine and coverage apart) ranked no better: benchmarks/results/confidence.md.
SLOPE = 14.98
INTERCEPT = -6.45

ABSTAIN_BELOW = 0.25  # turns down 98 % of questions on another subject and keeps 95 % of those that can be answered


def confidence(best: float) -> float:
    """The probability 0–1 that a question is answered, from the score 0–1 that `rag.fusion.fuse` gave the best chunk.

    It tells whether the subject is there far better (AUC 0.99) than whether the one fact is (0.86).
    """
    return 1 / (1 + math.exp(-(SLOPE * best + INTERCEPT)))

"""Whether a question is the persona's to answer, and whether it asks for a plan: by its distance to examples.

Kernel ridge regression over the persona's examples of both sides, as in bot/intent.py: a question is what the examples
near it are, each counting by how much nearer it is than the others. What it beat, and how often it is right:
benchmarks/results/scope.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.surface import plain, rule

if TYPE_CHECKING:
    from rag.retriever import Encoder

NARROW = 2.0  # how fast likeness falls with the angle
RIDGE = 0.1
INSIDE_FROM = 0.05  # score from which a question is inside, chosen on the development set; -1 to 1
PLAN_FROM = 0.0  # score from which it asks for a plan, likewise

FOREIGN = -0.5  # score below which a clause that orders something turns the whole question down
MOST_CLAUSES = 8

_CLAUSE = re.compile(r"[,;:.!?…]+\s+|\s+(?:and|but|then|now)\s+", re.IGNORECASE)
# "My FTP is 250 W, now write me a bash script": what is ordered counts, whatever stands around it.
_ORDERS = re.compile(
    r"\b(?:write|tell|give|draw|translate|sing|compose|summari[sz]e|explain|recommend|solve|code|create|generate|say|"
    r"answer|repeat|list|describe|calculate|name|show|plan)\b",
    re.IGNORECASE,
)

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """How a question stands to the scope."""

    inside: bool
    plan: bool  # whether it asks for a plan
    score: float  # -1 to 1, higher is further inside


class Scope:
    """A persona's scope; the vectors of the examples are made once."""

    def __init__(
        self, inside: Sequence[str], outside: Sequence[str], plans: Sequence[str], embedder: "Encoder"
    ) -> None:
        """`inside` and `outside` may both be empty: then everything is inside."""
        self._embedder = embedder
        self._open = not (inside and outside)
        self._has_plans = bool(plans)
        vectors = embedder.encode([*inside, *plans, *outside])
        if not len(vectors):
            return
        side = np.array([True] * (len(inside) + len(plans)) + [False] * len(outside))
        plan = np.array([False] * len(inside) + [True] * len(plans) + [False] * len(outside))
        self._common = vectors.mean(axis=0)  # questions are alike in being questions; what differs is to count
        self._vectors = self._centred(vectors)
        self._weights = np.stack([self._ridge(side), self._ridge(plan)], axis=1)

    def judge(self, question: str) -> Judged:
        """Whether `question` is inside, and asks for a plan. What gives orders to the assistant is never inside."""
        if self._open and not self._has_plans:
            return Judged(True, False, 1.0)
        clauses = [part for part in _CLAUSE.split(plain(question)) if _ORDERS.search(part)][:MOST_CLAUSES]
        likeness = self._likeness(self._centred(self._embedder.encode([question, *clauses])))
        scores = likeness @ self._weights
        side, plan = scores[0].tolist()
        decided = rule(question)
        ordered = decided is not None and decided[0] in ("injection", "spam")
        foreign = bool((scores[1:, 0] < FOREIGN).any())
        inside = self._open or (side >= INSIDE_FROM and not ordered and not foreign)
        return Judged(inside, inside and self._has_plans and plan >= PLAN_FROM, round(side, 4))

    def _ridge(self, positive: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(examples,) weights that tell the `positive` ones from the rest; both sides count the same."""
        share = np.where(positive, positive.mean() or 1.0, 1 - positive.mean() or 1.0)
        targets = np.where(positive, 1.0, -1.0)
        ridge = np.diag(RIDGE * share / 0.5)
        solved: NDArray[np.float32] = np.linalg.solve(self._likeness(self._vectors) + ridge, targets).astype(np.float32)
        return solved

    def _likeness(self, vectors: Vectors) -> Vectors:
        """(n, examples) 0–1."""
        likeness: Vectors = np.exp(NARROW * (vectors @ self._vectors.T - 1))
        return likeness

    def _centred(self, vectors: Vectors) -> Vectors:
        centred: Vectors = vectors - self._common
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        return centred

"""Fits `rag.confidence` and reports how well it tells what a knowledge base can answer.

    python -m benchmarks.confidence --data FOLDER [--cache FOLDER] [--out benchmarks/results/confidence.md]

Answerable: each set's questions asked of its own documents. Not: the same questions asked of every other set's
documents, and ClapNQ's unanswerable ones asked of ClapNQ, where the passage that nearly answers them is in the corpus.
Each set weighs the same, and so does each of the three kinds of question within it.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.retrieval import Cached, build
from benchmarks.retrieval_sets import load
from data.embedding import load_embedder
from rag.confidence import ABSTAIN_BELOW
from rag.retriever import Retriever

Scores = NDArray[np.float64]


def best_scores(retriever: Retriever, questions: list[str]) -> Scores:
    """The score of the best passage for each question."""
    return np.array([retriever.search(question, 1).passages[0].score for question in questions])


def calibration_error(right: Scores, sure: Scores, weight: Scores, bins: int = 10) -> float:
    """Expected calibration error: |share answered − mean confidence| over equal bins, weighted."""
    bin_of = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(np.sum(weight[bin_of == b] * (right[bin_of == b] - sure[bin_of == b]))) for b in range(bins)]
    return float(sum(gaps) / weight.sum())


def fit(parts: list[tuple[str, str, Scores]]) -> tuple[float, float, Scores, Scores, Scores]:
    """Slope and intercept; then for each question whether it is answered, its confidence and its weight."""
    kinds = [(kind, of) for kind, of, _ in parts]
    per_kind = {key: sum(len(x) for kind, of, x in parts if (kind, of) == key) for key in set(kinds)}
    score = np.concatenate([x for _, _, x in parts])
    right = np.concatenate([np.full(len(x), float(kind == "answerable")) for kind, _, x in parts])
    weight = np.concatenate([np.full(len(x), 1000 / per_kind[kind, of]) for kind, of, x in parts])
    model = LogisticRegression(C=1e3).fit(score[:, None], right, sample_weight=weight)
    return (
        float(model.coef_[0, 0]),
        float(model.intercept_[0]),
        right,
        model.predict_proba(score[:, None])[:, 1],
        weight,
    )


def main() -> None:
    """Fit, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--cache", type=Path, help="keep vectors here between runs")
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="date of the report")
    given = parser.parse_args()

    embedder = Cached(load_embedder(), given.cache)
    sets = load(given.data)
    parts: list[tuple[str, str, Scores]] = []  # kind of question, whose documents, the best score of each question
    with tempfile.TemporaryDirectory() as home:
        for documents in sets:
            retriever = build(documents, embedder, Path(home) / documents.name).retriever
            for asked in sets:
                kind = "answerable" if asked is documents else "other subject"
                parts.append((kind, documents.name, best_scores(retriever, [q.text for q in asked.questions])))
            if documents.unanswerable:
                parts.append(("near miss", documents.name, best_scores(retriever, list(documents.unanswerable))))
    embedder.save()

    slope, intercept, right, sure, weight = fit(parts)
    kinds = np.concatenate([np.full(len(x), kind, dtype=object) for kind, _, x in parts])
    names = np.concatenate([np.full(len(x), of, dtype=object) for _, of, x in parts])
    lines = [f"{given.date} · SLOPE = {slope:.2f}, INTERCEPT = {intercept:.2f} · embedder {embedder.name}", ""]
    for kind, among in (("other subject", names == names), ("near miss", np.isin(names, names[kinds == "near miss"]))):
        chosen = among & np.isin(kinds, ["answerable", kind])
        lines.append(f"- answerable against {kind}: AUC {roc_auc_score(right[chosen], sure[chosen]):.3f}")
    lines.append(f"- expected calibration error: {calibration_error(right, sure, weight):.3f}")
    for of in sets:
        rest = fit([part for part in parts if part[1] != of.name])
        score = np.concatenate([x for _, name, x in parts if name == of.name])
        chosen = (names == of.name) & (kinds != "near miss")
        unseen = 1 / (1 + np.exp(-(rest[0] * score + rest[1])))[(kinds != "near miss")[names == of.name]]
        error = calibration_error(right[chosen], unseen, weight[chosen])
        lines.append(
            f"- fitted without {of.name}: slope {rest[0]:.1f}, intercept {rest[1]:.1f}; there: "
            f"AUC {roc_auc_score(right[chosen], unseen):.3f}, calibration error {error:.3f}"
        )
    lines += [
        "",
        "| cut-off | other subject turned down | near misses turned down | answerable kept | "
        + " | ".join(f"kept, {of.name}" for of in sets)
        + " |",
        "|---" * (4 + len(sets)) + "|",
    ]
    for cut in sorted({0.2, 0.25, 0.3, 0.4, 0.5, ABSTAIN_BELOW}):
        shares = [np.mean(sure[kinds == "other subject"] < cut), np.mean(sure[kinds == "near miss"] < cut)]
        shares += [np.mean(sure[kinds == "answerable"] >= cut)]
        shares += [np.mean(sure[(kinds == "answerable") & (names == of.name)] >= cut) for of in sets]
        mark = " (used)" if cut == ABSTAIN_BELOW else ""
        lines.append(f"| {cut}{mark} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    report = "\n".join(lines) + "\n"
    print(report)
    if given.out:
        given.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

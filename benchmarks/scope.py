"""How well a persona's scope is told, on questions written for it.

    python -m benchmarks.scope [--persona vito] [--data FOLDER] [--out benchmarks/results/scope.md]

`scope_dev.csv` is what the method and its cut-offs were chosen on; `scope_blind.csv` was written before and not looked
at while choosing. A follow-up is judged as it is rewritten. With `--data`, a folder with questions in .jsonl files,
these are put to the persona too: all of them are outside.
"""

import argparse
import csv
import json
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import described
from bot.conversation import Conversation
from bot.follow_up import standalone
from bot.memory import Said
from bot.scope import INSIDE_FROM, Scope
from data.embedding import load_embedder
from data.persona import load_persona

MOST = 300  # questions of a public set
HERE = Path(__file__).parent


def read(name: str) -> list[dict[str, str]]:
    """The rows of a set."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def alone(row: dict[str, str]) -> str:
    """The question of a row as it is understood alone."""
    return standalone(row["question"], row["before"]) if row["before"] else row["question"]


def area(scores: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Area under the curve: how often a question inside scores above one outside."""
    above = scores[inside][:, None] - scores[~inside][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def main() -> None:
    """Measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persona", default="vito")
    parser.add_argument("--data", type=Path, help="folder with the retrieval sets, whose questions are all outside")
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    given = parser.parse_args()

    embedder, persona = load_embedder(), load_persona(given.persona)
    scope = Scope(persona.inside, persona.outside, persona.plans, embedder)
    inside_vectors = embedder.encode([*persona.inside, *persona.plans])
    outside_vectors = embedder.encode(persona.outside)
    lines = ["# Telling what is in scope", "", "Made by `benchmarks/scope.py`.", "", described("onnxruntime"), ""]
    lines += [
        f"Persona `{given.persona}`: {len(persona.inside)} example questions inside, {len(persona.plans)} requests of "
        f"a plan, {len(persona.outside)} outside. Inside from a score of {INSIDE_FROM}.",
        "",
    ]
    for name, title in (("scope_dev.csv", "Development set"), ("scope_blind.csv", "Blind set")):
        rows = read(name)
        start = time.perf_counter()
        judged = [scope.judge(alone(row)) for row in rows]
        each = (time.perf_counter() - start) / len(rows)
        inside = np.array([row["side"] == "in" for row in rows])
        right = np.array([one.inside == bool(side) for one, side in zip(judged, inside, strict=True)])
        lines += [f"## {title}: {len(rows)} questions", ""]
        lines.append(f"- {inside.sum()} inside, of which {right[inside].mean():.1%} are answered")
        lines.append(f"- {(~inside).sum()} outside, of which {right[~inside].mean():.1%} are declined")
        plans = np.array([row["kind"] == "plan" for row in rows])
        asked = np.array([one.plan for one in judged])
        lines.append(
            f"- {plans.sum()} ask for a plan, of which {asked[plans].mean():.1%} are taken so; of the others inside "
            f"{asked[inside & ~plans].mean():.1%} are"
        )
        lines += [f"- {each * 1000:.1f} ms a question, embedding included", ""]
        lines += ["| kind | inside: answered | outside: declined |", "| --- | ---: | ---: |"]
        for kind in dict.fromkeys(row["kind"] for row in rows):
            of = np.array([row["kind"] == kind for row in rows])
            cells = [f"{right[of & s].sum()} of {(of & s).sum()}" if (of & s).any() else "" for s in (inside, ~inside)]
            lines.append(f"| {kind} | {cells[0]} | {cells[1]} |")
        vectors = embedder.encode([alone(row) for row in rows])
        near, far = np.sort(vectors @ inside_vectors.T)[:, ::-1], np.sort(vectors @ outside_vectors.T)[:, ::-1]
        others = {
            "the nearest inside alone": near[:, 0],
            "nearest inside less nearest outside": near[:, 0] - far[:, 0],
            "mean of three, inside less outside": near[:, :3].mean(1) - far[:, :3].mean(1),
            "centroids": vectors @ inside_vectors.mean(0) - vectors @ outside_vectors.mean(0),
            "kernel ridge (used)": np.array([one.score for one in judged]),
        }
        lines += ["", "| score | area under the curve |", "| --- | ---: |"]
        lines += [f"| {what} | {area(np.asarray(s, dtype=np.float64), inside):.3f} |" for what, s in others.items()]
        wrong = [f"{row['question']}" for row, good in zip(rows, right, strict=True) if not good]
        lines += ["", "Wrong: " + "; ".join(wrong), ""]
    lines += after_declined(Conversation(persona, embedder))
    if given.data:
        lines += [
            "## Questions of public sets, all outside",
            "",
            "| set | questions | declined |",
            "| --- | ---: | ---: |",
        ]
        for name, questions in outside_questions(given.data).items():
            talk = Conversation(persona, embedder)
            declined = statistics.mean(talk.understand(question, ()).kind == "declined" for question in questions)
            lines.append(f"| {name} | {len(questions)} | {declined:.1%} |")
    report = "\n".join(lines).rstrip() + "\n"
    print(report)
    if given.out:
        given.out.write_text(report, encoding="utf-8")


def after_declined(talk: Conversation) -> list[str]:
    """What becomes of follow-ups that come after a plan and a question that was turned down."""
    plan = Said(
        "Make me a plan for a gran fondo", "For gran fondo …",
        "Make me a training plan: gran fondo, 12 weeks, 6 hours a week", "plan",
        (("goal", "gran fondo"), ("weeks", "12 weeks"), ("hours a week", "6 hours a week"), ("FTP", "240 watts")),
        "Gran fondo: 6 hours a week, 12 weeks",
    )  # fmt: skip
    counts, wrong = {"plan": [0, 0], "declined": [0, 0]}, []
    for row in read("after_declined.csv"):
        before = [plan, Said(row["declined"], "Not my field.", "", "declined")]
        right = (talk.understand(row["question"], before).kind == "declined") == (row["about"] == "declined")
        counts[row["about"]][0] += right
        counts[row["about"]][1] += 1
        wrong += [] if right else [row["question"]]
    (answered, plans), (declined, others) = counts.values()
    return [
        "## After a question that was turned down", "",
        "A plan, then a question that is turned down, then a follow-up. Written after the rule, which was chosen on 16 "
        "others; looked at once.", "",
        f"- {plans} that mean the plan, of which {answered} are not declined",
        f"- {others} that mean what was turned down, of which {declined} are declined", "",
        f"Wrong: {'; '.join(wrong)}", "",
    ]  # fmt: skip


def outside_questions(folder: Path) -> dict[str, list[str]]:
    """The questions of every .jsonl file below `folder` that has some, at most MOST of each, evenly spread."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        texts = [str(text) for row in rows if (text := row.get("question") or row.get("query") or row.get("input"))]
        if texts:
            found[f"{path.parent.name}/{path.stem}"] = texts[:: max(1, len(texts) // MOST)][:MOST]
    return found


if __name__ == "__main__":
    main()

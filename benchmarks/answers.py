"""How well `ask` answers by quoting: the answer in three sentences, the right sentences, and silence where there is none.

    python -m benchmarks.answers --data FOLDER    # FOLDER/retrieval and FOLDER/shaw

Each question goes through ingest, search and the extractive answer as a user's would. questions_posts.csv and
questions_documents.csv were written for the project, by somebody who didn't know how answers are made, about a creator's
posts and slides, and about two Wikipedia articles, a speech and two filings.
Writes benchmarks/results/answers.md.
"""

# ruff: noqa: E501 (a table row is a line)

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import described
from bot.assistant import Assistant
from bot.drafts import Answer
from bot.quoting import best_quotes

HERE = Path(__file__).parent


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spaceless(text: str) -> str:
    return "".join(text.split())


def files_of(folder: Path, texts: Sequence[tuple[str, str]]) -> list[Path]:
    """A Markdown file in `folder` for each title and text."""
    folder.mkdir(parents=True)
    for number, (title, text) in enumerate(texts):
        (folder / f"{number:04}.md").write_text(f"# {title}\n\n{text}\n" if title else text, encoding="utf-8")
    return [folder]


class Asked:
    """A knowledge base of its own, and the answers to questions put to it."""

    def __init__(self, home: Path, documents: Sequence[Path]) -> None:
        self.assistant = Assistant(home, "benchmark", writing=True)
        self.assistant.ingest([str(path) for path in documents], "default")
        self.times: list[float] = []

    def ask(self, question: str) -> tuple[Answer, list[str]]:
        """The answer, and the sentences that would be quoted if it always answered."""
        begun = time.perf_counter()
        answer = self.assistant.answer(question)
        self.times.append(time.perf_counter() - begun)
        quotes = [s.text for s in answer.sentences]
        if not quotes:
            quotes = [quote.text for quote in best_quotes(question, answer.passages, self.assistant.embedder)]
        return answer, quotes


def own_questions(home: Path, name: str, documents: Sequence[Path]) -> str:
    """A row of the table: how the questions of benchmarks/`name` are answered from `documents`."""
    asked = Asked(home, documents)
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = wrong = silent = 0
    for row in rows:
        said = asked.ask(row["question"])[0]
        if not row["answer"]:
            silent += said.status == "abstained"
        elif said.status == "answered":
            hit = spaceless(row["answer"]).lower() in spaceless(said.text.replace("*", "")).lower()
            right, wrong = right + hit, wrong + (not hit)
    answerable = sum(bool(row["answer"]) for row in rows)
    return (
        f"| {name}: of {answerable} that can be answered, right / beside the point / abstained; "
        f"of {len(rows) - answerable} that can't, abstained | "
        f"{right} / {wrong} / {answerable - right - wrong}; {silent} |"
    )


def main(data: Path) -> None:
    squad = lines(data / "retrieval/squad_xquad_en/questions.jsonl")
    answerable = lines(data / "retrieval/clapnq/answerable.jsonl")
    unanswerable = lines(data / "retrieval/clapnq/unanswerable.jsonl")
    natural = [(row["passages"][0]["title"], row["passages"][0]["text"]) for row in answerable + unanswerable]
    with tempfile.TemporaryDirectory() as folder:
        paragraphs = [("", row["text"]) for row in lines(data / "retrieval/squad_xquad_en/docs.jsonl")]
        home = Path(folder)
        over_squad = Asked(home / "s", files_of(home / "squad", paragraphs))
        over_natural = Asked(home / "n", files_of(home / "natural", natural))
        papers = ["chunking_eval/wikitexts.md", "chunking_eval/state_of_the_union.md"]
        papers += ["sec10q/pdfs/2023_Q1_AAPL.pdf", "sec10q/pdfs/2023_Q2_NVDA.pdf"]
        own = [
            own_questions(home / "p", "questions_posts.csv", [data / "shaw/blogs_md", data / "shaw/slides"]),
            own_questions(home / "d", "questions_documents.csv", [data / "retrieval" / paper for paper in papers]),
        ]

        said = held = counted = long = 0
        for row in squad:
            answer, quotes = over_squad.ask(row["question"])
            hit = any(spaceless(gold) in spaceless(" ".join(quotes)) for gold in row["answers"])
            held += hit
            long += len(quotes)
            said += answer.status == "answered"
            counted += hit and answer.status == "answered"
        scores = []
        spoke = 0
        for row in answerable:
            answer, quotes = over_natural.ask(row["input"])
            spoke += answer.status == "answered"
            gold = {spaceless(sentence) for sentence in row["output"][0]["selected_sentences"]}
            right = len(gold & {spaceless(quote) for quote in quotes})
            precision, recall = right / max(1, len(quotes)), right / max(1, len(gold))
            scores.append((precision, recall, 2 * precision * recall / max(1e-9, precision + recall)))
        silent = [over_natural.ask(row["input"])[0].status == "abstained" for row in unanswerable]
        across = [over_squad.ask(row["input"])[0].status == "abstained" for row in answerable + unanswerable]
        across += [over_natural.ask(row["question"])[0].status == "abstained" for row in squad[::3]]
        times = sorted(over_squad.times + over_natural.times)
    precision, recall, f1 = (statistics.mean(column) for column in zip(*scores, strict=True))
    report = [
        "# Answering by quoting",
        "",
        "Made by `benchmarks/answers.py`, over 120 SQuAD paragraphs and 300 ClapNQ passages, retrieval included.",
        "",
        described("onnxruntime", "chromadb"),
        "",
        "| what | figure |",
        "| --- | ---: |",
        f"| SQuAD, {len(squad)} questions: the answer stands in the sentences (at most three) that it would quote ({long / len(squad):.1f} on average) | {held / len(squad):.3f} |",
        f"| … and it does answer | {counted / len(squad):.3f} (answers {said / len(squad):.3f}) |",
        f"| ClapNQ, {len(answerable)} answerable: precision / recall / F1 of its sentences against the gold ones | {precision:.3f} / {recall:.3f} / {f1:.3f} |",
        f"| … it answers | {spoke / len(answerable):.3f} |",
        f"| ClapNQ, {len(unanswerable)} unanswerable with a near miss among the documents: it abstains | {statistics.mean(silent):.3f} |",
        f"| {len(across)} questions put to the other set's documents: it abstains | {statistics.mean(across):.3f} |",
        *own,
        f"| milliseconds for a question, median / 95th percentile | {1000 * times[len(times) // 2]:.0f} / {1000 * times[int(0.95 * len(times))]:.0f} |",
        "",
    ]
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results/answers.md").write_text("\n".join(report), encoding="utf-8")
    print("\n".join(report))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    main(parser.parse_args().data)

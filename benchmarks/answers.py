"""How well `ask` answers by quoting: the answer in three sentences, the right sentences, and silence where there is none.

    python -m benchmarks.answers --data FOLDER    # FOLDER/retrieval/squad_xquad_en and clapnq

Each question goes through ingest, search and the extractive answer as a user's would.
Writes benchmarks/results/answers.md.
"""

# ruff: noqa: E501 (a table row is a line)

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import described
from bot.assistant import Assistant
from bot.extractive import Answer
from bot.quoting import best_quotes

HERE = Path(__file__).parent


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spaceless(text: str) -> str:
    return "".join(text.split())


class Asked:
    """A knowledge base of its own, and the answers to questions put to it."""

    def __init__(self, folder: Path, texts: Sequence[tuple[str, str]]) -> None:
        documents = folder / "documents"
        documents.mkdir(parents=True)
        for number, (title, text) in enumerate(texts):
            (documents / f"{number:04}.md").write_text(f"# {title}\n\n{text}\n" if title else text, encoding="utf-8")
        self.assistant = Assistant(folder / "home", "benchmark", writing=True)
        self.assistant.ingest([str(documents)], "default")
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


def main(data: Path) -> None:
    squad = lines(data / "retrieval/squad_xquad_en/questions.jsonl")
    answerable = lines(data / "retrieval/clapnq/answerable.jsonl")
    unanswerable = lines(data / "retrieval/clapnq/unanswerable.jsonl")
    natural = [(row["passages"][0]["title"], row["passages"][0]["text"]) for row in answerable + unanswerable]
    with tempfile.TemporaryDirectory() as folder:
        paragraphs = [("", row["text"]) for row in lines(data / "retrieval/squad_xquad_en/docs.jsonl")]
        over_squad, over_natural = Asked(Path(folder) / "s", paragraphs), Asked(Path(folder) / "n", natural)

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

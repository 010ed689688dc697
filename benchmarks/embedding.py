"""Embedding speed against sentence-transformers in fp32, in turns, and what int8 costs in retrieval.

    python -m benchmarks.embedding --data FOLDER

FOLDER is the one that holds retrieval/.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks.machine import described
from data.embedding import Embedder, Vectors, _minilm_folder, load_embedder

CHUNK = 200  # tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sets = list(retrieval_sets(options.data / "retrieval"))
    ours = load_embedder()
    os.environ["SHAWGPT_EMBEDDING"] = "fp32"
    exact = load_embedder()
    print(described("onnxruntime", "sentence-transformers", "torch") + "\n")
    quality(ours, exact, sets)
    rival = load_embedder(str(_minilm_folder()))
    chunks = sets[-1][1][::6]
    speed({"sentence-transformers fp32": rival, exact.name: exact, ours.name: ours}, chunks, options.repeats)


def speed(embedders: dict[str, Embedder], chunks: list[str], repeats: int) -> None:
    """Medians of interleaved runs; CPU seconds too, as another process on the machine disturbs them less."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in embedders}
    for _ in range(repeats):
        for name, embedder in embedders.items():
            wall, cpu_time = time.perf_counter(), time.process_time()
            embedder.encode(chunks)
            rates[name].append(
                (len(chunks) / (time.perf_counter() - wall), len(chunks) / (time.process_time() - cpu_time))
            )
    medians = {name: [statistics.median(column) for column in zip(*each, strict=True)] for name, each in rates.items()}
    base = next(iter(medians.values()))
    print(f"\n| {len(chunks)} chunks of {CHUNK} tokens | chunks/s | ratio | chunks per CPU second | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for name, (wall, cpu_time) in medians.items():
        print(f"| {name} | {wall:.1f} | {wall / base[0]:.2f} | {cpu_time:.1f} | {cpu_time / base[1]:.2f} |")


def quality(ours: Embedder, exact: Embedder, sets: list[tuple[str, list[str], list[str], list[set[int]]]]) -> None:
    print(f"| set | nDCG@10 {exact.name} | {ours.name} | difference ± standard error | queries in fp32 | cosine |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, documents, questions, gold in sets:
        d, q, exact_d, exact_q = (e.encode(texts) for e in (ours, exact) for texts in (documents, questions))
        base, got, mixed = ndcg(exact_d, exact_q, gold), ndcg(d, q, gold), ndcg(d, exact_q, gold)
        change, cosine = got - base, (d * exact_d).sum(axis=1)
        error = change.std() / len(change) ** 0.5
        print(
            f"| {name} | {base.mean():.4f} | {got.mean():.4f} | {change.mean():+.4f} ± {error:.4f} "
            f"| {(mixed - base).mean():+.4f} | mean {cosine.mean():.5f}, "
            f"1st percentile {np.percentile(cosine, 1):.5f}, least {cosine.min():.5f} |"
        )


def ndcg(documents: Vectors, questions: Vectors, gold: list[set[int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """nDCG@10 of each question by exact search; every gold document counts the same."""
    gains = 1 / np.log2(np.arange(2, 12))
    scores = []
    for similarities, right in zip(questions @ documents.T, gold, strict=True):
        found = [i in right for i in np.argsort(-similarities, kind="stable")[:10]]
        scores.append(gains[: len(found)][found].sum() / gains[: len(right)].sum())
    return np.array(scores)


def retrieval_sets(folder: Path) -> Iterator[tuple[str, list[str], list[str], list[set[int]]]]:
    """Each set: name, documents, questions, and the numbers of the right documents for each question."""
    documents, questions = lines(folder / "squad_xquad_en/docs.jsonl"), lines(folder / "squad_xquad_en/questions.jsonl")
    place = {document["id"]: i for i, document in enumerate(documents)}
    gold = [{place[each] for each in q["gold"]} for q in questions]
    yield "squad_xquad_en", [d["text"] for d in documents], [q["question"] for q in questions], gold

    answerable = lines(folder / "clapnq/answerable.jsonl")
    passages = [row["passages"][0]["text"] for row in answerable + lines(folder / "clapnq/unanswerable.jsonl")]
    yield "clapnq", passages, [row["input"] for row in answerable], [{i} for i in range(len(answerable))]

    questions = lines(folder / "chunking_eval/questions.jsonl")
    spans = [
        (name, text, start, end)
        for name in sorted({q["corpus"] for q in questions})
        for text in [(folder / f"chunking_eval/{name}.md").read_text(encoding="utf-8")]
        for start, end in token_spans(text)
    ]
    gold = [
        {
            i
            for i, (name, _, start, end) in enumerate(spans)
            if name == q["corpus"] and any(start < g["end_index"] and end > g["start_index"] for g in q["gold"])
        }
        for q in questions
    ]
    yield "chunking_eval", [t[start:end] for _, t, start, end in spans], [q["question"] for q in questions], gold


def token_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of CHUNK tokens each, one after the other."""
    tokenizer = Tokenizer.from_file(str(_minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    pieces = [offsets[i : i + CHUNK] for i in range(0, len(offsets), CHUNK)]
    return [(piece[0][0], piece[-1][1]) for piece in pieces]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


if __name__ == "__main__":
    main()

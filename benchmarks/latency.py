"""A query in a warm process, and the time of `--help`.

    python -m benchmarks.latency FOLDER... --queries FILE [--chunks 10000]

Documents of the folders are cut into chunks until there are `--chunks` of them (in smaller pieces where they are too
few), and put through the real record and index. A query is what `shawgpt search` does with it: embedding, both
searches, fusion.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import described
from bot.assistant import Assistant
from data.models import Chunk
from data.store import DEFAULT_KB, chunk_ids
from ingest.chunking import split
from ingest.discover import discover
from ingest.reading import read_all

RESULTS = Path(__file__).parent / "results" / "latency.md"


def fill(assistant: Assistant, folders: list[str], wanted: int) -> int:
    """Put at least `wanted` chunks into the default knowledge base, where the folders have them; returns how many."""
    documents = [document for _, document in read_all(discover(folders).items) if not isinstance(document, Exception)]
    embedder, store = assistant.embedder, assistant.store
    for window in (embedder.max_tokens, 160, 110, 80, 60):
        cut: list[list[Chunk]] = [split(document, embedder.count_tokens, window) for document in documents]
        if sum(map(len, cut)) >= wanted:
            break
    store.open_kb(DEFAULT_KB, embedder.name)
    total = 0
    for document, chunks in zip(documents, cut, strict=True):
        part = chunks[: wanted - total]
        if part:
            ids = chunk_ids(DEFAULT_KB, document.source, part)
            vectors = dict(zip(ids, embedder.encode([chunk.embedded_text for chunk in part]), strict=True))
            store.put_document(DEFAULT_KB, document, "", part, vectors)
            total += len(part)
    assistant.index.rebuild()
    return total


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--queries", type=Path, required=True, help="JSON lines with 'question', or plain lines")
    parser.add_argument("--chunks", type=int, default=10_000)
    options = parser.parse_args()
    lines = options.queries.read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["question"] if line.startswith("{") else line for line in lines if line.strip()][:300]
    table = ["| what | median ms | p95 ms |", "| --- | --- | --- |"]
    with Assistant(Path(tempfile.mkdtemp()), "benchmark", writing=True) as assistant:
        count = fill(assistant, options.folders, options.chunks)
        for what, call in (("search", assistant.search), ("ask", assistant.answer)):
            for query in queries[:5]:
                call(query)
            took = []
            for query in queries:
                begun = time.perf_counter()
                call(query)
                took.append((time.perf_counter() - begun) * 1000)
            table.append(f"| {what}, {count} chunks | {statistics.median(took):.1f} | {np.percentile(took, 95):.1f} |")
    took = []
    for _ in range(11):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "from bot.cli import main; main()", "--help"], stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - begun) * 1000)
    table.append(f"| `shawgpt --help`, a process | {statistics.median(took):.0f} | {max(took):.0f} |")
    head = ["# Latency", "", f"{described('chromadb', 'onnxruntime')}; {len(queries)} different queries, warm.", ""]
    text = "\n".join([*head, *table, ""])
    print(text)
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

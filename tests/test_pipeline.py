"""Ingest from end to end where size matters: long documents in little memory, and disks that fill up."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bot.assistant import Assistant
from data.staging import Staging
from data.store import DEFAULT_KB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and memory figures as Linux gives them")

# Vectors without a model, so that the memory measured is that of reading, cutting, staging and committing.
QUICK = """
import hashlib, sys
from pathlib import Path
import numpy as np
from bot.assistant import Assistant
from data.index import Index

class Quick:
    name, dimension, max_tokens = "quick", 384, 256

    def count_tokens(self, texts):
        return [2 + len(text) // 4 for text in texts]

    def encode(self, texts, progress=None):
        seeds = (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts)
        rows = [np.random.default_rng(seed).standard_normal(384, np.float32) for seed in seeds]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32).reshape(len(rows), 384)

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

def ingest(home, paths):
    with Assistant(Path(home), "ingest", writing=True) as assistant:
        assistant.__dict__["embedder"] = Quick()
        return [assistant.ingest([path], "default").entries[0] for path in paths]
"""


def make_book(path: Path, pages: int) -> str:
    """A PDF with 30 lines of its own on each page."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), A4, pageCompression=1)
    for page in range(pages):
        text = canvas.beginText(50, 780)
        for line in range(30):
            text.textLine(f"Item {line} was weighed in town {page} and found to be {line * page % 997} grams.")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return str(path)


def peaks(tmp_path: Path, sizes: tuple[int, ...], setup: str = "") -> list[int]:
    """The most memory (kB) that a process of its own has had after a document of each size."""
    found = []
    for size in sizes:
        book = make_book(tmp_path / f"{size}.pdf", size)
        code = f"{QUICK}{setup}\n(entry,) = ingest(sys.argv[1], sys.argv[2:])\nprint(entry.pages, entry.reason, peak())"
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"home{size}"), book], capture_output=True, text=True
        )
        assert run.stdout.startswith(f"{size} "), run.stdout + run.stderr
        found.append(int(run.stdout.split()[-1]))
    return found


# Chroma keeps the vectors of the whole knowledge base in memory, whichever documents they come from.
WITHOUT_CHROMA = "Index.update = lambda *_: None"
# The text itself, a few times over while it comes from its reader. 5,000 pages may add a fifth to the 300 MB that the
# process has with its model: 12 kB a page.
PAGE = 12


def test_memory_hardly_grows_with_the_length_of_a_document(tmp_path):
    short, long = peaks(tmp_path, (300, 1200), WITHOUT_CHROMA)
    assert long - short < PAGE * (1200 - 300)


@pytest.mark.slow
def test_memory_hardly_grows_up_to_5000_pages(tmp_path):
    short, long = peaks(tmp_path, (300, 5000), WITHOUT_CHROMA)
    assert long - short < PAGE * (5000 - 300)


def test_disk_that_fills_up_loses_nothing_and_the_next_run_goes_on(tmp_path):
    docs, home = tmp_path / "docs", tmp_path / "home"
    docs.mkdir()
    for name in range(60):
        (docs / f"{name}.txt").write_text("\n\n".join(f"Fact {name}.{n}: " + "bread and water " * 40 for n in range(8)))
    code = f"{QUICK}\nfrom bot.assistant import Assistant\nfrom data.errors import ShawGPTError\ntry:\n"
    code += "    ingest(sys.argv[1], sys.argv[2:])\nexcept ShawGPTError as error:\n    sys.exit(str(error))"
    run = [sys.executable, "-c", code, str(home), str(docs)]
    most = 900_000  # bytes that any file may have: the database meets it after some documents

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    full = subprocess.run(run, capture_output=True, text=True, preexec_fn=limited)
    assert full.returncode == 1
    assert "full" in full.stderr
    assert len(full.stderr.splitlines()) == 1
    assert subprocess.run(run, capture_output=True).returncode == 0
    with Assistant(home, "test", writing=True) as assistant:
        assert assistant.database.integrity() == "ok"
        assert len(assistant.sources(DEFAULT_KB)) == 60
        ids = assistant.store.ids(DEFAULT_KB)
        assert {i for i, _ in assistant.index.query(DEFAULT_KB, assistant.store.vectors(ids[:1])[0], len(ids))} == set(
            ids
        )


def test_small_documents_are_kept_where_a_long_one_behind_them_is_interrupted(assistant, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("The kiln is fired on Fridays, and cools down over the weekend.")
    (tmp_path / "b.txt").write_text("\n\n".join(f"Fact {n} is told here. " * 9 for n in range(600)))
    add = Staging.add

    def interrupted(self, chunks):
        if len(chunks) > 100:
            raise KeyboardInterrupt
        add(self, chunks)

    monkeypatch.setattr(Staging, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assistant.ingest([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")], DEFAULT_KB)
    assert [Path(source.source).name for source in assistant.sources(DEFAULT_KB)] == ["a.txt"]


def test_document_that_is_not_whole_is_not_seen_and_the_old_one_stays(assistant, tmp_path, monkeypatch):
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(f"Old fact {n} is told here. " * 9 for n in range(450)))
    assistant.ingest([str(path)], DEFAULT_KB)
    before = assistant.store.all_vectors(DEFAULT_KB)[0]
    path.write_text("\n\n".join(f"New fact {n} is told here. " * 9 for n in range(450)))
    add, slices = Staging.add, []

    def interrupted(self, chunks):
        slices.append(assistant.store.fts_count(DEFAULT_KB, '"new"'))
        if len(slices) == 2:
            raise KeyboardInterrupt
        add(self, chunks)

    monkeypatch.setattr(Staging, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assistant.ingest([str(path)], DEFAULT_KB)
    monkeypatch.undo()
    assert slices == [0, 0]
    assert assistant.store.all_vectors(DEFAULT_KB)[0] == before
    assert assistant.ingest([str(path)], DEFAULT_KB).count("updated") == 1
    assert assistant.store.fts_count(DEFAULT_KB, '"old"') == 0

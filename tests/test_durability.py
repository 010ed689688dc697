"""kill -9 at every kind of moment: what was acknowledged is found afterwards, nothing is there twice."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from bot.assistant import Assistant
from data.store import DEFAULT_KB

# Ingests a folder and writes down what is acknowledged. Where to die: after so many documents, or so many milliseconds
# after the index began to be written (a thread that kills while Chroma is at work).
CHILD = """
import os, sys, threading, time
from pathlib import Path
import ingest.pipeline
from bot.assistant import Assistant
from data.index import Index

home, folder, log, where, amount = sys.argv[1:]
ingest.pipeline.FLUSH = 5
real = Index.update

def update(self, kb, added, removed):
    if where == "index":
        threading.Timer(float(amount) / 1000, lambda: os.kill(os.getpid(), 9)).start()
    return real(self, kb, added, removed)

Index.update = update
done = 0

class Acknowledged(ingest.pipeline.Progress):
    def finished(self, entry):
        global done
        with open(log, "a") as file:
            file.write(f"{entry.source}\\t{entry.outcome}\\n")
        done += 1
        if where == "documents" and done >= int(amount):
            os.kill(os.getpid(), 9)

with Assistant(Path(home), "ingest", writing=True) as assistant:
    assistant.ingest([folder], "default", None, Acknowledged())
"""


def kill_and_check(tmp_path: Path, embedder, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    home, folder, log = tmp_path / "home", tmp_path / "docs", tmp_path / "log"
    folder.mkdir()
    dead = 0
    for turn in range(kills):
        for i in range(chance.randint(1, 12)):
            # New documents and changed ones, so that chunks come and go.
            name = f"{chance.randrange(40)}.md"
            text = "\n\n".join(
                f"# Part {n}\n\nRound {turn}, fact {i}.{n}: {chance.random()} is a number." for n in range(3)
            )
            (folder / name).write_text(text)
        where, amount = ("index", chance.uniform(0, 40)) if turn % 2 else ("documents", chance.randint(1, 12))
        run = subprocess.run(
            [sys.executable, "-c", CHILD, str(home), str(folder), str(log), where, str(amount)],
            capture_output=True,
            text=True,
        )
        assert run.returncode in (0, -9), run.stderr
        dead += run.returncode == -9
        check(home, embedder, {line.split("\t")[0] for line in log.read_text().splitlines()} if log.exists() else set())
    assert dead >= kills // 2


def check(home: Path, embedder, acknowledged: set[str]) -> None:
    with Assistant(home, "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        store = assistant.store
        if DEFAULT_KB not in store.knowledge_bases():
            assert not acknowledged
            return
        assert assistant.database.integrity() == "ok"
        assert acknowledged <= {source.source for source in store.sources(DEFAULT_KB)}
        ids = store.ids(DEFAULT_KB)
        assert len(ids) == len(set(ids))
        for chunk_id, vector in zip(ids, store.vectors(ids), strict=True):
            nearest = dict(assistant.index.query(DEFAULT_KB, vector, 3))
            assert chunk_id in nearest or max(nearest.values()) > 0.9999
        assert len(store.fts_search(DEFAULT_KB, '"fact"', len(ids) + 5)) == len(ids)


def test_few_kills_during_ingest_lose_and_double_nothing(tmp_path, embedder):
    kill_and_check(tmp_path, embedder, 6, seed=1)


@pytest.mark.slow
def test_400_kills_during_ingest_lose_and_double_nothing(tmp_path, embedder):
    kill_and_check(tmp_path, embedder, 400, seed=2)


def test_edits_to_style_memory_survive_a_kill(tmp_path, embedder):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom bot.assistant import Assistant\n"
        "a = Assistant(Path(sys.argv[1]), 'import replies', writing=True)\n"
        "a.style.add([('c1', 'r1')])\nprint('saved', flush=True)\n"
        "with a.database.write() as db:\n"
        "    db.execute(\"INSERT INTO past_replies VALUES ('x', 'c2', 'r2', 9)\")\n    os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "home")], capture_output=True, text=True)
    assert run.returncode == -9
    assert run.stdout == "saved\n"
    with Assistant(tmp_path / "home", "test", writing=True) as assistant:
        assert [(p.comment, p.reply) for p in assistant.style.all()] == [("c1", "r1")]

"""kill -9 at every kind of moment: what was acknowledged is found afterwards, nothing is there twice."""

import csv
import io
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.drafts_log import DraftLog
from data.database import Database
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


# Drafts and edits at full speed until it is killed; writes down each step before ("edit") and after it is done.
REVIEWER = """
import os, random, sys, threading
from pathlib import Path
from bot.drafts import Draft, WrittenBy
from bot.drafts_log import DraftLog
from data.database import Database

path, steps, seed = sys.argv[1:]
chance = random.Random(int(seed))
log = DraftLog(Database(Path(path)))
threading.Timer(chance.uniform(0, 0.2), os.kill, (os.getpid(), 9)).start()
with open(steps, "a") as file:
    def say(*words):
        print(*words, sep="\\t", file=file, flush=True)

    while True:
        rows = [[str(n), f"comment {n}"] for n in range(20)]
        batch = log.begin("in.csv", "shawgpt", "default", ["n", "Comment"], rows, 1)
        say("begun", batch)
        for row in range(20):
            log.save(batch, row, Draft(f"draft {row}", "drafted", "thanks"), WrittenBy("extractive"))
            say("drafted", batch, row)
            for text in (f"edit {chance.random()}", f"better {chance.random()}")[: chance.randrange(3)]:
                say("edit", batch, row, text)
                log.edit(batch, row, text)
                say("edited", batch, row, text)
"""


def kill_reviewers(tmp_path: Path, kills: int) -> None:
    path, steps = tmp_path / "shawgpt.sqlite3", tmp_path / "steps"
    Database(path).close()
    for seed in range(kills):
        run = subprocess.run([sys.executable, "-c", REVIEWER, str(path), str(steps), str(seed)], capture_output=True)
        assert run.returncode == -9, run.stderr
    database = Database(path)
    assert database.integrity() == "ok"
    log = DraftLog(database)
    done = [line.split("\t") for line in steps.read_text().splitlines()]
    begun = {batch for word, batch, *_ in done if word == "begun"}
    drafted = {(batch, int(rest[0])) for word, batch, *rest in done if word == "drafted"}
    edits: dict[tuple[str, int], set[str | None]] = {}  # what may stand there: the last text that was acknowledged …
    for word, batch, *rest in done:
        if word == "edited":
            edits[batch, int(rest[0])] = {rest[1]}
        elif word == "edit":  # … or one that was not, where it was killed in between
            edits.setdefault((batch, int(rest[0])), {None}).add(rest[1])
    assert begun <= {batch.id for batch in log.latest(10**6)}
    for batch in begun:
        rows = log.rows(batch)
        assert [(row.row, row.comment) for row in rows] == [(n, f"comment {n}") for n in range(20)]
        assert all(row.draft for row in rows if (batch, row.row) in drafted)
        assert all(row.edited in edits.get((batch, row.row), {None}) for row in rows)


def test_few_kills_during_review_lose_and_double_nothing(tmp_path):
    kill_reviewers(tmp_path, 6)


@pytest.mark.slow
def test_250_kills_during_review_lose_and_double_nothing(tmp_path):
    kill_reviewers(tmp_path, 250)


BATCH = """
import os, random, sys, threading, time
from pathlib import Path
from bot.drafts import Draft, WrittenBy
from bot.reply import reply_to_csv

comments, output, rows, after = sys.argv[1:]
threading.Timer(float(after), os.kill, (os.getpid(), 9)).start()

def drafts(comments, recent):
    time.sleep(0.0005)
    yield 0, Draft(f"re {comments[0]}, after {len(recent)}", "drafted", "thanks")

def note(progress, draft):
    Path(rows).write_text(str(progress.done))

reply_to_csv(Path(comments), Path(output), drafts, WrittenBy("extractive"), progress=note)
os._exit(0)
"""


def kill_batches(tmp_path: Path, kills: int) -> None:
    comments, output, rows = tmp_path / "in.csv", tmp_path / "out.csv", tmp_path / "rows"
    lines = [f'{n},"comment {n}, with ""quotes""' + "\nand a line" * (n % 3) + '"' for n in range(400)]
    comments.write_text("n,Comment\n" + "\n".join(lines) + "\n")

    def drafts(after: float) -> int:
        arguments = [str(comments), str(output), str(rows), str(after)]
        return subprocess.run([sys.executable, "-c", BATCH, *arguments], capture_output=True).returncode

    assert drafts(60) == 0
    whole = output.read_bytes()
    output.unlink()
    chance = random.Random(3)
    for _ in range(kills):
        rows.write_text("0")
        assert drafts(chance.uniform(0, 0.15)) in (0, -9)
        body = output.read_bytes() if output.exists() else b""
        assert whole.startswith(body)
        written = list(csv.reader(io.StringIO(body.decode("utf-8", "ignore"), newline="")))
        acknowledged = int(rows.read_text() or 0)
        assert max(len(written) - 1, 0) >= acknowledged  # a kill may come before the header is there
        if body == whole:
            output.unlink()
    assert drafts(60) == 0
    assert output.read_bytes() == whole


def test_few_kills_during_a_batch_lose_and_double_no_row(tmp_path):
    kill_batches(tmp_path, 5)


@pytest.mark.slow
def test_250_kills_during_a_batch_lose_and_double_no_row(tmp_path):
    kill_batches(tmp_path, 250)

"""The record and its index: what is committed is found, what is forgotten is gone, Chroma can be made again."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.doctor import examine, restore_backup
from data.database import SCHEMA_VERSION, Database
from data.errors import BadInput, NotFound, WorkFolderError
from data.index import Index
from data.store import DEFAULT_KB

TOPICS = (
    "Sourdough rests overnight in a cold room.",
    "Walnut planks need a sharp plane.",
    "The moon orbits the earth.",
)


@pytest.fixture
def filled(assistant, write):
    for i, text in enumerate(TOPICS):
        write(f"docs/{i}.txt", text)
    report = assistant.ingest([str(assistant.folder.path.parent / "docs")], DEFAULT_KB)
    assert report.count("added") == 3
    return assistant


def found(assistant, query="how does one keep a plank flat"):
    assistant._retrievers.clear()
    return [passage.text for passage in assistant.search(query, 3).passages]


def reopened(assistant):
    """The same work folder in a fresh assistant, as after a start."""
    embedder, home = assistant.embedder, assistant.folder.path
    assistant.close()
    fresh = Assistant(home, "test", writing=True)
    fresh.__dict__["embedder"] = embedder
    return fresh


def test_ingesting_three_times_gives_the_same_ids(filled):
    ids = filled.store.ids(DEFAULT_KB)
    for _ in range(2):
        report = filled.ingest([str(filled.folder.path.parent / "docs")], DEFAULT_KB)
        assert report.count("unchanged") == 3
    assert filled.store.ids(DEFAULT_KB) == ids


def test_document_that_is_read_anew_keeps_the_ids_of_unchanged_chunks(filled, write):
    sections = [f"# Part {i}\n\n" + f"Sentence {i} about bread, ovens and the people who bake. " * 20 for i in range(6)]
    path = write("docs/long.md", "\n\n".join(sections))
    filled.ingest([path], DEFAULT_KB)
    before = set(filled.store.ids(DEFAULT_KB))
    write("docs/long.md", "\n\n".join([*sections[:5], sections[5].replace("bread", "cake")]))
    (entry,) = filled.ingest([path], DEFAULT_KB).entries
    assert entry.outcome == "updated"
    assert 0 < entry.embedded < entry.chunks
    assert len(before & set(filled.store.ids(DEFAULT_KB))) == len(before) - entry.embedded


def test_forgotten_source_has_no_retrievable_chunk(filled):
    source = next(s.source for s in filled.sources() if s.source.endswith("1.txt"))
    assert any("Walnut" in text for text in found(filled))
    filled.forget([source])
    assert not any("Walnut" in text for text in found(filled))
    assert filled.store.fts_search(DEFAULT_KB, '"walnut"', 5) == []


def test_forgetting_removes_nothing_where_one_source_is_unknown(filled):
    known = filled.sources()[0].source
    with pytest.raises(NotFound, match="nowhere"):
        filled.forget([known, "nowhere.txt"])
    assert len(filled.sources()) == 3


def test_failed_update_keeps_what_was_there(filled):
    path = filled.folder.path.parent / "docs/1.txt"
    path.write_bytes(b"\x00\x01\x02\x03" * 200)
    (entry,) = filled.ingest([str(path)], DEFAULT_KB).entries
    assert entry.outcome in ("rejected", "empty")
    assert "kept" in entry.reason
    assert any("Walnut" in text for text in found(filled))


def test_index_is_made_again_where_its_folder_is_gone(filled):
    ids = filled.store.ids(DEFAULT_KB)
    filled.index.close()
    shutil.rmtree(filled.folder.index)
    fresh = reopened(filled)
    assert any("Walnut" in text for text in found(fresh))
    assert fresh.store.ids(DEFAULT_KB) == ids
    fresh.close()


def test_index_is_made_again_where_its_files_are_damaged(filled):
    home = filled.folder.index
    filled.index.close()
    for path in home.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged" * 10)
    fresh = reopened(filled)
    assert any("Walnut" in text for text in found(fresh))
    assert "built again" in fresh.index.repairs[0]
    fresh.close()


AGAIN = """
import sys
from pathlib import Path
from bot.assistant import Assistant

with Assistant(Path(sys.argv[1]), "ingest", writing=True) as assistant:
    print(*(entry.outcome for entry in assistant.ingest([sys.argv[2]], "default").entries))
print(*sorted({"onnxruntime", "chromadb"} & set(sys.modules)))
"""


def test_ingesting_what_is_unchanged_loads_neither_the_model_nor_the_index(filled):
    filled.close()
    documents = str(filled.folder.path.parent / "docs")
    run = subprocess.run(
        [sys.executable, "-c", AGAIN, str(filled.folder.path), documents], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["unchanged unchanged unchanged", ""]


ASK = """
import sys
from pathlib import Path
from bot.assistant import Assistant

with Assistant(Path(sys.argv[1]), "search", writing=True) as assistant:
    print(assistant.search("how does one keep a plank flat").passages[0].text)
    print(*assistant.index.repairs)
"""


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_index_files_overwritten_after_a_clean_end_are_not_opened(filled, write, seed):
    """Chroma's native code can take the process down on such files, so it is a process of its own that asks."""
    write("docs/long.txt", "\n\n".join(f"Paragraph {i} tells of something else. " * 20 for i in range(300)))
    filled.ingest([str(filled.folder.path.parent / "docs")], DEFAULT_KB)
    filled.close()
    chance = random.Random(seed)
    for path in sorted(filled.folder.index.rglob("*.bin")):
        body = bytearray(path.read_bytes())
        for _ in range(len(body) // 8):
            body[chance.randrange(len(body))] = chance.randrange(256)
        path.write_bytes(body)
    run = subprocess.run([sys.executable, "-c", ASK, str(filled.folder.path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Walnut planks")
    assert "changed from outside, or copied: built again" in run.stdout


def test_index_of_an_earlier_version_with_other_settings_is_made_again(filled, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("data.index.HNSW", {"space": "cosine", "max_neighbors": 16})
        filled.index.rebuild()
        filled.close()
    fresh = reopened(filled)
    assert any("Walnut" in text for text in found(fresh))
    assert "made with other settings: built again" in fresh.index.repairs[0]
    fresh.close()


def test_index_that_only_another_run_has_used_since_is_not_made_again(filled):
    for _ in range(2):
        filled = reopened(filled)
        assert any("Walnut" in text for text in found(filled))
        assert filled.index.repairs == []
    filled.close()


def test_index_is_made_again_where_the_last_run_ended_while_it_wrote(filled):
    filled.folder.index.with_name("chroma.unclean").touch()
    fresh = reopened(filled)
    assert any("Walnut" in text for text in found(fresh))
    assert "ended while it wrote" in fresh.index.repairs[0]
    fresh.close()


def test_chunk_that_only_the_record_has_is_found_after_a_start(filled, write):
    class NoIndex(Index):
        def update(self, kb, added, removed):
            """As if the process had died between the record's commit and the index."""

    filled.index, real = NoIndex(filled.store, filled.folder.index, True), filled.index
    filled.ingest([write("docs/late.txt", "Kangaroos carry their young in a pouch.")], DEFAULT_KB)
    filled.index = real
    fresh = reopened(filled)
    assert any("Kangaroos" in text for text in found(fresh, "animal with a pouch"))
    assert "1 chunks added" in fresh.index.repairs[0]
    fresh.close()


def test_reader_beside_a_writer_searches_the_record_exactly(filled):
    reader = Index(filled.store, filled.folder.index, writable=False)
    ids = filled.store.ids(DEFAULT_KB)
    vector = filled.store.vectors(ids)[1]
    best = reader.query(DEFAULT_KB, vector, 3)
    assert best[0][0] == ids[1]
    assert best[0][1] == pytest.approx(1.0, abs=1e-5)
    assert [i for i, _ in best] == [i for i, _ in filled.index.query(DEFAULT_KB, vector, 3)]


def test_reader_sees_what_a_writer_has_committed_since(filled):
    reader = Index(filled.store, filled.folder.index, writable=False)
    ids = filled.store.ids(DEFAULT_KB)
    vector = filled.store.vectors(ids)[1]
    reader.query(DEFAULT_KB, vector, 3)
    filled.forget([filled.store.chunks([ids[1]])[ids[1]].source])
    assert ids[1] not in [i for i, _ in reader.query(DEFAULT_KB, vector, 3)]


def test_second_writer_is_refused_and_told_who_has_the_lock(filled):
    home = filled.folder.path
    code = "import pathlib, sys; from bot.assistant import Assistant; Assistant(pathlib.Path(sys.argv[1]), 'x', True)"
    run = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "in use by `shawgpt test` (process" in run.stderr


def test_another_embedding_model_is_refused(filled):
    with pytest.raises(BadInput, match="doctor --reembed"):
        filled.store.open_kb(DEFAULT_KB, "st:another")


def test_embedding_again_keeps_ids_and_is_found(filled):
    ids = filled.store.ids(DEFAULT_KB)
    with filled.database.write() as db:
        db.execute("UPDATE knowledge_bases SET embedder = 'st:old'")
        db.execute("UPDATE chunks SET vector = zeroblob(length(vector))")
    assert all(finding.good for finding in examine(filled, False, True, None))
    assert filled.store.ids(DEFAULT_KB) == ids
    assert any("Walnut" in text for text in found(filled))


def test_work_folder_of_a_newer_version_is_refused_and_left_alone(filled):
    with filled.database.write() as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    path = filled.folder.database
    before = path.read_bytes()
    with pytest.raises(WorkFolderError, match="newer shawgpt"):
        Database(path)
    assert path.read_bytes() == before


def test_backup_of_a_newer_version_is_named_itself_and_nothing_is_restored(filled, tmp_path):
    backup, home, path = tmp_path / "copy.sqlite3", filled.folder.path, filled.folder.database
    filled.database.backup(backup)
    filled.close()
    with contextlib.closing(sqlite3.connect(backup)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(BadInput, match=f"{backup} is of a newer shawgpt"):
        restore_backup(home, backup)
    assert path.read_bytes() == before


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_work_folder_that_can_only_be_read_is_searched_and_left_as_it_is(filled, monkeypatch, journal):
    home, embedder = filled.folder.path, filled.embedder
    filled.close()
    with contextlib.closing(sqlite3.connect(filled.folder.database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    monkeypatch.setattr(os, "access", lambda *_: False)

    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before = state()
    with Assistant(home, "ask") as reader:
        reader.__dict__["embedder"] = embedder
        assert any("Walnut" in text for text in found(reader))
        assert reader.sources()
        assert all(finding.good for finding in examine(reader, False, False, None))
        assert state() == before  # no lock, journal or index was made for it
        with pytest.raises(WorkFolderError, match="can't be written"):
            reader.style.add([("Nice!", "Thanks!")])
    assert state() == before
    with pytest.raises(WorkFolderError, match="--home"):
        Assistant(home, "ingest", writing=True)


def test_damaged_database_is_named(tmp_path):
    (tmp_path / "shawgpt.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(WorkFolderError, match="back-up"):
        Database(tmp_path / "shawgpt.sqlite3")


def test_backup_restores_every_document_and_reply(filled, tmp_path):
    filled.style.add([("Nice!", "Thanks!")])
    backup = tmp_path / "copy.sqlite3"
    assert all(finding.good for finding in examine(filled, False, False, backup))
    filled.forget([filled.sources()[0].source])
    home, embedder = filled.folder.path, filled.embedder
    filled.close()
    restore_backup(home, backup)
    with Assistant(home, "test", writing=True) as fresh:
        fresh.__dict__["embedder"] = embedder
        fresh.index.rebuild()
        assert len(fresh.sources()) == 3
        assert [pair.reply for pair in fresh.style.all()] == ["Thanks!"]
        assert any("Walnut" in text for text in found(fresh))


def test_restoring_what_is_no_backup_changes_nothing(filled, tmp_path):
    home = filled.folder.path
    filled.close()
    bad = tmp_path / "bad.sqlite3"
    bad.write_bytes(b"nothing of the kind")
    before = (home / "shawgpt.sqlite3").read_bytes()
    with pytest.raises(WorkFolderError):
        restore_backup(home, bad)
    assert (home / "shawgpt.sqlite3").read_bytes() == before


def test_full_disk_is_one_clear_line_and_nothing_is_half_done(filled, write):
    filled.database.connection.execute("PRAGMA max_page_count = 1")  # SQLite answers as on a full disk
    before = filled.store.ids(DEFAULT_KB)
    text = "\n\n".join(
        f"Paragraph {i} about something else altogether, long enough to fill pages." * 9 for i in range(200)
    )
    path = write("docs/big.txt", text)
    with pytest.raises(WorkFolderError, match="disk is full"):
        filled.ingest([path], DEFAULT_KB)
    assert filled.store.ids(DEFAULT_KB) == before
    assert filled.database.integrity() == "ok"


def test_knowledge_bases_are_apart(filled, write):
    filled.ingest([write("other/x.txt", "Walnut oil is for salads.")], "kitchen")
    assert found(filled, "walnut")[0].startswith("Walnut planks")
    assert [p.text for p in filled.search("walnut", 5, "kitchen").passages] == ["Walnut oil is for salads."]
    with pytest.raises(NotFound, match="known: default, kitchen"):
        filled.search("walnut", 5, "garage")


@pytest.mark.parametrize("name", ["", "a b", "../up", "x" * 65, "a;b"])
def test_knowledge_base_with_an_odd_name_is_refused(assistant, name):
    with pytest.raises(BadInput, match="letters, digits"):
        assistant.store.open_kb(name, "any")


def test_rollback_journal_is_used_where_sqlite_has_the_wal_bug(assistant):
    (mode,) = assistant.database.connection.execute("PRAGMA journal_mode").fetchone()
    assert mode == ("wal" if sqlite3.sqlite_version_info >= (3, 51, 3) else "delete")


@pytest.mark.parametrize("name", ["日本語", "küche", "notes-", "_x", "a"])
def test_knowledge_base_may_have_any_letters_in_its_name(assistant, write, name):
    path = write("docs/x.txt", "Walnut oil is for salads.")
    assert assistant.ingest([path], name).count("added") == 1
    assert [p.text for p in assistant.search("walnut", 1, name).passages] == ["Walnut oil is for salads."]
    assert not any("built again" in repair for repair in assistant.index.repairs)


def test_file_whose_name_is_not_utf_8_is_ingested_and_forgotten(assistant, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    try:
        Path(path).write_text("Walnut oil is for salads.")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    for outcome in ("added", "unchanged"):
        assert assistant.ingest([path], DEFAULT_KB).count(outcome) == 1
    assert assistant.sources()[0].source.endswith("caf\\udce9.txt")
    assistant.forget([path])
    assert assistant.sources() == []


class FullDisk(Index):
    """Chroma on a full disk."""

    full = True

    def _add(self, collection, ids):
        if self.full:
            raise RuntimeError("Error in compaction: Failed to apply logs to the hnsw segment writer, No space left")
        super()._add(collection, ids)


def test_index_that_cannot_be_written_is_explained_and_made_again_once_it_can(filled, write):
    filled.index.close()
    filled.index = index = FullDisk(filled.store, filled.folder.index, True)
    path = write("docs/late.txt", "Kangaroos carry their young in a pouch.")
    index.full = False
    index.check(DEFAULT_KB)
    index.full = True
    with pytest.raises(WorkFolderError, match=r"the disk is full.*what was saved before is intact"):
        filled.ingest([path], DEFAULT_KB)
    assert any("Kangaroos" in text for text in found(filled, "animal with a pouch"))  # the record has it
    assert ["disk is full" in f.found for f in examine(filled, False, False, None) if not f.good] == [True]
    index.full = False
    filled.ingest([write("docs/later.txt", "Wombats dig long burrows.")], DEFAULT_KB)
    assert all(finding.good for finding in examine(filled, False, False, None))
    ids = filled.store.ids(DEFAULT_KB)
    assert {i for i, _ in index.query(DEFAULT_KB, filled.store.vectors(ids)[0], 10)} == set(ids)
    assert not index._failed


def test_forgetting_holds_where_the_index_cannot_be_written(filled):
    filled.index.close()
    filled.index = FullDisk(filled.store, filled.folder.index, True)
    shutil.rmtree(filled.folder.index)
    source = next(s.source for s in filled.sources() if s.source.endswith("1.txt"))
    assert filled.forget([source]) == {source: 1}
    assert not any("Walnut" in text for text in found(filled))


def test_index_that_is_a_file_is_made_again(filled):
    filled.index.close()
    shutil.rmtree(filled.folder.index)
    filled.folder.index.write_text("x")
    fresh = reopened(filled)
    assert any("Walnut" in text for text in found(fresh))
    assert fresh.folder.index.is_dir()
    fresh.close()


def test_search_goes_on_where_another_process_forgets_what_it_has_found(filled, monkeypatch):
    filled.index.close()
    filled.index = Index(filled.store, filled.folder.index, writable=False)
    chunks = filled.store.chunks

    def chunks_then_forget(ids):
        got = chunks(ids)
        with filled.database.write() as db:
            db.execute("DELETE FROM documents")
        return got

    monkeypatch.setattr(filled.store, "chunks", chunks_then_forget)
    monkeypatch.setattr(filled.index, "query", lambda kb, vector, k: [])
    assert found(filled, "walnut planks") == []


def test_database_made_by_two_processes_at_once_is_whole(tmp_path):
    first = Database(tmp_path / "shawgpt.sqlite3")
    first._make()  # as the second one does, which found no tables when it looked
    assert first.integrity() == "ok"


def test_damage_met_while_reading_is_named(filled):
    path = filled.folder.database
    filled.database.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"damaged!" * (path.stat().st_size // 8 - 512))
    with pytest.raises(WorkFolderError, match="back-up"):
        filled.sources()


def test_lock_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "home/lock").mkdir(parents=True)
    with pytest.raises(WorkFolderError, match="lock can't be opened"):
        Assistant(tmp_path / "home", "test", writing=True)


def test_name_of_the_lock_holder_may_be_missing(tmp_path):
    (tmp_path / "home/lock.json").mkdir(parents=True)
    with Assistant(tmp_path / "home", "test", writing=True) as assistant:
        assert assistant.folder.writing


def test_journal_of_a_killed_process_is_not_played_back_into_a_restored_database(filled, tmp_path):
    backup = tmp_path / "copy.sqlite3"
    filled.database.backup(backup)
    home = filled.folder.path
    filled.close()
    # Killed in a transaction that has spilt to the disk: the database is half written, its journal says how to undo it.
    code = (
        "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\ndb.execute('PRAGMA journal_mode = DELETE')\n"
        "db.execute('PRAGMA cache_size = 1')\ndb.execute('DELETE FROM chunks')\n"
        "db.executemany('INSERT INTO past_replies VALUES (?, ?, ?, 0)', ((str(n), 'c' * 500, 'r') for n in range(999)))"
        "\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(home / "shawgpt.sqlite3")])
    assert (home / "shawgpt.sqlite3-journal").exists()
    restore_backup(home, backup)
    for path in (home / "shawgpt.sqlite3", home / "shawgpt.before-restore"):
        database = Database(path)
        assert database.integrity() == "ok"
        assert database.read("SELECT count(*) FROM chunks")[0][0] == 3
        database.close()


@pytest.mark.parametrize("body", [b"", b"nothing of the kind"])
def test_empty_file_or_foreign_database_is_no_backup(filled, tmp_path, body):
    home = filled.folder.path
    filled.close()
    bad = tmp_path / "bad.sqlite3"
    bad.write_bytes(body)
    before = (home / "shawgpt.sqlite3").read_bytes()
    with pytest.raises((BadInput, WorkFolderError)):
        restore_backup(home, bad)
    assert (home / "shawgpt.sqlite3").read_bytes() == before
    assert not (home / "shawgpt.restoring").exists()


def test_backup_overwrites_nothing_but_an_earlier_one(filled, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("precious")
    for target in (notes, filled.folder.database, tmp_path):
        with pytest.raises(BadInput, match=r"name (a|another) file"):
            examine(filled, False, False, target)
    assert notes.read_text() == "precious"
    for _ in range(2):
        examine(filled, False, False, tmp_path / "copy.sqlite3")
    assert not list(tmp_path.glob("*.part*"))

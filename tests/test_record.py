"""The record and its index: what is committed is found, what is forgotten is gone, Chroma can be made again."""

import shutil
import sqlite3
import subprocess
import sys

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

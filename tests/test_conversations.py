"""Sessions in the database: kept, gone on with, rated, forgotten; and databases of the version before."""

import sqlite3
from contextlib import closing

import pytest

from data.conversations import Conversations
from data.database import Database
from data.errors import NotFound, WorkFolderError
from data.style_memory import StyleMemory


@pytest.fixture
def conversations(tmp_path):
    database = Database(tmp_path / "shawgpt.sqlite3")
    yield Conversations(database)
    database.close()


def test_a_session_is_kept_in_order_and_can_be_gone_on_with(conversations, tmp_path):
    session = conversations.begin("vito", "cycling")
    assert conversations.add(session, "How long?", "How long?", '{"a": 1}') == 0
    assert conversations.add(session, "and \ud83d uphill?", "How long uphill?", "{}") == 1
    conversations.database.close()
    again = Conversations(Database(tmp_path / "shawgpt.sqlite3"))
    assert [(e.position, e.question, e.query) for e in again.exchanges(session)] == [
        (0, "How long?", "How long?"),
        (1, "and ? uphill?", "How long uphill?"),
    ]
    (listed,) = again.latest()
    assert (listed.id, listed.persona, listed.kb, listed.exchanges) == (session, "vito", "cycling", 2)
    assert listed.opening == "How long?"
    again.database.close()


def test_ratings_are_kept_changed_and_taken_back(conversations):
    session = conversations.begin("rag-expert", "default")
    conversations.add(session, "Q", "Q", "{}")
    conversations.rate(session, 0, -1, "wrong page")
    ((of, rated),) = conversations.rated()
    assert (of.id, rated.rating, rated.note) == (session, -1, "wrong page")
    conversations.rate(session, 0, None)
    assert conversations.rated() == []
    with pytest.raises(NotFound):
        conversations.rate(session, 7, 1)


def test_a_forgotten_session_is_gone_with_all_that_was_said(conversations):
    session = conversations.begin("vito", "cycling")
    conversations.add(session, "secret", "secret", "{}")
    conversations.forget(session)
    assert conversations.exchanges(session) == []
    assert conversations.latest() == []
    with pytest.raises(NotFound):
        conversations.add(session, "more", "more", "{}")


def _as_version_1(path):
    with closing(sqlite3.connect(path)) as old:
        old.executescript("DROP TABLE exchanges; DROP TABLE sessions; PRAGMA user_version = 1")


def test_a_database_of_the_version_before_keeps_what_it_has_and_takes_sessions(tmp_path):
    path = tmp_path / "shawgpt.sqlite3"
    first = Database(path)
    StyleMemory(first).add([("Nice!", "Thanks!")])
    first.close()
    _as_version_1(path)
    upgraded = Database(path)
    assert [pair.reply for pair in StyleMemory(upgraded).all()] == ["Thanks!"]
    conversations = Conversations(upgraded)
    assert conversations.add(conversations.begin("vito", "default"), "Q", "Q", "{}") == 0
    upgraded.close()


def test_one_that_can_only_be_read_says_what_to_do(tmp_path):
    path = tmp_path / "shawgpt.sqlite3"
    Database(path).close()
    _as_version_1(path)
    reader = Database(path, read_only=True)
    with pytest.raises(WorkFolderError, match="older shawgpt"):
        Conversations(reader).latest()
    reader.close()

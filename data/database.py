"""The SQLite database of a work folder: its schema, and connections that are safe to use from several threads."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data.errors import WorkFolderError

SCHEMA_VERSION = 3

# SQLite's write-ahead log can corrupt a database when it is reset under load; fixed in 3.51.3 (sqlite.org/wal.html).
# Older libraries keep the rollback journal, which is slower and sound.
WAL_IS_SOUND_SINCE = (3, 51, 3)

NOWHERE = ":memory:"

SCHEMA = """
CREATE TABLE IF NOT EXISTS knowledge_bases (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    embedder TEXT NOT NULL,         -- vectors of different embedders are never mixed in one knowledge base
    revision INTEGER NOT NULL       -- counts the changes, so that who keeps something in memory knows when it is old
) STRICT;

CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY,
    kb INTEGER NOT NULL REFERENCES knowledge_bases(id) ON DELETE CASCADE,
    source TEXT NOT NULL,           -- absolute path or URL
    digest TEXT NOT NULL,           -- SHA-256 of the bytes read, and of how they were read
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    date TEXT NOT NULL,
    pages INTEGER NOT NULL,         -- 0 where the document has no pages
    page_labels TEXT NOT NULL,      -- JSON array
    ingested_at TEXT NOT NULL,      -- UTC, ISO 8601
    UNIQUE (kb, source)
) STRICT;

CREATE TABLE IF NOT EXISTS chunks (
    key INTEGER PRIMARY KEY,        -- rowid, shared with the full-text index
    id TEXT NOT NULL UNIQUE,        -- hash of knowledge base, source and content: the same at every ingest
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,      -- order within the document, from 0
    text TEXT NOT NULL,
    heading TEXT NOT NULL,
    page_start INTEGER,
    page_end INTEGER,
    page_breaks TEXT NOT NULL,      -- JSON array of offsets in text where the pages after page_start begin
    tokens INTEGER NOT NULL,
    embedded_text TEXT NOT NULL,
    vector BLOB NOT NULL            -- float32, little-endian, unit norm
) STRICT;
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (document, position);

CREATE TABLE IF NOT EXISTS past_replies (
    id TEXT PRIMARY KEY,            -- hash of comment and reply: importing twice changes nothing
    comment TEXT NOT NULL,
    reply TEXT NOT NULL,
    position INTEGER NOT NULL       -- order of import
) STRICT;

CREATE TABLE IF NOT EXISTS drafts (               -- what the page shows, with the creator's edits
    batch TEXT NOT NULL,
    row INTEGER NOT NULL,
    comment TEXT NOT NULL,
    draft TEXT NOT NULL,            -- JSON, as the responder wrote it
    edited TEXT,                    -- the creator's text, NULL until edited
    edited_at TEXT,
    PRIMARY KEY (batch, row)
) STRICT;

CREATE TABLE IF NOT EXISTS sessions (             -- conversations, which can be gone on with; since version 2
    id TEXT PRIMARY KEY,
    persona TEXT NOT NULL,          -- its file name
    kb TEXT NOT NULL,
    begun_at TEXT NOT NULL          -- UTC, ISO 8601
) STRICT;

CREATE TABLE IF NOT EXISTS exchanges (            -- a question of a session, with what came of it
    session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,      -- order within the session, from 0
    question TEXT NOT NULL,         -- as it was asked
    query TEXT NOT NULL,            -- as it is understood alone, which is searched with
    answer TEXT NOT NULL,           -- JSON
    at TEXT NOT NULL,               -- UTC, ISO 8601
    rating INTEGER CHECK (rating IN (-1, 1)),     -- by who asked; NULL until rated
    note TEXT NOT NULL DEFAULT '',  -- why
    PRIMARY KEY (session, position)
) STRICT;

CREATE TABLE IF NOT EXISTS quotes (               -- what people really said; since version 3
    id TEXT PRIMARY KEY,            -- hash of author and words: importing twice changes nothing
    quote TEXT NOT NULL,
    author TEXT NOT NULL,
    tags TEXT NOT NULL,             -- JSON array
    source TEXT NOT NULL,           -- the name of the file it was read from
    embedder TEXT NOT NULL,
    vector BLOB NOT NULL,           -- float32, little-endian, unit norm
    position INTEGER NOT NULL       -- order of import
) STRICT;
CREATE INDEX IF NOT EXISTS quotes_by_author ON quotes (author);
"""


class Database:
    """One connection a thread to `path`, made on first use; `write()` serialises the writers of this process."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open or create the database; `read_only` one that isn't there is empty, and nothing is written.

        Raises WorkFolderError where it is of a newer version, damaged, or can't be written.
        """
        self.path = path
        self._read_only = read_only
        self._local = threading.local()
        self._writing = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        with explained(path):
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise WorkFolderError(
                    f"{path.parent} was made by a newer shawgpt (schema {version}; this one reads up to "
                    f"{SCHEMA_VERSION}): upgrade shawgpt, or choose another folder with --home"
                )
            if version < SCHEMA_VERSION and not read_only:
                self._make()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Autocommit mode: transactions are begun by `write()` alone, so that none is left open by a read.
            where = self._to_read() if self._read_only else self.path
            connection = sqlite3.connect(
                where, timeout=10, isolation_level=None, check_same_thread=False, uri=self._read_only
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            if where == NOWHERE:
                connection.executescript(SCHEMA)
            if sqlite3.sqlite_version_info >= WAL_IS_SOUND_SINCE and not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit is an acknowledgement: it survives power loss
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query. Raises WorkFolderError where the database is damaged or held by another program."""
        with explained(self.path):
            return self.connection.execute(sql, values).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed whole at the end of the block, or not at all. One inside another joins it.

        Raises WorkFolderError where the disk is full, read-only or the database is held by another program.
        """
        with self._writing, explained(self.path):
            connection = self.connection
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the database to `target`, which is whole or as it was, also while it is in use."""
        part = target.with_name(f"{target.name}.part")
        try:
            with explained(target):
                copy = sqlite3.connect(part)
                try:
                    self.connection.backup(copy)
                finally:
                    copy.close()
            part.replace(target)
        except OSError as error:
            raise WorkFolderError(f"{target} can't be written ({error.strerror})") from error
        finally:
            for ending in ("", "-journal"):
                Path(f"{part}{ending}").unlink(missing_ok=True)

    def integrity(self) -> str:
        """SQLite's own verdict: "ok", or what is damaged."""
        return str(self.read("PRAGMA integrity_check")[0][0])

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._local = threading.local()

    def _to_read(self) -> str:
        if not self.path.exists():
            return NOWHERE
        # SQLite opens a closed database in WAL mode by making files beside it; told that nobody writes, it needs none.
        with suppress(OSError), self.path.open("rb") as file:
            if file.read(20)[18:19] == b"\2" and not Path(f"{self.path}-wal").exists():  # sqlite.org/fileformat.html
                return f"{self.path.as_uri()}?mode=ro&immutable=1"
        return f"{self.path.as_uri()}?mode=ro"

    def _make(self) -> None:
        """Make the tables, or those that an older version lacks: so far, each version has only added some."""
        # executescript commits on its own, so the transaction is spelt out: a kill leaves the old version as it was.
        # IF NOT EXISTS, since another process may have made them while this one waited for its turn.
        self.connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about `path` into one line that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text:
            advice = "the disk is full: free some space and run the command again; what was saved before is intact"
        elif "readonly" in text or "unable to open" in text:
            advice = "it can't be written: check the folder's permissions, or choose another with --home"
        elif "locked" in text:
            advice = "another program holds it: wait for it to end, or stop it"
        elif "malformed" in text or "not a database" in text:
            advice = "it is damaged: restore it from a back-up (see `shawgpt doctor --help`)"
        elif "no such table" in text:
            advice = "an older shawgpt made it, and it can't be written here: run a command once where it can be"
        elif "disk I/O" in text:
            advice = "its disk fails or is full: see to that and run the command again"
        else:
            raise
        raise WorkFolderError(f"{path}: {advice} ({text})") from error

"""Sessions: conversations of questions and answers, kept in the database, rated by who asked."""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from data.database import Database
from data.errors import NotFound


@dataclass(frozen=True)
class Session:
    """One conversation."""

    id: str  # when it was begun (UTC) and a part that can't be guessed; who knows it may go on with it
    persona: str  # the persona's file name
    kb: str
    begun_at: str  # UTC, ISO 8601
    exchanges: int
    opening: str  # its first question; empty where nothing was asked yet


@dataclass(frozen=True)
class Exchange:
    """A question of a session, and what came of it."""

    session: str
    position: int  # from 0
    question: str  # as it was asked
    query: str  # as it is understood alone
    answer: str  # JSON, as `bot` made it
    at: str  # UTC, ISO 8601
    rating: int | None = None  # 1 good, -1 bad, None not rated
    note: str = ""  # why


class Conversations:
    """The sessions of a work folder."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def begin(self, persona: str, kb: str) -> str:
        """A new session; returns its id."""
        now = datetime.now(UTC)
        session = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(8)}"
        with self.database.write() as db:
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (session, persona, kb, _iso(now)))
        return session

    def add(self, session: str, question: str, query: str, answer: str) -> int:
        """Keep an exchange; returns its position. Raises NotFound for an unknown session."""
        with self.database.write() as db:
            self.session(session)
            (position,) = db.execute(
                "SELECT coalesce(max(position) + 1, 0) FROM exchanges WHERE session = ?", (session,)
            ).fetchone()
            db.execute(
                "INSERT INTO exchanges (session, position, question, query, answer, at) VALUES (?, ?, ?, ?, ?, ?)",
                (session, position, _clean(question), _clean(query), _clean(answer), _iso(datetime.now(UTC))),
            )
        return int(position)

    def rate(self, session: str, position: int, rating: int | None, note: str = "") -> None:
        """Keep what who asked thinks of an answer: 1, -1, or None to take it back. Raises NotFound."""
        with self.database.write() as db:
            done = db.execute(
                "UPDATE exchanges SET rating = ?, note = ? WHERE session = ? AND position = ?",
                (rating, _clean(note), session, position),
            )
            if not done.rowcount:
                raise NotFound("this answer is no longer in the work folder")

    def session(self, session: str) -> Session:
        """The session of that id. Raises NotFound."""
        found = self._sessions("WHERE s.id = ?", session)
        if not found:
            raise NotFound(f"no session {session!r}: `shawgpt sessions` lists those there are")
        return found[0]

    def latest(self, limit: int = 50) -> list[Session]:
        """The newest sessions, newest first."""
        return self._sessions("", limit=limit)

    def exchanges(self, session: str) -> list[Exchange]:
        """What was asked and answered, in order; none for an unknown session."""
        rows = self.database.read("SELECT * FROM exchanges WHERE session = ? ORDER BY position", session)
        return [_exchange(row) for row in rows]

    def rated(self) -> list[tuple[Session, Exchange]]:
        """Every rated answer with its session, newest first."""
        rows = self.database.read("SELECT * FROM exchanges WHERE rating IS NOT NULL ORDER BY at DESC, position DESC")
        sessions = {row["session"]: self.session(row["session"]) for row in rows}
        return [(sessions[row["session"]], _exchange(row)) for row in rows]

    def forget(self, session: str) -> None:
        """Remove a session with all that was said in it. Raises NotFound."""
        with self.database.write() as db:
            self.session(session)
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))

    def _sessions(self, where: str, *values: object, limit: int = 1) -> list[Session]:
        rows: Sequence[sqlite3.Row] = self.database.read(
            "SELECT s.*, (SELECT count(*) FROM exchanges WHERE session = s.id) AS exchanges, coalesce("
            "(SELECT question FROM exchanges WHERE session = s.id ORDER BY position LIMIT 1), '') AS opening"
            f" FROM sessions s {where} ORDER BY s.begun_at DESC, s.id DESC LIMIT ?",
            *values,
            limit,
        )
        return [Session(**dict(row)) for row in rows]


def _exchange(row: sqlite3.Row) -> Exchange:
    return Exchange(**dict(row))


def _iso(moment: datetime) -> str:
    return moment.isoformat("T", "seconds")


def _clean(text: str) -> str:
    """Lone surrogates, which a browser may send and SQLite refuses, become question marks."""
    return text.encode("utf-8", "replace").decode()

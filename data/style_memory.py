"""Style memory: the creator's own past comment/reply pairs, kept in the database."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from data.database import Database


@dataclass(frozen=True)
class PastReply:
    """A comment and what the creator answered."""

    id: str
    comment: str
    reply: str


class StyleMemory:
    """The past replies of a work folder."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Add (comment, reply) pairs, each once however often it comes; returns how many were new."""
        with self.database.write() as db:
            before = db.execute("SELECT count(*) FROM past_replies").fetchone()[0]
            for comment, reply in pairs:
                pair_id = hashlib.sha256(f"{comment}\0{reply}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
                db.execute(
                    "INSERT OR IGNORE INTO past_replies (id, comment, reply, position)"
                    " VALUES (?, ?, ?, (SELECT count(*) FROM past_replies))",
                    (pair_id, comment, reply),
                )
            return int(db.execute("SELECT count(*) FROM past_replies").fetchone()[0]) - int(before)

    def all(self) -> list[PastReply]:
        """Every pair, in the order of import."""
        rows = self.database.read("SELECT id, comment, reply FROM past_replies ORDER BY position")
        return [PastReply(row["id"], row["comment"], row["reply"]) for row in rows]

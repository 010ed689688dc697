"""Quotes that people really said, kept in the database: a collection to find them in, and to hold new ones against."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data.database import Database


@dataclass(frozen=True)
class StoredQuote:
    """A quote of the collection."""

    quote: str
    author: str
    tags: tuple[str, ...] = ()
    source: str = ""  # the name of the file that it was read from

    @property
    def id(self) -> str:
        """The same for the same words by the same author, whatever the case and spacing, and none comes in twice."""
        said = "\0".join(" ".join(text.casefold().split()) for text in (self.author, self.quote))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Quotes:
    """The quotes of a work folder."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def lacking(self, quotes: Iterable[StoredQuote], embedder: str) -> list[StoredQuote]:
        """Those of `quotes` that aren't there yet, or whose vector is another embedding model's; none twice."""
        known = {row["id"] for row in self.database.read("SELECT id FROM quotes WHERE embedder = ?", embedder)}
        return [quote for id, quote in {quote.id: quote for quote in quotes}.items() if id not in known]

    def add(self, quotes: Sequence[StoredQuote], vectors: Sequence[bytes], embedder: str) -> int:
        """Add quotes, each with its vector (float32, little-endian, unit norm); returns how many are new."""
        with self.database.write() as db:
            before = db.execute("SELECT count(*) FROM quotes").fetchone()[0]
            db.executemany(
                "INSERT INTO quotes (id, quote, author, tags, source, embedder, vector, position)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position) + 1, 0) FROM quotes))"
                " ON CONFLICT (id) DO UPDATE SET embedder = excluded.embedder, vector = excluded.vector",
                [
                    (
                        each.id,
                        each.quote,
                        each.author,
                        json.dumps(each.tags, ensure_ascii=False),
                        each.source,
                        embedder,
                        v,
                    )
                    for each, v in zip(quotes, vectors, strict=True)
                ],
            )
            return int(db.execute("SELECT count(*) FROM quotes").fetchone()[0]) - int(before)

    def remove(self, quotes: Iterable[StoredQuote]) -> int:
        """Take quotes out; returns how many were there."""
        with self.database.write() as db:
            return sum(db.execute("DELETE FROM quotes WHERE id = ?", (each.id,)).rowcount for each in quotes)

    def count(self) -> int:
        """How many there are."""
        return int(self.database.read("SELECT count(*) AS n FROM quotes")[0]["n"])

    def all(self) -> list[StoredQuote]:
        """Every quote, in the order of import."""
        rows = self.database.read("SELECT quote, author, tags, source FROM quotes ORDER BY position")
        return [StoredQuote(row["quote"], row["author"], tuple(json.loads(row["tags"])), row["source"]) for row in rows]

    def authors(self) -> dict[str, int]:
        """Every author by name, with the number of their quotes."""
        rows = self.database.read("SELECT author, count(*) AS n FROM quotes GROUP BY author ORDER BY author")
        return {row["author"]: row["n"] for row in rows}

    def vectors(self, embedder: str) -> list[bytes | None]:
        """The vectors of `all`, in its order; None where one is another embedding model's."""
        rows = self.database.read("SELECT embedder, vector FROM quotes ORDER BY position")
        return [row["vector"] if row["embedder"] == embedder else None for row in rows]

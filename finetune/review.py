"""The creator's own replies in a work folder's database: the drafts that were edited.

Of a draft that was let stand nobody can say yet whether the creator would have written it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.database import Database
from data.errors import BadInput
from data.hidden import find_hidden
from data.workfolder import WorkFolder

SQLITE = b"SQLite format 3\0"  # sqlite.org/fileformat.html: how each database file begins


def edited_replies(path: Path, who: str) -> Iterator[tuple[str, dict[str, str] | str]]:
    """(origin, {"comment", "reply"}) of each edited draft, oldest first; or (origin, why it isn't to be learned from).

    `path` is a work folder or its database, which is only read; `who` is the persona whose drafts are wanted, empty for
    any. An origin is "batch 20260103T… row 4", its row counted from 1.
    Raises BadInput where there is no database, WorkFolderError where it can't be read.
    """
    file = WorkFolder(path, writing=False).database if path.is_dir() else path.expanduser().absolute()
    if not file.is_file():
        raise BadInput(f"there is no file {file}: name the work folder whose drafts were edited with --data")
    with file.open("rb") as opened:
        if opened.read(len(SQLITE)) != SQLITE:
            raise BadInput(f"{file} is no work folder's database: name the work folder with --data")
    database = Database(file, read_only=True)
    try:
        rows = database.read("SELECT * FROM drafts WHERE edited IS NOT NULL ORDER BY batch, row")
    finally:
        database.close()
    for row in rows:
        found = {"comment": row["comment"], "reply": row["edited"]}
        yield f"batch {row['batch']} row {row['row'] + 1}", _refusal(found, row["draft"], who) or found


def _refusal(found: dict[str, str], about: str, who: str) -> str:
    """Why an edited draft isn't learned from, or nothing. `about`: what the database has of it, as JSON."""
    try:
        batch: dict[str, Any] = json.loads(about)
        persona, draft = batch["persona"], batch["draft"] or {}
        intent, reply = draft.get("intent", ""), draft.get("reply", "")
        flags = " ".join(draft.get("flags", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "its draft can't be read"
    if who and persona != who:
        return f"it was answered as {persona!r}, and the recipe's persona is {who!r}"
    if intent == "injection" or "injection:" in flags:
        return "its comment gives orders to the assistant"
    if find_hidden(found["comment"]):
        return "its comment has hidden characters"
    if found["reply"].strip() == reply.strip() != "":
        return "its reply is as it was drafted: only what you changed is your own"
    return ""

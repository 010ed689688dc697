"""What `shawgpt doctor` looks at and mends."""

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bot.show import some
from data.database import SCHEMA_VERSION, Database, explained
from data.errors import BadInput, ShawGPTError, WorkFolderError
from data.workfolder import WorkFolder
from ingest import ocr

if TYPE_CHECKING:
    from bot.assistant import Assistant

ROOM = 500 * 2**20  # bytes of free disk under which it is time to say so


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    found: str
    good: bool = True


def examine(assistant: "Assistant", rebuild: bool, reembed: bool, backup: Path | None) -> list[Finding]:
    """Look at everything, and do first what was asked for: embed again, rebuild the index, write a back-up."""
    if backup:
        _check_target(backup, assistant.folder.database)
    findings = [Finding("shawgpt", version("shawgpt")), Finding("SQLite", sqlite3.sqlite_version)]
    home = assistant.folder.path
    free = shutil.disk_usage(home).free
    room = f"{free / 2**30:.1f} GiB free" if assistant.folder.writable else "which can be read, and not written"
    findings.append(Finding("work folder", f"{home}, {room}", free > ROOM or not assistant.folder.writable))
    verdict = assistant.database.integrity()
    findings.append(Finding("database", verdict, verdict == "ok"))
    try:
        findings.append(Finding("embedding model", assistant.embedder.name))
    except ShawGPTError as error:
        return [*findings, Finding("embedding model", str(error), False)]
    if reembed:
        findings += _reembed(assistant)
    if rebuild or reembed:
        built = assistant.index.rebuild()
        told = ", ".join(f"{count} chunks in {kb!r}" for kb, count in built.items()) or "no knowledge base yet"
        findings.append(Finding("vector index", f"built again: {told}"))
    for kb in assistant.store.knowledge_bases():
        findings.append(_knowledge_base(assistant, kb))
    findings.append(Finding("OCR", ocr.told() or f"none, which images and scans need: {ocr.missing()}"))
    findings.append(Finding("style memory", f"{len(assistant.style.all())} past replies"))
    findings.append(Finding("responder", str(assistant.writing.written_by)))
    if backup:
        assistant.database.backup(backup)
        findings.append(Finding("back-up", f"{backup}, {backup.stat().st_size / 2**20:.1f} MiB"))
    return findings


def _check_target(backup: Path, database: Path) -> None:
    """Raise BadInput where a back-up would overwrite something else than an earlier one."""
    if backup.is_dir():
        raise BadInput(f"{backup} is a folder: name a file for the back-up")
    if backup.exists() and (not _is_database(backup) or backup.samefile(database)):
        raise BadInput(f"{backup} exists and is no back-up: name another file")


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def restore_backup(home: Path, backup: Path) -> Finding:
    """Put a back-up in the place of the database; the old one is kept beside it as `.before-restore`, numbered.

    Returns what was done, with where the old one is.
    Raises BadInput or WorkFolderError where `backup` is no sound database of shawgpt.
    """
    if not backup.is_file():
        raise BadInput(f"{backup} is no file: give one that `shawgpt doctor --backup` wrote")
    folder = WorkFolder(home)
    folder.lock("doctor --restore")
    fresh = folder.database.with_suffix(".restoring")
    try:
        if not _is_database(backup):
            raise WorkFolderError(f"{backup} is no back-up: give one that `shawgpt doctor --backup` wrote")
        shutil.copyfile(backup, fresh)
        if not (schema := _version(fresh)):
            raise BadInput(f"{backup} is no back-up of shawgpt's: give one that `shawgpt doctor --backup` wrote")
        if schema > SCHEMA_VERSION:
            raise BadInput(
                f"{backup} is of a newer shawgpt (schema {schema}; this one reads up to {SCHEMA_VERSION}): upgrade "
                "shawgpt"
            )
        database = Database(fresh)  # raises where it is damaged
        verdict = database.integrity()
        database.close()
        if verdict != "ok":
            raise BadInput(f"{backup} is damaged: {verdict}")
        aside = _set_aside(folder.database) if folder.database.exists() else None
        fresh.replace(folder.database)
        kept = f"; the database that was there is kept as {aside}" if aside else ""
        return Finding("restored", f"{backup}{kept}")
    except OSError as error:
        raise WorkFolderError(f"{home}: nothing was restored ({error.strerror})") from error
    finally:
        fresh.unlink(missing_ok=True)
        folder.unlock()


def _version(path: Path) -> int:
    """The schema version of a database, 0 where it is none of ours. Raises WorkFolderError where it can't be read."""
    with explained(path), closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _set_aside(database: Path) -> Path:
    """Keep a copy of `database`, at the path returned; leave no journal that SQLite plays back into its successor."""
    with suppress(WorkFolderError):  # damaged, say: that is what one restores for
        Database(database).close()  # a kill may have left a journal: opening plays it back
    aside, number = database.with_suffix(".before-restore"), 2
    while aside.exists():  # an earlier one may be all that is left of what a wrong restore replaced
        aside, number = database.with_suffix(f".before-restore-{number}"), number + 1
    shutil.copyfile(database, aside)
    for ending in ("-journal", "-wal", "-shm"):
        part, kept = Path(f"{database}{ending}"), Path(f"{aside}{ending}")
        kept.unlink(missing_ok=True)
        if part.exists():
            part.replace(kept)
    return aside


def _reembed(assistant: "Assistant") -> list[Finding]:
    findings = []
    store, embedder = assistant.store, assistant.embedder
    for kb in store.knowledge_bases():
        ids = store.ids(kb)
        chunks = store.chunks(ids)
        vectors = embedder.encode([chunks[i].embedded_text for i in ids])
        store.replace_vectors(kb, embedder.name, dict(zip(ids, vectors, strict=True)))
        findings.append(Finding("embedded again", f"{len(ids)} chunks of {kb!r} with {embedder.name}"))
    return findings


def _knowledge_base(assistant: "Assistant", kb: str) -> Finding:
    what = f"knowledge base {kb!r}"
    try:
        assistant.store.check_kb(kb, assistant.embedder.name)
    except BadInput as error:
        return Finding(what, str(error), False)
    documents, chunks = len(assistant.store.sources(kb)), assistant.store.count(kb)
    count = f"{some(documents, 'document')}, {some(chunks, 'chunk')}"
    if not assistant.index.writable:
        return Finding(what, f"{count}, index not looked at")
    before = len(assistant.index.repairs)
    try:
        assistant.index.check(kb)
    except WorkFolderError as error:
        return Finding(what, str(error), False)
    repaired = assistant.index.repairs[before:]
    return Finding(what, f"{count}, index {'mended: ' + '; '.join(repaired) if repaired else 'agrees'}")

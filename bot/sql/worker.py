"""The child process that reads databases: one request (a line of JSON) after another; ends with its stdin.

A database may come from a stranger as much as a statement does, so SQLite meets both in here, where they have little
memory and little time. What keeps the file as it is, each by itself:

1. it is opened for reading only (`mode=ro`; `immutable` where a WAL file would have to be made beside it);
2. SQLite's authorizer allows to select, from the database's own tables, with functions known to be harmless;
3. `query_only`, no attached databases, no extensions, no temporary files;
4. while a statement runs the system lets this process open no file, and write to none (RLIMIT_NOFILE, RLIMIT_FSIZE).
"""

import contextlib
import json
import math
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from data.limits import arm, limit_memory

SECONDS = 5.0  # a statement may take, where the request doesn't say otherwise
ROWS = 1000  # of a result
CELL = 4000  # characters of a cell
BYTES = 4_000_000  # characters of all cells together
HEAP = 200 << 20  # bytes that SQLite may have
_MEMORY = 1 << 30  # bytes of address space of the process
_OPS = 2000  # SQLite's own steps between two looks at the clock
_MAGIC = b"SQLite format 3\0"
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,  # bytes of a value
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_NAMES = """
-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh count
cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format
glob group_concat hex ifnull iif instr json json_array json_array_length json_extract json_object json_quote
json_type json_valid julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max
median min mod nth_value ntile nullif octet_length percent_rank pi pow power printf quote radians random rank
replace round row_number rtrim sign sin sinh soundex sqrt strftime string_agg substr substring sum tan tanh time
timediff total trim trunc typeof unhex unicode unixepoch unlikely upper
"""
FUNCTIONS = frozenset(_NAMES.split())  # known to be harmless


def main() -> None:
    """Answer requests until stdin closes, as it does when the parent ends in whatever way."""
    limit_memory(_MEMORY)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        arm(int(request.get("seconds", SECONDS)) + 5)
        sys.stdout.buffer.write(json.dumps(answer(request)).encode() + b"\n")
        sys.stdout.buffer.flush()
        arm(0)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """{"columns", "rows", "truncated"} of request's "sql", or {"tables"} without one; or {"kind", "error"}.

    Request: "path", and perhaps "sql", "ctes" (names of its WITH queries), "seconds", "rows".
    """
    refused: list[str] = []
    late: list[bool] = []
    try:
        with contextlib.closing(_open(request["path"])) as database:
            over = _set_clock(database, float(request.get("seconds", SECONDS)), late)
            if "sql" not in request:
                return {"tables": _tables(database)}
            own = {name.lower() for name, *_ in _own(database)}
            database.set_authorizer(_authorizer(own, set(request.get("ctes", ())), refused))
            with _no_files():
                return _run(database, request["sql"], int(request.get("rows", ROWS)), over)
    except _Unusable as error:
        return {"kind": "failed", "error": str(error)}
    except MemoryError:
        return {"kind": "too large", "error": f"it needs more than {HEAP >> 20} MB of memory"}
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, RecursionError) as error:
        return _told(error, refused, late, float(request.get("seconds", SECONDS)))


class _Unusable(Exception):
    """The file can't be read as a database; the message says why."""


def _open(path: str) -> sqlite3.Connection:
    """The file, open for reading only and for nothing else."""
    try:
        with open(path, "rb") as file:
            head = file.read(100)
    except OSError as error:
        raise _Unusable(f"the file can't be read ({error.strerror})") from error
    if not head.startswith(_MAGIC):
        raise _Unusable("the file is no SQLite database" if head else "the file is empty")
    also = ""
    if 2 in head[18:20]:  # kept in WAL: to read it the ordinary way would make two files beside it
        wal = Path(f"{path}-wal")
        if wal.exists() and wal.stat().st_size:
            raise _Unusable(
                f"the file has changes in {wal.name} that aren't in it yet: close the program that writes it, or run "
                "`PRAGMA wal_checkpoint(TRUNCATE)` in it"
            )
        also = "&immutable=1"
    database = sqlite3.connect(f"file:{quote(path)}?mode=ro{also}", uri=True, isolation_level=None)
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for limit, most in _LIMITS.items():
        database.setlimit(limit, most)
    newer: Any = sqlite3
    if hasattr(database, "setconfig"):  # Python 3.12
        database.setconfig(newer.SQLITE_DBCONFIG_DEFENSIVE, True)
        database.setconfig(newer.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    for setting in (
        "query_only=ON", "trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=MEMORY",
        f"hard_heap_limit={HEAP}", "automatic_index=ON",
    ):  # fmt: skip
        database.execute(f"PRAGMA {setting}").fetchall()
    return database


def _run(database: sqlite3.Connection, sql: str, most: int, over: Callable[[], int]) -> dict[str, Any]:
    cursor = database.execute(sql)
    if cursor.description is None:
        raise sqlite3.ProgrammingError("it gives no table")
    columns = [str(column[0])[:CELL] for column in cursor.description]
    rows: list[list[Any]] = []
    room = BYTES
    truncated = False
    for row in cursor:
        cells = [_cell(value) for value in row]
        room -= sum(len(cell) if isinstance(cell, str) else 8 for cell in cells)
        if len(rows) >= most or room < 0:
            truncated = True
            break
        if over():  # a few steps may make long values
            raise sqlite3.OperationalError("interrupted")
        rows.append(cells)
    return {"columns": columns, "rows": rows, "truncated": truncated}


def _cell(value: Any) -> str | int | float | None:
    """A value as JSON can hold it: long text cut, bytes told, infinities as words."""
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and len(value) > CELL:
        return f"{value[: CELL - 1]}…"
    return value if isinstance(value, str | int | float) else None


def _own(database: sqlite3.Connection) -> list[tuple[str, str, bool]]:
    """(name, kind, whether it is virtual) of the database's tables and views, without SQLite's own."""
    found = database.execute(
        "SELECT name, type, rootpage FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid"
    ).fetchall()
    named = [(str(name), str(kind), kind == "table" and not page) for name, kind, page in found]
    virtual = [name.lower() for name, _, is_virtual in named if is_virtual]
    # A virtual table is a program's and no data's: its code would run on what a stranger put into its shadow tables.
    return [
        (name, kind, is_virtual)
        for name, kind, is_virtual in named
        if not name.lower().startswith("sqlite_")
        and not is_virtual
        and not any(name.lower().startswith(f"{each}_") for each in virtual)
    ]


def _tables(database: sqlite3.Connection) -> list[dict[str, Any]]:
    """Each table and view: "name", "view", "columns" [[name, type, place in the primary key]], "keys" [[column, table,
    its column or null]]."""
    made = []
    for name, kind, _ in _own(database)[:500]:
        try:
            columns = database.execute("SELECT name, type, pk FROM pragma_table_xinfo(?)", (name,)).fetchall()
        except sqlite3.Error:  # a view of what is gone, or that uses what can't be used
            continue
        keys = database.execute('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', (name,)).fetchall()
        made.append({"name": name, "view": kind == "view", "columns": columns, "keys": keys})
    return made


def _authorizer(own: set[str], ctes: set[str], refused: list[str]) -> Callable[..., int]:
    """What SQLite asks while it prepares a statement; why it is not allowed goes into `refused`."""

    def allowed(action: int, one: str | None, two: str | None, _: str | None, __: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            name = (one or "").lower()
            if name in own or (not two and name in ctes):  # of a WITH query SQLite tells the name, and no column
                return sqlite3.SQLITE_OK
            refused.append(f"{one} isn't one of the tables that can be read")
        elif action == sqlite3.SQLITE_FUNCTION:
            if (two or "").lower() in FUNCTIONS:
                return sqlite3.SQLITE_OK
            refused.append(f"the function {two} isn't one of those that can be used")
        else:
            refused.append("only a query is run, and this does more than ask")
        return sqlite3.SQLITE_DENY

    return allowed


def _set_clock(database: sqlite3.Connection, seconds: float, late: list[bool]) -> Callable[[], int]:
    """Interrupt what runs longer than `seconds`; returns what says, with 1, that it has."""
    deadline = time.monotonic() + seconds

    def over() -> int:
        if time.monotonic() > deadline:
            late.append(True)
            return 1
        return 0

    database.set_progress_handler(over, _OPS)
    return over


def _told(error: Exception, refused: list[str], late: list[bool], seconds: float) -> dict[str, str]:
    """What went wrong, in plain words, and its kind (see bot.sql.safe.QueryFailed)."""
    said = " ".join(str(error).split())[:300]
    if refused:
        return {"kind": "refused", "error": refused[0]}
    if late:
        return {"kind": "time-out", "error": f"it takes longer than {seconds:g} s"}
    if "too big" in said or "out of memory" in said or "too many" in said or "too large" in said:
        return {"kind": "too large", "error": f"it makes more than it may ({said})"}
    if said.startswith(("no such table", "no such column", "no such function", "ambiguous column")):
        return {"kind": "unknown", "error": said}
    if "syntax error" in said or "unrecognized token" in said or "incomplete input" in said:
        return {"kind": "not parsed", "error": said}
    if "one statement at a time" in said or "no table" in said or "readonly" in said or "not authorized" in said:
        return {"kind": "refused", "error": "only a query is run, and this does more than ask"}
    if "malformed" in said or "not a database" in said:
        return {"kind": "failed", "error": f"the file is damaged ({said})"}
    if "unable to open database file" in said:
        return {"kind": "failed", "error": "it needs a file of its own to work in, and gets none"}
    return {"kind": "failed", "error": said or type(error).__name__}


@contextlib.contextmanager
def _no_files() -> Iterator[None]:
    """While this lasts the system lets this process open no further file, and write to none."""
    if sys.platform == "win32":
        yield
        return
    import resource

    before = [(limit, resource.getrlimit(limit)) for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)]
    for limit, (_, hard) in before:
        resource.setrlimit(limit, (0, hard))
    try:
        yield
    finally:
        for limit, both in before:
            resource.setrlimit(limit, both)


if __name__ == "__main__":
    main()

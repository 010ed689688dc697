"""Nothing that is written into the query can change a database, make a file, or take more than it may."""

# ruff: noqa: E501 (statements read better whole)

import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bot.sql.reader import Reader
from bot.sql.safe import Checked, QueryFailed, check
from bot.sql.worker import answer
from data.errors import BadInput

SCRIPT = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), total REAL);
CREATE VIEW big AS SELECT * FROM orders WHERE total > 20;
CREATE INDEX orders_by_customer ON orders(customer_id);
INSERT INTO customer VALUES (1, 'Ida', 'Ulm'), (2, 'Bo', 'Ghent'), (3, 'Cy', NULL);
INSERT INTO orders VALUES (1, 1, 12.5), (2, 1, 30), (3, 2, 8);
"""

# Each is refused: it asks for more than to look at the tables.
WRITES = """
INSERT INTO customer VALUES (9, 'Eve', 'X')
INSERT INTO customer DEFAULT VALUES
INSERT OR REPLACE INTO customer VALUES (1, 'Eve', 'X')
INSERT OR IGNORE INTO customer(id, name) VALUES (8, 'Eve')
INSERT INTO customer SELECT id + 10, name, town FROM customer
INSERT INTO customer VALUES (9, 'Eve', 'X') ON CONFLICT(id) DO UPDATE SET name = 'Eve'
INSERT INTO customer VALUES (9, 'Eve', 'X') RETURNING id
REPLACE INTO customer VALUES (1, 'Eve', 'X')
UPDATE customer SET name = 'Eve'
UPDATE customer SET name = 'Eve' WHERE id = 1 RETURNING name
UPDATE OR IGNORE customer SET id = 1
UPDATE customer SET name = o.total FROM orders AS o WHERE o.customer_id = customer.id
UPDATE sqlite_sequence SET seq = 99
UPDATE sqlite_master SET sql = 'CREATE TABLE customer (x)'
DELETE FROM customer
DELETE FROM orders WHERE total > 10 RETURNING *
DELETE FROM sqlite_master
DELETE FROM customer WHERE id IN (SELECT id FROM customer)
TRUNCATE TABLE customer
MERGE INTO customer USING orders ON customer.id = orders.id WHEN MATCHED THEN DELETE
WITH x AS (SELECT 1) DELETE FROM customer
WITH x AS (SELECT 1) UPDATE customer SET name = 'Eve'
WITH x AS (SELECT 1) INSERT INTO customer SELECT 9, 'Eve', 'X'
WITH x AS (SELECT 1) REPLACE INTO customer SELECT 1, 'Eve', 'X'
WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 5) INSERT INTO customer SELECT n + 10, 'E', 'X' FROM x
WITH gone AS (DELETE FROM customer RETURNING *) SELECT * FROM gone
WITH made AS (INSERT INTO customer VALUES (9, 'Eve', 'X') RETURNING *) SELECT * FROM made
WITH changed AS (UPDATE customer SET name = 'Eve' RETURNING *) SELECT * FROM changed
SELECT * FROM (DELETE FROM customer RETURNING *)
SELECT * FROM (INSERT INTO customer VALUES (9, 'Eve', 'X') RETURNING *)
SELECT (DELETE FROM customer)
SELECT * FROM customer WHERE id IN (DELETE FROM customer RETURNING id)
SELECT * INTO stolen FROM customer
SELECT name INTO OUTFILE '/tmp/stolen' FROM customer
SELECT * FROM customer INTO DUMPFILE 'stolen'
SELECT * FROM customer FOR UPDATE
EXPLAIN DELETE FROM customer
EXPLAIN QUERY PLAN DELETE FROM customer
EXPLAIN SELECT * FROM customer
VALUES (1, 2)
COPY customer TO 'stolen.csv'
LOAD DATA INFILE 'x' INTO TABLE customer
SELECT 1 RETURNING 2
"""
SCHEMA = """
DROP TABLE customer
DROP TABLE IF EXISTS orders
DROP VIEW big
DROP INDEX orders_by_customer
DROP TRIGGER IF EXISTS t
DROP DATABASE main
CREATE TABLE stolen (x)
CREATE TABLE IF NOT EXISTS stolen AS SELECT * FROM customer
CREATE TABLE stolen AS WITH x AS (SELECT 1) SELECT * FROM x
CREATE TEMP TABLE stolen (x)
CREATE TEMPORARY TABLE stolen AS SELECT * FROM customer
CREATE TABLE temp.stolen AS SELECT * FROM customer
CREATE VIEW seen AS SELECT * FROM customer
CREATE TEMP VIEW customer AS SELECT 'Eve' AS name
CREATE INDEX slow ON customer(name)
CREATE UNIQUE INDEX slow ON customer(town)
CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM customer; END
CREATE TEMP TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END
CREATE VIRTUAL TABLE found USING fts5(body)
CREATE VIRTUAL TABLE found USING fts4(body)
CREATE VIRTUAL TABLE near USING rtree(id, low, high)
CREATE VIRTUAL TABLE temp.sizes USING dbstat(main)
CREATE VIRTUAL TABLE files USING csv(filename='/etc/passwd')
ALTER TABLE customer RENAME TO gone
ALTER TABLE customer RENAME COLUMN name TO gone
ALTER TABLE customer ADD COLUMN extra TEXT
ALTER TABLE customer DROP COLUMN town
REINDEX
REINDEX orders_by_customer
ANALYZE
ANALYZE customer
VACUUM
VACUUM INTO 'stolen.sqlite'
VACUUM main INTO 'stolen.sqlite'
VACUUM INTO (SELECT 'stolen' || '.sqlite')
ATTACH DATABASE 'stolen.sqlite' AS other
ATTACH 'file:stolen.sqlite?mode=rwc' AS other
ATTACH ':memory:' AS other
ATTACH '' AS other
ATTACH '/etc/passwd' AS other
DETACH DATABASE main
CREATE USER eve
GRANT ALL ON customer TO eve
COMMENT ON TABLE customer IS 'x'
USE main
SET x = 1
SHOW TABLES
DESCRIBE customer
CALL something()
"""
SETTINGS = """
PRAGMA user_version = 7
PRAGMA application_id = 7
PRAGMA journal_mode = WAL
PRAGMA journal_mode = DELETE
PRAGMA main.journal_mode = OFF
PRAGMA writable_schema = ON
PRAGMA writable_schema = RESET
PRAGMA query_only = OFF
PRAGMA trusted_schema = ON
PRAGMA schema_version = 99
PRAGMA page_size = 512
PRAGMA auto_vacuum = FULL
PRAGMA incremental_vacuum
PRAGMA wal_checkpoint(TRUNCATE)
PRAGMA optimize
PRAGMA foreign_keys = OFF
PRAGMA encoding = 'UTF-16'
PRAGMA locking_mode = EXCLUSIVE
PRAGMA synchronous = OFF
PRAGMA temp_store_directory = '/tmp'
PRAGMA data_store_directory = '/tmp'
PRAGMA hard_heap_limit = 0
PRAGMA mmap_size = 268435456
PRAGMA cache_spill = ON
PRAGMA secure_delete = ON
PRAGMA integrity_check
PRAGMA table_info(customer)
PRAGMA database_list
PRAGMA key = 'x'
pragma User_Version(7)
SELECT * FROM pragma_user_version
SELECT * FROM pragma_table_info('customer')
SELECT * FROM pragma_database_list
SELECT * FROM pragma_journal_mode
SELECT * FROM pragma_wal_checkpoint('TRUNCATE')
SELECT count(*) FROM pragma_optimize
BEGIN
BEGIN IMMEDIATE
BEGIN EXCLUSIVE TRANSACTION
COMMIT
END TRANSACTION
ROLLBACK
SAVEPOINT here
RELEASE here
ROLLBACK TO here
.shell touch stolen
.output stolen
.dump
"""
FUNCTIONS = """
SELECT load_extension('/tmp/evil.so')
SELECT load_extension('/tmp/evil.so', 'init')
SELECT LOAD_EXTENSION('evil') FROM customer
SELECT writefile('stolen', name) FROM customer
SELECT readfile('/etc/passwd')
SELECT edit('x', 'vi')
SELECT fts3_tokenizer('simple')
SELECT fts3_tokenizer('simple', x'4141414141414141')
SELECT "load_extension"('evil')
SELECT [load_extension]('evil')
SELECT `load_extension`('evil')
SELECT load_extension/**/('evil')
SELECT name FROM customer WHERE load_extension('evil') IS NULL
SELECT name FROM customer ORDER BY load_extension('evil')
SELECT CASE WHEN 1 THEN load_extension('evil') END
WITH x AS (SELECT load_extension('evil') AS y) SELECT y FROM x
SELECT max(load_extension('evil')) OVER () FROM customer
SELECT sqlite_log(1, 'x')
SELECT sqlite_compileoption_get(0)
SELECT sqlite_source_id()
SELECT last_insert_rowid()
SELECT changes(), total_changes()
SELECT randomblob(1000000000)
SELECT zeroblob(1000000000)
SELECT rtreecheck('customer')
SELECT fts5_source_id()
SELECT xp_cmdshell('touch stolen')
SELECT pg_read_file('/etc/passwd')
SELECT sys_exec('touch stolen')
SELECT * FROM readfile('/etc/passwd')
SELECT * FROM fsdir('/')
SELECT * FROM generate_series(1, 10)
SELECT * FROM csv('/etc/passwd')
SELECT * FROM zipfile('/etc/x.zip')
SELECT * FROM sqlite_master
SELECT sql FROM sqlite_schema
SELECT * FROM main.sqlite_master
SELECT * FROM sqlite_temp_master
SELECT name FROM customer UNION SELECT sql FROM sqlite_master
SELECT (SELECT sql FROM sqlite_master LIMIT 1)
SELECT * FROM customer WHERE EXISTS (SELECT * FROM sqlite_master)
SELECT * FROM dbstat
SELECT * FROM sqlite_stmt
SELECT * FROM json_each('[1]')
SELECT * FROM bytecode('SELECT 1')
SELECT * FROM sqlite_dbpage
WITH dbstat AS (SELECT 1 AS pageno) SELECT pageno FROM main.dbstat
"""
# Several statements, or one dressed as another.
TRICKS = [
    "SELECT 1; DROP TABLE customer",
    "SELECT 1;DELETE FROM customer;",
    "SELECT 1; -- harmless\nDELETE FROM customer",
    "SELECT 1 /* ; */ ; DELETE FROM customer",
    ";DELETE FROM customer",
    ";;; DELETE FROM customer",
    "/* SELECT */ DELETE FROM customer",
    "-- SELECT 1\nDELETE FROM customer",
    "--\nDROP TABLE customer",
    "/*! DELETE FROM customer */",
    "/* SELECT 1 */ /* */ UPDATE customer SET name = 'Eve'",
    "SELECT 'it''s'; DELETE FROM customer; SELECT ''",
    "SELECT ';'; DELETE FROM customer",
    'SELECT ";"; DELETE FROM customer',
    "SELECT [;]; DELETE FROM customer",
    "SELECT `;`; DELETE FROM customer",
    "SELECT 1 --; \n; DELETE FROM customer",
    "SELECT $$;$$; DELETE FROM customer",
    "SELECT '\\'; DELETE FROM customer; --'",
    "SELECT * FROM customer WHERE name = ''; DROP TABLE orders; --'",
    "SELECT 1\x00; DELETE FROM customer",
    "DELETE FROM customer\x00",
    "SELECT 1\u037e DELETE FROM customer",  # the Greek question mark looks like a semicolon
    "SELECT 1\uff1b DELETE FROM customer",
    "\ufeffDELETE FROM customer",
    "\u200bDELETE FROM customer",
    "SEL\u200bECT 1",
    "SELECT 1 \u202e;remotsuc MORF ETELED",
    "DELETE\u00a0FROM customer",
    "DELETE\u2003FROM customer",
    "DELETE\tFROM\ncustomer",
    "DELETE\x0bFROM customer",
    "DELETE\x0cFROM\x0ccustomer",
    "dElEtE/**/FrOm/**/customer",
    "ＤＥＬＥＴＥ FROM customer",
    "DEL\u0435TE FROM customer",  # a Cyrillic letter
    "DELETE\u180eFROM customer",
    "SELECT 1;\r\nDELETE FROM customer",
    "SELECT 1;\rDELETE FROM customer",
    "SELECT 1;\u2028DELETE FROM customer",
    "SELECT 1 GO DELETE FROM customer",
    "BEGIN; DELETE FROM customer; COMMIT",
    "SAVEPOINT a; UPDATE customer SET name = 'Eve'; RELEASE a",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'x'",
    "ATTACH 'stolen.sqlite' AS o; CREATE TABLE o.stolen AS SELECT * FROM customer",
    "CREATE TEMP TABLE t(x); INSERT INTO t SELECT name FROM customer",
    "SELECT 1 UNION DELETE FROM customer",
    "SELECT 1; SELECT 2",
    "(DELETE FROM customer)",
    "((SELECT 1)); DROP TABLE customer",
    "EXEC ('DELETE FROM customer')",
    "PREPARE p FROM 'DELETE FROM customer'",
    "DO $$ BEGIN DELETE FROM customer; END $$",
    "```sql\nDELETE FROM customer\n```",
    "I will now run: DELETE FROM customer",
    "{% raw %}DELETE FROM customer{% endraw %}",
    "SELECT \ud800 FROM customer",
    "",
    " ; ; ",
    "SELECT",
    "(" * 5000 + "SELECT 1" + ")" * 5000,
    "SELECT " + "NOT " * 4000 + "1",
    "SELECT '" + "x" * 30_000 + "'",
]
# Each would go on for ever, or fill the memory: it ends by itself, in time.
BOMBS = [
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT n FROM x",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT max(n) FROM x",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT group_concat(n) FROM x",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT n FROM x ORDER BY n DESC",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION SELECT n + 1 FROM x) SELECT sum(n) FROM x",
    "WITH RECURSIVE x(s) AS (SELECT 'a' UNION ALL SELECT s || s FROM x) SELECT length(s) FROM x",
    "WITH RECURSIVE x(s) AS (SELECT 'aaaaaaaa' UNION ALL SELECT replace(s, 'a', 'aaaaaaaa') FROM x) SELECT s FROM x",
    "WITH RECURSIVE x(s) AS (SELECT 'a' UNION ALL SELECT hex(s) FROM x) SELECT s FROM x",
    "WITH RECURSIVE x(s) AS (SELECT '[1]' UNION ALL SELECT json_array(s, s) FROM x) SELECT s FROM x",
    "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM a WHERE n < 99999), b AS (SELECT * FROM a, a AS c, a AS d) "
    "SELECT count(*) FROM b",
    "WITH a AS (SELECT * FROM customer, customer b, customer c, customer d, customer e, customer f), "
    "b AS (SELECT 1 AS y FROM a, a AS z, a AS q) SELECT count(*) FROM b, b AS c, b AS d",
    "SELECT count(*) FROM customer a, customer b, customer c, customer d, customer e, customer f, customer g, customer h, "
    "customer i, customer j, customer k, customer l, customer m, customer n, customer o, customer p, customer q",
    "SELECT printf('%1000000000d', 1)",
    "SELECT printf('%.1000000000f', 1.0)",
    "SELECT format('%999999999s', 'x')",
    "SELECT printf('%*d', 2000000000, 1)",
    "SELECT replace(printf('%9000000d', 1), ' ', printf('%9000000d', 1))",
    "SELECT hex(hex(hex(printf('%5000000d', 1))))",
    "SELECT length(replace(hex(printf('%4000000d', 1)), '2', printf('%1000d', 1)))",
    "SELECT printf('%9000000d', a.id) FROM customer a, customer b, customer c, customer d, customer e, customer f",
    "SELECT group_concat(printf('%9000000d', a.id)) FROM customer a, customer b",
    "SELECT json_group_array(printf('%9000000d', a.id)) FROM customer a, customer b, customer c",
    "SELECT DISTINCT printf('%9000000d', a.id + b.id * 10 + c.id * 100) FROM customer a, customer b, customer c, customer d",
    "SELECT printf('%90000d', a.id) AS x FROM customer a, customer b, customer c, customer d, customer e, customer f, "
    "customer g, customer h, customer i ORDER BY x",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' LIKE '" + "%a" * 400 + "b'",
    "SELECT printf('%100000s', 'a') GLOB '" + "*[a ]" * 150 + "b'",
    "SELECT printf('%1000000s', 'a') LIKE '" + "% " * 200 + "b'",
    "SELECT " + ", ".join(["printf('%9000000d', 1)"] * 60),
    "SELECT " + "abs(" * 90 + "1" + ")" * 90,
    "SELECT " + " + ".join(["1"] * 3000),
    " UNION ALL ".join(["SELECT 1"] * 900),
    "SELECT " + ", ".join(["1"] * 5000),
    "SELECT * FROM " + ", ".join(f"customer c{n}" for n in range(70)),
    "SELECT json_extract('" + "[" * 9000 + "]" * 9000 + "', '$')",
    "SELECT count(*) OVER (ORDER BY a.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM customer a, "
    "customer b, customer c, customer d, customer e, customer f, customer g, customer h, customer i, customer j, customer k",
]


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


REFUSED = [*lines(WRITES), *lines(SCHEMA), *lines(SETTINGS), *lines(FUNCTIONS), *TRICKS]
HOSTILE = [*REFUSED, *BOMBS]
SECONDS = 0.25  # that a bomb may burn


def state(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that may be written, in a folder that may, too; it is also where a stray file would come to lie."""
    folder = tmp_path_factory.mktemp("shop")
    database = sqlite3.connect(folder / "shop.sqlite")
    database.executescript(SCRIPT)
    database.close()
    return folder / "shop.sqlite"


@pytest.fixture(scope="module")
def reader(shop: Path) -> Iterator[Reader]:
    before = os.getcwd()
    os.chdir(shop.parent)  # the child's own folder, against which it would resolve a relative name
    with Reader() as made:
        made.run(shop, "SELECT 1")
        os.chdir(before)
        yield made


def test_there_are_more_than_two_hundred_different_ones() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 200


def name_of(sql: str) -> str:
    return ascii(sql[:50])


@pytest.mark.parametrize("sql", REFUSED, ids=name_of)
def test_a_hostile_statement_is_refused_and_changes_nothing(reader: Reader, shop: Path, sql: str) -> None:
    before = state(shop.parent)
    with pytest.raises(QueryFailed) as told:
        reader.run(shop, sql, seconds=SECONDS)
    assert told.value.kind in ("refused", "not parsed", "unknown")
    assert "\n" not in str(told.value)
    assert state(shop.parent) == before


@pytest.mark.parametrize("sql", BOMBS, ids=name_of)
def test_a_bomb_ends_by_itself_and_changes_nothing(reader: Reader, shop: Path, sql: str) -> None:
    before, began = state(shop.parent), time.monotonic()
    try:
        result = reader.run(shop, sql, seconds=SECONDS)
    except QueryFailed as error:
        assert error.kind != "unknown"  # noqa: PT017
    else:
        assert len(result.rows) <= 1000
        assert sum(len(str(cell)) for row in result.rows for cell in row) < 5_000_000
    assert time.monotonic() - began < 30  # a generous bound, for a busy machine; without limits these never end
    assert state(shop.parent) == before


@pytest.mark.parametrize("sql", REFUSED, ids=name_of)
def test_the_process_alone_changes_nothing_either(reader: Reader, shop: Path, sql: str) -> None:
    """The statements handed to SQLite unread, as if the first check had let them through."""
    before = state(shop.parent)
    unread = Checked(sql, None, frozenset())  # type: ignore[arg-type]
    with suppress(QueryFailed):
        reader.run(shop, unread, seconds=SECONDS)
    assert state(shop.parent) == before


def test_unguarded_many_of_them_do_change_a_database(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above can fail at."""
    changed = 0
    for number, sql in enumerate([*lines(WRITES), *lines(SCHEMA), *lines(SETTINGS), *TRICKS]):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        copy = Path(shutil.copy(shop, folder / "shop.sqlite"))
        before = state(folder)
        database = sqlite3.connect(copy, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")
        with suppress(sqlite3.Error, sqlite3.Warning, ValueError):
            database.executescript(sql)
        database.close()
        changed += state(folder) != before
    assert changed > 60


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM customer ORDER BY id", [("Ida",), ("Bo",), ("Cy",)]),
        ("select count(*) from orders;", [(3,)]),
        ("WITH x AS (SELECT count(*) AS n FROM orders) SELECT n FROM x", [(3,)]),
        ("WITH x AS (SELECT * FROM orders) SELECT count(*) FROM x", [(3,)]),
        ("SELECT id FROM big", [(2,)]),
        ("SELECT count(*) FROM big", [(1,)]),
        ("SELECT name FROM customer WHERE id = 1 UNION SELECT town FROM customer WHERE id = 2", [("Ghent",), ("Ida",)]),
        ("(SELECT 1)", None),  # which SQLite itself can't read
        ("SELECT 'a;b--c' AS \"x;y\" -- a remark", [("a;b--c",)]),
        ("SELECT c.name, sum(o.total) FROM customer c JOIN orders o ON o.customer_id = c.id GROUP BY 1", None),
        ("SELECT count(*) FROM (SELECT id FROM customer)", [(3,)]),
        ("SELECT 'DROP TABLE customer; DELETE'", [("DROP TABLE customer; DELETE",)]),
        ("SELECT row_number() OVER (ORDER BY id) FROM customer LIMIT 1", [(1,)]),
        (
            "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT n FROM x",
            [(1,), (2,), (3,)],
        ),
        ("SELECT 9e999, x'00ff', NULL", [("inf", "(2 bytes)", None)]),
        ("SELECT '😀 مرحبا'", [("😀 مرحبا",)]),
    ],
)
def test_an_honest_query_gives_its_table(
    reader: Reader, shop: Path, sql: str, rows: list[tuple[object]] | None
) -> None:
    if sql.startswith("("):
        with pytest.raises(QueryFailed, match="syntax"):
            reader.run(shop, sql)
        return
    result = reader.run(shop, sql)
    assert result.rows
    if rows is not None:
        assert list(result.rows) == rows


def test_rows_beyond_the_limit_are_cut_off_and_told(reader: Reader, shop: Path) -> None:
    result = reader.run(shop, "SELECT id FROM customer", rows=2)
    assert (len(result.rows), result.truncated) == (2, True)
    assert not reader.run(shop, "SELECT id FROM customer", rows=3).truncated


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELEC name FROM customer", "not parsed", "can't be read"),
        ("SELECT nome FROM customer", "unknown", "no such column: nome"),
        ("SELECT name FROM buyer", "unknown", "no such table: buyer"),
        ("SELECT name FROM customer WHERE (id = 1", "not parsed", ""),
        ("DROP TABLE customer", "refused", "only a query"),
        ("SELECT 1; SELECT 2", "refused", "2 statements"),
        ("SELECT load_extension('x')", "refused", "load_extension"),
        ("SELECT * FROM sqlite_master", "refused", "sqlite_master"),
    ],
)
def test_what_is_wrong_is_told(reader: Reader, shop: Path, sql: str, kind: str, said: str) -> None:
    with pytest.raises(QueryFailed) as told:
        reader.run(shop, sql)
    assert said in str(told.value)
    assert told.value.kind == kind


def test_after_a_process_was_ended_the_next_query_is_answered(shop: Path) -> None:
    with Reader() as reader:
        reader.run(shop, "SELECT 1")
        workers = [child for child in psutil.Process().children() if "bot.sql.worker" in child.cmdline()]
        for worker in workers:
            worker.kill()
            worker.wait()
        assert workers
        with pytest.raises(QueryFailed):
            reader.run(shop, "SELECT 1")
        assert reader.run(shop, "SELECT 1").rows == ((1,),)


def test_files_that_are_no_databases_are_told_as_such(reader: Reader, tmp_path: Path, shop: Path) -> None:
    whole = shop.read_bytes()
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "text.sqlite").write_text("CREATE TABLE x (y);")
    (tmp_path / "cut.sqlite").write_bytes(whole[: len(whole) // 2 - 100])
    (tmp_path / "noise.sqlite").write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    (tmp_path / "folder.sqlite").mkdir()
    for name in ("empty", "text", "noise", "folder", "missing"):
        path = tmp_path / f"{name}.sqlite"
        with pytest.raises(BadInput, match=f"{name}.sqlite: "):
            reader.tables(path)
        with pytest.raises(QueryFailed):
            reader.run(path, "SELECT * FROM customer")
    with pytest.raises(QueryFailed):
        reader.run(tmp_path / "cut.sqlite", "SELECT * FROM orders, customer")


def test_a_file_kept_in_wal_is_read_without_a_file_beside_it(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "wal.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(SCRIPT)
    with pytest.raises(QueryFailed, match="wal_checkpoint"):  # what was just written isn't in the file yet
        reader.run(path, "SELECT name FROM customer")
    database.close()
    before = state(tmp_path)
    assert len(reader.run(path, "SELECT name FROM customer").rows) == 3
    with pytest.raises(QueryFailed):
        reader.run(path, "DELETE FROM customer")
    assert state(tmp_path) == before == {"wal.sqlite": before["wal.sqlite"]}


def test_what_a_hostile_file_brings_along_is_not_run(reader: Reader, tmp_path: Path) -> None:
    """Views and generated columns with functions that aren't harmless, virtual tables with their shadow tables."""
    path = tmp_path / "hostile.sqlite"
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE plain (x TEXT);
        INSERT INTO plain VALUES ('kept');
        CREATE VIRTUAL TABLE found USING fts5(body);
        INSERT INTO found VALUES ('text');
        CREATE VIEW evil AS SELECT load_extension('evil') AS x;
        CREATE VIEW schema_too AS SELECT sql FROM sqlite_master;
        CREATE VIEW forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n;
        CREATE TRIGGER t INSTEAD OF INSERT ON evil BEGIN DELETE FROM plain; END;
        """
    )
    database.close()
    before = state(tmp_path)
    assert [table["name"] for table in reader.tables(path)] == ["plain", "schema_too", "forever"]
    for sql in (
        "SELECT * FROM found", "SELECT * FROM found_data", "SELECT count(*) FROM found", "SELECT * FROM evil",
        "SELECT * FROM schema_too", "SELECT * FROM forever",
    ):  # fmt: skip
        with pytest.raises(QueryFailed):
            reader.run(path, sql, seconds=SECONDS)
    assert reader.run(path, "SELECT x FROM plain").rows == (("kept",),)
    assert state(tmp_path) == before


def test_the_system_itself_lets_no_statement_open_or_write_a_file(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that SQLite is told to refuse taken away, the limits of the process still hold."""
    import bot.sql.worker as worker

    monkeypatch.setattr(worker, "_authorizer", lambda *_: lambda *_: sqlite3.SQLITE_OK)
    opened = worker._open

    def writable(path: str) -> sqlite3.Connection:
        opened(path).close()
        return sqlite3.connect(path, isolation_level=None)

    monkeypatch.setattr(worker, "_open", writable)
    before = state(shop.parent)
    for sql in ("DELETE FROM customer", "CREATE TABLE stolen (x)", f"ATTACH '{shop.parent}/stolen.sqlite' AS other"):
        assert "error" in answer({"path": str(shop), "sql": sql})
        assert state(shop.parent) == before
    assert answer({"path": str(shop), "sql": "SELECT count(*) FROM customer"})["rows"] == [[3]]


def test_the_first_check_reads_before_sqlite_does() -> None:
    assert check("WITH A AS (SELECT 1) SELECT * FROM A").ctes == {"a"}
    with pytest.raises(QueryFailed, match="hidden characters"):
        check("SELECT 1 \u202e")
    with pytest.raises(QueryFailed, match="begins with DELETE"):
        check("DELETE FROM customer")

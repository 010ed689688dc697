"""The SQL tab: a schema or a file, a question, the query, its table; and nothing of a stranger's becomes markup."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import needs_browser, open_page, serving, session, tab
from playwright.sync_api import Browser, Page, expect

from bot.page.sql import Databases, answer_html, run_query
from bot.sql.ask import Answer
from bot.sql.reader import Result
from data.errors import BadInput

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "sql"
BAD = "<img src=x onerror=window.hacked=1>"


def database(path: Path, script: str) -> Path:
    made = sqlite3.connect(path)
    made.executescript(script)
    made.close()
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Page]:
    """The page of a server of its own, on the SQL tab."""
    folder = tmp_path_factory.mktemp("page")
    scratch = folder / "tmp"
    scratch.mkdir()
    with (
        serving(folder / "home", "--persona", "sql", TMPDIR=str(scratch)) as url, session(browser) as made
    ):  # fmt: skip
        page = open_page(made, url)
        tab(page, "SQL")
        yield page
        page.close()
        for _ in range(100):  # the server hears of the end of the session by and by
            left = [*scratch.rglob("open.sqlite")]
            if not left:
                break
            threading.Event().wait(0.1)
        assert not left


def open_file(page: Page, path: Path) -> None:
    page.locator("#sql-file input[type=file]").set_input_files(path)
    expect(page.locator("#sql-tables")).to_contain_text(path.name)


def run(page: Page, sql: str) -> None:
    page.locator("#sql-query textarea").fill(sql)
    page.get_by_role("button", name="Run the query").click()


@pytest.mark.browser
@needs_browser
class TestInTheBrowser:
    def test_a_question_to_an_opened_file_gives_a_query_and_its_table(self, page: Page, tmp_path: Path) -> None:
        open_file(page, database(tmp_path / "shop.sqlite", (SAMPLE / "shop.sql").read_text(encoding="utf-8")))
        expect(page.locator(".sg-schema li").first).to_contain_text("customer customer_id, name")
        page.locator("#sql-question textarea").fill("How many customers are there in each country?")
        page.get_by_role("button", name="Write the query").click()
        expect(page.locator("#sql-query textarea")).to_have_value(re.compile("GROUP BY country"))
        expect(page.locator(".sg-rows tbody tr")).to_have_count(4)
        expect(page.locator("#sql-result")).to_contain_text("Responder: extractive")

    def test_a_query_of_ones_own_goes_through_the_same_checks(self, page: Page, tmp_path: Path) -> None:
        open_file(page, database(tmp_path / "own.sqlite", (SAMPLE / "shop.sql").read_text(encoding="utf-8")))
        run(page, "DELETE FROM customer")
        expect(page.locator("#sql-result .sg-bad")).to_contain_text("only a query is run")
        run(page, "SELECT count(*) FROM customer")
        expect(page.locator(".sg-rows td")).to_have_text("8")

    def test_names_and_cells_of_a_hostile_file_are_text(self, page: Page, tmp_path: Path) -> None:
        rows = f"('{BAD}'), ('=1+1'), ('a\u202eb')"
        script = f'CREATE TABLE "t{BAD}" ("c{BAD}" TEXT); INSERT INTO "t{BAD}" VALUES {rows}'
        open_file(page, database(tmp_path / "hostile.sqlite", script))
        run(page, f'SELECT * FROM "t{BAD}"')
        expect(page.locator(".sg-rows td").first).to_have_text(BAD)
        expect(page.locator(".sg-rows th")).to_have_text(f"c{BAD}")
        expect(page.locator(".sg-rows td").nth(2)).to_contain_text("U+202E")
        assert page.evaluate("window.hacked") is None

    def test_a_file_that_is_no_database_is_told_by_its_name(self, page: Page, tmp_path: Path) -> None:
        (tmp_path / "notes.db").write_text("not a database at all")
        page.locator("#sql-file input[type=file]").set_input_files(tmp_path / "notes.db")
        expect(page.locator("#sql-result")).to_contain_text("notes.db: the file is no SQLite database")
        expect(page.locator("#sql-tables")).to_contain_text("No tables yet")

    def test_with_a_pasted_schema_alone_the_query_is_written_and_checked(self, page: Page) -> None:
        page.locator("#sql-schema textarea").fill("CREATE TABLE boat (name TEXT, length REAL)")
        expect(page.locator(".sg-schema")).to_contain_text("boat name, length")
        page.locator("#sql-question textarea").fill("How many boats are there?")
        page.keyboard.press("Enter")
        expect(page.locator("#sql-query textarea")).to_have_value("SELECT COUNT(*) FROM boat")
        expect(page.locator("#sql-result")).to_contain_text("Open a SQLite file to run it")
        run(page, "SELECT colour FROM boat")
        expect(page.locator("#sql-result")).to_contain_text("there is no column colour")


def test_no_other_file_than_an_upload_is_taken_and_each_session_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    own = database(tmp_path / "private.sqlite", "CREATE TABLE t (x)")
    databases = Databases()
    with pytest.raises(BadInput, match="gone"):
        databases.keep("a", own)
    (uploads / "link.sqlite").symlink_to(own)
    with pytest.raises(BadInput, match="gone"):
        databases.keep("a", uploads / "link.sqlite")
    assert own.exists()
    first = databases.keep("a", database(uploads / "one.sqlite", "CREATE TABLE one (x)"))
    second = databases.keep("b", database(uploads / "two.sqlite", "CREATE TABLE two (x)"))
    databases.forget("a")
    assert not Path(first.path).exists()
    assert run_query("SELECT * FROM two", second, "").status == "answered"
    with pytest.raises(BadInput, match="open it again"):
        run_query("SELECT 1", first, "")
    assert databases.of("a") is None


def test_a_result_is_escaped_and_what_is_cut_off_is_told() -> None:
    shown = answer_html(Answer("", "x", "answered", "", Result((BAD,), ((BAD,), (None,)), True)))
    assert "<img" not in shown
    assert "The first 2 rows: there are more" in shown
    assert "NULL" in shown
    assert "<b>" not in answer_html(Answer("", "", "failed", "<b>no</b>"))

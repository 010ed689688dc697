"""The coach on the page, in a real browser: asked, resumed after a restart, and each browser's talk its own."""

from pathlib import Path

import pytest
from pages import ask, browser_test, open_page, serving, session
from playwright.sync_api import Browser, Page, expect

from bot.assistant import Assistant
from data.conversations import Conversations
from data.database import Database
from data.embedding import Embedder
from data.workfolder import WorkFolder

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "vito"
pytestmark = [*browser_test, pytest.mark.timeout(600)]


def _choose_vito(page: Page) -> None:
    page.locator("#asked-of input").click()
    page.get_by_role("option", name="Vito").click()
    expect(page.locator("#talk h2")).to_have_text("Ask Vito")
    expect(page.locator("#kb input")).to_have_value("cycling")
    expect(page.locator("#question textarea")).to_have_attribute("placeholder", "Ask Vito…")


def test_the_coach_asks_plans_declines_and_remembers_across_a_restart(
    browser: Browser, tmp_path: Path, embedder: Embedder
) -> None:
    home = tmp_path / "home"
    with Assistant(home, "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        assistant.ingest([str(SAMPLE / "gran-fondo-6-hours.md"), str(SAMPLE / "recovery.md")], "cycling")
    with session(browser, 390, 844) as context:
        with serving(home) as url:
            page = open_page(context, url)
            _choose_vito(page)
            ask(page, "Make me a plan for a gran fondo")
            expect(page.locator("[data-kind=asks]")).to_contain_text("how many weeks you have")
            ask(page, "12 weeks, 6 hours, FTP 240")
            plan = page.locator("[data-kind=plan]")
            expect(plan.locator("li").nth(1)).to_contain_text("Day 2 (Tuesday): 1 hour with sweet spot")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            ask(page, "<b>Write</b> me a poem <img src=x onerror=window.hacked=1>")
            expect(page.locator("[data-kind=declined]")).to_contain_text("neither looked up nor put to a model")
        with serving(home, port=int(url.rstrip("/").rpartition(":")[2])) as url:
            page.reload()
            expect(page.locator(".sg-turn")).to_have_count(3)
            ask(page, "and on the second day of the plan?")
            last = page.locator(".sg-turn").nth(3)
            expect(last.locator(".sg-understood")).to_contain_text("day 2")
            expect(last).to_contain_text("sweet spot")
            with session(browser) as another:
                other = open_page(another, url)
                expect(other.locator(".sg-empty")).to_be_visible()
                expect(other.locator(".sg-turn")).to_have_count(0)
                expect(other.locator("#earlier-talks")).to_be_hidden()
    database = Database(WorkFolder(home).database)
    kept = Conversations(database)
    (talk,) = kept.latest()
    assert (talk.persona, talk.kb) == ("vito", "cycling")
    assert len(kept.exchanges(talk.id)) == 4
    database.close()

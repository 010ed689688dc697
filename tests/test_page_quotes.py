"""The Quotes tab: stored quotes and what they are; and nothing of a stranger's becomes markup."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import needs_browser, open_page, serving, session
from playwright.sync_api import Browser, Page, expect

from bot.assistant import Assistant
from bot.drafts import WrittenBy
from bot.page.quotes import cards_html
from bot.quotes import Nearest, Quote

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
BAD = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, embedder, browser: Browser) -> Iterator[Page]:
    """The page of a server of its own, on the Quotes tab, with the sample's quotes and a hostile one."""
    folder = tmp_path_factory.mktemp("page")
    hostile = folder / f"{BAD.replace('/', '')}.csv"
    hostile.write_text(f'quote,author\n"Trust {BAD} nobody.","Eve {BAD}"\n', encoding="utf-8")
    with Assistant(folder / "home", "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        for file in (SAMPLE / "quotes.csv", hostile):
            assistant.import_quotes(file, lambda *_: None)
    with serving(folder / "home", "--persona", "quotes") as url, session(browser, 390, 800) as made:
        yield open_page(made, url)


def ask(page: Page, text: str) -> None:
    page.locator("#quotes-who input").fill(text)
    page.locator("#quotes-who input").press("Tab")
    page.locator("#quotes-find").click()


@pytest.mark.browser
@needs_browser
@pytest.mark.timeout(300)
def test_stored_quotes_are_found_labelled_and_shown_as_text(page):
    shown = page.locator("#quotes")
    expect(shown).to_contain_text("Name an author", timeout=60_000)
    page.locator("#quotes-who input").click()
    expect(page.get_by_role("option", name="Ada Winterbourne")).to_be_visible(timeout=30_000)
    ask(page, "leopold marrowby")
    expect(shown.locator(".sg-quote")).to_have_count(3, timeout=60_000)
    expect(shown).to_contain_text("Stored quote, by Leopold Marrowby (quotes.csv)")
    expect(shown.locator(".sg-badge").first).to_have_text("Stored quote")
    page.locator("#quotes-more").click()
    expect(shown.locator(".sg-quote")).to_have_count(2, timeout=30_000)
    page.locator("#quotes-who input").fill("about patience")
    page.locator("#quotes-who input").press("Enter")
    expect(shown).not_to_contain_text("Leopold Marrowby (quotes.csv)", timeout=30_000)
    expect(shown.locator(".sg-quote").first).to_be_visible()
    ask(page, "Leopold Marlowe")
    expect(shown).to_contain_text("Nearest authors", timeout=30_000)
    expect(shown).to_contain_text("Leopold Marrowby")
    ask(page, f"Eve {BAD}")
    expect(shown).to_contain_text(f"Trust {BAD} nobody.", timeout=30_000)
    assert page.evaluate("window.hacked") is None
    assert shown.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_generated_quote_says_so_and_shows_the_nearest_real_one():
    by = WrittenBy("local", BAD)
    near = Nearest(f"Real {BAD}", "Ada Bell", "f.csv", 0.62)
    shown = cards_html([Quote("Eve", "Eve", f"New {BAD}", "close", near, 0.38, "end", reason=BAD, written_by=by)])
    assert "Generated, not a real quote by Eve; close to a stored quote by Ada Bell" in shown
    assert "Nearest real quote, 62% of its words" in shown
    assert "<img" not in shown
    stored = cards_html([Quote("Eve", "Ada Bell", "Real.", "stored", near, 0.0, "end", "f.csv", True, True)])
    assert "Generated" not in stored
    assert "in the name of Eve, whose it is not" in stored
    assert "Nearest real quote" not in stored

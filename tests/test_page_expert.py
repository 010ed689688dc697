"""Asking one's PDFs on the page, in a real browser: the cited page is shown as a picture with the passage marked."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pages import ask, browser_test, open_page, serving, session, tab
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from test_page_picture import laid_out

from bot.assistant import Assistant
from bot.drafts import Support
from bot.page.citations import Citations
from bot.page.desk import Desk
from bot.page.pictures import page_pictures
from bot.page.rating import rating_functions
from data.conversations import Conversations
from data.database import Database
from data.embedding import Embedder
from data.models import Passage
from data.workfolder import WorkFolder

PAGES = (
    "This handbook is about working in the warehouse, and about nothing else at all.",
    "The forklift is inspected every morning before it moves a pallet.",
    "Boots with steel caps are handed out in the office on the first day.",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[SimpleNamespace]:
    """A server of its own process with a PDF of three pages and a web page's text."""
    folder = tmp_path_factory.mktemp("expert")
    body = laid_out([[(40, 700, text)] for text in PAGES])
    (folder / "handbook.pdf").write_bytes(body)
    (folder / "lamps.md").write_text("# Lamps\n\nThe lamps in the yard are lit at dusk by a timer.", encoding="utf-8")
    with Assistant(folder / "home", "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        assistant.ingest([str(folder / "handbook.pdf"), str(folder / "lamps.md")], "default")
    with serving(folder / "home") as url:
        yield SimpleNamespace(url=url, home=folder / "home", pdf=folder / "handbook.pdf", body=body)


@pytest.fixture
def context(browser: Browser, served: SimpleNamespace) -> Iterator[BrowserContext]:
    """A browser session that fails the test where anything outside is asked for."""
    served.pdf.write_bytes(served.body)
    with session(browser) as made:
        yield made


@pytest.fixture
def page(context: BrowserContext, served: SimpleNamespace) -> Page:
    """The page, open."""
    return open_page(context, served.url)


def _source_of(page: Page, question: str) -> Locator:
    """Ask, and open the panel of the answer's first source."""
    ask(page, question)
    page.locator(".sg-answer .sg-mark").first.click()
    panel = page.locator(".sg-panel:popover-open")
    expect(panel).to_be_visible()
    return panel


class TestTheCitedPage:
    pytestmark = browser_test

    def test_it_is_shown_with_the_passage_marked_and_its_neighbours_can_be_turned_to(self, page: Page) -> None:
        panel = _source_of(page, "When is the forklift inspected?")
        button = panel.get_by_role("button", name="Show the page")
        button.click()
        viewer = page.locator("dialog.sg-viewer")
        image = viewer.locator("img")
        expect(image).to_be_visible()
        expect(viewer).to_contain_text("Page 2 of 3")
        assert "of handbook, with this marked: The forklift is inspected" in str(image.get_attribute("alt"))
        assert image.evaluate("picture => picture.naturalWidth") > 1000
        page.keyboard.press("ArrowRight")
        expect(viewer).to_contain_text("Page 3 of 3")
        expect(viewer).to_contain_text("Nothing is quoted from this page. Marked on page 2.")
        expect(viewer.get_by_role("button", name="Next page")).to_be_disabled()
        viewer.get_by_role("button", name="Previous page").click()
        expect(viewer).to_contain_text("Page 2 of 3")
        expect(viewer.locator(".sg-viewer-told")).to_be_empty()
        page.keyboard.press("Escape")
        expect(viewer).to_have_count(0)
        expect(panel).to_be_visible()
        expect(button).to_be_focused()

    def test_it_grows_shrinks_and_can_be_saved(self, page: Page) -> None:
        panel = _source_of(page, "When is the forklift inspected?")
        panel.get_by_role("button", name="Show the page").click()
        viewer = page.locator("dialog.sg-viewer")
        expect(viewer.locator("img")).to_be_visible()
        wide = viewer.locator("img").evaluate("picture => picture.clientWidth")
        page.keyboard.press("+")
        assert viewer.locator("img").evaluate("picture => picture.clientWidth") == pytest.approx(1.5 * wide, abs=30)
        viewer.get_by_role("button", name="Smaller").click()
        expect(viewer.get_by_role("button", name="Smaller")).to_be_disabled()
        with page.expect_download() as download:
            viewer.get_by_label("Save the picture").click()
        assert download.value.suggested_filename == "handbook-p2.png"
        assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")

    def test_it_fits_a_telephone(self, page: Page) -> None:
        page.set_viewport_size({"width": 390, "height": 844})
        panel = _source_of(page, "When is the forklift inspected?")
        panel.get_by_role("button", name="Show the page").click()
        viewer = page.locator("dialog.sg-viewer")
        expect(viewer.locator("img")).to_be_visible()
        assert viewer.locator(".sg-viewer-bar").evaluate("bar => bar.scrollWidth <= bar.clientWidth")
        assert viewer.evaluate("one => one.getBoundingClientRect().width") == 390

    def test_a_file_that_has_changed_since_is_told_and_not_shown(self, page: Page, served: SimpleNamespace) -> None:
        panel = _source_of(page, "When is the forklift inspected?")
        served.pdf.write_bytes(laid_out([[(40, 700, "Another document.")]]))
        panel.get_by_role("button", name="Show the page").click()
        viewer = page.locator("dialog.sg-viewer")
        expect(viewer).to_contain_text("The page can't be shown: handbook.pdf has changed since it was read")
        expect(viewer.locator("img")).to_be_hidden()

    def test_only_a_pdf_has_pages_to_show_and_no_path_is_in_the_page(self, page: Page, served: SimpleNamespace) -> None:
        panel = _source_of(page, "When are the lamps in the yard lit?")
        expect(panel).to_contain_text("by a timer")
        expect(panel.get_by_role("button", name="Show the page")).to_have_count(0)
        assert str(served.home.parent) not in page.locator("#talk").inner_html()


class TestRatings:
    pytestmark = browser_test

    def test_a_rating_and_its_note_are_kept_and_there_again_after_a_reload(
        self, page: Page, served: SimpleNamespace
    ) -> None:
        ask(page, "When is the forklift inspected?")
        page.get_by_role("button", name="Bad answer").click()
        page.get_by_label("Note on this answer").fill("It is inspected <b>twice</b> & logged")
        expect(page.locator(".sg-rating .sg-saved")).to_have_text("Saved")
        ask(page, "Where are boots with steel caps handed out?")  # the conversation is drawn anew
        expect(page.locator(".sg-rating")).to_have_count(2)
        expect(page.locator(".sg-note-of").first).to_have_value("It is inspected <b>twice</b> & logged")
        page.reload()
        expect(page.locator(".sg-rating")).to_have_count(2)
        bad, good = (page.get_by_role("button", name=f"{word} answer") for word in ("Bad", "Good"))
        expect(bad.first).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".sg-note-of").first).to_have_value("It is inspected <b>twice</b> & logged")
        expect(page.locator(".sg-note-of").nth(1)).to_be_hidden()
        [(_, rated), *_] = Conversations(Database(WorkFolder(served.home).database)).rated()
        assert (rated.rating, rated.note) == (-1, "It is inspected <b>twice</b> & logged")
        good.first.click()
        expect(bad.first).to_have_attribute("aria-pressed", "false")
        good.first.click()  # taken back
        expect(page.locator(".sg-note-of").first).to_be_hidden()
        page.reload()
        expect(page.locator(".sg-rating")).to_have_count(2)
        expect(good.first).to_have_attribute("aria-pressed", "false")

    def test_a_conversation_is_exported_with_its_pages_and_ratings(self, page: Page) -> None:
        ask(page, "When is the forklift inspected?")
        page.get_by_role("button", name="Good answer").click()
        page.get_by_label("Note on this answer").fill("=1+1 right")
        said = {}
        for name, ending in (("Markdown", "md"), ("JSON", "json"), ("CSV", "csv")):
            with page.expect_download() as download:
                page.get_by_role("button", name=name, exact=True).click()
            assert download.value.suggested_filename.endswith(f".{ending}")
            said[ending] = Path(download.value.path()).read_text(encoding="utf-8-sig")
        assert "1. handbook.pdf, p. 2" in said["md"]
        assert "Rated good: \\=1+1 right" in said["md"]
        [exchange] = json.loads(said["json"])["exchanges"]
        assert (exchange["rating"], exchange["sources"][0]["page"]) == ("good", 2)
        assert ",good,'=1+1 right," in said["csv"]


class TestSeveralKnowledgeBases:
    pytestmark = browser_test

    def test_a_new_one_is_made_filled_asked_and_left_again(self, page: Page, tmp_path: Path) -> None:
        ask(page, "When is the forklift inspected?")
        expect(page.locator(".sg-rating")).to_have_count(1)
        tab(page, "Documents")
        page.get_by_role("button", name="New knowledge base").click()
        name = page.get_by_label("Its name")
        make = page.get_by_role("button", name="Make it", exact=True)
        for wanted, said in (("no spaces!", "use letters, digits"), ("default", "there is a knowledge base default")):
            name.fill(wanted)
            make.click()
            expect(page.locator("#outcome")).to_contain_text(said)
        name.fill("contracts")
        make.click()
        expect(page.locator("#outcome")).to_contain_text("Made contracts.")
        expect(page.locator("#list")).to_contain_text("No documents yet in contracts")
        (tmp_path / "lease.pdf").write_bytes(laid_out([[(40, 700, "The lease of the yard ends in March 2031.")]]))
        page.locator("#files input[type=file]").set_input_files(tmp_path / "lease.pdf")
        page.get_by_role("button", name="Add documents").click()
        expect(page.locator("#list")).to_contain_text("1 document, 1 chunk in contracts")
        tab(page, "Ask")
        expect(page.locator(".sg-turn")).to_have_count(0)  # another knowledge base is another conversation
        panel = _source_of(page, "When does the lease of the yard end?")
        panel.get_by_role("button", name="Show the page").click()
        expect(page.locator("dialog.sg-viewer img")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.get_by_label("Knowledge base").click()
        page.get_by_role("option", name="default").click()
        expect(page.locator(".sg-turn")).to_have_count(0)
        ask(page, "When is the forklift inspected?")
        expect(page.locator(".sg-answer")).to_contain_text("every morning")


def test_what_the_script_would_not_send_is_refused_in_words(assistant: Assistant) -> None:
    rate, export_talk = rating_functions(Desk(assistant, "shawgpt"))
    session = assistant.conversations.begin("shawgpt", "default")
    assistant.conversations.add(session, "q", "q", "{}")
    for odd in ({}, {"session": session}, {"session": session, "position": "x", "rating": 1, "note": ""}):
        assert rate(odd) == {"error": "this can't be kept"}
    assert "error" in rate({"session": "other", "position": 0, "rating": 1, "note": ""})
    assert rate({"session": session, "position": 0, "rating": 99, "note": "x" * 9999}) == {"saved": True}
    assert [exchange.rating for exchange in assistant.conversations.exchanges(session)] == [None]
    assert export_talk({}) == {"error": "this can't be exported"}
    assert export_talk({"session": "other", "form": "md"}) == {
        "error": "the conversation is no longer in the work folder"
    }
    assert export_talk({"session": session, "form": "../x"}) == {"error": "there is no such form"}


def test_what_no_panel_asks_for_is_refused_in_words(assistant: Assistant, write) -> None:
    assistant.ingest([write("lamps.md", "# Lamps\n\nThe lamps in the yard are lit at dusk by a timer.")], "default")
    ask = page_pictures(Desk(assistant, "shawgpt"))
    good = {"chunk": assistant.store.ids("default")[0], "page": 1, "marks": []}
    odd: list[dict[str, object]] = [{"page": "x"}, {"page": None}, {"marks": [1]}, {"marks": "ab"}, {"marks": None}]
    for asked in ({}, *({**good, **one} for one in odd)):
        assert ask(asked) == {"error": "this page can't be asked for"}
    assert ask(good) == {"error": "lamps.md is no PDF: it has no pages to show"}
    assert "forgotten" in ask({**good, "chunk": "/etc/passwd"})["error"]


def test_a_pdf_read_from_its_address_is_opened_there_at_the_page() -> None:
    source = "https://example.com/a.pdf"
    text = "The lease ends in March."
    web = Passage(1, 1.0, source, "Lease", 4, 4, "", "c1", text, ((0, 4),))
    citations = Citations("a0", [web])
    citations.cite(Support(source, 4, text, "p. 4"))
    assert f'href="{source}#page=4"' in citations.panels()
    assert "Show the page" not in citations.panels()

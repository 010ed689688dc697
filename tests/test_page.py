"""The page in a real browser, against a real server with a small knowledge base."""

import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from pages import ask, browser_test, open_page, serving, session, start, stop, tab
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pypdf import PdfReader, PdfWriter
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from bot.assistant import Assistant
from bot.drafts import NO_DOCUMENTS, Answer, Draft, Sentence, Support, WrittenBy
from bot.drafts_log import DraftLog, OutputRecord
from bot.page import serve
from bot.page.adding import _table, _told
from bot.page.app import _now, _short
from bot.page.ask import _can_be_asked, answer
from bot.page.citations import Citations
from bot.page.comments import columns_of, comments_from, split_comments
from bot.page.desk import Desk
from bot.page.markup import reason_html, text_html
from bot.page.passage import passage_html
from bot.page.replies import _writer
from bot.page.talk_html import conversation
from bot.page.talks import Turn
from bot.page.uploads import Uploads, safe_name
from bot.reply import reply_to_csv
from data.database import Database
from data.embedding import Embedder
from data.errors import BadInput, NotFound
from data.models import Passage
from data.workfolder import WorkFolder
from ingest.pipeline import Entry

BAD = "window.hacked=1"
HOSTILE = (
    f"<script>{BAD}</script>",
    f"<img src=x onerror={BAD}> hello there",
    "![look](http://outside.example/a.png) [x](javascript:window.hacked=1)",
    f"${{{BAD}}} {{{{constructor.constructor('{BAD}')()}}}}",
    f"</textarea></details><img src=http://outside.example/b.png onerror={BAD}>",
    "normal\u202e reversed \u200btext",
)
FILLER = " ".join(  # so that each page is a chunk of its own
    f"Note {n} of this page tells of the {thing}, which has {n} parts and is cleaned on the {n}th of the month."
    for n, thing in enumerate(("lid", "crank", "hopper", "burner", "tray", "thermometer", "glove", "timer", "sieve"), 4)
)
POST = f"""# Kettles <img src=x onerror={BAD}> and <b>mugs</b>

In the copper kettle, water boils at ninety-six degrees.

![p](http://outside.example/c.png) <script>{BAD}</script>

Tea is poured into the blue mug after exactly four minutes of waiting.

| Kettle | Boils at | Weight |
| --- | --- | --- |
| enamel <img src=x onerror={BAD}> | ninety-nine degrees | one kilogram |
| tin | ninety-one degrees | half a kilogram |
"""


# The command line with a model in the place of a real one. It writes an answer on until there is a file "go", a reply
# to a comment with a word of the form go1 once there is a file of that name.
WITH_A_MODEL = """
import re, sys, time
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

import bot.responders
from bot.chat_responder import ChatResponder
from bot.cli import main

signs = Path(sys.argv.pop(1))

class Model(BaseChatModel):
    _llm_type = "scripted"

    def _generate(self, *_, **__):
        raise NotImplementedError

    def _stream(self, turns, **_):
        try:
            while "kettle?" in str(turns[-1].text) and not (signs / "go").exists():
                yield ChatGenerationChunk(message=AIMessageChunk("It boils. "))
                time.sleep(0.02)
            yield ChatGenerationChunk(message=AIMessageChunk("In the copper kettle water boils at ninety-six degrees."))
        finally:
            (signs / "ended").touch()

    def batch_as_completed(self, inputs, **_):
        waiting = {at: re.search(r"\\bgo\\d+\\b", str(turns[-1].text))[0] for at, turns in enumerate(inputs)}
        while waiting:
            for at in [at for at, sign in waiting.items() if (signs / sign).exists()]:
                del waiting[at]
                yield at, AIMessage("Thanks so much!")
            time.sleep(0.02)

def make_responder(writing, persona, past, embedder, *_):
    return ChatResponder(persona, past, Model(), embedder, writing.written_by, together=4)

bot.responders.make_responder = make_responder
main()
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[SimpleNamespace]:
    """A server of its own process with two documents and some past replies."""
    folder = tmp_path_factory.mktemp("page")
    texts = (
        "This guide is about roasting coffee in a small drum at home, and about nothing else at all.",
        "The drum is charged at two hundred degrees. First crack comes after about nine minutes in the drum.",
        "Roasted coffee rests for seven days before it is brewed as espresso, so that the gas can leave the beans.",
    )
    style = ParagraphStyle("body", fontSize=12, leading=16)
    pages = [part for text in texts for part in (Paragraph(f"{text} {FILLER}", style), PageBreak())]
    SimpleDocTemplate(str(folder / "guide.pdf"), title="The roasting guide").build(pages[:-1])
    (folder / "kettles.md").write_text(POST, encoding="utf-8")
    (folder / "past.csv").write_text(
        "Comment,Response\nGreat video!,Thank you so much! -Nell\nLoved this one,Glad you liked it! -Nell\n"
        "Thanks for the clear explanation,Happy it helped! -Nell\n",
        encoding="utf-8",
    )
    with Assistant(folder / "home", "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        assistant.ingest([str(folder / "guide.pdf"), str(folder / "kettles.md")], "default")
        assistant.import_replies(folder / "past.csv")
    with serving(folder / "home") as url:
        yield SimpleNamespace(url=url, home=folder / "home", pdf=folder / "guide.pdf")


@pytest.fixture
def modelled(tmp_path: Path, embedder: Embedder) -> Iterator[SimpleNamespace]:
    """A server of its own process whose model writes as the files in the folder `signs` have it."""
    (tmp_path / "kettles.md").write_text(POST, encoding="utf-8")
    with Assistant(tmp_path / "home", "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        assistant.ingest([str(tmp_path / "kettles.md")], "default")
    model, signs = tmp_path / "model", tmp_path / "signs"
    model.mkdir()
    signs.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").touch()

    def begin(port: int = 0) -> tuple[subprocess.Popen[str], str]:
        options = ("--responder", "local", "--model", str(model))
        return start(tmp_path / "home", *options, program=(WITH_A_MODEL, str(signs)), port=port)

    process, url = begin()
    served = SimpleNamespace(url=url, home=tmp_path / "home", signs=signs, process=process, start=begin)
    yield served
    stop(served.process)


@pytest.fixture
def context(browser: Browser, served: SimpleNamespace) -> Iterator[BrowserContext]:
    """A browser session with no drafts to open, that fails the test where anything outside is asked for."""
    with Database(WorkFolder(served.home).database).write() as db:
        db.execute("DELETE FROM drafts")
    with session(browser) as made:
        yield made


@pytest.fixture
def page(context: BrowserContext, served: SimpleNamespace) -> Page:
    """The page, open."""
    return open_page(context, served.url)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _draft(page: Page, comments: str, count: int) -> None:
    tab(page, "Replies")
    page.locator("#pasted textarea").fill(comments)
    page.get_by_role("button", name="Draft replies").click()
    expect(page.locator(".sg-card")).to_have_count(count)
    expect(page.locator("#stop")).to_be_hidden()


def _wait_for_the_end(page: Page, signs: Path) -> None:
    """Until the model of `modelled` has stopped writing."""
    for _ in range(200):
        if (signs / "ended").exists():
            return
        page.wait_for_timeout(50)
    pytest.fail("the model writes on")


class TestInTheBrowser:
    pytestmark = browser_test

    def test_an_answers_citation_opens_the_passage_at_its_page(self, page: Page) -> None:
        ask(page, "How long does roasted coffee rest before espresso?")
        answer = page.locator(".sg-answer")
        expect(answer).to_contain_text("rests for seven days")
        expect(answer.locator(".sg-meta")).to_contain_text("Likely an answer")
        expect(answer.locator(".sg-meta")).to_contain_text("extractive")
        expect(page.locator("#question textarea")).to_have_value("")
        answer.locator(".sg-mark").first.click()
        panel = page.locator(".sg-panel:popover-open")
        expect(panel).to_be_visible()
        expect(panel.get_by_role("heading")).to_have_text(re.compile(r"The roasting guidep\. 3$"))
        expect(panel.locator("mark")).to_contain_text("rests for seven days")
        expect(panel.locator("mark")).to_be_in_viewport()
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()

    def test_focus_stays_in_an_open_source_and_goes_back_to_what_opened_it(self, page: Page) -> None:
        ask(page, "How long does roasted coffee rest before espresso?")
        mark = page.locator(".sg-answer .sg-mark").first
        mark.press("Enter")
        panel = page.get_by_role("dialog", name="The roasting guide")
        close = panel.get_by_role("button", name="Close")
        expect(close).to_be_focused()
        for key in ("Tab", "Tab", "Shift+Tab"):
            page.keyboard.press(key)
            assert panel.evaluate("(panel) => panel.contains(document.activeElement)")
        close.focus()
        page.keyboard.press("Escape")
        expect(mark).to_be_focused()

    def test_an_abstention_is_no_answer_and_shows_the_nearest_passages(self, page: Page) -> None:
        ask(page, "Who won the football world cup in 1998?")
        expect(page.locator(".sg-abstained")).to_contain_text("Not answered")
        expect(page.locator(".sg-abstained .sg-meta")).to_have_text("Responder: extractive")
        expect(page.locator(".sg-abstained .sg-chip").first).to_be_visible()
        expect(page.locator(".sg-mark")).to_have_count(0)

    def test_a_conversation_outlives_the_page_and_goes_on_with_what_was_meant(
        self, context: BrowserContext, served: SimpleNamespace
    ) -> None:
        page = open_page(context, served.url)
        ask(page, "At what temperature does water boil in the copper kettle?")
        expect(page.locator(".sg-answer").first).to_contain_text("ninety-six degrees")
        page.reload()
        expect(page.locator(".sg-answer").first).to_contain_text("ninety-six degrees")
        page.locator(".sg-answer .sg-mark").first.click()
        expect(page.locator(".sg-panel:popover-open mark")).to_contain_text("ninety-six degrees")
        page.keyboard.press("Escape")
        ask(page, "and in the tin kettle?")
        expect(page.locator(".sg-understood")).to_have_text(
            "Understood as: At what temperature does water boil in the tin kettle?"
        )
        expect(page.locator(".sg-answer").last).to_contain_text("ninety-one degrees")
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".sg-empty")).to_be_visible()
        page.reload()
        expect(page.locator(".sg-empty")).to_be_visible()
        ask(page, "How long does roasted coffee rest before espresso?")
        expect(page.locator(".sg-answer")).to_contain_text("seven days")
        page.locator("#earlier-talks input").click()
        page.get_by_role("option", name="copper kettle").click()
        expect(page.locator(".sg-turn")).to_have_count(2)
        expect(page.locator(".sg-understood")).to_contain_text("tin kettle")

    def test_drafts_appear_and_an_edit_outlives_the_page_and_reaches_the_download(
        self, context: BrowserContext, served: SimpleNamespace
    ) -> None:
        page = open_page(context, served.url)
        _draft(page, "Thank you, this helped me a lot!\nYour product is fake and you are a liar.", 2)
        expect(page.locator(".sg-card[data-status=needs_you]")).to_contain_text("yours to answer")
        expect(page.locator(".sg-card").first).to_have_attribute("data-status", "needs_you")  # those come first
        box = page.get_by_label("Reply to comment 1", exact=True)
        assert box.input_value()
        box.fill("=1+1 is my own reply")
        expect(page.locator(".sg-card[data-row='0'] .sg-saved")).to_have_text("Saved")
        kept = DraftLog(Database(WorkFolder(served.home).database))
        assert [row.edited for row in kept.rows(kept.latest()[0].id)] == ["=1+1 is my own reply", None]
        page.reload()
        tab(page, "Replies")
        expect(box).to_have_value("=1+1 is my own reply")
        page.get_by_role("button", name="Needs you").click()
        expect(page.locator(".sg-card[data-row='0']")).to_be_hidden()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
        assert [row["comment"] for row in rows] == [
            "Thank you, this helped me a lot!", "Your product is fake and you are a liar.",
        ]  # fmt: skip
        assert rows[0]["reply"] == "'=1+1 is my own reply"
        assert rows[1]["status"] == "needs_you"

    def test_a_csv_keeps_its_columns(self, page: Page, tmp_path: Path) -> None:
        file = tmp_path / "from the channel.csv"
        file.write_text("author,remark\nann,Great video thanks a lot!\nbob,Love your work so much\n", encoding="utf-8")
        tab(page, "Replies")
        page.locator("#comments input[type=file]").set_input_files(file)
        expect(page.locator("#column")).to_be_visible()
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator(".sg-card")).to_have_count(2)
        expect(page.locator("#progress")).to_contain_text("2 of 2 done")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
        assert lines[0] == "author,remark,reply,status,intent,flags,sources,responder,adapter"
        assert lines[1].startswith("ann,Great video thanks a lot!,")

    def test_drafting_stops_and_goes_on(self, page: Page) -> None:
        tab(page, "Replies")
        page.locator("#pasted textarea").fill("\n".join(f"How long does coffee number {n} rest?" for n in range(300)))
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator(".sg-card").first).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Continue")).to_be_visible()
        done = page.locator(".sg-card").count()
        assert 0 < done < 300
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(f".sg-card:nth-child({done + 1})")).to_be_attached()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Continue")).to_be_visible()

    def test_drafting_goes_on_while_the_page_is_loaded_anew_and_two_browsers_follow_it(
        self, context: BrowserContext, served: SimpleNamespace
    ) -> None:
        page = open_page(context, served.url)
        tab(page, "Replies")
        page.locator("#pasted textarea").fill("\n".join(f"How long does coffee number {n} rest?" for n in range(60)))
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator(".sg-card").first).to_be_visible()
        page.reload()
        page.wait_for_load_state()
        second = open_page(context, served.url)  # of the same browser: it has the same batch open
        for one in (page, second):
            tab(one, "Replies")
            expect(one.locator("#progress")).to_contain_text("60 of 60 done", timeout=240_000)
            expect(one.locator("#stop")).to_be_hidden()
            expect(one.locator("#resume")).to_be_hidden()
            expect(one.locator(".sg-card")).to_have_count(60)
        rows = [card.get_attribute("data-row") for card in second.locator(".sg-card").all()]
        assert sorted(map(int, filter(None, rows))) == list(range(60))

    def test_another_batch_can_be_opened_while_one_is_drafted(self, page: Page) -> None:
        _draft(page, "The first batch, thank you!", 1)
        page.locator("#pasted textarea").fill("\n".join(f"How long does coffee number {n} rest?" for n in range(40)))
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator("#progress")).to_contain_text("of 40 done")
        page.locator("#earlier input").click()
        page.get_by_role("option").nth(1).click()
        expect(page.locator(".sg-card blockquote")).to_have_text(["The first batch, thank you!"])
        expect(page.locator("#stop")).to_be_hidden()
        page.locator("#earlier input").click()
        page.get_by_role("option").nth(0).click()
        expect(page.locator("#progress")).to_contain_text("40 of 40 done", timeout=240_000)
        expect(page.locator(".sg-card")).to_have_count(40)

    def test_drafts_of_the_command_line_open_by_themselves_once(
        self, context: BrowserContext, served: SimpleNamespace, tmp_path: Path
    ) -> None:
        text = 'who,Comment\nann,"<b onclick=x>Lovely</b>, thanks!"\n"=1+1",Great video thanks a lot\n'
        (tmp_path / "from the shell.csv").write_text(f"\ufeff{text}".replace(",", ";"), encoding="utf-8")
        log = DraftLog(Database(WorkFolder(served.home).database))
        reply_to_csv(
            tmp_path / "from the shell.csv", tmp_path / "out.csv",
            lambda comments, _: [(0, Draft(f"re {comments[0]}", "drafted", "thanks"))], WrittenBy("extractive"),
            record=OutputRecord(log, "shawgpt", "default"),
        )  # fmt: skip
        page = open_page(context, served.url)
        tab(page, "Replies")
        expect(page.locator("#progress")).to_contain_text("from the shell.csv 2 of 2 done")
        expect(page.locator(".sg-card blockquote").first).to_have_text("<b onclick=x>Lovely</b>; thanks!")
        page.get_by_label("Reply to comment 2", exact=True).fill("my own")
        expect(page.locator(".sg-card[data-row='1'] .sg-saved")).to_have_text("Saved")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
        assert [(row["who"], row["reply"]) for row in rows][1] == ("'=1+1", "my own")
        _draft(page, "Something of my own, thank you!", 1)
        page.reload()
        tab(page, "Replies")
        expect(page.locator(".sg-card blockquote")).to_have_text("Something of my own, thank you!")

    def test_an_encrypted_pdf_waits_for_its_password_which_is_kept_nowhere(
        self, page: Page, served: SimpleNamespace, tmp_path: Path
    ) -> None:
        writer = PdfWriter(clone_from=PdfReader(served.pdf))
        writer.encrypt("open-sesame", algorithm="AES-256")
        writer.write(tmp_path / "secret.pdf")
        tab(page, "Documents")
        expect(page.locator("#password")).to_be_hidden()
        page.locator("#files input[type=file]").set_input_files(
            [
                {"name": "plain.md", "mimeType": "text/markdown", "buffer": b"# Plain\n\nA plain note about filters."},
                {"name": "secret.pdf", "mimeType": "", "buffer": (tmp_path / "secret.pdf").read_bytes()},
            ]
        )
        expect(page.locator("#files")).to_contain_text("secret")
        page.get_by_role("button", name="Add documents").click()
        locked = page.locator(".sg-outcomes li", has_text="secret.pdf")
        expect(locked).to_contain_text("type its password")
        expect(page.locator("#files")).to_contain_text("secret")
        expect(page.locator("#files")).not_to_contain_text("plain")
        page.locator("#files input[type=file]").set_input_files(
            {"name": "other.md", "mimeType": "text/markdown", "buffer": b"# Other\n\nAnother note about filters."}
        )
        expect(page.locator("#files")).to_contain_text("other")
        expect(page.locator("#outcome")).to_be_empty()
        page.get_by_role("button", name="Add documents").click()
        expect(page.locator(".sg-outcomes li")).to_have_text(re.compile("other.md"))
        expect(page.locator("#files")).to_contain_text("secret")
        for password, said in (("wrong", "doesn't open it"), ("open-sesame", "3 pages")):
            page.locator("#password input").fill(password)
            assert page.locator("#password input").get_attribute("type") == "password"
            page.get_by_role("button", name="Add documents").click()
            expect(locked).to_contain_text(said)
        expect(page.locator("#password")).to_be_hidden()
        for name in ("secret.pdf", "plain.md", "other.md"):
            document = page.locator(".sg-document", has_text=name)
            document.get_by_role("button", name="Forget").click()
            document.get_by_role("button", name="Yes, forget").click()
            expect(document).to_have_count(0)
        kept = (path for path in served.home.rglob("*") if path.is_file())
        assert not any(b"open-sesame" in path.read_bytes() for path in kept)

    def test_table_rows_of_a_passage_are_shown_as_a_table(self, page: Page) -> None:
        ask(page, "At how many degrees does water boil in the tin kettle?")
        page.locator(".sg-chip").first.click()
        panel = page.locator(".sg-panel:popover-open")
        expect(panel.locator("td", has_text="ninety-one degrees")).to_be_visible()
        assert "|" not in panel.locator(".sg-passage").inner_text()
        assert page.evaluate("window.hacked") is None

    def test_a_document_is_uploaded_listed_and_forgotten(self, page: Page, served: SimpleNamespace) -> None:
        tab(page, "Documents")
        listed = page.locator(".sg-document", has_text="Paper filters")
        text = b"# Paper filters\n\nA paper filter is rinsed with hot water before the coffee goes in."
        page.locator("#files input[type=file]").set_input_files(
            [
                {"name": "filters.md", "mimeType": "text/markdown", "buffer": text},
                {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"no pdf"},
            ]
        )
        expect(page.locator("#files")).to_contain_text("filters")
        page.get_by_role("button", name="Add documents").click()
        expect(page.locator(".sg-outcomes li", has_text="filters.md")).to_contain_text("added")
        expect(page.locator(".sg-outcomes li", has_text="broken.pdf")).to_contain_text("rejected")
        expect(listed).to_contain_text("1 chunk")
        page.locator("#files input[type=file]").set_input_files(
            {"name": "filters.md", "mimeType": "text/markdown", "buffer": text + b" Twice."}
        )
        expect(page.locator("#files")).to_contain_text("filters")
        page.get_by_role("button", name="Add documents").click()
        expect(page.locator(".sg-outcomes li", has_text="filters.md")).to_contain_text(
            "replaced the file of that name that was there"
        )
        uploads = served.home / "uploads" / "default"
        assert [file.name for file in uploads.iterdir()] == ["filters.md"]
        listed.get_by_role("button", name="Forget").click()
        listed.get_by_role("button", name="Keep").click()
        expect(listed).to_be_visible()
        listed.get_by_role("button", name="Forget").click()
        listed.get_by_role("button", name="Yes, forget").click()
        expect(listed).to_have_count(0)
        assert list(uploads.iterdir()) == []

    def test_hostile_text_runs_and_fetches_nothing(self, context: BrowserContext, served: SimpleNamespace) -> None:
        page = open_page(context, served.url)  # the context fails the test for any request to the outside
        ask(page, HOSTILE[1])
        expect(page.locator(".sg-meta")).to_have_count(1)
        ask(page, "At how many degrees does water boil in the copper kettle?")
        expect(page.locator(".sg-answer").nth(1)).to_contain_text("ninety-six degrees")
        page.locator(".sg-mark").first.click()
        expect(page.locator(".sg-panel:popover-open")).to_be_visible()
        page.keyboard.press("Escape")
        _draft(page, "\n\n".join(HOSTILE), len(HOSTILE))
        for text in HOSTILE[:5]:
            expect(page.locator(".sg-card blockquote", has_text=text)).to_have_count(1)
        expect(page.locator(".sg-card blockquote", has_text="⟨U+202E⟩")).to_have_count(1)
        page.get_by_label("Reply to comment 1", exact=True).fill(HOSTILE[4])
        expect(page.locator(".sg-card[data-row='0'] .sg-saved")).to_have_text("Saved")
        page.reload()
        tab(page, "Replies")
        expect(page.get_by_label("Reply to comment 1", exact=True)).to_have_value(HOSTILE[4])
        tab(page, "Documents")
        page.locator("#files input[type=file]").set_input_files(
            {"name": f"<img src=x onerror={BAD}>.md", "mimeType": "text/markdown", "buffer": POST.encode()}
        )
        expect(page.locator("#files")).to_contain_text(".md")
        page.get_by_role("button", name="Add documents").click()
        expect(page.locator(".sg-outcomes li")).to_have_count(1)
        assert page.evaluate("window.hacked") is None
        assert page.locator(".gradio-container img").count() == 0

    def test_nothing_scrolls_sideways_on_a_phone(self, context: BrowserContext, served: SimpleNamespace) -> None:
        page = open_page(context, served.url)
        page.set_viewport_size({"width": 390, "height": 844})
        width = (
            "[document.documentElement.scrollWidth, ...document.querySelectorAll('.sg-card, .sg-document, .sg-answer')]"
        )
        fits = f"{width}.every((one) => (one.getBoundingClientRect?.().right ?? one) <= 390)"
        ask(page, "w" * 300 + " How long does roasted coffee rest before espresso?")
        expect(page.locator(".sg-meta")).to_have_count(1)
        assert page.evaluate(fits)
        _draft(page, "x" * 400 + "\nHow long does roasted coffee rest before espresso?", 2)
        assert page.evaluate(fits)
        tab(page, "Documents")
        expect(page.locator(".sg-document").first).to_be_visible()
        assert page.evaluate(fits)

    def test_a_new_browser_sees_no_others_conversation_and_opens_the_newest_drafts_as_they_are_made(
        self, browser: Browser, page: Page, served: SimpleNamespace
    ) -> None:
        ask(page, "How long does roasted coffee rest before espresso?")
        expect(page.locator(".sg-meta")).to_have_count(1)
        tab(page, "Replies")
        page.locator("#pasted textarea").fill("\n".join(f"How long does coffee number {n} rest?" for n in range(400)))
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator(".sg-card").first).to_be_visible()
        other = browser.new_context()
        fresh = open_page(other, served.url)
        expect(fresh.locator(".sg-turn")).to_have_count(0)
        tab(fresh, "Replies")
        expect(fresh.locator(".sg-card").first).to_be_visible()
        expect(fresh.locator("#progress")).to_contain_text("of 400 done")
        assert fresh.locator("#earlier input").input_value()
        fresh.get_by_role("button", name="Stop").click()
        expect(fresh.get_by_role("button", name="Continue")).to_be_visible()
        expect(page.get_by_role("button", name="Continue")).to_be_visible()
        other.close()

    def test_documents_are_listed_as_they_are_when_the_page_is_loaded(
        self, browser: Browser, page: Page, served: SimpleNamespace
    ) -> None:
        tab(page, "Documents")
        page.locator("#files input[type=file]").set_input_files(
            {"name": "late.md", "mimeType": "text/markdown", "buffer": b"# A late note\n\nIt came after the start."}
        )
        expect(page.locator("#files")).to_contain_text("late")
        page.get_by_role("button", name="Add documents").click()
        late = page.locator(".sg-document", has_text="A late note")
        expect(late).to_be_visible()
        expect(late.locator(".sg-path")).to_have_text("default/late.md")
        page.reload()
        tab(page, "Documents")
        expect(late).to_be_visible()
        other = browser.new_context()
        fresh = open_page(other, served.url)
        tab(fresh, "Documents")
        expect(fresh.locator(".sg-document", has_text="A late note")).to_be_visible()
        other.close()
        late.get_by_role("button", name="Forget").click()
        late.get_by_role("button", name="Yes, forget").click()
        expect(late).to_have_count(0)
        expect(page.locator(".sg-count")).to_be_focused()
        page.reload()
        tab(page, "Documents")
        expect(page.locator(".sg-document").first).to_be_visible()
        expect(late).to_have_count(0)

    def test_pasted_comments_and_a_file_are_refused_together_and_both_kept(self, page: Page, tmp_path: Path) -> None:
        file = tmp_path / "two.csv"
        file.write_text("first,second\na,b\nc,d\n", encoding="utf-8")
        tab(page, "Replies")
        page.locator("#pasted textarea").fill("A pasted one, thank you!")
        page.locator("#comments input[type=file]").set_input_files(file)
        expect(page.locator("#column")).to_be_visible()  # also where the column can't be told
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator("#refused")).to_contain_text("pasted comments and a file")
        expect(page.locator("#pasted textarea")).to_have_value("A pasted one, thank you!")
        expect(page.locator("#comments")).to_contain_text("two")
        page.locator("#pasted textarea").fill("")
        expect(page.locator("#refused")).to_be_hidden()
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator("#refused")).to_contain_text("name one with “Column with the comments”")
        page.locator("#column input").click()
        page.get_by_role("option", name="second").click()
        expect(page.locator("#refused")).to_be_hidden()
        page.get_by_role("button", name="Draft replies").click()
        expect(page.locator("#progress")).to_contain_text("two.csv 2 of 2 done")

    def test_clearing_ends_the_answer_that_is_being_written(self, browser: Browser, modelled: SimpleNamespace) -> None:
        page = open_page(browser.new_context(), modelled.url)
        expect(page.locator("#talk")).to_contain_text("in its own words, and each of its sentences is compared")
        ask(page, "At how many degrees does water boil in the copper kettle?")
        expect(page.locator(".sg-pending .sg-said")).to_contain_text("It boils.")
        (modelled.signs / "ended").unlink(missing_ok=True)  # of the warming up
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#talk .sg-empty")).to_be_visible()
        _wait_for_the_end(page, modelled.signs)
        (modelled.signs / "go").touch()
        ask(page, "At how many degrees does water boil in the copper kettle?")
        expect(page.locator(".sg-meta")).to_contain_text("1 of 1 sentence found in the documents")
        expect(page.locator(".sg-turn")).to_have_count(1)
        page.context.close()

    def test_an_empty_question_is_passed_over_without_an_error(self, page: Page) -> None:
        ask(page, "   ")
        ask(page, "How long does roasted coffee rest before espresso?")
        expect(page.locator(".sg-answer")).to_contain_text("rests for seven days")
        expect(page.locator(".sg-turn")).to_have_count(1)
        expect(page.locator(".error")).to_have_count(0)

    def test_an_answer_can_be_stopped_and_what_is_typed_meanwhile_waits_in_the_box(
        self, browser: Browser, modelled: SimpleNamespace
    ) -> None:
        page = open_page(browser.new_context(), modelled.url)
        box = page.locator("#question")
        expect(box.locator(".submit-button")).to_have_text("Ask")
        ask(page, "At how many degrees does water boil in the copper kettle?")
        expect(page.locator(".sg-pending .sg-said")).to_contain_text("It boils.")
        expect(box.locator(".submit-button")).to_have_count(0)
        ask(page, "And in the blue kettle?")
        expect(box.locator("textarea")).to_have_value("And in the blue kettle?")
        (modelled.signs / "ended").unlink(missing_ok=True)  # of the warming up
        box.get_by_role("button", name="Stop").click()
        expect(page.locator(".sg-turn .sg-abstained")).to_have_text("Stopped before it was answered.")
        _wait_for_the_end(page, modelled.signs)
        (modelled.signs / "go").touch()
        expect(box.locator("textarea")).to_have_value("And in the blue kettle?")
        box.locator(".submit-button").click()
        expect(page.locator(".sg-turn")).to_have_count(2)
        expect(page.locator(".sg-turn .sg-meta")).to_contain_text("Responder: local")
        expect(box.locator(".submit-button")).to_have_text("Ask")
        page.context.close()

    def test_replies_appear_in_the_order_in_which_they_are_finished_and_stopping_keeps_them(
        self, browser: Browser, modelled: SimpleNamespace
    ) -> None:
        page = open_page(browser.new_context(), modelled.url)
        tab(page, "Replies")
        expect(page.locator("#writer")).to_have_text("Writes with: local")
        page.locator("#pasted textarea").fill("\n".join(f"Great video go{n}, thank you!" for n in range(1, 7)))
        page.get_by_role("button", name="Draft replies").click()
        progress = page.locator("#progress")
        expect(progress).to_have_text("0 of 6 done, 4 being written")
        (modelled.signs / "go3").touch()
        expect(page.locator(".sg-card")).to_have_attribute("data-row", "2")
        expect(progress).to_have_text("1 of 6 done, 3 being written")
        page.get_by_role("button", name="Stop").click()
        expect(progress).to_have_text("1 of 6 done, stopping with the next reply that is finished…")
        (modelled.signs / "go2").touch()
        expect(progress).to_have_text("Pasted comments 2 of 6 done; stopped, the rest waits")
        for n in (6, 5, 4, 1):
            (modelled.signs / f"go{n}").touch()
        page.get_by_role("button", name="Continue").click()
        expect(progress).to_have_text("Pasted comments 6 of 6 done")
        rows = [card.get_attribute("data-row") for card in page.locator(".sg-card").all()]
        assert sorted(map(int, filter(None, rows))) == list(range(6))
        page.context.close()

    def test_what_is_typed_while_the_server_is_away_is_saved_when_it_is_back(
        self, browser: Browser, modelled: SimpleNamespace
    ) -> None:
        for n in (1, 2):
            (modelled.signs / f"go{n}").touch()
        page = open_page(browser.new_context(), modelled.url)
        _draft(page, "Great video go1, thank you!\nGreat video go2, thank you!", 2)
        modelled.process.kill()
        modelled.process.wait()
        for n in (1, 2):
            page.get_by_label(f"Reply to comment {n}", exact=True).fill(f"my own {n}")
            expect(page.locator(f".sg-card[data-row='{n - 1}'] .sg-saved")).to_contain_text("Trying again")
        port = int(modelled.url.rstrip("/").rpartition(":")[2])
        if not _is_free(port):
            pytest.skip("another program has taken the port")
        page.goto("about:blank")  # as where Gradio, at the next click, loads the page anew
        modelled.process, _ = modelled.start(port)
        page.goto(modelled.url)
        tab(page, "Replies")
        for n in (1, 2):
            expect(page.get_by_label(f"Reply to comment {n}", exact=True)).to_have_value(f"my own {n}")
            expect(page.locator(f".sg-card[data-row='{n - 1}'] .sg-saved")).to_have_text(re.compile("Saved|Edited"))
        log = DraftLog(Database(WorkFolder(modelled.home).database))
        page.wait_for_function(
            "Object.keys(sessionStorage).filter((k) => k.startsWith('shawgpt-unsaved')).length === 0"
        )
        assert [row.edited for row in log.rows(log.latest()[0].id)] == ["my own 1", "my own 2"]
        page.context.close()

    def test_marks_stacked_on_a_letter_and_a_long_flag_stay_in_their_place(self, page: Page) -> None:
        _draft(page, "Thanks " + "Z" + "\u0301" * 2000 + "\u202e" * 4000 + " a lot for this video!", 1)
        flag = page.locator(".sg-flags li").first
        assert flag.evaluate("(flag) => flag.offsetHeight") < 200
        assert flag.evaluate("(flag) => getComputedStyle(flag).overflowY") == "auto"

    def test_files_of_the_machine_are_not_served(self, served: SimpleNamespace) -> None:
        database = served.home / "shawgpt.sqlite3"
        for path in (database, "/etc/passwd", "../../../etc/passwd", Path(__file__), "pyproject.toml"):
            for route in ("gradio_api/file=", "file=", "static/", "gradio_api/static/"):
                answer = httpx.get(f"{served.url}{route}{path}")
                assert answer.status_code in (403, 404), (route, path)


def test_a_page_of_another_site_that_was_pointed_here_is_refused(served: SimpleNamespace) -> None:
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""):
        for path in ("", "config", "gradio_api/info", "static/img/logo.svg"):
            assert httpx.get(f"{served.url}{path}", headers={"Host": host}).status_code in (400, 421), (host, path)
    for host in ("localhost", "localhost:7860", "127.0.0.1", "[::1]:7860"):
        assert httpx.get(f"{served.url}config", headers={"Host": host}).status_code == 200


def test_with_a_login_nothing_is_shown_without_it_and_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    process, url = start(tmp_path / "home", "--auth", "nell:secret")
    config = httpx.get(f"{url}config")
    process.send_signal(signal.SIGINT)
    said, trouble = process.communicate(timeout=20)
    assert config.status_code == 401
    assert "stopped" in said
    assert "Traceback" not in trouble
    assert process.returncode == 0
    assert not (tmp_path / "home" / "lock.json").exists()


def test_another_address_than_loopback_needs_a_login(assistant: Assistant) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::"):
        with pytest.raises(BadInput, match="--auth USER:PASSWORD"):
            serve(assistant, host, 0, None)
    with pytest.raises(BadInput, match="USER:PASSWORD"):
        serve(assistant, "127.0.0.1", 0, "no colon")


def test_a_port_in_use_is_refused_by_name(assistant: Assistant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="--port"):
        serve(assistant, "127.0.0.1", taken.getsockname()[1], None)


def test_a_model_that_is_not_there_is_told_before_the_page_is_served(tmp_path: Path) -> None:
    missing = str(tmp_path / "no-model")
    for options in (("--model", missing), ("--model", f"{missing}.gguf"), ("--model", "owner/no-model")):
        command = [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(tmp_path / "home"), "serve"]
        done = subprocess.run(
            [*command, "--port", "0", *options],
            capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        assert done.returncode == 2
        assert "http://" not in done.stdout
        assert options[1] in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_what_the_start_runs_into_is_shown(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BadInput("the model <b>is</b> damaged")

    monkeypatch.setattr("bot.responders.make_responder", refused)
    desk = Desk(assistant, assistant.persona_slug)
    desk.warm_up()
    desk.close()
    assert "When the server started: the model &lt;b&gt;is&lt;/b&gt; damaged" in _now(desk)[-1]


def test_why_a_persona_can_not_write_is_known_before_it_is_tried(assistant: Assistant) -> None:
    home = assistant.folder.path
    (home / "personas").mkdir()
    for name, said in (("ghost", f"model: {home}/not-there"), ("gone", "adapter: gone")):
        (home / "personas" / f"{name}.yaml").write_text(
            f"name: {name}\ninstructions: Be brief.\nresponder: local\n{said}\n"
        )
    desk = Desk(assistant, "shawgpt")
    assert str(desk.writer("shawgpt")) == "extractive"
    assert "Writes with: extractive" in _writer(desk, "shawgpt")[0]
    for name, trouble in (("ghost", "not-there"), ("gone", "no adapter")):
        with pytest.raises(NotFound, match=trouble):
            desk.writer(name)
        assert trouble in _writer(desk, name)[1]


def test_closing_an_answer_closes_what_the_model_is_writing(assistant: Assistant, monkeypatch) -> None:
    ended = []

    def stream(self: Assistant, question: str, earlier: object) -> Iterator[str]:
        try:
            while True:
                yield "on and on "
        finally:
            ended.append(question)

    monkeypatch.setattr(Assistant, "follow", stream)
    growing = answer(Desk(assistant, "shawgpt"), assistant.kb, "Why?")
    assert [next(growing).unchecked, next(growing).unchecked[:2]] == ["", "on"]
    growing.close()
    assert ended == ["Why?"]


def test_errors_name_no_option_of_the_command_line_on_the_page() -> None:
    said = reason_html("n1 was trained with another: use --persona nell unchanged, or train it again")
    assert said == "n1 was trained with another: use the persona nell unchanged, or train it again"
    said = reason_html("No model: give the model's folder with --model (to train: --base), or a hub name.")
    assert said == "No model: give the model&#x27;s folder, or a hub name."


def test_comments_are_pasted_a_line_or_a_block_each() -> None:
    assert split_comments("one\ntwo \nthree") == ["one", "two", "three"]
    assert split_comments("one\nstill one\n\n\ntwo\n") == ["one\nstill one", "two"]
    assert split_comments("  \n ") == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.pdf", "a.pdf"),
        (".hidden.md", "hidden.md"),
        ("<img src=x>.md", "_img src=x_.md"),
        ("con.txt", "_con.txt"),
        ("..", "document"),
        ("a\u202efdp.exe\x00.md", "afdp.exe.md"),
        ("naïve café.md", "naïve café.md"),
    ],
)
def test_a_file_name_is_data_and_never_a_path(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_file_name_keeps_its_suffix() -> None:
    name = safe_name("é" * 300 + ".pdf")
    assert name.endswith(".pdf")
    assert len(name.encode()) <= 120


def test_an_upload_that_is_not_taken_leaves_the_earlier_version(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    for folder, text in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "post.md").write_text(text)
    [(copy, earlier)] = uploads.keep("kb", [tmp_path / "a" / "post.md"]).items()
    uploads.settle(copy, earlier, taken=True)
    [(copy, earlier)] = uploads.keep("kb", [tmp_path / "b" / "post.md"]).items()
    uploads.settle(copy, earlier, taken=False)
    assert copy.read_text() == "first"
    both = list(uploads.keep("kb", [tmp_path / "a" / "post.md", tmp_path / "b" / "post.md"]))
    assert [path.name for path in both] == ["post.md", "post (2).md"]


def test_forgetting_deletes_only_the_copy_of_that_upload(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    own = tmp_path / "own.md"
    own.write_text("mine")
    [copy] = uploads.keep("kb", [own])
    uploads.forget("kb", str(own))
    uploads.forget("kb", f"{copy.parent}/../../own.md")
    assert own.exists()
    uploads.forget("kb", str(copy))
    assert not copy.exists()


def test_a_draft_is_kept_once_and_an_edit_beside_it(assistant: Assistant) -> None:
    log = DraftLog(assistant.database)
    batch = log.begin("pasted", "shawgpt", "default", ("comment",), [("hello \ud800",), ("again",)], 0)
    log.save(batch, 0, Draft("first", "drafted", "thanks"), WrittenBy("extractive"))
    log.save(batch, 0, Draft("second", "drafted", "thanks"), WrittenBy("extractive"))
    log.edit(batch, 0, "mine")
    rows = log.rows(batch)
    assert [row.comment for row in rows] == ["hello ?", "again"]
    assert rows[0].draft == Draft("first", "drafted", "thanks")
    assert rows[0].reply == "mine"
    info = log.info(batch)
    assert info is not None
    assert (info.rows, info.waiting) == (2, 1)


def test_text_becomes_escaped_html_with_its_hidden_characters_spelt_out() -> None:
    assert text_html('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"
    assert "⟨U+202E⟩" in text_html("a\u202eb")
    assert text_html("\ud800") == "?"


def test_examples_are_questions_that_can_be_understood_away_from_their_place():
    assert _can_be_asked("How long should coffee rest after roasting?")
    for heading in ("Can I buy it?", "What if it runs early or late?", "What is in these bags?", "Why?", "Resting"):
        assert not _can_be_asked(heading)


def test_what_became_of_a_web_address_is_told_by_the_whole_address():
    told = _table([Entry("http://a.example/x?<b>", "rejected", reason="refused"), Entry("/home/u/y.pdf", "added")])
    assert ">http://a.example/x?&lt;b&gt;</span>" in told
    assert ">y.pdf</span>" in told


@pytest.mark.parametrize("reason", ["encrypted: give --password", "encrypted, and it doesn't open: check --password"])
def test_page_names_no_option_that_it_lacks_for_an_encrypted_file(reason):
    told = _told(Entry("/x/secret.pdf", "rejected", reason=reason))
    assert "type its password in the form" in told
    assert "--password" not in told


def test_cells_of_a_passages_table_are_escaped_and_marked():
    html = passage_html("Before\n\n| a | <b> |\n|---|---|\n| c | d |\n\nafter | all", ["| c | d |", "fore"])
    rows = "<tr><td>a</td><td>&lt;b&gt;</td></tr><tr><td><mark>c</mark></td><td><mark>d</mark></td></tr>"
    table = f'<div class="sg-table"><table><tbody>{rows}</tbody></table></div>'
    assert html.replace("<mark> ", "<mark>").replace(" </mark>", "</mark>") == (
        f"Be<mark>fore</mark>{table}after | all"
    )


@pytest.mark.parametrize(
    "text", ["one | bar in prose", "cat a | grep b\nls | sort | uniq\n", "|", "||\n||", "", "no bar\rat all\n\n"]
)
def test_bars_that_make_no_table_are_left_as_they_are(text):
    assert passage_html(text, [text]).replace("<mark>", "").replace("</mark>", "") == text


def test_quotes_that_overlap_are_marked_as_one():
    assert passage_html("one two three four", ["one two", "two three"]) == "<mark>one two three</mark> four"


def test_a_long_work_folder_is_named_by_its_end():
    assert _short(Path("/a/folder/with/a/very/long/name/indeed/of/nell/.shawgpt")) == "…/nell/.shawgpt"
    assert _short(Path("/srv/nell/.shawgpt")) == "/srv/nell/.shawgpt"


def test_a_file_too_long_for_the_page_is_refused_with_another_way(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("Comment\n" + "Nice one\n" * 5000)
    with pytest.raises(BadInput, match=r"5,000 comments are too many for the page.*shawgpt reply"):
        comments_from(str(path), "", None)


def test_an_earlier_output_can_be_uploaded_again(tmp_path: Path) -> None:
    path = tmp_path / "replies.csv"
    path.write_text("Comment,reply,status,intent,flags,sources,responder,adapter\nNice one,r,s,i,f,o,p,a\n")
    _, table, index = comments_from(str(path), "", None)
    assert (table.columns, table.rows, index) == (("Comment",), [("Nice one",)], 0)


def test_a_header_without_rows_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("first,second\n")
    with pytest.raises(BadInput, match=r"^empty\.csv has a header and no rows$"):
        comments_from(str(path), "", None)


def test_columns_are_offered_where_there_is_a_header(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("first,second\na,b\n")
    assert columns_of(str(path)) == ("first", "second")
    path.write_text("How long does it rest?,ann\nThanks!,bob\n")
    assert columns_of(str(path)) == ()


def test_pages_are_named_where_they_begin_in_a_passage() -> None:
    html = passage_html("one\ntwo three\nfour", ["three\nfour"], [(0, "p. 5"), (8, "p. 15")])
    assert html == (
        '<span class="sg-page">p. 5</span>one\ntwo <span class="sg-page">p. 15</span><mark>three\nfour</mark>'
    )
    assert passage_html("one", [], [(0, "p. 5")]) == "one"


def test_a_source_is_named_by_the_pages_of_its_quotes_and_each_heading_once() -> None:
    text = "## Resting\nRest it.\nFor long."
    passage = Passage(1, 1.0, "/home/u/posts/a.pdf", "A", 5, 15, "Coffee > Resting", "c", text, ((0, 5), (20, 15)))
    citations = Citations("a0", [passage])
    for page, quote in ((5, "Rest it."), (15, "For long.")):
        citations.cite(Support(passage.source, page, quote))
    panels = citations.panels()
    assert "pp. 5, 15</span>" in panels
    assert '<p class="sg-place">Coffee</p>' in panels
    assert "posts/a.pdf" in panels
    assert "/home" not in panels


def test_asterisks_of_markdown_are_left_out() -> None:
    assert passage_html("**Bold** is 2**3 or f(**x)", ["is"]) == "Bold <mark>is</mark> 2**3 or f(**x)"


def test_an_abstention_names_no_command_on_the_page() -> None:
    html = conversation([Turn("Why?", Answer("Why?", "abstained", reason=NO_DOCUMENTS))])
    assert "there are no documents yet: add some under Documents." in html
    assert "`" not in html


def test_what_a_model_is_writing_is_text_and_says_that_it_is_unchecked() -> None:
    html = conversation([Turn("Why?", unchecked="Because <img src=x onerror=alert(1)> it")])
    assert "&lt;img" in html
    assert "<img" not in html
    assert "not compared with the documents yet" in html


def test_a_sentence_without_a_source_says_so() -> None:
    founded = Sentence("It rests.", (Support("/a.md", None, "It rests"),))
    passage = Passage(1, 0.9, "/a.md", "A", None, None, "", "c1", "It rests.")
    given = Answer(
        "Why?", "answered", (founded, Sentence("It sings.", ())), (passage,), written_by=WrittenBy("local", "n1")
    )
    html = conversation([Turn("Why?", given, shown=2)])
    assert html.count("sg-no-source") == 1
    assert html.index("sings.") < html.index("sg-no-source")
    assert "Responder: local (n1)" in html
    assert "1 of 2 sentences found in the documents" in html
    assert "Likely" not in html

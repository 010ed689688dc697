"""Conversations and ratings as Markdown, JSON and CSV: what was said stays data in each."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from test_cli import command_in, one_line

from bot.assistant import Assistant
from bot.drafts import Answer, Sentence, Support
from bot.exporting import COLUMNS, export, feedback_json, markdown, write_feedback
from bot.memory import answer_json
from data.conversations import Conversations, Exchange, Session
from data.errors import BadInput
from data.hidden import show_hidden
from data.models import Passage

SESSION = Session("s1", "rag-expert", "default", "2026-01-02T10:00:00+00:00", 1, "How long?")
QUOTE = "It rests for nine hours."
SOURCE = "/home/someone/secret place/guide.pdf"
HOSTILE = (
    "![x](http://outside.example/a.png) <script>alert(1)</script> [y](javascript:alert(1)) # no `code` $x$ a|b",
    "=HYPERLINK(\"http://outside.example\")",
    "+1\u202e1\n\n# heading\n- item",
    "<img src=x onerror=alert(1)>",
)  # fmt: skip


def exchange(question: str = "How long?", rating: int | None = None, note: str = "", **changes: object) -> Exchange:
    passage = Passage(1, 1.0, SOURCE, "Guide", 3, 3, "", "c1", QUOTE, ((0, 3),))
    answer = Answer(question, "answered", (Sentence(QUOTE, (Support(SOURCE, 3, QUOTE, "p. 3"),)),), (passage,))
    made = answer_json(replace(answer, **changes))  # type: ignore[arg-type]
    return Exchange("s1", 0, question, question, made, "2026-01-02T10:00:05+00:00", rating, note)


def test_markdown_has_questions_answers_numbered_sources_with_pages_and_ratings() -> None:
    text = markdown(SESSION, [exchange(rating=-1, note="too short"), replace(exchange("And then?"), position=1)])
    assert text.startswith("# How long?\n\nPersona rag-expert, knowledge base default, 2026-01-02 10:00 UTC.\n")
    assert "## 1. How long?\n\nIt rests for nine hours. [1]\n\n1. Guide (guide.pdf), p. 3\n   > It rests for" in text
    assert "Rated bad: too short" in text
    assert "## 2. And then?" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_was_said_is_markup_in_markdown(hostile: str) -> None:
    sentence = Sentence(hostile, (Support(SOURCE, 3, hostile, "p. 3"),))
    given = exchange(hostile, 1, hostile, sentences=(sentence,), said=hostile, kind="answer")
    text = markdown(replace(SESSION, opening=hostile), [given])
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text)
    inner = [child.type for token in tokens for child in token.children or ()]
    assert not {"link_open", "image", "html_inline", "code_inline", "strong_open", "em_open"} & set(inner)
    kinds = [token.type for token in tokens]
    assert not {"html_block", "fence", "code_block", "bullet_list_open", "hr", "table_open"} & set(kinds)
    assert kinds.count("heading_open") == 2
    assert "\u202e" not in text
    shown = "".join(child.content for token in tokens for child in token.children or ())
    assert show_hidden(" ".join(hostile.split())) in shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_spreadsheet_runs_what_was_said_and_it_comes_back_exactly(hostile: str) -> None:
    text = export(SESSION, [exchange(hostile, 1, hostile)], "csv")
    assert text.startswith("\ufeff")
    header, row = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert tuple(header) == COLUMNS
    told = dict(zip(header, row, strict=True))
    for cell in (told["question"], told["note"]):
        assert cell.removeprefix("'") == hostile
        assert not cell.startswith(("=", "+", "-", "@"))
    assert told["sources"] == "Guide (guide.pdf), p. 3"


def test_json_has_each_quote_with_its_page_and_no_path_of_the_server() -> None:
    text = export(SESSION, [exchange(rating=1)], "json")
    [told] = json.loads(text)["exchanges"]
    assert told["sources"] == [{"source": "guide.pdf", "page": 3, "place": "p. 3", "quote": QUOTE}]
    assert told["rating"] == "good"
    for form in ("md", "json", "csv"):
        assert "secret place" not in export(SESSION, [exchange()], form)


def test_an_abstention_and_an_answer_that_cannot_be_read_are_told_as_what_they_are() -> None:
    none = exchange(status="abstained", sentences=(), reason="no answer found in the documents")
    assert "Not answered: no answer found in the documents." in markdown(SESSION, [none])
    broken = replace(exchange(), answer="{")
    assert "can't be read any more" in markdown(SESSION, [broken])
    assert [told["status"] for told in feedback_json([(SESSION, none), (SESSION, broken)])] == [
        "abstained",
        "unreadable",
    ]


def test_feedback_that_cannot_be_written_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(BadInput, match="choose another name with -o"):
        write_feedback([(SESSION, exchange(rating=1))], tmp_path / "taken.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.csv"]


def test_rated_answers_are_listed_and_written_for_somebody_to_act_on(tmp_path: Path, assistant: Assistant) -> None:
    kept = Conversations(assistant.database)
    session = kept.begin("rag-expert", "default")
    for question, rating in (("Good one?", 1), ("Bad one?", -1), ("Not rated?", None)):
        position = kept.add(session, question, question, exchange(question).answer)
        if rating:
            kept.rate(session, position, rating, "=note")
    assistant.close()
    shawgpt = command_in(tmp_path)
    assert [told["question"] for told in json.loads(shawgpt("feedback", "--json").stdout)] == ["Bad one?", "Good one?"]
    shown = shawgpt("feedback").stdout
    assert "2 rated answers, 1 of them bad" in shown
    assert "Not rated?" not in shown
    assert "wrote 1 rated answer to f.csv" in shawgpt("feedback", "--bad", "-o", "f.csv").stderr
    assert "'=note" in (tmp_path / "f.csv").read_text(encoding="utf-8-sig")
    assert "ends in .csv" in one_line(shawgpt("feedback", "-o", "f.xlsx", code=2))


def test_before_anything_was_rated_it_says_where_that_is_done(tmp_path: Path) -> None:
    assert "No answer has been rated yet" in command_in(tmp_path)("feedback").stdout

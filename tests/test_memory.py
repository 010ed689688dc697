"""What is remembered of a conversation: kept whole, within a budget of tokens, and put into words for a model."""

import pytest

from bot.assistant import Assistant
from bot.conversation import as_turns
from bot.drafts import Answer, Sentence, Support
from bot.memory import ASKED_BEFORE, Said, answer_json, answer_of, as_said, recall
from data.conversations import Exchange
from data.errors import NotFound, WorkFolderError
from data.models import Passage
from finetune.tokens import v1_tokens

DOUGH = """# Bread

## The first rise

The dough rests for forty minutes at room temperature on the first day.

## The second rise

On the second day the dough rests for ninety minutes in the fridge.
"""


def count(text: str) -> int:
    return len(v1_tokens().encode(text))


def said(number: int, words: int = 20) -> Said:
    return Said(f"What is number {number}?", f"Number {number} is " + "so " * words)


def test_the_newest_turns_stay_whole_older_ones_leave_their_questions_and_the_oldest_nothing():
    talk = [said(number) for number in range(40)]
    recalled = recall(talk, 300, count)
    kept = len(recalled.turns)
    assert 2 <= kept < 10
    assert list(recalled.turns) == talk[-kept:]
    assert recalled.summary.startswith(ASKED_BEFORE)
    assert recalled.summary.endswith(talk[-kept - 1].question)
    assert 0 < recalled.dropped < 40 - kept
    assert talk[recalled.dropped].question in recalled.summary
    assert talk[recalled.dropped - 1].question not in recalled.summary


@pytest.mark.parametrize("tokens", [0, 1, 50, 200, 1000])
def test_what_is_remembered_never_takes_more_tokens_than_it_may(tokens: int):
    talk = [said(number, words=number * 7 % 60) for number in range(60)]
    turns = as_turns(recall(talk, tokens, count))
    assert sum(count(asked) + count(given) for asked, given in turns) <= tokens


def test_a_short_conversation_is_remembered_whole():
    talk = [said(1), said(2)]
    recalled = recall(talk, 1000, count)
    assert (list(recalled.turns), recalled.summary, recalled.dropped) == (talk, "", 0)


def test_an_answer_comes_back_from_the_record_as_it_was(assistant: Assistant):
    passage = Passage(1, 0.5, "/a.pdf", "A", 1, 2, "Bread > Rising", "c", "It rises. Slowly.", ((0, 1), (10, 2)))
    given = Answer(
        "and \ud83d?", "answered", (Sentence("It rises.", (Support("/a.pdf", 1, "It rises."),)),), (passage,),
        query="How does it rise?", told=(("weeks", "12"),),
    )  # fmt: skip
    session = assistant.conversations.begin("shawgpt", "default")
    assistant.conversations.add(session, given.question, given.query, answer_json(given))
    (kept,) = assistant.conversations.exchanges(session)
    again = answer_of(kept)
    assert (again.sentences, again.passages, again.told, again.position) == (given.sentences, (passage,), given.told, 0)
    assert as_said(again) == Said("and ??", "It rises.", "How does it rise?", "answer", given.told, "Rising")


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"question": 1}', '{"question": "a", "status": "great"}'])
def test_an_answer_that_can_not_be_read_says_which_session_to_forget(answer: str):
    with pytest.raises(WorkFolderError, match="shawgpt sessions forget s1"):
        answer_of(Exchange("s1", 0, "Q", "Q", answer, "2026-01-01T00:00:00+00:00"))


def test_a_session_goes_on_where_it_was(assistant: Assistant, write):
    assistant.ingest([write("bread.md", DOUGH)], "default")
    session = assistant.conversations.begin("shawgpt", "default")
    first = list(assistant.converse(session, "How long does the dough rest on the first day?"))[-1]
    assert "forty minutes" in first.text
    assert (first.position, first.query) == (0, "")
    second = list(assistant.converse(session, "and on the second day?"))[-1]
    assert second.question == "and on the second day?"
    assert second.query == "How long does the dough rest on the second day (day 2)?"
    assert "ninety minutes" in second.text
    assert [(e.question, e.query) for e in assistant.conversations.exchanges(session)] == [
        (first.question, first.question),
        (second.question, second.query),
    ]


def test_a_conversation_that_the_caller_keeps_needs_only_its_texts(assistant: Assistant, write):
    assistant.ingest([write("bread.md", DOUGH)], "default")
    earlier = [Said("How long does the dough rest on the first day?", "Forty minutes.")]
    assert "ninety minutes" in list(assistant.follow("and on the second day?", earlier))[-1].text
    assert assistant.conversations.latest() == []


def test_an_unknown_session_is_not_begun_by_going_on_with_it(assistant: Assistant):
    with pytest.raises(NotFound):
        list(assistant.converse("20260101T000000-0", "Hello?"))
    assert assistant.conversations.latest() == []

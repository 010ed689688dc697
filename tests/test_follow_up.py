"""Follow-ups are understood with the question before; what says all itself is left alone."""

import csv
import time
from pathlib import Path

import pytest

from bot.follow_up import LONGEST, standalone

ROWS = list(csv.DictReader((Path(__file__).parent.parent / "benchmarks/follow_ups.csv").open(encoding="utf-8")))
PLAN = "Gran fondo training plan: 6 hours a week"


@pytest.mark.parametrize(
    ("before", "question", "alone"),
    [
        ("What should I do on the first day?", "and on the second day?", "What should I do on the second day (day 2)?"),
        ("What do I do on day 1?", "And day 2?", "What do I do on day 2?"),
        ("What do I do on Tuesday?", "Thursday?", "What do I do on Thursday?"),
        ("How many hours a week for a beginner?", "and for an expert?", "How many hours a week for an expert?"),
        ("What should I eat before a ride?", "and after?", "What should I eat after a ride?"),
        ("How many carbs on a long ride?", "and on a short one?", "How many carbs on a short ride?"),
        (PLAN, "what about 8 hours?", "Gran fondo training plan: 8 hours a week?"),
        (PLAN, "and with 8?", "Gran fondo training plan: 8 hours a week?"),
        (PLAN, "and on day 2?", "Gran fondo training plan: 6 hours a week on day 2?"),
        ("How many rest days do I need?", "why?", "How many rest days do I need? Why?"),
        ("How many rest days do I need?", "Tell me more", "How many rest days do I need? Tell me more?"),
        ("How long does dough rest?", "In the fridge?", "How long does dough rest In the fridge?"),
        ("How do I do an FTP test?", "How often should I repeat it?", "How often should I repeat it? (FTP test)"),
        ("What are over-unders?", "what are they good for?", "What are they good for? (over-unders)"),
        ("How does rain change the pressure?", "Thanks! And snow?", "How does rain change the pressure snow?"),
    ],
)
def test_what_a_follow_up_leaves_out_is_taken_from_the_question_before(before: str, question: str, alone: str):
    assert standalone(question, before) == alone


@pytest.mark.parametrize(
    "question",
    [
        "How do I clean my chain?",
        "What is FTP?",
        "Is it safe to ride in the rain?",
        "How long does it take to get fit?",
        "If my chain is dirty, does it cost watts?",
        "Is there a test without a power meter?",
        "How do I know that my saddle is too low?",
        "Thanks! How often should I test my FTP?",
        "Should I ride this week?",
        "",
        "?" * 10,
        "x" * (LONGEST + 1),
    ],
)
def test_a_question_that_says_all_itself_is_left_alone(question: str):
    left = standalone(question, "What do I do on the second day?")
    assert left == question or not any(letter.isalnum() for letter in question)


def test_an_announced_change_of_topic_is_one():
    assert standalone("By the way, how high is it?", "What is FTP?") == "how high is it?"
    assert standalone("Different question: why rest?", "What is FTP?") == "why rest?"


def test_with_nothing_before_it_a_question_is_itself():
    assert standalone("and on the second day?", "") == "and on the second day?"


def test_no_change_of_topic_of_the_measured_ones_drags_the_old_topic_along():
    changes = [row for row in ROWS if row["kind"] == "change"]
    assert len(changes) >= 20
    for row in changes:
        made = standalone(row["question"], row["before"])
        assert len(made) <= len(row["question"])
        assert made.strip("?").lower() in row["question"].lower()


def test_a_hostile_follow_up_takes_no_time():
    start = time.process_time()
    for text in (
        "and " * 200,
        "on the " * 60,
        "it " * 130,
        "first day " * 40,
        "8 to " * 80,
        "if " * 130,
        "(day 1) " * 50,
    ):
        assert len(standalone(text, "What do I do on the first day with 6 hours a week? " * 8)) < 4 * LONGEST
    assert time.process_time() - start < 5

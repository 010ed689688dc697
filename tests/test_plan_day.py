"""Days of a plan: which are asked for, and which pieces of the plan are theirs."""

import pytest

from bot.drafts import Sentence
from bot.plan_day import asked_days, of_days


@pytest.mark.parametrize(
    ("question", "days"),
    [
        ("and on Thursday?", ("Thursday",)),
        ("And on the second day of the plan?", ("day 2",)),
        ("what about saturday and sunday?", ("Saturday", "Sunday")),
        ("What do I do on day 3?", ("day 3",)),
        ("and the weekend?", ("Saturday", "Sunday")),
        ("how long is Saturday's ride?", ("Saturday",)),
        ("the 5th day?", ("day 5",)),
        ("and the last day?", ("the last day",)),
        ("and what should I eat on Thursday?", ()),
        ("How do I clean my chain on day 2?", ()),
        ("actually 8 hours", ()),
        ("and in the second week?", ()),
        ("Who won on Sunday?", ()),
    ],
)
def test_days_are_told_where_nothing_else_is_asked(question: str, days: tuple[str, ...]) -> None:
    assert asked_days(question) == days


def test_a_day_is_found_by_its_name_or_number_else_by_its_place() -> None:
    named = [Sentence(text, ()) for text in ("Day 1 (Monday): Rest.", "Day 2 (Tuesday): Ride.", "Day 12 (Friday): Go.")]
    assert [each.text for each in of_days(named, ["Tuesday", "day 1"])] == [named[1].text, named[0].text]
    assert of_days(named, ["day 3"]) == ()
    assert of_days(named, ["the last day"]) == (named[2],)
    plain = [Sentence(text, ()) for text in ("Rest.", "Ride for an hour.")]
    assert of_days(plain, ["day 2"]) == (plain[1],)
    assert of_days(plain, ["day 3", "Sunday"]) == ()

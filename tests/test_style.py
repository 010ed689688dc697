"""Replies from style memory: what is carried over, what fits, and how they vary."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bot.portable import portable
from bot.style import Style
from data.persona import load_persona
from data.style_memory import PastReply

PAST = [
    ("Loved it", "Thanks Priya! Glad you liked it :) See you at PyCon on the 5th."),
    ("So clear, thank you", "Thank you, I'm glad it was clear! Here is more: https://example.org/x"),
    ("Great channel", "Thanks for the kind words! The next one is out on Friday."),
    ("It really helped me pass", "Great to hear, glad it helped! Say hi to Dr. Moreau."),
    ("Best video on Kubernetes", "Thanks, the Kubernetes API is my favourite."),
    ("Awesome", "Glad you enjoyed it!"),
    ("Thanks", "Cheers man, added it to my list"),
    ("Is it hard?", "Good question! It takes 3 weeks."),
    ("Make one on soap", "Great idea! I'll film it next month."),
    ("lol", "Haha 😂"),
]


class Labels:
    """Labels by hand: what is tested is the choice."""

    def label(self, comment: str) -> str:
        known = {"Is it hard?": "question", "Make one on soap": "suggestion", "lol": "joke"}
        return known.get(comment, "thanks")


class Remarks:
    def label(self, comment: str) -> str:
        return "remark"


def made() -> Style:
    return Style([PastReply(str(n), c, r) for n, (c, r) in enumerate(PAST)], Labels(), load_persona("shawgpt").replies)


@pytest.fixture
def style():
    return made()


@pytest.mark.parametrize(
    ("reply", "label", "kept"),
    [
        ("Thanks Priya! Glad you liked it :) See you at PyCon.", "thanks", "Thanks! Glad you liked it :)"),
        ("Hi Momo, thanks for your question! T is the scale.", "question", "Thanks for your question!"),
        ("Glad it was helpful! More at https://a.b", "thanks", "Glad it was helpful!"),
        ("Thanks, I bought 3 of them", "thanks", ""),
        ("Thanks, wavelets are great", "thanks", ""),
        ("Happy to help @sam", "thanks", ""),
        ("Thank you! I'll do that next week.", "thanks", "Thank you!"),
        ("Good question! It is the fourth one.", "question", "Good question!"),
        ("Great idea! I added it to my list.", "suggestion", "Great idea!"),
        ("😂😂", "joke", "😂😂"),
        ("😂😂", "thanks", ""),
        ("I agree, great point", "remark", ""),
        ("Ah, good one. It scorches.", "question", ""),
        ("", "thanks", ""),
    ],
)
def test_only_what_is_true_of_any_comment_is_carried_over(reply, label, kept):
    assert portable(reply, label) == kept


def test_no_name_link_number_or_promise_comes_along(style):
    said = []
    for number in range(40):
        said.append(
            style.choose("thanks", f"Great clear helpful video number {number}, thank you so much!", said[-10:])
        )
    everything = " ".join(said)
    assert not re.search(r"https?:|\d|@|Priya|Moreau|PyCon|Kubernetes|Friday|list", everything)


def test_a_reply_is_not_given_again_within_five(style):
    said: list[str] = []
    for number in range(30):
        said.append(style.choose("thanks", f"Great video {number}!", said[-10:]))
        assert said[-1] not in said[-6:-1]


def test_a_reply_speaks_only_of_what_the_comment_does(style):
    for number in range(20):
        assert "clear" not in style.choose("thanks", f"Happy new year from Oslo {number}")
    assert any("clear" in text for text in style.near("thanks", "Very clear explanation, thank you"))


def test_a_text_from_further_back_gives_way_to_one_not_used_yet():
    texts = ["Thank you!", "Thanks!", "Cheers!", "Thanks a lot!", "Many thanks!", "Thank you all!", "Thanks to you!"]
    style = Style([], Labels(), {"thanks": [*texts, "Thanks so much!"]})
    said: list[str] = []
    for number in range(8):
        said.append(style.choose("thanks", f"Great video {number}!", said[-10:]))
    assert len(set(said)) == 8


def test_shipped_openings_say_nothing_of_the_answer():
    sample = yaml.safe_load((Path(__file__).parent.parent / "data/sample/nell.yaml").read_text(encoding="utf-8"))
    for openings in (load_persona("shawgpt").replies["question"], sample["replies"]["question"]):
        assert len(openings) >= 3
        assert all(
            re.search(r"question|asking", opening) for opening in openings
        )  # it reads well before a warning, too


def test_without_memory_the_personas_own_replies_serve_and_vary():
    persona = load_persona("shawgpt")
    style = Style([], Labels(), persona.replies, persona.signature)
    said: list[str] = []
    for number in range(10):
        said.append(style.choose("thanks", f"Great and helpful video {number}, you are amazing!", said))
    assert set(said) <= set(persona.replies["thanks"])
    assert len(set(said)) >= 4
    assert style.choose("joke", "my cat did it lol") == ""


def test_a_signature_in_past_replies_is_not_carried_over():
    past = [
        PastReply(str(n), f"Great {n}", f"{text} –Bea")
        for n, text in enumerate(["Thank you!", "Glad you liked it!", "Cheers, glad to hear!"])
    ]
    style = Style(past, Labels(), {}, "-Other")
    assert all("Bea" not in style.choose("thanks", f"Great video {n}") for n in range(10))


def test_the_choice_is_the_same_in_another_process(style):
    comment = "What a great video, thank you"
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("same", {__file__!r})
same = importlib.util.module_from_spec(spec)
spec.loader.exec_module(same)
print(same.made().choose("thanks", {comment!r}))
"""
    environment = {"PYTHONHASHSEED": "77", "PYTHONPATH": str(Path(__file__).parent.parent)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == style.choose("thanks", comment)


def test_two_hundred_thanks_with_three_past_replies_still_vary():
    past = [("Great", "Thank you!"), ("So good", "Glad you liked it!"), ("Wow", "Cheers, glad to hear!")]
    style = Style(
        [PastReply(str(n), *pair) for n, pair in enumerate(past)], Labels(), load_persona("shawgpt").replies, "-Shaw"
    )
    said: list[str] = []
    for number in range(200):
        said.append(style.choose("thanks", f"Great video, thank you {number}!", said[-10:]))
    assert all(said[n] not in said[max(0, n - 5) : n] for n in range(200))
    assert len(set(said)) >= 6
    assert max(said.count(text) for text in set(said)) <= 60


@pytest.mark.parametrize(
    ("label", "comment", "never"),
    [
        ("thanks", "Happy birthday!", "hear|liked|helpful|clear"),
        ("thanks", "Good luck with the operation, thinking of you", "hear|liked|helpful|luck"),
        ("thanks", "❤️", "hear|liked|helpful|😅|😂"),
        ("thanks", "Nice jacket!", "hear|helpful|clear|video"),
        ("thanks", "Would love to swap notes, all the best", "hear|liked|helpful"),
        ("thanks", "Great video", "idea|suggest|luck|worked"),
        ("thanks", "You look like my physics teacher", "liked|hear|helpful"),
        ("thanks", "Day 12 of the same video", "liked|hear|enjoyed"),
        ("thanks", "I have that lamp too, thanks", "hear|liked"),
        ("suggestion", "Could you speak a little slower?", "idea"),
    ],
)
def test_a_reply_answers_what_was_said(style, label, comment, never):
    near = style.near(label, comment)
    assert near
    assert not re.search(never, " ".join(near))


def test_one_reply_alone_is_not_given_to_every_comment():
    style = Style([PastReply("1", "I use oil for that", "Thanks for sharing!")], Remarks(), {})
    said: list[str] = []
    for number in range(12):
        said.append(style.choose("remark", f"I use wax for mine, number {number}", said[-10:]))
    assert "Thanks for sharing!" in said
    assert all(said[n] not in said[max(0, n - 5) : n] for n in range(12) if said[n])

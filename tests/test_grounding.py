"""Grounding: every sentence that a model wrote has a source, claims nothing, or is told."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bot.grounding import FARTHEST, MOST, ground
from data.models import Passage

DOUGH = (
    "The dough rests for 90 minutes at 24 degrees before it is shaped. Mara Lind never uses instant yeast in it. "
    "A wet dough is folded every half hour, which gives it strength without kneading. "
    "Open the oven only if the crust has set. Most loaves keep for 4 days, because rye holds water. "
    "Tom Hay built the oven, and Mara Lind lit it in 2019. A cold oven is slower than a hot one. "
    "The peel should be floured with rice flour."
)
PAIRS = Path(__file__).parents[1] / "benchmarks/grounding_pairs.csv"


@pytest.fixture
def passages() -> list[Passage]:
    return [Passage(1, 0.6, "/posts/dough.md", "Rye bread", None, None, "Resting", "c1", DOUGH)]


@pytest.mark.parametrize(
    "sentence",
    [
        "The dough rests for 90 minutes at 24 degrees before it is shaped.",
        "It rests for ninety minutes before shaping, at 24 degrees.",
        "Mara Lind never uses instant yeast in it.",
        "A wet dough is folded every half hour, it gives strength without kneading.",
        "A wet dough is folded every half hour.",
        "Open the oven only if the crust has set.",
        "Most loaves keep four days.",
        "Most loaves keep for 4 days, as rye holds water.",
        "Mara Lind lit it in 2019.",
        "Flour the peel with rice flour.",
        "Good question, most loaves keep for 4 days.",
        "Most loaves keep for 4 days, because rye holds water, and Tom Hay built the oven.",
    ],
)
def test_what_a_passage_says_is_supported_by_that_very_sentence(passages, embedder, sentence):
    grounded = ground(sentence, passages, "How long does the dough rest?", embedder)
    assert not grounded.unfounded
    assert grounded.founded == 1
    (support,) = grounded.sentences[0].support
    assert support.source == "/posts/dough.md"
    assert support.quote in DOUGH


@pytest.mark.parametrize(
    "sentence",
    [
        "The dough rests for 60 minutes at 24 degrees before it is shaped.",  # another figure
        "The dough rests for 24 minutes at 90 degrees before it is shaped.",  # exchanged
        "Most loaves keep for forty days.",
        "Most loaves keep for 4 weeks.",
        "Most loaves keep for 4.5 days.",
        "The dough never rests for 90 minutes at 24 degrees before it is shaped.",  # the contrary
        "Avoid folding a wet dough every half hour.",
        "Mara Lind uses instant yeast in it.",
        "Nell Brandt never uses instant yeast in it.",  # another name
        "Mara Lind built the oven, and Tom Hay lit it in 2019.",
        "The dough rests for 90 minutes at 24 degrees after it is shaped.",
        "A hot oven is slower than a cold one.",
        "A cold oven is faster than a hot one.",
        "Open the oven.",  # the condition is gone, or turned round
        "Open the oven if the crust has set.",
        "Open the oven unless the crust has set.",
        "All loaves keep for 4 days.",
        "Loaves keep for 4 days.",
        "They keep for 4 days.",
        "Most loaves will keep for 4 days.",
        "Most loaves keep for 4 days, and I ate ten.",
        "It is slower than a hot one.",  # nobody spoke of a cold oven
        "I will post a video about it next week.",  # a promise
        "Get the flour from www.flour.example.",
        "The oven has to be hot for a good crust.",  # of something else
        "It rests for 90 minutes, and I use a 3 kg batch.",
        "Mixing 7.",
        "have in the dough",
    ],
)
def test_what_no_passage_says_is_told(passages, embedder, sentence):
    grounded = ground(sentence, passages, "How long does the dough rest?", embedder)
    assert grounded.unfounded == (sentence,)
    assert not grounded.founded


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Is the old oven safe indoors?", "The old oven is safe indoors."),
        ("They leave the oven alone all day.", "Leave the oven alone all day."),
        ("You burned the crust in the oven.", "Burn the crust in the oven."),
        ("A very common beginner mistake: leave the oven alone.", "Leave the oven alone."),
        ("For rye, use 18 g of salt; for wheat, use 60 g of salt.", "For rye, use 60 g of salt."),
        ("Rye does not rise like wheat.", "Like wheat, rye does not rise."),
        ("In theory, the oven is safe.", "The oven is safe."),
        ("The oven is safe, except near curtains.", "The oven is safe."),
        ("Never mix rye, or touch the plate.", "Touch the plate."),
        ("The course was free in May.", "The course is free in May."),
        ("We can't ship to Spain.", "We can ship to Spain."),
        ("It is -5 °C in the cellar.", "It is 5 °C in the cellar."),
        ("See flour.example.com for more on rye.", "See flour.example.net for more on rye."),
    ],
)
def test_a_sentence_of_the_same_words_can_say_something_else(passages, embedder, text, sentence):
    passage = replace(passages[0], text=text)
    assert ground(sentence, [passage], "And rye?", embedder).unfounded == (sentence,)


def test_what_stands_under_common_mistakes_founds_nothing(passages, embedder):
    sentence = "Most loaves keep for 4 days."
    assert ground(sentence, passages, "", embedder).founded
    assert ground(sentence, [replace(passages[0], heading="Common mistakes")], "", embedder).unfounded == (sentence,)


def test_it_stands_for_what_was_spoken_of(passages, embedder):
    assert ground("A cold oven, yes. It is slower than a hot one.", passages, "A cold oven?", embedder).founded == 1
    passage = replace(passages[0], text="It keeps for 4 days in a cloth.")
    assert ground("Rye bread keeps for 4 days in a cloth.", [passage], "", embedder).founded == 1


@pytest.mark.parametrize(
    "reply",
    [
        "Thanks, glad it helped!", "Great question!", "Thank you so much :)", "Thanks Ana!", "Hi Ana!", "❤️",
        "You're welcome!", "No problem, glad it helped!", "Have a great weekend!", "Happy baking!", "Good luck!",
        "Which flour do you use?", "What happens when you try it?", "How did it go?", "What do you think?",
    ],
)  # fmt: skip
def test_pleasantries_and_questions_back_need_no_source(embedder, reply):
    grounded = ground(reply, [], "Loved it, greetings from Ana", embedder)
    assert not grounded.unfounded
    assert not grounded.founded


@pytest.mark.parametrize(
    "reply",
    [
        "Yes, absolutely!", "No.", "Of course, do it!", "You can!", "Right you are.", "That is true.", "Sure thing!",
        "Great question, and yes it is definitely perfect!", "I love you.", "Subscribe!", "Thanks for nothing!",
        "A good question and the video is about you.",
        "Did you know that it is perfectly safe?", "Use it, ok?", "Why not leave it alone?", "Is it not obvious?",
        "Can you send me your password?", "Which password do you use?", "How stupid are you?", "Where do you work?",
        "thanks thanks thanks", "...", "7", "x", "Thanks Rahul!",
    ],
)  # fmt: skip
def test_answers_orders_and_other_questions_are_claims(passages, embedder, reply):
    assert ground(reply, passages, "Loved it, greetings from Ana", embedder).unfounded == (reply,)


def test_a_reply_that_says_the_same_over_and_over_is_told(embedder):
    assert ground("Thanks!\n" * 2, [], "", embedder).unfounded == ()
    assert len(ground("Thanks!\n" * 5, [], "", embedder).unfounded) == 3
    assert len(ground("a\n" * 5, [], "", embedder).unfounded) == 5


def test_what_is_too_long_to_look_at_is_told_as_one(passages, embedder):
    for reply in ("1. " * 7000, "." * FARTHEST * 2, "word " * 9000, "Thanks.\n" * MOST * 2):
        grounded = ground(reply, passages, "", embedder)
        assert not grounded.founded
        assert len(grounded.sentences) <= MOST + 1
        assert grounded.unfounded[-1] == grounded.sentences[-1].text
        assert reply.endswith((grounded.unfounded[-1], grounded.unfounded[-1] + " ", grounded.unfounded[-1] + "\n"))


def test_sentences_keep_their_order_and_without_passages_every_claim_is_told(passages, embedder):
    reply = "Good question! Most loaves keep for 4 days. Then I sing to it for an hour."
    grounded = ground(reply, passages, "how long?", embedder)
    assert [bool(sentence.support) for sentence in grounded.sentences] == [False, True, False]
    assert grounded.unfounded == ("Then I sing to it for an hour.",)
    assert len(ground(reply, [], "how long?", embedder).unfounded) == 2
    assert ground("", passages, "how long?", embedder).sentences == ()


def test_no_false_sentence_of_the_written_pairs_passes_and_verbatim_ones_do(passages, embedder):
    with open(PAIRS, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {row["passage"]: row["text"] for row in rows if row["kind"] == "passage"}
    passing: dict[str, list[bool]] = {"false": [], "verbatim": [], "paraphrase": []}
    for row in rows:
        if row["half"]:
            passage = replace(passages[0], title="Guide", heading="Notes", text=texts[row["passage"]])
            passing[row["kind"]].append(not ground(row["text"], [passage], "Help?", embedder).unfounded)
    assert not any(passing["false"])
    assert sum(passing["verbatim"]) >= len(passing["verbatim"]) - 1  # "8 °C. Marta" is read as one sentence
    assert sum(passing["paraphrase"]) * 2 >= len(passing["paraphrase"])

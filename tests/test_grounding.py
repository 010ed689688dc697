"""Grounding: every sentence that a model wrote has a source, claims nothing, or is told."""

import pytest

from bot.grounding import ground
from data.models import Passage

DOUGH = (
    "The dough rests for 90 minutes at 24 degrees before it is shaped. Mara Lind never uses instant yeast in it. "
    "A wet dough is folded every half hour, which gives it strength without kneading."
)


@pytest.fixture
def passages() -> list[Passage]:
    return [Passage(1, 0.6, "/posts/dough.md", "Rye bread", None, None, "Resting", "c1", DOUGH)]


@pytest.mark.parametrize(
    "sentence",
    [
        "The dough rests for 90 minutes at 24 degrees before it is shaped.",
        "It rests for 90 minutes before shaping, at 24 degrees.",
        "Mara Lind never uses instant yeast.",
        "Fold a wet dough every half hour, it gives strength without kneading.",
    ],
)
def test_what_a_passage_says_is_supported_by_that_very_sentence(passages, embedder, sentence):
    grounded = ground(sentence, passages, "How long does it rest?", embedder)
    assert grounded.founded == 1
    assert not grounded.unfounded
    (support,) = grounded.sentences[0].support
    assert support.source == "/posts/dough.md"
    assert support.quote in DOUGH


@pytest.mark.parametrize(
    "sentence",
    [
        "The dough rests for 60 minutes at 24 degrees before it is shaped.",  # another figure
        "The dough never rests for 90 minutes at 24 degrees before it is shaped.",  # the contrary
        "Mara Lind uses instant yeast in it.",
        "Nell Brandt never uses instant yeast in it.",  # another name
        "I will post a video about it next week.",  # a promise
        "Get the flour from www.flour.example.",
        "The oven has to be hot for a good crust.",  # of something else
        "It rests for 90 minutes, and I use a 3 kg batch.",
        "Mixing 7.",
        "have in the dough",
    ],
)
def test_what_no_passage_says_is_told(passages, embedder, sentence):
    grounded = ground(sentence, passages, "How long does it rest?", embedder)
    assert grounded.unfounded == (sentence,)
    assert not grounded.founded


@pytest.mark.parametrize(
    "reply",
    ["Thanks, glad it helped!", "Great question!", "Thank you so much :)", "Which flour do you use?", "Thanks Ana!"],
)
def test_pleasantries_and_questions_back_need_no_source(embedder, reply):
    grounded = ground(reply, [], "Loved it, greetings from Ana", embedder)
    assert not grounded.unfounded
    assert not grounded.founded


def test_a_name_that_is_not_the_viewers_is_told(embedder):
    assert ground("Thanks Rahul!", [], "Loved it, greetings from Ana", embedder).unfounded == ("Thanks Rahul!",)


def test_sentences_keep_their_order_and_without_passages_every_claim_is_told(passages, embedder):
    reply = "Good question! The dough rests for 90 minutes at 24 degrees. Then I sing to it for an hour."
    grounded = ground(reply, passages, "how long?", embedder)
    assert [bool(sentence.support) for sentence in grounded.sentences] == [False, True, False]
    assert grounded.unfounded == ("Then I sing to it for an hour.",)
    assert len(ground(reply, [], "how long?", embedder).unfounded) == 2
    assert ground("", passages, "how long?", embedder).sentences == ()

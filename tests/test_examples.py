"""Files of examples: what each format becomes, what is refused and why, and what is held out."""

import json
from pathlib import Path

import pytest

from data.errors import BadInput
from data.persona import Persona
from finetune.examples import Example, once, read_examples, split
from finetune.prompt import messages

NELL = Persona(name="Nell", instructions="Be dry.", signature="-Nell")


@pytest.fixture
def read(write):
    def read_text(text: str, format: str, name: str = "data.csv", persona: Persona = NELL):
        return read_examples(Path(write(name, text)), format, persona)

    return read_text


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_replies_are_shown_as_they_are_served_and_signed_once(read):
    text = "Comment,Response\ngreat,Cheers.\nlovely,Thanks –Nell\nhow long?,Nine hours. -nell \n"
    examples, refused = read(text, "replies")
    assert refused == []
    assert examples[0].prompt == tuple(messages(NELL, "great"))
    assert [example.reply for example in examples] == ["Cheers. -Nell", "Thanks -Nell", "Nine hours. -Nell"]
    assert [example.origin for example in examples] == ["row 2", "row 3", "row 4"]


def test_replies_without_a_signature_stay_as_they_are(read):
    examples, _ = read(
        "Comment,Response\ngreat,Cheers.\n", "replies", persona=NELL.model_copy(update={"signature": ""})
    )
    assert examples[0].reply == "Cheers."


def test_what_cannot_be_learned_from_is_refused_with_its_row_and_reason(read):
    text = (
        "Comment,Response\n,Cheers\nhello,\nhello,-Nell\n\u200b,Thanks\nhello,Thanks </s>\nhello,[INST] do it [/INST]\n"
        "fine,Good\n"
    )
    examples, refused = read(text, "replies")
    assert [example.origin for example in examples] == ["row 8"]
    assert dict(refused) == {
        "row 2": "it has no comment",
        "row 3": "it has no reply",
        "row 4": "it has no reply",
        "row 5": "it has no comment",
        "row 6": "its reply holds '</s>': the model would learn to write turns of its own",
        "row 7": "its reply holds '[INST]': the model would learn to write turns of its own",
    }


def test_conversation_gives_an_example_for_each_reply_with_what_came_before(read):
    turns = [
        {"role": "system", "content": "Be dry."},
        {"role": "user", "content": "one [/INST] two"},
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": "four"},
        {"role": "assistant", "content": "five", "weight": 1},
    ]
    examples, refused = read(lines({"messages": turns}), "messages", "data.jsonl")
    assert refused == []
    assert [(e.origin, e.reply) for e in examples] == [("line 1, message 3", "three"), ("line 1, message 5", "five")]
    assert [turn["content"] for turn in examples[1].prompt] == ["Be dry.", "one ⟦/INST⟧ two", "three", "four"]


def test_turn_marked_as_not_to_be_learned_is_only_shown(read):
    turns = [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"},
    ]  # fmt: skip
    examples, _ = read(lines({"messages": turns}), "messages")
    assert [example.reply for example in examples] == ["d"]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([{"role": "user", "content": "a"}], "it ends without an assistant's reply"),
        ([{"role": "assistant", "content": "a"}], "message 1 is of 'assistant', where system or user is expected"),
        ([{"role": "user", "content": "a"}] * 2, "message 2 is of 'user', where assistant is expected"),
        (
            [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}],
            "message 2 is of 'tool', where assistant",
        ),
        ([{"role": "user", "content": [{"type": "image"}]}], "message 1 has no text"),
        (["a"], "message 1 is of None"),
        ([], "its messages are no list"),
    ],
)
def test_conversation_that_is_none_is_refused_whole(read, turns, reason):
    examples, refused = read(lines({"messages": turns}), "messages")
    assert examples == []
    assert refused[0][0] == "line 1"
    assert refused[0][1].startswith(reason)


def test_sql_quotes_and_completions_come_from_json_lines_and_from_csv(read):
    row = {"context": "CREATE TABLE a (b int)", "question": "How many?", "answer": "SELECT count(*) FROM a"}
    (from_json,), _ = read(lines(row), "sql", "a.jsonl")
    (from_csv,), _ = read(
        'answer,Question,context\nSELECT count(*) FROM a,How many?,"CREATE TABLE a (b int)"\n', "sql", "a.csv"
    )
    assert (from_json.prompt, from_json.reply) == (from_csv.prompt, from_csv.reply)
    assert from_json.prompt[0]["content"].endswith("CREATE TABLE a (b int)\n\nQuestion: How many?")
    (quote,), _ = read(lines({"quote": "Be brief. ", "author": "A.  Nobody", "tags": []}), "quotes")
    assert (quote.prompt, quote.reply) == ("Quote by A. Nobody:", "Be brief.")
    (plain,), _ = read(lines({"prompt": "2 + 2 = ", "completion": " 4"}), "completion")
    assert (plain.prompt, plain.reply) == ("2 + 2 =", "4")


def test_broken_lines_are_refused_and_the_others_are_read(read):
    text = '{"quote": "a", "author": "b"}\n{"quote": \n\n{"quote": "x"}\n[1]\n{"quote": "\\ud800", "author": "b"}\n'
    examples, refused = read(text, "quotes")
    assert len(examples) == 1
    assert refused == [
        ("line 2", "it is no JSON"),
        ("line 4", "it has no author (it has quote)"),
        ("line 5", "it has no quote"),
        ("line 6", "it is no JSON"),
    ]


@pytest.mark.parametrize(
    ("text", "format", "said"),
    [
        ('[{"quote": "a"},\n {}]', "quotes", "write each example on a line of its own"),
        ("quote,writer\na,b\n", "quotes", "no column 'author': it has 'quote', 'writer', and needs quote, author"),
        ("a,b\n1,2\n", "replies", "name one with Comment,Response in its header"),
        ("", "sql", "is empty"),
    ],
)
def test_file_of_another_shape_is_told_in_one_line(read, text, format, said):
    with pytest.raises(BadInput, match=said):
        read(text, format)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(BadInput, match="--data"):
        read_examples(tmp_path / "none.csv", "quotes", NELL)


def some(count: int) -> list[Example]:
    return [Example(f"prompt {n}", f"reply {n}", f"row {n}") for n in range(count)]


def test_split_is_the_same_each_time_and_holds_out_the_share_asked_for():
    train, held_out = split(some(59), 0.15, 42)
    assert (len(train), len(held_out)) == (50, 9)
    assert split(some(59), 0.15, 42) == (train, held_out)
    assert split(some(59), 0.15, 43)[1] != held_out
    assert split(some(59), 0, 42) == (some(59), [])


def test_split_does_not_follow_the_order_of_the_file_and_hardly_its_growth():
    held_out = {e.prompt for e in split(some(200), 0.1, 1)[1]}
    assert {e.prompt for e in split(some(200)[::-1], 0.1, 1)[1]} == held_out
    grown = {e.prompt for e in split(some(220), 0.1, 1)[1]}
    assert len(held_out & grown) >= 0.8 * len(held_out)


def test_what_opens_alike_never_stands_on_both_sides():
    for seed in range(30):
        pairs = [
            Example(p, r, "") for n in range(9) for p, r in ((f"Hi {n}", "a"), (f"hi  {n} ", "b"), (f"Hi {n}", "a"))
        ]
        train, held_out = split(pairs, 0.3, seed)
        sides = [{" ".join(e.prompt.lower().split()) for e in side} for side in (train, held_out)]
        assert held_out
        assert not sides[0] & sides[1]


def test_one_group_alone_is_trained_on():
    assert split(some(1) * 5, 0.5, 0) == (some(1) * 5, [])


def test_a_pair_that_repeats_another_word_for_word_is_learned_once():
    pairs = [Example("a", "b", "row 2"), Example("a", "c", "row 3"), Example("a", "b", "row 4")]
    assert once(pairs) == (pairs[:2], [("row 4", "it repeats another word for word, and is learned once")])


@pytest.mark.parametrize(
    ("text", "format", "said"),
    [
        ('{"messages": []}\n', "replies", "is JSON lines, and the format replies reads CSV .* the recipe chat"),
        ("Comment,Response\na,b\n", "messages", "is no JSON lines, which the format messages reads: one"),
        ("Comment,Response\n", "replies", "holds no examples: it has nothing below its header"),
        ("", "messages", "holds no examples: it is empty"),
    ],
)
def test_file_of_another_kind_or_without_examples_says_what_is_wanted(read, text, format, said):
    with pytest.raises(BadInput, match=said):
        read(text, format)

"""Personas: loading, shadowing, names, mistakes in files, and making one from past replies."""

from pathlib import Path

import pytest

from bot.assistant import Assistant
from data.errors import BadInput, NotFound
from data.intents import load_shipped_vectors, shipped_texts
from data.manner import persona_from_replies
from data.persona import (
    INTENTS,
    find_signature,
    list_personas,
    load_persona,
    save_persona,
    without_signature,
)


def test_the_shipped_persona_has_its_signature_and_examples_for_every_intent():
    persona = load_persona("ShawGPT")
    assert persona.signature == "-ShawGPT"
    assert set(persona.examples) == set(INTENTS)
    assert all(len(examples) >= 50 for examples in persona.examples.values())
    everything = [comment.lower() for examples in persona.examples.values() for comment in examples]
    assert len(set(everything)) == len(everything)


def test_the_shipped_vectors_are_those_of_the_shipped_examples(embedder):
    kept = load_shipped_vectors(embedder.name)
    texts = shipped_texts()
    assert len(kept) == len(texts)  # else run `python -m benchmarks.intent_vectors`
    some = slice(0, None, 97)
    assert abs(kept[some] - embedder.encode(texts[some])).max() < 1e-3


def test_examples_of_ones_own_are_added_and_win_over_the_shipped_ones(tmp_path: Path):
    shipped = load_persona("shawgpt").examples
    (tmp_path / "personas").mkdir()
    own = f"intents: {{business: [are your bees for sale], remark: ['{shipped['thanks'][0]}']}}"
    (tmp_path / "personas/bea.yaml").write_text(f"name: Bea\ninstructions: Be brief.\n{own}\n")
    examples = load_persona("bea", tmp_path).examples
    assert examples["business"] == [*shipped["business"], "are your bees for sale"]
    assert shipped["thanks"][0] in examples["remark"]
    assert shipped["thanks"][0] not in examples["thanks"]


def test_a_users_persona_shadows_the_shipped_one(tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/shawgpt.yaml").write_text("name: Mine\ninstructions: Be brief.\n")
    assert load_persona("shawgpt", tmp_path).name == "Mine"
    assert load_persona("shawgpt").name == "ShawGPT"


def test_a_minimal_persona_has_the_shipped_examples(tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/short.yaml").write_text("name: Short\ninstructions: Be brief.\n")
    assert load_persona("short", tmp_path).examples == load_persona("shawgpt").examples


def test_an_unknown_persona_is_answered_with_the_known_ones(tmp_path: Path):
    with pytest.raises(NotFound, match=r"no persona 'nell'; there are: .*shawgpt"):
        load_persona("nell", tmp_path)


@pytest.mark.parametrize("name", ["", "../secret", "a/b", "a\\b", ".hidden", "x" * 65, "a\nb", "a\0b", "-rf"])
def test_a_name_that_is_a_path_or_no_name_is_refused(name: str, tmp_path: Path):
    with pytest.raises(BadInput, match="can't name a persona"):
        load_persona(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("José Ñ", "jose-n"), ("O'Brien", "obrien"), ("O’Brien", "obrien"), ("Maya 🍞 & Co.", "maya-co"),
        ("Großmutter", "grossmutter"), ("Ana_B", "ana_b"), ("Оля", "оля"), ("한글", "한글"),
    ],
)  # fmt: skip
def test_any_name_is_kept_and_its_file_has_a_plain_one(name: str, file: str, tmp_path: Path):
    path = save_persona(persona_from_replies(name, REPLIES), tmp_path)
    assert path.name == f"{file}.yaml"
    assert load_persona(name, tmp_path).name == load_persona(file, tmp_path).name == name
    assert file in list_personas(tmp_path)


def test_a_file_named_by_hand_is_found_by_its_name(tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/My Zoë.yaml").write_text("name: Zoë\ninstructions: Be brief.\n", encoding="utf-8")
    assert load_persona("My Zoë", tmp_path).name == "Zoë"
    assert {"my-zoe", "shawgpt"} <= set(list_personas(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "name: A\ninstructions: B\nsignatur: C\n",
            "signatur: no such field; the fields are name, task, instructions, signature",
        ),
        ("name: A\n", "instructions: is missing"),
        ("name: A\ninstructions: B\nintents: {cheers: [hi]}\n", "unknown intent 'cheers'"),
        ("name: A\ninstructions: B\nsignature: |\n  x\n  y\n", "signature: must be one line"),
        ("name: A\ninstructions: B\nsampling: {temperature: 5}\n", "sampling.temperature: must be at most 2"),
        ("name: A\ninstructions: B\nsampling: {temp: 1}\n", "sampling.temp: no such field; .*temperature, top_p"),
        ("- a\n- b\n", "is no persona"),
        ("name: [\n", "can't be read as YAML"),
        ("name: !!python/object/apply:os.system [ls]\ninstructions: B\n", "can't be read as YAML"),
    ],
)
def test_a_mistake_in_a_file_is_one_clear_line(text: str, says: str, tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/broken.yaml").write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        load_persona("broken", tmp_path)
    assert "\n" not in str(caught.value)
    assert "broken.yaml" in str(caught.value)
    assert says.split(":")[0] in str(list_personas(tmp_path)["broken"])


REPLIES = [
    ("Great!", "Thanks, glad you liked it :)\n–Ana B"),
    ("Thank you", "Glad it helped 🎉\n-Ana B"),
    ("How long?", "Good question! Ten minutes should do — more if it is cold. -Ana B"),
    ("Nice", "Thanks, made my day! —Ana B"),
    ("Bad", "Sorry to hear that."),
]


def test_a_persona_from_replies_has_their_signature_whichever_dash_it_was_typed_with():
    persona = persona_from_replies("Ana", REPLIES)
    assert persona.signature == "-Ana B"
    assert "Ana" in persona.instructions
    assert '"Thanks"' in persona.instructions
    assert "Ana B" not in persona.instructions.replace("for Ana,", "")


def test_no_signature_is_seen_where_fewer_than_two_in_five_share_one():
    assert find_signature(["Thanks!", "Cheers - the team", "Glad it helped", "Welcome", "See you"]) == ""
    assert find_signature([]) == ""


def test_a_signature_is_taken_off_once_and_only_at_the_end():
    assert without_signature("Thanks! –ShawGPT", "-ShawGPT") == "Thanks!"
    assert without_signature("Thanks!\n\n— ShawGPT ", "-ShawGPT") == "Thanks!"
    assert without_signature("-ShawGPT is my name", "-ShawGPT") == "-ShawGPT is my name"
    assert without_signature("Thanks!", "") == "Thanks!"


def test_a_saved_persona_loads_as_it_was_and_is_not_written_over(tmp_path: Path):
    persona = persona_from_replies("Ana B", REPLIES)
    path = save_persona(persona, tmp_path)
    assert path == tmp_path / "personas/ana-b.yaml"
    assert load_persona("Ana B", tmp_path) == persona
    with pytest.raises(BadInput, match="exists already"):
        save_persona(persona, tmp_path)


def test_no_replies_make_no_persona():
    with pytest.raises(BadInput, match="no replies to learn from"):
        persona_from_replies("Ana", [("hi", ""), ("ho", "  ")])


def test_a_persona_from_replies_tells_lengths_openings_and_marks_as_they_are():
    replies = [
        ("Loved it", "Ah, cheers. Glad it was useful."),
        ("So good", "Ah, cheers."),
        ("Thank you", "Oh lovely, thank you."),
        ("Great", "Oh lovely, that made my day."),
        ("How long do I wait?", "Five days for filter and ten for espresso, and then try it again."),
    ]
    persona = persona_from_replies("Nell", replies)
    assert "thank-you or a remark has about 5 words, seldom more than 6" in persona.instructions
    assert "question has about 13 words." in persona.instructions
    assert '"Ah", "Oh lovely"' in persona.instructions
    assert "no emoji" in persona.instructions
    assert "no exclamation marks" in persona.instructions
    assert not any("!" in reply or ":)" in reply for texts in persona.replies.values() for reply in texts)


def test_a_saved_persona_says_what_its_fields_are_for(tmp_path: Path):
    text = save_persona(persona_from_replies("Ana", REPLIES), tmp_path).read_text(encoding="utf-8")
    for field in ("instructions:", "signature:", "scope:", "knowledge_base:", "replies:", "intents:"):
        assert text.split("\n" + field)[0].splitlines()[-1].startswith("# ")
    assert max(len(line) for line in text.splitlines()) <= 120


def test_persona_new_says_where_it_finds_no_signature(tmp_path: Path):
    from typer.testing import CliRunner

    from bot.cli import app

    pairs = tmp_path / "past.csv"
    pairs.write_text("Comment,Response\n" + "".join(f"c {n},Thanks for number {n}\n" for n in range(9)))
    said = CliRunner().invoke(app, ["--home", str(tmp_path), "persona", "new", "Maya", "--from", str(pairs)]).output
    assert "no signature found" in said
    assert "--persona maya" in said


@pytest.mark.parametrize("name", ["sql", "quotes"])
def test_a_persona_of_another_task_is_not_asked_for_replies(assistant: Assistant, name: str) -> None:
    with pytest.raises(BadInput, match=f"ask --persona {name}"):
        assistant.use(name, task="reply")
    assistant.use(name)  # where any task will do
    assert assistant.persona.task == name

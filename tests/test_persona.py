"""Personas: loading, shadowing, names, mistakes in files, and making one from past replies."""

from pathlib import Path

import pytest

from data.errors import BadInput, NotFound
from data.persona import (
    INTENTS,
    find_signature,
    list_personas,
    load_persona,
    persona_from_replies,
    save_persona,
    without_signature,
)


def test_the_shipped_persona_has_its_signature_and_examples_for_every_intent():
    persona = load_persona("ShawGPT")
    assert persona.signature == "-ShawGPT"
    assert set(persona.intents) == set(INTENTS)
    assert all(8 <= len(examples) <= 70 for examples in persona.intents.values())
    assert all(len(set(examples)) == len(examples) for examples in persona.intents.values())


def test_a_users_persona_shadows_the_shipped_one(tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/shawgpt.yaml").write_text("name: Mine\ninstructions: Be brief.\n")
    assert load_persona("shawgpt", tmp_path).name == "Mine"
    assert load_persona("shawgpt").name == "ShawGPT"


def test_a_minimal_persona_has_the_shipped_examples(tmp_path: Path):
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/short.yaml").write_text("name: Short\ninstructions: Be brief.\n")
    assert load_persona("short", tmp_path).intents == load_persona("shawgpt").intents


def test_an_unknown_persona_is_answered_with_the_known_ones(tmp_path: Path):
    with pytest.raises(NotFound, match=r"no persona 'nell'; there are: shawgpt"):
        load_persona("nell", tmp_path)


@pytest.mark.parametrize("name", ["", "../secret", "a/b", "a\\b", ".hidden", "x" * 65, "a\nb", "a\0b", "-rf"])
def test_a_name_that_is_a_path_or_no_name_is_refused(name: str, tmp_path: Path):
    with pytest.raises(BadInput, match="can't name a persona"):
        load_persona(name, tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: A\ninstructions: B\nsignatur: C\n", "signatur: Extra inputs are not permitted"),
        ("name: A\n", "instructions: Field required"),
        ("name: A\ninstructions: B\nintents: {cheers: [hi]}\n", "unknown intent 'cheers'"),
        ("name: A\ninstructions: B\nsignature: |\n  x\n  y\n", "signature: must be one line"),
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

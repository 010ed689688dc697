"""An adapter's card: written whole, read back, and refused where anything is not as it was trained."""

import json
from pathlib import Path

import pytest
import tiny

from data.errors import AdapterRefused, NotFound
from finetune.card import Card, check_card, hash_files, library_versions, read_card, thin, write_card
from finetune.history import Point
from finetune.prompt import PROMPT_VERSION


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    (tmp_path / "adapter_config.json").write_text('{"r": 16}')
    recipe = tiny.recipe()
    write_card(
        tmp_path,
        Card(
            name=recipe.name, recipe=recipe.model_dump(mode="json"), recipe_sha256=recipe.sha256(), base="tiny",
            base_revision=None, base_sha256="b" * 64, prompt_version=PROMPT_VERSION, data_sha256="d" * 64, rows=48,
            rows_held_out=12, seed=1, steps=24, best_step=18, held_out_before=5.9, held_out_after=5.0,
            curve=(Point(0, 0.0, held_out=5.9), Point(1, 0.5, loss=5.5)), versions=library_versions(),
            files=hash_files(tmp_path),
        ),
    )  # fmt: skip
    return tmp_path


def test_a_card_reads_back_and_an_untouched_adapter_is_taken(adapter: Path) -> None:
    card = check_card(adapter, "b" * 64)
    assert card == read_card(adapter)
    assert card.curve[1] == Point(1, 0.5, loss=5.5)
    assert set(card.files) == {"adapter_model.safetensors", "adapter_config.json"}


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_changed_weights_or_settings_are_refused(adapter: Path, name: str) -> None:
    (adapter / name).write_bytes((adapter / name).read_bytes() + b" ")
    with pytest.raises(AdapterRefused, match=f"{name} changed, or went missing"):
        check_card(adapter, "b" * 64)
    (adapter / name).unlink()
    with pytest.raises(AdapterRefused, match=f"{name} changed, or went missing"):
        check_card(adapter, "b" * 64)


def test_weights_added_later_are_refused(adapter: Path) -> None:
    (adapter / "model.safetensors").write_bytes(b"other")
    with pytest.raises(AdapterRefused, match=r"model\.safetensors"):
        check_card(adapter, "b" * 64)


@pytest.mark.parametrize(("field", "value"), [("base", "other"), ("held_out_after", 0.1), ("prompt_version", "2")])
def test_an_edited_card_is_refused(adapter: Path, field: str, value: object) -> None:
    content = json.loads((adapter / "card.json").read_text())
    (adapter / "card.json").write_text(json.dumps({**content, field: value}))
    with pytest.raises(AdapterRefused, match="changed after training"):
        read_card(adapter)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"', "null"])
def test_a_broken_card_is_refused(adapter: Path, text: str) -> None:
    (adapter / "card.json").write_text(text)
    with pytest.raises(AdapterRefused, match="can't be read as a card"):
        read_card(adapter)


def test_another_base_and_another_prompt_are_refused(adapter: Path) -> None:
    with pytest.raises(AdapterRefused, match="another base"):
        check_card(adapter, "c" * 64)
    write_card(adapter, read_card(adapter).model_copy(update={"prompt_version": "0"}))
    with pytest.raises(AdapterRefused, match="prompt 0, and today's is 1"):
        check_card(adapter, "b" * 64)


def test_a_folder_without_a_card_is_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"card\.json is missing"):
        read_card(tmp_path)


@pytest.mark.parametrize("steps", [0, 1, 200, 201, 5000])
def test_a_card_keeps_every_measure_and_at_most_two_hundred_steps(steps: int) -> None:
    history = [point for n in range(steps) for point in (Point(n, n, loss=1.0), Point(n, n, held_out=1.0))]
    kept = thin(history)
    assert sum(point.held_out is not None for point in kept) == steps
    assert min(steps, 100) <= sum(point.loss is not None for point in kept) <= 200
